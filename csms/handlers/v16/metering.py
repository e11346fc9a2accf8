"""Meter values."""

from __future__ import annotations

from csms.handlers.context import Context, Json
from csms.handlers.meter_reports import MeterReport
from csms.handlers.v16.availability import refuse_connector
from csms.rules.meter_values import read_meter_value


async def meter_values(request: Json, context: Context) -> Json:
    """Keeps the readings with the transaction they belong to, whenever they arrive."""
    refuse_connector(request["connectorId"], station_allowed=True)
    readings = [read_meter_value(entry, context.received) for entry in request["meterValue"]]
    report = MeterReport(context.station_id, request["connectorId"], request.get("transactionId"), readings)
    await context.meters.keep(report)
    return {}
