"""The message log is bounded: it slows its writers while the database keeps up, and sheds the oldest when it is away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from csms.stations.journal import GATHER_S, MESSAGE_BYTES, Journal
from csms.store import tables
from csms.store.database import Database
from csms.store.messages import REQUEST, Message
from optivgi.clock import ManualClock, ScaledClock, settle
from tests.csms.stations.conftest import Yard, eventually, fragile, rows_of

AT = datetime(2026, 3, 3, 8, tzinfo=UTC)


def message(number: int, station_id: str = "ST-1") -> Message:
    frame = [2, str(number), "Heartbeat", {}]
    return Message(station_id, str(number), "cs", "ocpp1.6", "Heartbeat", frame, AT, REQUEST)


async def test_whoever_reads_waits_while_the_log_is_half_full(yard: Yard) -> None:
    journal = Journal(yard.db, yard.clock, lambda _: False, capacity_bytes=10 * MESSAGE_BYTES)
    for number in range(5):
        journal.message(message(number), 0)
    await journal.room()
    journal.message(message(5), 0)
    waiting = asyncio.create_task(journal.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(journal.run())
        await waiting
        await journal.flushed()
        journal.close()
    assert journal.dropped == 0
    assert [row["correlationId"] for row in await yard.rows(tables.ocpp_messages)] == list("012345")


async def test_messages_of_a_moment_are_written_together_and_at_once_if_somebody_waits(yard: Yard) -> None:
    clock = ManualClock()
    journal = Journal(yard.db, clock, lambda _: False)

    async def both_written() -> bool:
        return len(await yard.rows(tables.ocpp_messages)) == 2

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(journal.run())
        journal.message(message(1), 0)
        await clock.advance(GATHER_S / 2)
        journal.message(message(2), 0)
        await settle()
        assert yard.db.checkouts == 0
        await clock.advance(GATHER_S / 2)
        await eventually(both_written)
        journal.message(message(3), 0)
        await journal.flushed()
        journal.close()
    assert clock.monotonic() == GATHER_S
    assert [row["correlationId"] for row in await yard.rows(tables.ocpp_messages)] == list("123")


async def test_rows_that_the_database_refuses_do_not_stop_those_after_them(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(yard.db, yard.clock, lambda _: False)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(journal.run())
        bad = message(1)
        bad.frame.append({1, 2})
        journal.message(bad, 0)
        await journal.flushed()
        journal.message(message(2), 0)
        await journal.flushed()
        journal.close()
    assert journal.dropped == 1
    assert "are lost" in caplog.text
    assert [row["correlationId"] for row in await yard.rows(tables.ocpp_messages)] == ["2"]


@pytest.mark.postgres
async def test_during_an_outage_nobody_waits_and_the_oldest_are_dropped(postgres_url: str) -> None:
    async with fragile(postgres_url) as (proxy, url):
        db = await Database.open(url, ScaledClock(20.0))
        journal = Journal(db, ScaledClock(20.0), lambda _: False, capacity_bytes=10 * MESSAGE_BYTES)

        async def away() -> bool:
            return not journal.reachable

        proxy.refuse(True)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(journal.run())
            journal.message(message(0), 0)
            await eventually(away)
            for number in range(1, 15):
                journal.message(message(number), 0)
                await journal.room()
            assert journal.dropped == 5
            proxy.refuse(False)
            await journal.flushed()
            journal.close()
        numbers = [row["correlationId"] for row in await rows_of(db, tables.ocpp_messages)]
        assert numbers == [str(number) for number in range(5, 15)]
        await db.close()
