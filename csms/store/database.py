"""The database: SQLite in a file, or PostgreSQL by URL, behind one door."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

from alembic.util import CommandError
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from csms.errors import DatabaseUnreachable, DatabaseUnusable, SettingsError
from csms.store import migrations, sqlite
from optivgi.model.clock import Clock

log = logging.getLogger("csms.store")

HEALTH_TIMEOUT_S = 5.0
POOL_TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 10.0

# The server ended the session: shutting down, crashed, starting up, or dropped.
_SERVER_GONE = {"57P01", "57P02", "57P03", "57P05", "08000", "08003", "08006"}

_holder: ContextVar[asyncio.Task[Any] | None] = ContextVar("holder of a database connection", default=None)


def database_url(url: str) -> URL:
    """The URL with its asynchronous driver: sqlite:///file, postgresql://user@host/name. Raises SettingsError."""
    remedy = "use sqlite:///path/to/file.sqlite or postgresql://user:password@host:5432/name"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise SettingsError(f"DATABASE_URL is not a URL: {remedy}") from error
    match parsed.get_backend_name():
        case "sqlite":
            return parsed.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            query = {"ssl" if key == "sslmode" else key: value for key, value in parsed.query.items()}
            return parsed.set(drivername="postgresql+asyncpg", query=query)
        case other:
            raise SettingsError(f"DATABASE_URL has scheme {other!r}: {remedy}")


class Database:
    """Connections and transactions. One task holds at most one connection at a time, so that the pool cannot deadlock."""

    def __init__(self, engine: AsyncEngine, url: URL, clock: Clock) -> None:
        self.engine, self.clock = engine, clock
        self.dialect = engine.dialect.name
        self.name = url.render_as_string(hide_password=True)
        self.checkouts = 0
        """How many tasks have a connection, or wait for one."""
        self._writers = engine.execution_options(writes=True)
        self._readers = engine
        if self.dialect == "postgresql":
            self._readers = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        # SQLite takes one writer at a time; waiting here is fair and free, waiting inside SQLite is polling.
        self._writer = asyncio.Lock() if self.dialect == "sqlite" else None
        # A database in memory is one connection, which readers and writers must share.
        self._reader = self._writer if sqlite.in_memory(url) else None

    @classmethod
    async def open(cls, url: str, clock: Clock, *, pool_size: int = 20) -> Database:
        """The database at `url` with its schema at head; `clock` dates createdAt and updatedAt.

        Raises SettingsError for a URL that cannot work, DatabaseUnreachable when the server does not answer (the
        caller decides whether to try again), DatabaseUnusable when the schema is not one that this version can serve.
        """
        parsed = database_url(url)
        if parsed.get_backend_name() == "sqlite" and (folder := sqlite.missing_folder(parsed)):
            raise DatabaseUnreachable(f"database {url}: there is no folder {folder}; create it or change DATABASE_URL")
        database = cls(_engine(parsed, clock, pool_size), parsed, clock)
        try:
            await database._migrate()
        except BaseException:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed (durable) when the block ends, rolled back when it raises."""
        async with self._checkout(self._writers, self._writer) as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with, never to write: every statement of the block sees one state of the database."""
        async with self._checkout(self._readers, self._reader) as connection:
            yield connection

    async def healthy(self) -> bool:
        """Whether the database answers a question now."""
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT_S), self.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Disconnects; transactions still running are rolled back."""
        await self.engine.dispose()

    @asynccontextmanager
    async def _checkout(self, engine: AsyncEngine, lock: asyncio.Lock | None) -> AsyncIterator[AsyncConnection]:
        with _only_one(), self._counted():
            async with AsyncExitStack() as stack:
                if lock:
                    await stack.enter_async_context(lock)
                with self._reaching(OSError, TimeoutError, DBAPIError, PoolTimeout):
                    connection = await stack.enter_async_context(engine.connect())
                with self._reaching(DBAPIError, only=server_gone):
                    yield connection

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.checkouts += 1
        try:
            yield
        finally:
            self.checkouts -= 1

    @contextmanager
    def _reaching(self, *kinds: type[Exception], only: Any = None) -> Iterator[None]:
        try:
            yield
        except kinds as error:
            if only and not only(error):
                raise
            reason = str(getattr(error, "orig", None) or error) or type(error).__name__
            raise DatabaseUnreachable(
                f"database {self.name} does not answer: {reason}; check DATABASE_URL and that the server runs"
            ) from error

    async def _migrate(self) -> None:
        try:
            async with self.begin() as connection:
                if self.dialect == "postgresql":
                    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('optivgi.csms.migrations'))"))
                before, after = await connection.run_sync(migrations.upgrade)
        except (DBAPIError, CommandError) as error:
            raise DatabaseUnusable(
                f"the schema of {self.name} cannot be brought up to date: {getattr(error, 'orig', None) or error}; "
                "give an empty database, or one that an equal or older version of this program made"
            ) from error
        if before != after:
            log.info("Database schema brought from %s to %s", before or "empty", after)


def _engine(url: URL, clock: Clock, pool_size: int) -> AsyncEngine:
    options = {"clock": clock}
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, execution_options=options)
        sqlite.prepare(engine.sync_engine)
        return engine
    engine = create_async_engine(
        url,
        execution_options=options,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": COMMAND_TIMEOUT_S,
            # Compiling a large JSON query just in time costs more than running it.
            "server_settings": {"timezone": "UTC", "application_name": "optivgi-csms", "jit": "off"},
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_stale)
    return engine


def _refuse_stale(dbapi_connection: Any, _record: Any, _fairy: Any) -> None:
    """Makes the pool start afresh after a server restart, without asking the server before each use."""
    if dbapi_connection.driver_connection.is_closed():
        raise InvalidatePoolError


def server_gone(error: Exception) -> bool:
    """Whether the database's error means that the connection is lost, not that the statement is wrong."""
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _SERVER_GONE


@contextmanager
def _only_one() -> Iterator[None]:
    task = asyncio.current_task()
    if task is not None and _holder.get() is task:
        raise RuntimeError("this task already holds a database connection: pass that one on instead of taking another")
    token = _holder.set(task)
    try:
        yield
    finally:
        _holder.reset(token)
