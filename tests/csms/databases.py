"""Fixtures: a migrated database on each backend, copied from one made once, so that a test pays milliseconds for it."""

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


def run_on_server(server: str, statement: str) -> None:
    """One administrative statement, e.g. CREATE DATABASE."""

    async def run() -> None:
        connection = await asyncpg.connect(server.replace("+asyncpg", "") + "/postgres", timeout=30)
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
def postgres_template(postgres_server: str) -> Iterator[str]:
    name = f"optivgi_template_{uuid.uuid4().hex[:12]}"
    run_on_server(postgres_server, f'CREATE DATABASE "{name}"')
    try:
        migrate(f"{postgres_server}/{name}")
        yield name
    finally:
        run_on_server(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a migrated database without rows."""
    if request.param == "sqlite":
        path = tmp_path / "csms.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_template")
    name = f"optivgi_{uuid.uuid4().hex[:12]}"
    run_on_server(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield f"{server}/{name}"
    finally:
        run_on_server(server, f'DROP DATABASE "{name}" WITH (FORCE)')


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
