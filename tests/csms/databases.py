"""Fixtures: a migrated database on each backend, made once, so that a test pays milliseconds for it."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from csms.store.database import Database
from optivgi.clock import ManualClock

BACKENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


# Deletes rather than truncates: a handful of rows go faster than fifty files. Row ids begin at 1 again.
EMPTY_EVERY_TABLE = """
DO $$ DECLARE name text; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE format('DELETE FROM %I', name);
  END LOOP;
  PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)
    FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""


def run_on_server(url: str, statement: str) -> None:
    """One administrative statement, e.g. CREATE DATABASE."""

    async def run() -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=30)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def migrate(url: str) -> None:
    """Makes the schema and leaves."""

    async def run() -> None:
        await (await Database.open(url, ManualClock())).close()

    asyncio.run(run())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "csms.sqlite"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    """URL of a migrated database that the tests of a session share, one after the other."""
    name = f"optivgi_shared_{uuid.uuid4().hex[:12]}"
    run_on_server(f"{postgres_server}/postgres", f'CREATE DATABASE "{name}"')
    try:
        migrate(f"{postgres_server}/{name}")
        yield f"{postgres_server}/{name}"
    finally:
        run_on_server(f"{postgres_server}/postgres", f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a migrated database without rows."""
    if request.param == "sqlite":
        path = tmp_path / "csms.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    url = request.getfixturevalue("postgres_database")
    yield url
    run_on_server(url, EMPTY_EVERY_TABLE)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest_asyncio.fixture
async def db(database_url: str, clock: ManualClock) -> AsyncIterator[Database]:
    """An open database without rows."""
    database = await Database.open(database_url, clock)
    try:
        yield database
    finally:
        await database.close()
