"""Charging sessions: how they began, what they metered, how they ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row, Select, bindparam, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.rules.transactions import SUPERSEDED, OpenTransaction, Start, Stop
from csms.store import charging_profiles, stations, tables

TRANSACTION_ID = "transactionId"


@dataclass(frozen=True, slots=True)
class Session:
    """One transaction as stored. `connector_id` is the OCPP number; energies are None until metered."""

    row_id: int
    transaction_id: str
    connector_id: int | None
    active: bool
    start_time: datetime
    meter_start_wh: float | None
    total_kwh: float | None
    remarks: dict[str, Any]
    has_stop: bool


async def same_start(
    connection: AsyncConnection,
    *,
    connector_row_id: int,
    authorization_id: int,
    timestamp: datetime,
    meter_start: int | None,
) -> int | None:
    """The transactionId that an equal StartTransaction was given before; `meter_start` None stands for not credible."""
    starts, transactions = tables.start_transactions, tables.transactions
    statement = (
        select(transactions.c.transactionId)
        .join(starts, starts.c.transactionDatabaseId == transactions.c.id)
        .where(
            starts.c.connectorDatabaseId == connector_row_id,
            starts.c.timestamp == timestamp,
            starts.c.meterStart.is_(None) if meter_start is None else starts.c.meterStart == meter_start,
            transactions.c.authorizationId == authorization_id,
        )
        .order_by(transactions.c.id)
        .limit(1)
    )
    found = await connection.scalar(statement)
    return None if found is None else int(found)


async def open_at(connection: AsyncConnection, connector_row_id: int) -> list[OpenTransaction]:
    """The active transactions of one connector, oldest first."""
    transactions = tables.transactions
    statement = (
        select(transactions.c.id, transactions.c.startTime)
        .where(transactions.c.connectorId == connector_row_id, transactions.c.isActive.is_(True))
        .order_by(transactions.c.id)
    )
    return [OpenTransaction(row.id, row.startTime) for row in await connection.execute(statement)]


async def start(
    connection: AsyncConnection,
    *,
    station_id: str,
    connector_row_id: int,
    authorization_id: int,
    decision: Start,
    reported: datetime,
    reservation_id: int | None,
    now: datetime,
) -> int:
    """Begins a transaction, ends those that it supersedes, and returns its transactionId."""
    await _supersede(connection, decision.close, decision.start_time, now)
    transaction_id = await stations.next_in_sequence(connection, station_id, TRANSACTION_ID)
    row_id = await connection.scalar(
        insert(tables.transactions)
        .values(
            stationId=station_id,
            transactionId=str(transaction_id),
            isActive=True,
            connectorId=connector_row_id,
            authorizationId=authorization_id,
            startTime=decision.start_time,
            meterStart=decision.meter_start_wh,
            totalKwh=None if decision.meter_start_wh is None else 0,
            customData=decision.remarks or None,
        )
        .returning(tables.transactions.c.id)
    )
    await connection.execute(
        insert(tables.start_transactions).values(
            stationId=station_id,
            meterStart=decision.meter_start_wh,
            timestamp=reported,
            reservationId=reservation_id,
            transactionDatabaseId=row_id,
            connectorDatabaseId=connector_row_id,
        )
    )
    return transaction_id


async def find(connection: AsyncConnection, station_id: str, transaction_id: int) -> Session | None:
    """The station's own transaction of that number; another station's is never found."""
    transactions = tables.transactions
    wanted = transactions.c.transactionId == str(transaction_id)
    statement = _sessions().where(transactions.c.stationId == station_id, wanted)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _session(row)


async def find_many(connection: AsyncConnection, keys: Collection[tuple[str, int]]) -> dict[tuple[str, int], Session]:
    """As `find`, for many (station id, transaction id) at once."""
    if not keys:
        return {}
    transactions = tables.transactions
    named = tuple_(transactions.c.stationId, transactions.c.transactionId)
    wanted = [(station_id, str(transaction_id)) for station_id, transaction_id in keys]
    rows = await connection.execute(_sessions().where(named.in_(_padded(wanted))))
    return {(row.stationId, int(row.transactionId)): _session(row) for row in rows}


async def active_many(connection: AsyncConnection, keys: Collection[tuple[str, int]]) -> dict[tuple[str, int], Session]:
    """The transactions that are active at these (station id, connector id); the newest where there are several."""
    if not keys:
        return {}
    transactions, connectors = tables.transactions, tables.connectors
    named = tuple_(transactions.c.stationId, connectors.c.connectorId)
    statement = _sessions().where(named.in_(_padded(list(keys))), transactions.c.isActive.is_(True))
    rows = await connection.execute(statement.order_by(transactions.c.id))
    return {(row.stationId, row.number): _session(row) for row in rows}


async def stop(
    connection: AsyncConnection,
    *,
    station_id: str,
    session: Session,
    decision: Stop,
    reported: datetime,
    id_tag: str | None,
) -> int:
    """Ends a transaction, also one that was superseded before, and returns the row id of its StopTransaction."""
    transactions = tables.transactions
    await connection.execute(
        update(transactions)
        .where(transactions.c.id == session.row_id)
        .values(
            isActive=False,
            endTime=decision.end_time,
            stoppedReason=decision.reason,
            totalKwh=decision.total_kwh,
            customData={**session.remarks, **decision.remarks} or None,
        )
    )
    await charging_profiles.end_of_transactions(connection, [session.row_id])
    stops = tables.stop_transactions
    row_id = await connection.scalar(
        insert(stops)
        .values(
            stationId=station_id,
            transactionDatabaseId=session.row_id,
            meterStop=decision.meter_stop_wh,
            timestamp=reported,
            reason=decision.reason,
            idTokenValue=id_tag,
            idTokenType=None if id_tag is None else "ISO14443",
        )
        .returning(stops.c.id)
    )
    return int(row_id or 0)


async def set_totals(connection: AsyncConnection, totals_kwh: Mapping[int, float]) -> None:
    """The energy that transactions have taken so far, by row id."""
    if not totals_kwh:
        return
    transactions = tables.transactions
    statement = update(transactions).where(transactions.c.id == bindparam("row"))
    rows = [{"row": row_id, "total": total_kwh} for row_id, total_kwh in sorted(totals_kwh.items())]
    await connection.execute(statement.values(totalKwh=bindparam("total")), rows)


async def _supersede(
    connection: AsyncConnection, stale: Sequence[OpenTransaction], next_start: datetime, now: datetime
) -> None:
    transactions = tables.transactions
    for transaction in stale:
        end_time = next_start if next_start >= transaction.start_time else max(now, transaction.start_time)
        await connection.execute(
            update(transactions)
            .where(transactions.c.id == transaction.row_id)
            .values(isActive=False, endTime=end_time, stoppedReason=SUPERSEDED)
        )
    await charging_profiles.end_of_transactions(connection, [transaction.row_id for transaction in stale])


def _sessions() -> Select[Any]:
    transactions, stops = tables.transactions, tables.stop_transactions
    return (
        select(transactions, tables.connectors.c.connectorId.label("number"), stops.c.id.label("stop"))
        .outerjoin(tables.connectors, tables.connectors.c.id == transactions.c.connectorId)
        .outerjoin(stops, stops.c.transactionDatabaseId == transactions.c.id)
    )


def _session(row: Row[Any]) -> Session:
    return Session(
        row_id=row.id,
        transaction_id=row.transactionId,
        connector_id=row.number,
        active=bool(row.isActive),
        start_time=row.startTime,
        meter_start_wh=row.meterStart,
        total_kwh=row.totalKwh,
        remarks=row.customData or {},
        has_stop=row.stop is not None,
    )


Key = TypeVar("Key")


def _padded(keys: list[Key]) -> list[Key]:
    """The keys, the last one repeated up to a power of two: few different statements for the database to prepare."""
    return keys + keys[-1:] * ((1 << (len(keys) - 1).bit_length()) - len(keys))
