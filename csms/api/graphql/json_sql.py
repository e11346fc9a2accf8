"""JSON made by the database: the whole answer of a field is one text, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, JSON, Boolean, ColumnElement, Select, Text, case, cast, func, literal_column

Pair = tuple[str, ColumnElement[Any]]

TRUE: ColumnElement[str] = literal_column("'true'")
FALSE: ColumnElement[str] = literal_column("'false'")

# Functions of PostgreSQL and SQLite take at most 100 arguments.
_PAIRS_PER_CALL = 45


class PostgresJson:
    """JSON functions of PostgreSQL."""

    def value(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column as a member of an object."""
        return column

    def nested(self, query: Select[Any]) -> ColumnElement[Any]:
        """The one JSON value that `query` selects, as a member of an object."""
        return query.scalar_subquery()

    def object(self, pairs: Sequence[Pair]) -> ColumnElement[Any]:
        """An object with these members; names are GraphQL names and so need no escaping."""
        parts = [func.json_build_object(*_flat(chunk)) for chunk in _chunks(pairs)]
        whole: ColumnElement[Any] = parts[0]
        for part in parts[1:]:
            open_ended = func.left(cast(whole, Text), -1)
            whole = cast(open_ended.concat(literal_column("','")).concat(func.substr(cast(part, Text), 2)), JSON)
        return whole

    def gathered(self, row: ColumnElement[Any], *, fresh: bool = False) -> ColumnElement[Any]:  # noqa: ARG002
        """The aggregate of JSON values into a list; `fresh` ones are made in this very query."""
        return func.coalesce(func.json_agg(row), literal_column("'[]'::json"))

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        """The value as text, for the way to the client."""
        return cast(value, Text)


class SqliteJson(PostgresJson):
    """JSON functions of SQLite, which forget on the way that a text is JSON and must be told again."""

    def value(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column as a member of an object; SQLite has neither booleans nor JSON values of its own."""
        if isinstance(column.type, Boolean):
            return func.json(case((column, TRUE), (column.is_not(None), FALSE)))
        return func.json(column) if isinstance(column.type, JSON | ARRAY) else column

    def nested(self, query: Select[Any]) -> ColumnElement[Any]:
        """As above."""
        return func.json(query.scalar_subquery())

    def object(self, pairs: Sequence[Pair]) -> ColumnElement[Any]:
        """As above."""
        parts = [func.json_object(*_flat(chunk)) for chunk in _chunks(pairs)]
        whole: ColumnElement[Any] = parts[0]
        for part in parts[1:]:
            open_ended = func.substr(whole, 1, func.length(whole) - 1)
            whole = func.json(open_ended.concat(literal_column("','")).concat(func.substr(part, 2)))
        return whole

    def gathered(self, row: ColumnElement[Any], *, fresh: bool = False) -> ColumnElement[Any]:
        """As above."""
        return func.json_group_array(row if fresh else func.json(row))

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        """As above: JSON is text already."""
        return value


def json_for(dialect: str) -> PostgresJson:
    """The JSON functions of a database."""
    return SqliteJson() if dialect == "sqlite" else PostgresJson()


def _chunks(pairs: Sequence[Pair]) -> list[Sequence[Pair]]:
    return [pairs[start : start + _PAIRS_PER_CALL] for start in range(0, max(1, len(pairs)), _PAIRS_PER_CALL)]


def _flat(pairs: Sequence[Pair]) -> list[ColumnElement[Any]]:
    return [item for name, value in pairs for item in (literal_column(f"'{name}'"), value)]
