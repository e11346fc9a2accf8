"""Meter values: kept as they come, read in the order of their timestamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.rules.meter_values import Reading, register_wh
from csms.store import tables

_ROWS_LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The registers metered before and after an instant, None where there is none."""

    before_wh: float | None
    after_wh: float | None


async def neighbours(connection: AsyncConnection, transaction_row_id: int, timestamp: datetime) -> Neighbours:
    """What the transaction's register showed around `timestamp`."""
    values = tables.meter_values
    of_transaction = select(values.c.sampledValue, values.c.timestamp).where(
        values.c.transactionDatabaseId == transaction_row_id
    )
    newest = (await connection.execute(of_transaction.order_by(values.c.timestamp.desc()).limit(_ROWS_LOOKED_AT))).all()
    if all(row.timestamp <= timestamp for row in newest):
        return Neighbours(_first_register([row.sampledValue for row in newest]), None)
    before = of_transaction.where(values.c.timestamp <= timestamp).order_by(values.c.timestamp.desc())
    after = of_transaction.where(values.c.timestamp > timestamp).order_by(values.c.timestamp)
    return Neighbours(
        _first_register([row.sampledValue for row in await connection.execute(before.limit(_ROWS_LOOKED_AT))]),
        _first_register([row.sampledValue for row in await connection.execute(after.limit(_ROWS_LOOKED_AT))]),
    )


async def add(
    connection: AsyncConnection,
    readings: Sequence[Reading],
    *,
    connector_id: int,
    transaction_row_id: int | None,
    transaction_id: str | None,
    stop_row_id: int | None = None,
    remarks: Mapping[str, Any] | None = None,
) -> None:
    """One row per reading; `remarks` and each reading's own go to customData."""
    rows = [
        {
            "transactionDatabaseId": transaction_row_id,
            "stopTransactionDatabaseId": stop_row_id,
            "transactionId": transaction_id,
            "connectorId": connector_id,
            "timestamp": reading.timestamp,
            "sampledValue": list(reading.samples),
            "customData": {**(remarks or {}), **reading.remarks()} or None,
        }
        for reading in readings
    ]
    if rows:
        await connection.execute(insert(tables.meter_values), rows)


def _first_register(sampled_values: Sequence[Any]) -> float | None:
    registers = (register_wh(samples) for samples in sampled_values if isinstance(samples, list))
    return next((register for register in registers if register is not None), None)
