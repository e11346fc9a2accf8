"""A CSMS without sockets: handlers on a real database, SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import Table, insert, select, text

from csms.handlers.context import Context, Exchange
from csms.handlers.meter_reports import MeterReports
from csms.handlers.table import INCOMING, OUTGOING
from csms.rpc.dialects import OCPP16
from csms.rpc.schemas import violation
from csms.rpc.timestamps import format_timestamp
from csms.rules.boot import BootPolicy
from csms.store import stations, tables
from csms.store.database import Database
from optivgi.clock import ManualClock

STATION = "ST-1"

EMPTY_POSTGRES = """
DO $$ DECLARE it record; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR it IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE format('DELETE FROM %I', it.tablename);
  END LOOP;
  PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)
    FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""
"""Far faster than truncating fifty tables."""

Json = dict[str, Any]


@dataclass
class Csms:
    """Hands messages to their handlers, as the stations' side does, and shows rows."""

    db: Database
    clock: ManualClock
    meters: MeterReports

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def receive(self, action: str, payload: Json, station_id: str = STATION) -> Json:
        assert violation(OCPP16, action, "request", payload) is None
        answer = await INCOMING["1.6", action](payload, self._context(station_id))
        assert violation(OCPP16, action, "response", answer) is None
        return answer

    async def answered(self, action: str, request: Json, response: Json, station_id: str = STATION) -> None:
        assert violation(OCPP16, action, "request", request) is None
        assert violation(OCPP16, action, "response", response) is None
        after = OUTGOING["1.6", action].after
        assert after is not None
        await after(Exchange("correlation", request, response), self._context(station_id))

    async def connects(self, station_id: str = STATION) -> None:
        async with self.db.begin() as connection:
            await stations.set_online(connection, station_id, "ocpp1.6")

    async def knows_tag(self, id_tag: str, **columns: Any) -> int:
        async with self.db.begin() as connection:
            tags = tables.authorizations
            statement = insert(tags).values(idToken=id_tag, **columns).returning(tags.c.id)
            return int((await connection.execute(statement)).scalar_one())

    async def rows(self, table: Table, **equals: Any) -> list[Json]:
        async with self.db.connect() as connection:
            wanted = [table.c[name] == value for name, value in equals.items()]
            rows = await connection.execute(select(table).where(*wanted).order_by(*table.primary_key.columns))
            return [dict(row._mapping) for row in rows]

    async def row(self, table: Table, **equals: Any) -> Json:
        found = await self.rows(table, **equals)
        assert len(found) == 1, found
        return found[0]

    async def start(
        self,
        *,
        connector: int = 1,
        tag: str = "TAG",
        meter: int = 0,
        at: datetime | None = None,
        station_id: str = STATION,
        **more: Any,
    ) -> Json:
        said = {
            "connectorId": connector,
            "idTag": tag,
            "meterStart": meter,
            "timestamp": format_timestamp(at or self.now),
        }
        return await self.receive("StartTransaction", said | more, station_id)

    async def stop(self, transaction_id: int, *, meter: int = 0, station_id: str = STATION, **more: Any) -> Json:
        said = {"transactionId": transaction_id, "meterStop": meter, "timestamp": format_timestamp(self.now)}
        return await self.receive("StopTransaction", said | more, station_id)

    async def meter(
        self,
        value: float | str,
        *,
        transaction_id: int | None = 1,
        connector: int = 1,
        at: datetime | None = None,
        station_id: str = STATION,
    ) -> Json:
        entry = {"timestamp": format_timestamp(at or self.now), "sampledValue": [{"value": str(value)}]}
        said: Json = {"connectorId": connector, "meterValue": [entry]}
        if transaction_id is not None:
            said["transactionId"] = transaction_id
        return await self.receive("MeterValues", said, station_id)

    def _context(self, station_id: str) -> Context:
        return Context(station_id, self.now, self.db, self.meters, BootPolicy())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema and nothing else: copying it is faster than migrating again."""
    path = tmp_path_factory.mktemp("template") / "csms.sqlite"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    """One PostgreSQL database for all handler tests, which empty it."""
    name = f"optivgi_{uuid.uuid4().hex[:12]}"
    admin = postgres_server.replace("+asyncpg", "") + "/postgres"
    asyncio.run(_administer(admin, f'CREATE DATABASE "{name}"'))
    try:
        yield f"{postgres_server}/{name}"
    finally:
        asyncio.run(_administer(admin, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_database"))
    shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "csms.sqlite")
    return f"sqlite:///{tmp_path}/csms.sqlite"


@pytest_asyncio.fixture
async def csms(database_url: str) -> AsyncIterator[Csms]:
    """Station ST-1 is connected, and idTag TAG may charge, once at a time."""
    clock = ManualClock()
    db = await Database.open(database_url, clock, pool_size=3)
    try:
        if db.dialect == "postgresql":
            async with db.begin() as connection:
                await connection.execute(text(EMPTY_POSTGRES))
        world = Csms(db, clock, MeterReports(db))
        await world.connects()
        await world.knows_tag("TAG", concurrentTransaction=False)
        yield world
    finally:
        await db.close()


async def _migrate(url: str) -> None:
    db = await Database.open(url, ManualClock())
    await db.close()


async def _administer(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
