"""The case-insensitive text type, on any PostgreSQL."""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError


def provide(connection: Connection) -> None:
    """Makes the type citext available: the extension, or where that cannot be had a domain that compares alike."""
    if connection.dialect.name != "postgresql":
        return
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS citext"))
    except DBAPIError:
        provide_domain(connection)


def provide_domain(connection: Connection) -> None:
    """citext as a domain over text with a collation that ignores case (not usable with LIKE before PostgreSQL 18)."""
    connection.execute(
        text(
            "CREATE COLLATION IF NOT EXISTS ignoring_case "
            "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
    )
    connection.execute(text("CREATE DOMAIN citext AS text COLLATE ignoring_case"))
