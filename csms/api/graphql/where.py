"""Conditions: a coerced `where` argument becomes SQL. Values only ever travel as parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    FromClause,
    Select,
    String,
    Text,
    and_,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects import postgresql

from csms.api.graphql.errors import Refusal
from csms.api.graphql.relationships import Relationship
from csms.api.graphql.scalars import DOCUMENTS, ORDERED, TEXTS

Row = Mapping[str, Any]
MAX_DEPTH = 20
MAX_CONDITIONS = 500

Comparison = Callable[[ColumnElement[Any], Any], ColumnElement[bool]]


class Conditions:
    """Writes conditions for one dialect of SQL."""

    def __init__(self, dialect: str, relationships: Mapping[str, Mapping[str, Relationship]]) -> None:
        self._sqlite = dialect == "sqlite"
        self._relationships = relationships
        self._operators: dict[str, Comparison] = {
            "_eq": self._equal,
            "_neq": lambda column, value: not_(self._equal(column, value)),
            "_gt": lambda column, value: column > value,
            "_gte": lambda column, value: column >= value,
            "_lt": lambda column, value: column < value,
            "_lte": lambda column, value: column <= value,
            "_in": self._among,
            "_nin": lambda column, values: not_(self._among(column, values)),
            "_is_null": lambda column, null: column.is_(None) if null else column.is_not(None),
            "_like": lambda column, pattern: self._like(column, pattern, caseless=False),
            "_nlike": lambda column, pattern: not_(self._like(column, pattern, caseless=False)),
            "_ilike": lambda column, pattern: self._like(column, pattern, caseless=True),
            "_nilike": lambda column, pattern: not_(self._like(column, pattern, caseless=True)),
            "_contains": self._contains,
            "_contained_in": lambda column, value: self._contains(column, value, turned=True),
            "_has_key": self._has_key,
        }

    def where(
        self, table: str, here: FromClause, condition: Row | None, path: str, *, strict: bool = False
    ) -> ColumnElement[bool]:
        """The condition on rows of `table`, which this statement knows as `here`. No condition is true.

        `strict` refuses a comparison without operators: where something is changed, a variable left out by mistake
        must not mean "all rows".
        """
        if condition is None:
            return true()
        _check_size(condition, path)
        return self._all(table, here, condition, path, strict)

    def _all(self, table: str, here: FromClause, condition: Row, path: str, strict: bool) -> ColumnElement[bool]:
        parts: list[ColumnElement[bool]] = []
        for name, value in condition.items():
            place = f"{path}.{name}"
            if value is None:
                raise Refusal(f"unexpected null value for {name}", place)
            if name == "_and":
                parts.append(and_(true(), *(self._all(table, here, part, place, strict) for part in value)))
            elif name == "_or":
                parts.append(or_(false(), *(self._all(table, here, part, place, strict) for part in value)))
            elif name == "_not":
                parts.append(not_(self._all(table, here, value, place, strict)))
            elif name in here.c:
                parts.append(self._compare(here.c[name], value, place, strict))
            else:
                relationship = self._relationships[table][name]
                there = relationship.target.alias()
                inner = self._all(relationship.target.name, there, value, place, strict)
                related: Select[Any] = (
                    select(literal_column("1")).select_from(there).where(relationship.link(here, there), inner)
                )
                parts.append(related.correlate(here).exists())
        return and_(true(), *parts)

    def _compare(self, column: ColumnElement[Any], comparison: Row, path: str, strict: bool) -> ColumnElement[bool]:
        if strict and not comparison:
            raise Refusal("the comparison is empty: is a variable missing?", path)
        for operator, operand in comparison.items():
            if operand is None:
                raise Refusal(
                    f"unexpected null value for {operator}; to look for nulls use _is_null", f"{path}.{operator}"
                )
        return and_(true(), *(self._operators[operator](column, operand) for operator, operand in comparison.items()))

    def _equal(self, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
        if not isinstance(column.type, JSON | ARRAY):
            return cast("ColumnElement[bool]", column == value)
        if self._sqlite:
            return func.json_equal(type_coerce(column, Text()), _json_text(value)) == 1
        return column == _typed(column, value)

    def _among(self, column: ColumnElement[Any], values: list[Any]) -> ColumnElement[bool]:
        if self._sqlite or type(column.type) is not String or column.type.collation:
            return column.in_(values)
        # One array parameter keeps one prepared statement for lists of every length.
        return column == func.any(literal(values, postgresql.ARRAY(String())))

    def _like(self, column: ColumnElement[Any], pattern: str, *, caseless: bool) -> ColumnElement[bool]:
        ignoring_case = caseless or getattr(column.type, "collation", None) == "NOCASE"
        return column.ilike(pattern, escape="\\") if ignoring_case else column.like(pattern, escape="\\")

    def _contains(self, column: ColumnElement[Any], value: Any, *, turned: bool = False) -> ColumnElement[bool]:
        if self._sqlite:
            sides = (type_coerce(column, Text()), _json_text(value))
            return func.json_contains(*(reversed(sides) if turned else sides)) == 1
        return column.op("<@" if turned else "@>", is_comparison=True)(_typed(column, value))

    def _has_key(self, column: ColumnElement[Any], key: str) -> ColumnElement[bool]:
        if self._sqlite:
            return func.json_has_key(type_coerce(column, Text()), key) == 1
        return func.jsonb_exists(column, key)


def operators_of(scalar: str, *, many: bool = False) -> dict[str, str]:
    """The operators that a column of this scalar knows, and what each takes: same, list, flag, text."""
    known = {"_is_null": "flag"}
    if many:
        return known | {"_eq": "same", "_neq": "same", "_contains": "same", "_contained_in": "same"}
    if scalar == "jsonb":
        contains = {"_contains": "same", "_contained_in": "same", "_has_key": "text"}
        return known | {"_eq": "same", "_neq": "same"} | contains
    if scalar in DOCUMENTS:
        return known
    known |= {"_eq": "same", "_neq": "same", "_in": "list", "_nin": "list"}
    if scalar in ORDERED or scalar == "Boolean":
        known |= {"_gt": "same", "_gte": "same", "_lt": "same", "_lte": "same"}
    if scalar in TEXTS:
        known |= {"_like": "same", "_nlike": "same", "_ilike": "same", "_nilike": "same"}
    return known


def _check_size(condition: Row, path: str) -> None:
    """Keeps what the database has to parse within bounds, without recursion."""
    count, waiting = 0, [(condition, 1)]
    while waiting:
        part, depth = waiting.pop()
        count += len(part)
        if depth > MAX_DEPTH:
            raise Refusal(f"the condition is nested deeper than {MAX_DEPTH} levels", path)
        if count > MAX_CONDITIONS:
            raise Refusal(f"the condition has more than {MAX_CONDITIONS} parts; use _in for many values", path)
        for name, value in part.items():
            inner = value if isinstance(value, list) and name in {"_and", "_or"} else [value]
            waiting.extend((item, depth + 1) for item in inner if isinstance(item, dict))


def _json_text(value: Any) -> ColumnElement[str]:
    return literal(json.dumps(value), Text())


def _typed(column: ColumnElement[Any], value: Any) -> ColumnElement[Any]:
    if isinstance(column.type, ARRAY):
        return literal(value, postgresql.ARRAY(String()))
    return literal(value, postgresql.JSONB())
