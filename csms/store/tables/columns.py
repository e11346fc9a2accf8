"""The words that the tables are written in: one function per kind of column, plurals for several plain ones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TextClause,
    UniqueConstraint,
    false,
    true,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.types import TypeEngine

from csms.store import types

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)

Item = Column[Any] | UniqueConstraint | Index


def site_now(context: ExecutionContext) -> datetime:
    """Now, by the clock that the database was opened with."""
    now: datetime = context.execution_options["clock"].now()
    return now


def table(name: str, *items: Item | Iterable[Item], tenant: bool = True) -> Table:
    """A table of the contract: `items` plus createdAt, updatedAt and, unless told otherwise, tenantId."""
    flat: list[Item] = []
    for item in items:
        flat.extend([item] if isinstance(item, Column | UniqueConstraint | Index) else item)
    flat.append(Column("createdAt", types.Moment(), nullable=False, default=site_now))
    flat.append(Column("updatedAt", types.Moment(), nullable=False, default=site_now, onupdate=site_now))
    if tenant:
        flat.append(number("tenantId", default=1, required=True))
    counted = any(isinstance(item, Column) and item.autoincrement is True for item in flat)
    return Table(name, metadata, *flat, sqlite_autoincrement=counted)


def key(name: str = "id") -> Column[int]:
    """A row id that the database counts up and never gives out twice."""
    return Column(name, Integer, primary_key=True, autoincrement=True)


def text(
    name: str,
    size: int = 255,
    *,
    refers: str | None = None,
    default: str | None = None,
    required: bool = False,
    primary: bool = False,
) -> Column[str]:
    """varchar(size)."""
    return _column(
        name, String(size), refers=refers, default=default and sql(f"'{default}'"), required=required, primary=primary
    )


def texts(*names: str, size: int = 255) -> Iterable[Column[str]]:
    """Several optional texts."""
    return [text(name, size) for name in names]


def caseless(name: str) -> Column[str]:
    """Required text that compares without regard to case."""
    return _column(name, types.caseless_type(), required=True)


def letters(name: str, size: int) -> Column[str]:
    """Required char(size)."""
    return _column(name, CHAR(size), required=True)


def number(
    name: str, *, refers: str | None = None, default: int | None = None, required: bool = False, primary: bool = False
) -> Column[int]:
    """integer."""
    return _column(name, Integer(), refers=refers, default=_plain(default), required=required, primary=primary)


def numbers(*names: str) -> Iterable[Column[int]]:
    """Several optional integers."""
    return [number(name) for name in names]


def long_number(name: str, *, default: int | None = None, required: bool = False) -> Column[int]:
    """bigint."""
    return _column(name, BigInteger(), default=_plain(default), required=required)


def decimal(name: str, *, required: bool = False) -> Column[float]:
    """numeric, a float in Python."""
    return _column(name, types.decimal_type(), required=required)


def decimals(*names: str) -> Iterable[Column[float]]:
    """Several optional numerics."""
    return [decimal(name) for name in names]


def flag(name: str, *, default: bool | None = None, required: bool = False) -> Column[bool]:
    """boolean."""
    return _column(
        name, Boolean(), default=None if default is None else true() if default else false(), required=required
    )


def flags(*names: str) -> Iterable[Column[bool]]:
    """Several optional booleans."""
    return [flag(name) for name in names]


def moment(name: str) -> Column[datetime]:
    """timestamptz."""
    return _column(name, types.Moment())


def json(name: str, *, required: bool = False) -> Column[Any]:
    """json: kept as it came."""
    return _column(name, types.json_type(), required=required, scalar="json")


def jsonb(*names: str) -> Iterable[Column[Any]]:
    """Optional jsonb documents: can be compared and searched."""
    return [_column(name, types.jsonb_type(), scalar="jsonb") for name in names]


def point(name: str) -> Column[Any]:
    """A place as GeoJSON; the contract's geometry(Point) without asking for PostGIS."""
    return _column(name, types.json_type(), scalar="geometry")


def words(*names: str) -> Iterable[Column[list[str]]]:
    """Optional lists of texts."""
    return [_column(name, types.words_type()) for name in names]


def unique(*names: str, name: str | None = None) -> UniqueConstraint:
    """No two rows agree in all these columns (rows with a null among them never clash)."""
    return UniqueConstraint(*names, name=name)


def index(*names: str) -> Index:
    """These columns are looked up together."""
    return Index(None, *names)


def _plain(default: int | None) -> TextClause | None:
    return None if default is None else sql(str(default))


def _column(
    name: str,
    kind: TypeEngine[Any],
    *,
    refers: str | None = None,
    default: Any = None,
    required: bool = False,
    primary: bool = False,
    scalar: str | None = None,
) -> Column[Any]:
    return Column(
        name,
        kind,
        *([ForeignKey(refers)] if refers else []),
        server_default=default,
        nullable=not (required or primary),
        primary_key=primary,
        info={"scalar": scalar} if scalar else {},
    )
