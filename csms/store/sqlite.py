"""What SQLite needs to be told to behave like the other database."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, event

BUSY_TIMEOUT_MS = 30_000


def in_memory(url: URL) -> bool:
    """Whether the URL names a SQLite database that lives in memory."""
    return url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}


def prepare(engine: Engine) -> None:
    """Sets durability, integrity and transactions on every connection that the engine will open."""
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)


def json_contains(whole: str | None, part: str | None) -> bool | None:
    """PostgreSQL's jsonb @> on two JSON texts; None when either is null."""
    if whole is None or part is None:
        return None
    outer, inner = msgspec.json.decode(whole), msgspec.json.decode(part)
    if isinstance(outer, list) and not isinstance(inner, list | dict):
        return any(_contains(item, inner) for item in outer)
    return _contains(outer, inner)


def _contains(outer: Any, inner: Any) -> bool:
    if isinstance(outer, dict) and isinstance(inner, dict):
        return all(key in outer and _contains(outer[key], value) for key, value in inner.items())
    if isinstance(outer, list) and isinstance(inner, list):
        return all(any(_contains(item, wanted) for item in outer) for wanted in inner)
    if isinstance(outer, bool) or isinstance(inner, bool):
        return outer is inner
    return bool(outer == inner)


def _configure(dbapi_connection: Any, _record: Any) -> None:
    # The driver's own transactions start too late (at the first write); ours start in _begin.
    dbapi_connection.isolation_level = None
    dbapi_connection.create_function("json_contains", 2, json_contains, deterministic=True)
    cursor = dbapi_connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        # In WAL mode NORMAL may forget the last commits at a power cut; FULL makes a commit mean durable.
        "synchronous = FULL",
        "foreign_keys = ON",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer takes the write lock at once: upgrading a read lock later fails with "database is locked".
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
