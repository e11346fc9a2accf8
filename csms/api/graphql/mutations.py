"""Mutations: what they change, and the objects that they answer with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, String, Table, and_, delete, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.api.graphql.errors import CONSTRAINT_VIOLATION, DATA_EXCEPTION, Refusal
from csms.api.graphql.schema import constraints_of
from csms.api.graphql.selection import Selected
from csms.api.graphql.statements import Statements

Key = tuple[Any, ...]
Arguments = Mapping[str, Any]

KEYS_PER_QUERY = 500
NULL = msgspec.Raw(b"null")


class Mutation:
    """One root field of a mutation, run in a transaction that the caller owns."""

    def __init__(self, connection: AsyncConnection, statements: Statements, table: Table, selected: Selected) -> None:
        self._connection, self._statements, self._table, self._selected = connection, statements, table, selected
        self._path = f"$.selectionSet.{selected.key}"
        self._key_columns = list(table.primary_key.columns)

    async def run(self, verb: str) -> Any:
        """The field's value. `verb` is insert, insert_one, update, update_by_pk, delete or delete_by_pk."""
        arguments = self._selected.arguments
        match verb:
            case "insert":
                return await self._response(await self._insert(arguments["objects"], f"{self._path}.args.objects"))
            case "insert_one":
                return await self._object(await self._insert([arguments["object"]], f"{self._path}.args.object"))
            case "update":
                return await self._response(await self._update(self._where()))
            case "update_by_pk":
                return await self._object(await self._update(self._is(arguments["pk_columns"])))
            case "delete":
                return await self._delete_many()
            case _:
                return await self._delete_one()

    async def _insert(self, objects: Sequence[Arguments], path: str) -> list[Key]:
        keys: list[Key] = []
        conflict = self._selected.arguments.get("on_conflict")
        for row in objects:
            self._check(row, path)
        for names, rows in groupby(objects, key=lambda row: tuple(sorted(row))):
            keys.extend(await self._insert_alike(names, list(rows), conflict))
        return keys

    async def _insert_alike(
        self, names: Sequence[str], rows: list[Arguments], conflict: Arguments | None
    ) -> Iterable[Key]:
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        insert: Any = dialect.insert(self._table)
        if not conflict:
            insert = insert.returning(*self._key_columns, sort_by_parameter_order=True)
        else:
            target = constraints_of(self._table)[conflict["constraint"]]
            changed = {name: insert.excluded[name] for name in conflict["update_columns"] if name in names}
            if changed:
                where = conflict.get("where")
                condition = None if where is None else self._condition(where, f"{self._path}.args.on_conflict.where")
                insert = insert.on_conflict_do_update(index_elements=target, set_=changed, where=condition)
            else:
                insert = insert.on_conflict_do_nothing(index_elements=target)
            insert = insert.returning(*self._key_columns)
        return (tuple(key) for key in await self._connection.execute(insert, [dict(row) for row in rows]))

    async def _update(self, condition: ColumnElement[bool]) -> list[Key]:
        path = f"{self._path}.args"
        values, steps = self._selected.arguments.get("_set") or {}, self._selected.arguments.get("_inc") or {}
        if not values and not steps:
            raise Refusal("at least one of _set and _inc must say what to change", path)
        if both := sorted(values.keys() & steps.keys()):
            raise Refusal(f"column found in both _set and _inc: {', '.join(both)}", path)
        self._check(values, f"{path}._set")
        for name, step in steps.items():
            if step is None:
                raise Refusal(f"unexpected null value for {name}", f"{path}._inc.{name}")
            values = {**values, name: self._table.c[name] + step}
        changes = update(self._table).where(condition).values(values).returning(*self._key_columns)
        return [tuple(key) for key in await self._connection.execute(changes)]

    async def _delete_many(self) -> dict[str, Any]:
        condition = self._where()
        if not any(child.name == "returning" for child in self._selected.children):
            gone = await self._connection.execute(delete(self._table).where(condition))
            return await self._response([], affected=gone.rowcount)
        (key_column, *more) = self._key_columns
        locked = select_keys = self._table.select().with_only_columns(key_column, *more).where(condition)
        if self._connection.dialect.name == "postgresql":
            locked = select_keys.with_for_update()
        keys = [tuple(key) for key in await self._connection.execute(locked)]
        response = await self._response(keys)
        for some in _chunks(keys):
            await self._connection.execute(delete(self._table).where(self._among(self._key_columns, some)))
        return response

    async def _delete_one(self) -> msgspec.Raw:
        key = tuple(self._selected.arguments[column.name] for column in self._key_columns)
        answer = await self._object([key])
        await self._connection.execute(delete(self._table).where(self._is(self._selected.arguments)))
        return answer

    async def _response(self, keys: Sequence[Key], affected: int | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for child in self._selected.children:
            if child.name == "__typename":
                answer[child.key] = child.arguments["name"]
            elif child.name == "affected_rows":
                answer[child.key] = len(keys) if affected is None else affected
            else:
                answer[child.key] = await self._read(keys, child.children)
        return answer

    async def _object(self, keys: Sequence[Key]) -> msgspec.Raw:
        rows = await self._read(keys, self._selected.children)
        return rows[0] if rows else NULL

    async def _read(self, keys: Sequence[Key], children: Sequence[Selected]) -> list[msgspec.Raw]:
        """The objects with these keys, in their order."""
        found: dict[Key, msgspec.Raw] = {}
        for some in _chunks(keys):
            query, here = self._statements.keyed(self._table, children, self._path)
            columns = [here.c[column.name] for column in self._key_columns]
            for *key, row in await self._connection.execute(query.where(self._among(columns, some))):
                found[tuple(key)] = msgspec.Raw(row.encode())
        return [found[key] for key in keys if key in found]

    def _where(self) -> ColumnElement[bool]:
        return self._condition(self._selected.arguments["where"], f"{self._path}.args.where")

    def _condition(self, where: Arguments, path: str) -> ColumnElement[bool]:
        return self._statements.conditions.where(self._table.name, self._table, where, path, strict=True)

    def _is(self, key: Arguments) -> ColumnElement[bool]:
        return and_(*(column == key[column.name] for column in self._key_columns))

    def _among(self, columns: Sequence[ColumnElement[Any]], keys: Sequence[Key]) -> ColumnElement[bool]:
        if len(columns) == 1:
            return columns[0].in_([key[0] for key in keys])
        return tuple_(*columns).in_(keys)

    def _check(self, values: Arguments, path: str) -> None:
        """Refuses what only one of the databases would refuse."""
        for name, value in values.items():
            column: Column[Any] = self._table.columns[name]
            if value is None and not column.nullable:
                message = f'Not-NULL violation. null value in column "{name}" of relation "{self._table.name}"'
                raise Refusal(message, f"{path}.{name}", CONSTRAINT_VIOLATION)
            size = column.type.length if isinstance(column.type, String) else None
            if isinstance(value, str) and size is not None and len(value) > size:
                raise Refusal(f"value too long for type character varying({size})", f"{path}.{name}", DATA_EXCEPTION)


def _chunks(keys: Sequence[Key]) -> list[Sequence[Key]]:
    return [keys[start : start + KEYS_PER_QUERY] for start in range(0, len(keys), KEYS_PER_QUERY)]
