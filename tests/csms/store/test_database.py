"""Transactions, connections and what happens when the database is away."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from csms.errors import DatabaseUnreachable, SettingsError
from csms.store.database import Database, database_url
from csms.store.tables import boots, charging_stations, connectors
from optivgi.clock import ManualClock
from tests.services import PrivateProcess, free_port, private_postgres


async def count(db: Database) -> int:
    async with db.connect() as connection:
        return int((await connection.execute(select(func.count()).select_from(boots))).scalar_one())


async def add(db: Database, name: str) -> None:
    async with db.begin() as connection:
        await connection.execute(boots.insert().values(id=name))


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("sqlite:///x.sqlite", "sqlite+aiosqlite:///x.sqlite"),
        ("sqlite+aiosqlite:///x.sqlite", "sqlite+aiosqlite:///x.sqlite"),
        ("postgresql://u:p@h:5432/d", "postgresql+asyncpg://u:p@h:5432/d"),
        ("postgres://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql+asyncpg://u@h/d?sslmode=require", "postgresql+asyncpg://u@h/d?ssl=require"),
    ],
)
def test_a_url_gets_its_driver(given: str, used: str) -> None:
    assert database_url(given).render_as_string(hide_password=False) == used


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u@h/d", "postgresql://u@h:port/d"])
def test_a_url_that_cannot_work_says_what_to_write(url: str) -> None:
    with pytest.raises(SettingsError, match=r"sqlite:///path.*postgresql://user"):
        database_url(url)


async def test_a_transaction_is_kept_when_its_block_ends_and_forgotten_when_it_raises(db: Database) -> None:
    await add(db, "kept")

    async def fail() -> None:
        async with db.begin() as connection:
            await connection.execute(boots.insert().values(id="forgotten"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await count(db) == 1


async def read_then_write(db: Database, name: str) -> None:
    async with db.begin() as connection:
        await connection.execute(select(func.count()).select_from(boots))
        await asyncio.sleep(0)
        await connection.execute(boots.insert().values(id=name))


async def test_many_transactions_at_once_all_succeed(db: Database) -> None:
    await asyncio.gather(*(read_then_write(db, f"B{number}") for number in range(60)))
    assert await count(db) == 60


async def test_two_programs_share_a_database(db: Database, database_url: str, clock: ManualClock) -> None:
    other = await Database.open(database_url, clock)
    await asyncio.gather(*(read_then_write(one, f"{one is db}{number}") for one in (db, other) for number in range(20)))
    await other.close()
    assert await count(db) == 40


async def test_reading_goes_on_while_a_transaction_is_open(db: Database) -> None:
    await add(db, "before")
    async with db.begin() as connection:
        await connection.execute(boots.insert().values(id="not yet"))
        assert await asyncio.create_task(count(db)) == 1
    assert await count(db) == 2


async def test_one_reading_sees_one_state(db: Database) -> None:
    query = select(func.count()).select_from(boots)
    async with db.connect() as connection:
        assert (await connection.execute(query)).scalar_one() == 0
        await asyncio.create_task(add(db, "meanwhile"))
        assert (await connection.execute(query)).scalar_one() == 0


async def test_a_task_that_takes_a_second_connection_is_told_at_once(db: Database) -> None:
    async with db.begin():
        with pytest.raises(RuntimeError, match="already holds"):
            async with db.connect():
                pass
        assert await asyncio.create_task(count(db)) == 0
    assert await count(db) == 0


async def test_rows_are_dated_by_the_clock_that_the_database_was_opened_with(db: Database, clock: ManualClock) -> None:
    await add(db, "S")
    created = clock.now()
    await clock.advance(90)
    async with db.begin() as connection:
        await connection.execute(boots.update().values(status="Accepted"))
        row = (await connection.execute(select(boots))).one()
    assert (row.createdAt, row.updatedAt) == (created, clock.now())


async def test_a_row_must_have_the_rows_it_refers_to(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.begin() as connection:
            await connection.execute(connectors.insert().values(stationId="nobody", connectorId=1))


async def test_row_ids_are_never_given_out_twice(db: Database) -> None:
    async with db.begin() as connection:
        await connection.execute(charging_stations.insert().values(id="S"))
        insert = connectors.insert().returning(connectors.c.id)
        first = (await connection.execute(insert.values(stationId="S", connectorId=1))).scalar_one()
        await connection.execute(connectors.delete())
        second = (await connection.execute(insert.values(stationId="S", connectorId=1))).scalar_one()
    assert second > first


async def test_a_commit_in_sqlite_is_durable(tmp_path: Path, clock: ManualClock) -> None:
    db = await Database.open(f"sqlite:///{tmp_path}/x.sqlite", clock)
    async with db.connect() as connection:
        pragmas = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous")
        }
    await db.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}


async def test_a_database_in_memory_serves_readers_and_writers(clock: ManualClock) -> None:
    db = await Database.open("sqlite://", clock)
    await asyncio.gather(*(add(db, f"B{number}") for number in range(5)), *(count(db) for _ in range(5)))
    assert await count(db) == 5
    await db.close()


async def test_a_server_that_does_not_answer_is_named(clock: ManualClock) -> None:
    port = free_port()
    with pytest.raises(DatabaseUnreachable, match=rf"127.0.0.1:{port}/x does not answer.*check DATABASE_URL"):
        await Database.open(f"postgresql://postgres@127.0.0.1:{port}/x", clock)


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(DatabaseUnreachable, match=r"no folder .*/nowhere; create it or change DATABASE_URL"):
        await Database.open(f"sqlite:///{tmp_path}/nowhere/x.sqlite", clock)


@pytest.mark.postgres
async def test_a_password_is_not_shown(clock: ManualClock) -> None:
    with pytest.raises(DatabaseUnreachable) as raised:
        await Database.open(f"postgresql://someone:hidden@127.0.0.1:{free_port()}/x", clock)
    assert "hidden" not in str(raised.value)


@pytest.mark.postgres
async def test_more_transactions_than_connections_wait_for_their_turn(postgres_url: str, clock: ManualClock) -> None:
    db = await Database.open(postgres_url, clock, pool_size=3)
    await asyncio.gather(*(add(db, f"B{number}") for number in range(40)))
    assert await count(db) == 40
    await db.close()


async def restart(server: PrivateProcess) -> None:
    """Returns when the new server takes questions, which is later than when it takes connections."""
    await asyncio.to_thread(server.stop, signal.SIGINT)
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(30):
        while True:
            try:
                connection = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{server.port}/postgres")
            except (OSError, asyncpg.PostgresError):
                continue
            await connection.close()
            return


@pytest.mark.postgres
async def test_a_restarted_server_is_used_again_without_help(clock: ManualClock) -> None:
    with private_postgres() as server:
        db = await Database.open(f"postgresql://postgres@127.0.0.1:{server.port}/postgres", clock)
        await asyncio.gather(*(add(db, f"B{number}") for number in range(5)))
        await restart(server)
        assert await count(db) == 5
        await asyncio.to_thread(server.stop, signal.SIGINT)
        assert not await db.healthy()
        with pytest.raises(DatabaseUnreachable):
            await add(db, "while away")
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(30):
            while not await db.healthy():
                pass
        assert await count(db) == 5
        await add(db, "afterwards")
        await db.close()


@pytest.mark.postgres
async def test_a_server_lost_in_the_middle_of_a_transaction_is_reported_as_unreachable(
    postgres_url: str, clock: ManualClock
) -> None:
    db = await Database.open(postgres_url, clock)

    async def lose() -> None:
        async with db.begin() as connection:
            await connection.execute(boots.insert().values(id="lost"))
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DatabaseUnreachable, match="does not answer"):
        await lose()
    assert await count(db) == 0
    await db.close()
