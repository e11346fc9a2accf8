"""What SQLite needs to be told to behave like the other database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, event

BUSY_TIMEOUT_MS = 30_000


def in_memory(url: URL) -> bool:
    """Whether the URL names a SQLite database that lives in memory."""
    return url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}


def missing_folder(url: URL) -> Path | None:
    """The folder that the database's file would need and that is not there."""
    folder = Path(url.database or "").parent
    return None if in_memory(url) or folder.is_dir() else folder


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


def json_equal(left: str | None, right: str | None) -> bool | None:
    """PostgreSQL's jsonb = on two JSON texts, whatever their spacing and the order of their members."""
    if left is None or right is None:
        return None
    return _same(msgspec.json.decode(left), msgspec.json.decode(right))


def json_has_key(whole: str | None, key: str | None) -> bool | None:
    """PostgreSQL's jsonb ?: whether `key` is a member's name, an item, or the text itself."""
    if whole is None or key is None:
        return None
    decoded = msgspec.json.decode(whole)
    return key in decoded if isinstance(decoded, dict | list) else decoded == key


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    # To Python 1 and True are equal; to JSON they are not.
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _contains(outer: Any, inner: Any) -> bool:
    if isinstance(outer, dict) and isinstance(inner, dict):
        return all(key in outer and _contains(outer[key], value) for key, value in inner.items())
    if isinstance(outer, list) and isinstance(inner, list):
        return all(any(_contains(item, wanted) for item in outer) for wanted in inner)
    return _same(outer, inner)


def _configure(dbapi_connection: Any, _record: Any) -> None:
    # The driver's own transactions start too late (at the first write); ours start in _begin.
    dbapi_connection.isolation_level = None
    for function in (json_contains, json_equal, json_has_key):
        dbapi_connection.create_function(function.__name__, 2, function, deterministic=True)
    cursor = dbapi_connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        # In WAL mode NORMAL may forget the last commits at a power cut; FULL makes a commit mean durable.
        "synchronous = FULL",
        "foreign_keys = ON",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        # LIKE tells A from a, as in PostgreSQL; ILIKE is spelt with lower() on both sides.
        "case_sensitive_like = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer takes the write lock at once: upgrading a read lock later fails with "database is locked".
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
