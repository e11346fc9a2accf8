"""Whole rows found by equality, as the REST data endpoints show them: camelCase names, JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, Column, Integer, Numeric, Row, String, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.errors import RecordConflict
from csms.store.types import Moment
from csms.store.upsert import insert_or_update

Record = dict[str, Any]


async def find(connection: AsyncConnection, table: Table, **equals: Any) -> list[Record]:
    """The rows whose columns have these values, in the order of their primary key."""
    statement = select(table).where(*_conditions(table, equals)).order_by(*table.primary_key.columns)
    return [_record(table, row) for row in await connection.execute(statement)]


async def add(connection: AsyncConnection, table: Table, values: Mapping[str, Any]) -> Record:
    """Inserts a row and returns it whole; raises RecordConflict."""
    with _conflicts(table):
        rows = await connection.execute(insert(table).values(dict(values)).returning(*table.columns))
    return _record(table, rows.one())


async def put(connection: AsyncConnection, table: Table, values: Mapping[str, Any], *keys: str) -> Record:
    """Writes `values` to the row that `keys` identify, new or not, and returns it whole; raises RecordConflict."""
    with _conflicts(table):
        key = await insert_or_update(connection, table, values, keys)
    rows = await connection.execute(select(table).where(next(iter(table.primary_key.columns)) == key))
    return _record(table, rows.one())


async def remove(connection: AsyncConnection, table: Table, **equals: Any) -> list[Record]:
    """Deletes the rows whose columns have these values and returns what they were; raises RecordConflict."""
    statement = delete(table).where(*_conditions(table, equals)).returning(*table.columns)
    with _conflicts(table):
        return [_record(table, row) for row in await connection.execute(statement)]


def describe(table: Table) -> Record:
    """The JSON schema of a record of `table`."""
    return {"type": "object", "properties": {column.name: _describe(column) for column in table.columns}}


@contextmanager
def _conflicts(table: Table) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        reason = str(error.orig).splitlines()[0]
        raise RecordConflict(f"{table.name} cannot be changed so: {reason}") from error


def _conditions(table: Table, equals: Mapping[str, Any]) -> list[Any]:
    return [table.columns[name] == value for name, value in equals.items()]


def _record(table: Table, row: Row[Any]) -> Record:
    return {
        column.name: _shown(value, numeric=isinstance(column.type, Numeric))
        for column, value in zip(table.columns, row, strict=True)
    }


def _shown(value: Any, *, numeric: bool) -> Any:
    """Instants with milliseconds and Z; numeric columns as text, the way CitrineOS's REST side shows them."""
    match value:
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        case int() | float() if numeric:
            return f"{value:.15g}"
    return value


def _describe(column: Column[Any]) -> Record:
    match column.type:
        case Moment():
            rule: Record = {"type": "string", "format": "date-time"}
        case Boolean():
            rule = {"type": "boolean"}
        case Integer():
            rule = {"type": "integer"}
        case Numeric():
            rule = {"type": "string", "description": "a decimal number"}
        case String(length=int(length)):
            rule = {"type": "string", "maxLength": length}
        case String():
            rule = {"type": "string"}
        case _:
            return {}
    return rule | {"type": [rule["type"], "null"]} if column.nullable else rule
