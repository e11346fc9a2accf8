"""Column types that mean the same on PostgreSQL and on SQLite."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ARRAY, JSON, REAL, TIMESTAMP, Dialect, Numeric, String
from sqlalchemy.dialects.postgresql import CITEXT, JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine


def iso(value: datetime) -> str:
    """An aware time in PostgreSQL's JSON spelling, always UTC: "2026-11-20T23:11:43.33+00:00".

    Fractions are trimmed, and the texts still sort by time: "+" comes before "." and before every digit.
    """
    text = value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if value.microsecond else text) + "+00:00"


class Moment(TypeDecorator[datetime]):
    """An instant: timestamptz on PostgreSQL, sortable UTC text on SQLite. Naive datetimes are refused."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """varchar(32) on SQLite, timestamptz elsewhere."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(TIMESTAMP(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Raises ValueError for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; give an aware datetime, e.g. with tzinfo=datetime.UTC")
        return iso(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Aware UTC."""
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return None if value is None else value.astimezone(UTC)


def decimal_type() -> TypeEngine[Any]:
    """numeric, or real on SQLite, which would give 0 for 0.0; float in Python."""
    return Numeric(asdecimal=False).with_variant(REAL(), "sqlite")


def caseless_type() -> TypeEngine[str]:
    """Text that compares without regard to case: citext, or NOCASE (ASCII letters only) on SQLite."""
    return String(255, collation="NOCASE").with_variant(CITEXT(), "postgresql")


def json_type() -> TypeEngine[Any]:
    """A JSON document kept as it came; None is SQL NULL."""
    return JSON(none_as_null=True)


def jsonb_type() -> TypeEngine[Any]:
    """A JSON document that can be compared and searched; None is SQL NULL."""
    return JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def words_type() -> TypeEngine[Any]:
    """A list of texts: varchar(255)[], or a JSON list on SQLite."""
    return ARRAY(String(255)).with_variant(JSON(none_as_null=True), "sqlite")
