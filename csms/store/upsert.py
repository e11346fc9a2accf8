"""INSERT ... ON CONFLICT for both databases."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

AnyInsert = postgresql.Insert | sqlite.Insert


def insert_for(connection: AsyncConnection, table: Table) -> AnyInsert:
    """An INSERT that knows ON CONFLICT in the connection's dialect."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


async def insert_or_update(
    connection: AsyncConnection, table: Table, values: Mapping[str, Any], keys: Sequence[str]
) -> Any:
    """Writes `values` to the row that `keys` identify, new or not; returns its primary key's first column."""
    statement = _upsert(connection, table, values, keys).values(dict(values))
    result = await connection.execute(statement.returning(next(iter(table.primary_key.columns))))
    return result.scalar_one()


async def insert_or_update_many(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> None:
    """As `insert_or_update` for rows that all name the same columns, in one statement."""
    if rows:
        await connection.execute(_upsert(connection, table, rows[0], keys), [dict(row) for row in rows])


async def insert_if_new(
    connection: AsyncConnection, table: Table, values: Mapping[str, Any], keys: Sequence[str]
) -> None:
    """Writes `values` unless a row with these `keys` exists."""
    statement = insert_for(connection, table).values(dict(values)).on_conflict_do_nothing(index_elements=list(keys))
    await connection.execute(statement)


async def insert_many_if_new(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> None:
    """As `insert_if_new` for rows that all name the same columns, in one statement."""
    statement = insert_for(connection, table).on_conflict_do_nothing(index_elements=list(keys))
    await connection.execute(statement, [dict(row) for row in rows])


def _upsert(connection: AsyncConnection, table: Table, names: Collection[str], keys: Sequence[str]) -> AnyInsert:
    statement = insert_for(connection, table)
    changed = {*names, "updatedAt"} - set(keys)
    return statement.on_conflict_do_update(
        index_elements=list(keys), set_={name: statement.excluded[name] for name in changed}
    )
