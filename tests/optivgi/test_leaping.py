"""Site time that leaps: it stands still for whatever is under way, and needs no time where nothing is."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from optivgi.leaping import LeapingClock

T = TypeVar("T")

WORK_S = 0.05
"""Much longer than the network's grace."""


def run(clock: LeapingClock, work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=clock.loop) as runner:
        return runner.run(work)


def labour() -> None:
    """A thread's work."""
    time.sleep(WORK_S)


def test_a_day_takes_no_time() -> None:
    clock, begin, woken = LeapingClock(), time.monotonic(), list[float]()

    async def day() -> None:
        async with asyncio.TaskGroup() as tasks:
            for seconds in (86_400, 3_600, 7_200):
                tasks.create_task(sleeper(seconds))

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(clock.monotonic())

    run(clock, day())
    assert woken == [3_600, 7_200, 86_400]
    assert time.monotonic() - begin < 5


def test_a_deadline_is_in_site_time() -> None:
    clock = LeapingClock()

    async def wait_for_ever() -> None:
        async with clock.timeout(3_600):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run(clock, wait_for_ever())
    assert clock.monotonic() == 3_600


async def in_a_job(_clock: LeapingClock) -> None:
    await asyncio.to_thread(labour)


async def in_a_thread_of_its_own(clock: LeapingClock) -> None:
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    clock.heed(lambda: not done.is_set())

    def work() -> None:
        labour()
        loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=work)
    thread.start()
    await done.wait()
    thread.join()


async def over_the_network(_clock: LeapingClock) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1") as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(20):
            writer.write(b"ping\n")
            assert await reader.readline() == b"ping\n"
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("work", [in_a_job, in_a_thread_of_its_own, over_the_network])
def test_time_stands_still_for_work(work: Callable[[LeapingClock], Awaitable[None]]) -> None:
    clock = LeapingClock()

    async def beside_a_sleeper() -> float:
        sleeping = asyncio.create_task(clock.sleep(1))
        await asyncio.sleep(0)
        await work(clock)
        worked_s = clock.monotonic()
        await sleeping
        return worked_s

    assert run(clock, beside_a_sleeper()) == 0
    assert clock.monotonic() == 1


def test_whoever_is_busy_for_ever_does_not_stop_time() -> None:
    clock = LeapingClock(patience_s=0.01)
    clock.heed(lambda: True)
    run(clock, clock.sleep(1))
    assert clock.monotonic() == 1
