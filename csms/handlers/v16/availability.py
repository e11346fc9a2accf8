"""How stations and connectors are."""

from __future__ import annotations

from csms.errors import CallRefused
from csms.handlers.context import Context, Json
from csms.rpc.dialects import PROPERTY_CONSTRAINT_VIOLATION
from csms.rpc.timestamps import parse_timestamp
from csms.rules.plausibility import connector_objection, judge_instant
from csms.store import stations


async def status_notification(request: Json, context: Context) -> Json:
    """Keeps the status; connector 0 is the station as a whole."""
    refuse_connector(request["connectorId"], station_allowed=True)
    reported = parse_timestamp(request.get("timestamp", "")) or context.received
    timestamp = judge_instant(reported, context.received).used
    async with context.db.begin() as connection:
        await stations.record_status(connection, context.station_id, request, timestamp)
    return {}


def refuse_connector(connector_id: int, *, station_allowed: bool) -> None:
    """Raises CallRefused for a connector that no station has."""
    if objection := connector_objection(connector_id, station_allowed=station_allowed):
        raise CallRefused(PROPERTY_CONSTRAINT_VIOLATION, objection)
