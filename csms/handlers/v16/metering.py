"""Meter values."""

from __future__ import annotations

from collections.abc import Sequence

from csms.handlers.context import Context, Json
from csms.handlers.v16.availability import refuse_connector
from csms.rules.meter_values import Reading, check_register, read_meter_value
from csms.rules.transactions import energy_kwh
from csms.store import meter_values as store
from csms.store import transactions
from csms.store.connection import Connection
from csms.store.transactions import Session


async def meter_values(request: Json, context: Context) -> Json:
    """Keeps the readings with the transaction they belong to, whenever they arrive."""
    refuse_connector(request["connectorId"], station_allowed=True)
    readings = [read_meter_value(entry, context.received) for entry in request["meterValue"]]
    async with context.db.begin() as connection:
        session, remarks = await _session_of(connection, request, readings, context)
        if session is not None:
            readings = await _checked(connection, session, readings)
            await _update_total(connection, session, readings)
        said = request.get("transactionId")
        await store.add(
            connection,
            readings,
            connector_id=request["connectorId"],
            transaction_row_id=session.row_id if session else None,
            transaction_id=session.transaction_id if session else None if said is None else str(said),
            remarks=remarks,
        )
    return {}


async def _session_of(
    connection: Connection, request: Json, readings: Sequence[Reading], context: Context
) -> tuple[Session | None, Json]:
    """The transaction meant, and what must be noted when there is none or the connector is another.

    A charger that was offline sends -1, 0 or nothing until it learns the number of its transaction.
    """
    connector_id, transaction_id = request["connectorId"], request.get("transactionId", 0)
    if transaction_id > 0:
        session = await transactions.find(connection, context.station_id, transaction_id)
        if session is None:
            return None, {"stationId": context.station_id, "remark": f"no transaction {transaction_id} here"}
        if session.connector_id != connector_id:
            return session, {"remark": f"transaction {transaction_id} is at connector {session.connector_id}"}
        return session, {}
    session = await transactions.active_at(connection, context.station_id, connector_id)
    if session is None or any(reading.timestamp < session.start_time for reading in readings):
        return None, {"stationId": context.station_id}
    return session, {}


async def _checked(connection: Connection, session: Session, readings: Sequence[Reading]) -> list[Reading]:
    checked: list[Reading] = []
    highest_wh = session.meter_start_wh
    around: store.Neighbours | None = None
    for reading in sorted(readings, key=lambda reading: reading.timestamp):
        if reading.energy_wh is not None:
            # Nothing later is stored: then nothing is stored between the readings of this message either.
            if around is None or around.after_wh is not None:
                around = await store.neighbours(connection, session.row_id, reading.timestamp)
            known = [wh for wh in (highest_wh, around.before_wh) if wh is not None]
            good = check_register(reading, max(known, default=None), around.after_wh)
            highest_wh = good.energy_wh if good.energy_wh is not None else highest_wh
            checked.append(good)
        else:
            checked.append(reading)
    return checked


async def _update_total(connection: Connection, session: Session, readings: Sequence[Reading]) -> None:
    highest_wh = max((reading.energy_wh for reading in readings if reading.energy_wh is not None), default=None)
    if highest_wh is None:
        return
    total_kwh = energy_kwh(session.meter_start_wh, highest_wh)
    if total_kwh is not None and total_kwh > (session.total_kwh or 0.0):
        await transactions.set_total(connection, session.row_id, total_kwh)
