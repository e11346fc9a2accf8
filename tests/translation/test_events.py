"""Reasons for a cycle: gathered, merged, never lost."""

from __future__ import annotations

import asyncio

import pytest

from optivgi.clock import ManualClock
from optivgi.testing import FakeEventSource
from optivgi.translation.base import Event
from optivgi.translation.events import RESYNC, TIMER, Wake, Wakeups

GROUPS = {"ST-1": "north", "ST-2": "north", "ST-3": "south"}


@pytest.fixture
def wakeups(clock: ManualClock) -> Wakeups:
    return Wakeups(clock, ("north", "south"), GROUPS.get, period_s=60.0, gather_s=0.02)


def an_event(clock: ManualClock, action: str = "StartTransaction", station_id: str = "ST-1") -> Event:
    return Event(action, station_id, clock.now(), 1)


async def test_the_first_event_is_handed_out_at_once(clock: ManualClock, wakeups: Wakeups) -> None:
    wakeups.add(an_event(clock))
    assert await wakeups.next() == ("north", (Wake("StartTransaction", "ST-1"),))
    assert clock.monotonic() == 0.0


async def test_events_that_follow_closely_come_together_and_merged(clock: ManualClock, wakeups: Wakeups) -> None:
    wakeups.add(an_event(clock))
    await wakeups.next()
    for station_id in ("ST-2", "ST-1", "ST-2"):
        wakeups.add(an_event(clock, station_id=station_id))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(wakeups.next())
        await clock.advance(0.01)
        assert not waiting.done()
        await clock.advance(0.01)
    assert waiting.result() == ("north", (Wake("StartTransaction", "ST-2"), Wake("StartTransaction", "ST-1")))


async def test_a_waiting_scheduler_is_woken_by_an_event(clock: ManualClock, wakeups: Wakeups) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(wakeups.next())
        await clock.advance(5)
        wakeups.add(an_event(clock, station_id="ST-3"))
    assert waiting.result() == ("south", (Wake("StartTransaction", "ST-3"),))


async def test_every_group_hears_of_the_timer_after_its_period(clock: ManualClock, wakeups: Wakeups) -> None:
    await clock.advance(60)
    assert {await wakeups.next(), await wakeups.next()} == {("north", (Wake(TIMER),)), ("south", (Wake(TIMER),))}
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(wakeups.next())
        await clock.advance(59)
        assert not waiting.done()
        await clock.advance(1)


async def test_a_deadline_set_by_the_scheduler_comes_before_the_timer(clock: ManualClock, wakeups: Wakeups) -> None:
    wakeups.wake_after(5, "south", "retry")
    wakeups.wake_after(9, "south", "retry")
    await clock.advance(5)
    assert await wakeups.next() == ("south", (Wake("retry"),))


async def test_a_resync_wakes_every_group(clock: ManualClock, wakeups: Wakeups) -> None:
    wakeups.add(Event(RESYNC, "", clock.now()))
    assert [await wakeups.next("north"), await wakeups.next("south")] == [
        ("north", (Wake(RESYNC),)),
        ("south", (Wake(RESYNC),)),
    ]


async def test_a_station_of_no_group_wakes_nobody(clock: ManualClock, wakeups: Wakeups) -> None:
    wakeups.add(an_event(clock, station_id="ELSEWHERE"))
    assert wakeups.pending() == {}


async def test_each_group_can_be_waited_for_by_a_task_of_its_own(clock: ManualClock, wakeups: Wakeups) -> None:
    async with asyncio.TaskGroup() as tasks:
        north = tasks.create_task(wakeups.next("north"))
        south = tasks.create_task(wakeups.next("south"))
        await clock.advance(0)
        wakeups.add(an_event(clock, station_id="ST-3"))
        await clock.advance(0)
        assert south.done()
        assert not north.done()
        wakeups.wake("north", "settings changed")
    assert north.result() == ("north", (Wake("settings changed"),))


async def test_nothing_is_lost_when_the_waiting_task_is_cancelled(clock: ManualClock, wakeups: Wakeups) -> None:
    wakeups.add(an_event(clock))
    await wakeups.next()
    wakeups.add(an_event(clock, "StopTransaction"))
    waiting = asyncio.create_task(wakeups.next())
    await clock.advance(0.01)
    waiting.cancel()
    await clock.advance(0.01)
    assert waiting.cancelled()
    assert await wakeups.next() == ("north", (Wake("StopTransaction", "ST-1"),))


async def test_events_of_a_source_are_followed_until_it_closes(clock: ManualClock, wakeups: Wakeups) -> None:
    source = FakeEventSource(clock)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wakeups.follow(source))
        source.push("StatusNotification", "ST-2")
        source.reconnect()
        assert await wakeups.next("south") == ("south", (Wake(RESYNC),))
        await source.aclose()
    assert wakeups.pending() == {"north": (Wake("StatusNotification", "ST-2"), Wake(RESYNC))}
