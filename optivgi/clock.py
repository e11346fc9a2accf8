"""Clocks: the wall, the wall at another speed, and one that tests turn by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from types import TracebackType

from optivgi.errors import SettingsError

MAX_SPEED = 600.0


class WallClock:
    """Real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds)


class ScaledClock:
    """Site time that runs `speed` times as fast as the wall, from `start` on.

    Everything in one process shares one ScaledClock, so that a minute means the same to a charger and to the optimizer.
    """

    def __init__(self, speed: float, start: datetime | None = None) -> None:
        if not 0 < speed <= MAX_SPEED:
            raise SettingsError(f"speed is {speed:g}; it must be above 0 and at most {MAX_SPEED:g}: choose e.g. 60")
        self.speed = speed
        self._start = start or datetime.now(UTC)
        self._origin = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._origin) * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.speed)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds / self.speed)


class ManualClock:
    """Time for tests: it stands still until `advance` moves it, waking each sleeper in the order of its deadline."""

    def __init__(self, start: datetime = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, next(self._order), woken))
        await woken

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return _ManualTimeout(self, seconds)

    @property
    def sleeping(self) -> int:
        """How many tasks wait for time to pass."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Moves time on by `seconds`, stopping at every deadline on the way and letting the woken tasks run."""
        target = self._elapsed_s + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            deadline, _, woken = heapq.heappop(self._sleepers)
            self._elapsed_s = max(self._elapsed_s, deadline)
            if not woken.done():
                woken.set_result(None)
                await settle()
        self._elapsed_s = target
        await settle()


async def settle(rounds: int = 50) -> None:
    """Lets every task that is ready run until it waits for something."""
    for _ in range(rounds):
        await asyncio.sleep(0)


class _ManualTimeout:
    def __init__(self, clock: ManualClock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> _ManualTimeout:
        await self._timeout.__aenter__()
        self._alarm = asyncio.ensure_future(self._expire())
        return self

    async def _expire(self) -> None:
        await self._clock.sleep(self._seconds)
        self._timeout.reschedule(asyncio.get_running_loop().time())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._alarm.cancel()
        await self._timeout.__aexit__(kind, error, trace)
