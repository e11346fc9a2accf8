"""The test services themselves: a private broker and database keep their port over a restart."""

from __future__ import annotations

import asyncpg
import pytest

from tests.services import answers, private_postgres


@pytest.mark.postgres
async def test_a_fresh_database_is_empty(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    try:
        assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 0
    finally:
        await connection.close()


@pytest.mark.postgres
def test_a_private_postgres_keeps_its_port_over_a_restart() -> None:
    with private_postgres() as database:
        database.stop()
        assert not answers("127.0.0.1", database.port)
        database.start()
        assert answers("127.0.0.1", database.port)
