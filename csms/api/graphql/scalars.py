"""The scalars of the dialect, and which column speaks which."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from graphql import GraphQLBoolean, GraphQLError, GraphQLFloat, GraphQLInt, GraphQLScalarType, GraphQLString
from sqlalchemy import ARRAY, CHAR, BigInteger, Boolean, Column, Integer, Numeric, String

from csms.store.types import Moment

MAX_BIGINT = 2**63 - 1


def _timestamptz(value: object) -> datetime:
    """A time without zone is read as UTC, the time zone of the database's session."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise GraphQLError(f"{value!r} is not a timestamptz; write e.g. 2026-11-20T23:11:43.331+00:00")


def _bigint(value: object) -> int:
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= 20:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and -MAX_BIGINT - 1 <= value <= MAX_BIGINT:
        return value
    raise GraphQLError(f"{value!r} is not a bigint")


def _numeric(value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(Decimal(value))
            if math.isfinite(number):
                return number
        except (InvalidOperation, OverflowError, ValueError):
            pass
    raise GraphQLError(f"{value!r} is not a numeric; give a finite number")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise GraphQLError(f"{value!r} is not a text")


SCALARS: dict[str, GraphQLScalarType] = {
    "Int": GraphQLInt,
    "Float": GraphQLFloat,
    "String": GraphQLString,
    "Boolean": GraphQLBoolean,
    "timestamptz": GraphQLScalarType("timestamptz", coerce_input_value=_timestamptz),
    "bigint": GraphQLScalarType("bigint", coerce_input_value=_bigint),
    "numeric": GraphQLScalarType("numeric", coerce_input_value=_numeric),
    "citext": GraphQLScalarType("citext", coerce_input_value=_text),
    "bpchar": GraphQLScalarType("bpchar", coerce_input_value=_text),
    "json": GraphQLScalarType("json"),
    "jsonb": GraphQLScalarType("jsonb"),
    "geometry": GraphQLScalarType("geometry"),
}

NUMBERS = {"Int", "bigint", "numeric"}
TEXTS = {"String", "citext", "bpchar"}
ORDERED = NUMBERS | TEXTS | {"timestamptz"}
DOCUMENTS = {"json", "jsonb", "geometry"}


def is_list(column: Column[Any]) -> bool:
    """Whether the column holds a list of texts."""
    return isinstance(column.type, ARRAY)


def scalar_name(column: Column[Any]) -> str:
    """The scalar of the column, or of its items when it is a list."""
    marked = column.info.get("scalar")
    if marked:
        return str(marked)
    kind = column.type
    if isinstance(kind, String) and kind.collation == "NOCASE":
        return "citext"
    for python_type, name in (
        (Moment, "timestamptz"),
        (BigInteger, "bigint"),
        (Integer, "Int"),
        (Numeric, "numeric"),
        (Boolean, "Boolean"),
        (CHAR, "bpchar"),
        (String, "String"),
        (ARRAY, "String"),
    ):
        if isinstance(kind, python_type):
            return name
    raise TypeError(f"no GraphQL scalar for {column.table.name}.{column.name} of type {kind!r}")
