"""What waits together is written together; one refused item takes no other with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.store import tables
from csms.store.database import Database
from csms.store.group_commit import GroupCommit


class Writer:
    """Adds charging stations, and notes how many went together."""

    def __init__(self, db: Database, most: int = 200) -> None:
        self.db = db
        self.sizes: list[int] = []
        self.commits: GroupCommit[str | None] = GroupCommit(db, self.write, most)

    async def write(self, connection: AsyncConnection, station_ids: Sequence[str | None]) -> None:
        self.sizes.append(len(station_ids))
        for station_id in station_ids:
            await connection.execute(insert(tables.charging_stations).values(id=station_id))

    async def written(self) -> list[str]:
        async with self.db.connect() as connection:
            return list(await connection.scalars(select(tables.charging_stations.c.id).order_by("id")))


async def test_items_that_arrive_together_share_few_transactions_and_all_are_durable(db: Database) -> None:
    writer = Writer(db)
    names = [f"ST-{number:02d}" for number in range(40)]
    await asyncio.gather(*(writer.commits.add(name) for name in names))
    assert await writer.written() == names
    assert len(writer.sizes) < 5


async def test_no_transaction_is_larger_than_asked(db: Database) -> None:
    writer = Writer(db, most=10)
    await asyncio.gather(*(writer.commits.add(f"ST-{number:02d}") for number in range(40)))
    assert max(writer.sizes) <= 10
    assert len(await writer.written()) == 40


async def test_an_item_that_the_database_refuses_fails_alone(db: Database) -> None:
    writer = Writer(db)
    names = ["ST-1", "ST-2", None, "ST-3"]
    outcomes = await asyncio.gather(*(writer.commits.add(name) for name in names), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), IntegrityError, type(None)]
    assert await writer.written() == ["ST-1", "ST-2", "ST-3"]


async def test_a_caller_that_gives_up_takes_nobody_with_it(db: Database) -> None:
    writer = Writer(db)
    leader = asyncio.create_task(writer.commits.add("ST-1"))
    followers = [asyncio.create_task(writer.commits.add(f"ST-{number}")) for number in (2, 3)]
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    await asyncio.gather(*followers)
    assert set(await writer.written()) >= {"ST-2", "ST-3"}
