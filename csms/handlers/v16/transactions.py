"""Charging sessions. What is acknowledged here has been committed."""

from __future__ import annotations

from csms.handlers.context import Context, Json
from csms.handlers.v16.availability import refuse_connector
from csms.rpc.timestamps import parse_timestamp
from csms.rules.authorization import authorize
from csms.rules.meter_values import check_registers, read_meter_value
from csms.rules.plausibility import fits_counter, fits_int32
from csms.rules.transactions import NO_TRANSACTION, NotStarted, Replay, StartFacts, decide_start, decide_stop
from csms.store import authorizations, meter_values, reservations, stations, transactions
from csms.store.connection import Connection
from csms.store.meter_values import Belonging


async def start_transaction(request: Json, context: Context) -> Json:
    """Begins a transaction, once, however often the station says so."""
    connector_id, id_tag, meter_start = request["connectorId"], request["idTag"], request["meterStart"]
    refuse_connector(connector_id, station_allowed=False)
    reported = parse_timestamp(request["timestamp"]) or context.received
    async with context.db.begin() as connection:
        connector_row_id = await stations.connector_row_id(connection, context.station_id, connector_id)
        authorization = await authorizations.find(connection, id_tag)
        facts = StartFacts(None)
        if authorization is not None:
            row_id = authorization.row_id
            facts = StartFacts(
                authorization,
                same_start=await transactions.same_start(
                    connection,
                    connector_row_id=connector_row_id,
                    authorization_id=row_id,
                    timestamp=reported,
                    meter_start=meter_start if fits_counter(meter_start) else None,
                ),
                open_here=await transactions.open_at(connection, connector_row_id),
                charging_elsewhere=await authorizations.charging_elsewhere(connection, row_id, connector_row_id),
            )
        decision = decide_start(facts, meter_start, reported, context.received)
        match decision:
            case Replay(transaction_id):
                pass
            case NotStarted():
                transaction_id = NO_TRANSACTION
            case _:
                reservation_id = _reservation_id(request)
                transaction_id = await transactions.start(
                    connection,
                    station_id=context.station_id,
                    connector_row_id=connector_row_id,
                    authorization_id=authorization.row_id if authorization else 0,
                    decision=decision,
                    reported=reported,
                    reservation_id=reservation_id,
                    now=context.received,
                )
                if reservation_id is not None:
                    await reservations.end(connection, context.station_id, reservation_id, transaction_id)
    return {"transactionId": transaction_id, "idTagInfo": decision.info.as_payload()}


async def stop_transaction(request: Json, context: Context) -> Json:
    """Ends a transaction. One that is unknown, or ended before, is answered all the same."""
    async with context.db.begin() as connection:
        answer = await _id_tag_answer(connection, request.get("idTag"), context)
        session = await transactions.find(connection, context.station_id, request["transactionId"])
        if session is None or session.has_stop:
            return answer
        reported = parse_timestamp(request["timestamp"]) or context.received
        decision = decide_stop(
            start_time=session.start_time,
            meter_start_wh=session.meter_start_wh,
            known_kwh=session.total_kwh,
            meter_stop_wh=request["meterStop"],
            reason=request.get("reason"),
            reported=reported,
            now=context.received,
        )
        stop_row_id = await transactions.stop(
            connection,
            station_id=context.station_id,
            session=session,
            decision=decision,
            reported=reported,
            id_tag=request.get("idTag"),
        )
        readings = [read_meter_value(entry, context.received) for entry in request.get("transactionData", [])]
        where = Belonging(session.connector_id or 0, session.row_id, session.transaction_id, stop_row_id)
        await meter_values.add(connection, [(where, check_registers(readings, session.meter_start_wh))])
    return answer


async def _id_tag_answer(connection: Connection, id_tag: str | None, context: Context) -> Json:
    if id_tag is None:
        return {}
    info = authorize(await authorizations.find(connection, id_tag), context.received)
    return {"idTagInfo": info.as_payload()}


def _reservation_id(request: Json) -> int | None:
    reservation_id = request.get("reservationId")
    return reservation_id if reservation_id is not None and fits_int32(reservation_id) else None
