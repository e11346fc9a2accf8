"""Meter values: kept as they come, read in the order of their timestamps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.rules.meter_values import Reading, register_wh
from csms.store import tables

_ROWS_LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The registers metered before and after an instant, None where there is none."""

    before_wh: float | None
    after_wh: float | None


@dataclass(frozen=True, slots=True)
class Belonging:
    """Where readings belong: connector, transaction (if any), StopTransaction (if they came with one)."""

    connector_id: int
    transaction_row_id: int | None
    transaction_id: str | None
    stop_row_id: int | None = None
    remarks: Mapping[str, Any] = field(default_factory=dict)


class Registers:
    """The newest energy register of each transaction, remembered for the last `capacity` of them."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._newest: OrderedDict[int, tuple[datetime, float | None]] = OrderedDict()

    async def around(self, connection: AsyncConnection, transaction_row_id: int, timestamp: datetime) -> Neighbours:
        """What the transaction's register showed before and after `timestamp`."""
        newest = self._newest.get(transaction_row_id) or await self._load(connection, transaction_row_id)
        if timestamp >= newest[0]:
            return Neighbours(newest[1], None)
        values = tables.meter_values
        rows = _of_transaction(transaction_row_id)
        before = rows.where(values.c.timestamp <= timestamp).order_by(values.c.timestamp.desc())
        after = rows.where(values.c.timestamp > timestamp).order_by(values.c.timestamp)
        return Neighbours(await _first(connection, before), await _first(connection, after))

    def saw(self, transaction_row_id: int, timestamp: datetime, energy_wh: float) -> None:
        """A credible register is being written."""
        newest = self._newest.get(transaction_row_id)
        if newest is None or timestamp >= newest[0]:
            self._remember(transaction_row_id, (timestamp, energy_wh))

    async def _load(self, connection: AsyncConnection, transaction_row_id: int) -> tuple[datetime, float | None]:
        values = tables.meter_values
        statement = _of_transaction(transaction_row_id).order_by(values.c.timestamp.desc()).limit(_ROWS_LOOKED_AT)
        rows = (await connection.execute(statement)).all()
        newest = rows[0].timestamp if rows else datetime.min.replace(tzinfo=UTC)
        found = (newest, _first_register([row.sampledValue for row in rows]))
        self._remember(transaction_row_id, found)
        return found

    def _remember(self, transaction_row_id: int, newest: tuple[datetime, float | None]) -> None:
        self._newest[transaction_row_id] = newest
        self._newest.move_to_end(transaction_row_id)
        if len(self._newest) > self._capacity:
            self._newest.popitem(last=False)


async def add(connection: AsyncConnection, reports: Iterable[tuple[Belonging, Sequence[Reading]]]) -> None:
    """One row per reading, in one statement; remarks of report and reading go to customData."""
    rows = [
        {
            "transactionDatabaseId": where.transaction_row_id,
            "stopTransactionDatabaseId": where.stop_row_id,
            "transactionId": where.transaction_id,
            "connectorId": where.connector_id,
            "timestamp": reading.timestamp,
            "sampledValue": list(reading.samples),
            "customData": {**where.remarks, **reading.remarks()} or None,
        }
        for where, readings in reports
        for reading in readings
    ]
    if rows:
        await connection.execute(insert(tables.meter_values), rows)


def _of_transaction(transaction_row_id: int) -> Select[Any]:
    values = tables.meter_values
    return select(values.c.sampledValue, values.c.timestamp).where(values.c.transactionDatabaseId == transaction_row_id)


async def _first(connection: AsyncConnection, statement: Select[Any]) -> float | None:
    rows = await connection.execute(statement.limit(_ROWS_LOOKED_AT))
    return _first_register([row.sampledValue for row in rows])


def _first_register(sampled_values: Sequence[Any]) -> float | None:
    registers = (register_wh(samples) for samples in sampled_values if isinstance(samples, list))
    return next((register for register in registers if register is not None), None)
