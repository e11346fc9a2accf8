"""Site time: the hand-turned clock wakes sleepers in order; the scaled clock refuses senseless speeds."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from optivgi.clock import ManualClock, ScaledClock, WallClock
from optivgi.errors import SettingsError


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    clock, woken = ManualClock(), list[tuple[str, float]]()

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
            tasks.create_task(sleeper(name, seconds))
        await clock.advance(5)
    assert woken == [("early", 1.0), ("middle", 2.0), ("late", 3.0)]


async def test_time_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock()
    before = clock.now()
    await clock.advance(90)
    assert clock.now() - before == timedelta(seconds=90)


async def test_a_manual_timeout_expires_with_site_time() -> None:
    clock = ManualClock()

    async def wait_for_ever() -> str:
        try:
            async with clock.timeout(10):
                await asyncio.Event().wait()
        except TimeoutError:
            return "expired"
        return "woken"

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(wait_for_ever())
        await clock.advance(9.9)
        assert not waiting.done()
        await clock.advance(0.2)
    assert waiting.result() == "expired"


async def test_a_manual_timeout_that_is_not_needed_leaves_nothing_behind() -> None:
    clock = ManualClock()
    async with clock.timeout(10):
        await asyncio.sleep(0)
    await clock.advance(0)
    assert clock.sleeping == 0


@pytest.mark.parametrize("speed", [0.0, -1.0, 601.0, float("nan")])
def test_a_senseless_speed_is_refused_with_its_bound(speed: float) -> None:
    with pytest.raises(SettingsError, match="at most 600"):
        ScaledClock(speed)


async def test_a_scaled_clock_runs_faster_than_the_wall() -> None:
    clock, wall = ScaledClock(600, datetime(2026, 1, 1, tzinfo=UTC)), WallClock()
    before, wall_before = clock.monotonic(), wall.monotonic()
    await clock.sleep(6)
    assert clock.monotonic() - before >= 6
    assert wall.monotonic() - wall_before < 6


async def test_site_time_waits_for_a_starved_process() -> None:
    clock = ScaledClock(60)
    await clock.sleep(1)
    before = clock.monotonic()
    block_the_loop(seconds=0.3)
    assert clock.monotonic() - before < 60 * 0.1


async def test_a_timeout_of_a_scaled_clock_is_in_site_time() -> None:
    clock, begin = ScaledClock(600), time.monotonic()
    with pytest.raises(TimeoutError):
        async with clock.timeout(30):
            await asyncio.Event().wait()
    assert clock.monotonic() >= 30
    assert time.monotonic() - begin < 5


async def test_a_slower_pace_holds_for_sleepers_that_lie_down_before_it() -> None:
    clock = ScaledClock(600)
    async with asyncio.TaskGroup() as tasks:
        sleeping = tasks.create_task(clock.sleep(30))
        await asyncio.sleep(0)
        clock.pace = 0.5
        await sleeping
        assert clock.monotonic() >= 30


def block_the_loop(seconds: float) -> None:
    """What a process that gets no processor looks like from within."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
