"""The migrations and the tables say the same, and both say what the contract says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from csms.errors import DatabaseUnusable
from csms.store.database import Database
from csms.store.migrations import citext
from csms.store.tables import metadata
from optivgi.clock import ManualClock

CONTRACT = json.loads((Path(__file__).parents[1] / "contract_columns.json").read_text())


def differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_the_migrated_schema_is_the_schema_of_the_tables(db: Database) -> None:
    async with db.connect() as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_a_table_has_the_columns_of_the_contract(name: str) -> None:
    columns = {column.name: not column.nullable for column in metadata.tables[name].columns}
    assert columns == CONTRACT[name]


def test_there_are_no_other_tables() -> None:
    assert set(metadata.tables) == set(CONTRACT)


async def test_opening_again_changes_nothing(database_url: str) -> None:
    for _ in range(2):
        database = await Database.open(database_url, ManualClock())
        async with database.connect() as connection:
            assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all() == [
                "0004"
            ]
        await database.close()


@pytest.mark.postgres
async def test_servers_that_start_together_migrate_once(postgres_url: str) -> None:
    databases = await asyncio.gather(*(Database.open(postgres_url, ManualClock()) for _ in range(4)))
    assert [await database.healthy() for database in databases] == [True] * 4
    for database in databases:
        await database.close()


async def test_a_schema_from_a_newer_version_is_refused(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path}/x.sqlite"
    db = await Database.open(database_url, ManualClock())
    async with db.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'from the future'"))
    await db.close()
    with pytest.raises(DatabaseUnusable, match=r"from the future.*an equal or older version"):
        await Database.open(database_url, ManualClock())


@pytest.mark.postgres
async def test_tables_of_another_program_are_left_alone(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    await connection.execute('CREATE TABLE "Transactions" (id serial)')
    with pytest.raises(DatabaseUnusable, match="already exists"):
        await Database.open(postgres_url, ManualClock())
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1
    await connection.close()


@pytest.mark.postgres
async def test_without_the_citext_extension_a_domain_compares_alike(postgres_url: str) -> None:
    database = await Database.open(postgres_url, ManualClock())
    async with database.begin() as connection:
        await connection.execute(text('ALTER TABLE "Authorizations" ALTER "idToken" TYPE text'))
        await connection.execute(text("DROP EXTENSION citext"))
        await connection.run_sync(citext.provide_domain)
        await connection.execute(text('ALTER TABLE "Authorizations" ALTER "idToken" TYPE citext'))
    await database.close()
    database = await Database.open(postgres_url, ManualClock())
    authorizations = metadata.tables["Authorizations"]
    async with database.begin() as connection:
        await connection.execute(authorizations.insert().values(idToken="Abc"))
        found = await connection.execute(authorizations.select().where(authorizations.c.idToken == "aBC"))
        assert [row.idToken for row in found] == ["Abc"]
    await database.close()
