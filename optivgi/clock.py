"""Clocks: the wall, the wall at another speed, and one that tests turn by hand (`leaping` has one that turns itself)."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Protocol

from optivgi.errors import SettingsError

MAX_SPEED = 600.0
BEAT_S = 0.005
SLOWEST_PACE = 0.02
MOST_BETWEEN_BEATS_S = 0.02
"""A scaled clock counts no more wall time than this from one beat to the next."""


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


class Alarm(Protocol):
    """A callback at a moment of site time."""

    def cancel(self) -> None:
        """Nothing is called any more."""
        ...


class AlarmClock(ABC):
    """Sleeps and deadlines in site time, by means of alarms."""

    @abstractmethod
    def call_after(self, seconds: float, callback: Callable[[], object]) -> Alarm:
        """Calls back once `seconds` of site time have passed."""

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        alarm = self.call_after(seconds, wake)
        try:
            await woken
        finally:
            alarm.cancel()

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return _SiteTimeout(self, seconds)


class _SiteTimeout:
    def __init__(self, clock: AlarmClock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> _SiteTimeout:
        await self._timeout.__aenter__()
        self._alarm = self._clock.call_after(self._seconds, self._expire)
        return self

    def _expire(self) -> None:
        self._timeout.reschedule(asyncio.get_running_loop().time())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._alarm.cancel()
        await self._timeout.__aexit__(kind, error, trace)


class ScaledClock(AlarmClock):
    """Site time that runs at most `speed` times as fast as the wall, from `start` on.

    Everything in one process shares one ScaledClock, so that a minute means the same to a charger and to the optimizer.
    While the process is starved of its processor, site time waits for it: a busy machine makes a slower demo, never a site
    whose chargers answer late.
    """

    def __init__(self, speed: float, start: datetime | None = None) -> None:
        if not 0 < speed <= MAX_SPEED:
            raise SettingsError(f"speed is {speed:g}; it must be above 0 and at most {MAX_SPEED:g}: choose e.g. 60")
        self.speed = speed
        self._pace = 1.0
        self._start = start or datetime.now(UTC)
        self._site_s = 0.0
        self._seen = time.monotonic()
        self._beat: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def pace(self) -> float:
        """The part of `speed` at which time runs now, above 0 and at most 1; set it lower when work piles up."""
        return self._pace

    @pace.setter
    def pace(self, pace: float) -> None:
        self.monotonic()
        self._pace = min(1.0, max(SLOWEST_PACE, pace))

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        wall = time.monotonic()
        passed_s = wall - self._seen
        if self._beat is not None:
            passed_s = min(passed_s, MOST_BETWEEN_BEATS_S)
        self._site_s += passed_s * self.speed * self._pace
        self._seen = wall
        return self._site_s

    def call_after(self, seconds: float, callback: Callable[[], object]) -> Alarm:
        self._keep_beating()
        return _ScaledAlarm(self, self.monotonic() + seconds, callback)

    def _keep_beating(self) -> None:
        """Starts the heart beat by which starvation is noticed, once per event loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._pulse()

    def _pulse(self) -> None:
        self.monotonic()
        if self._loop is not None:
            self._beat = self._loop.call_later(BEAT_S, self._pulse)


class _ScaledAlarm:
    """Sounds in time, however unevenly that runs."""

    def __init__(self, clock: ScaledClock, deadline: float, callback: Callable[[], object]) -> None:
        self._clock, self._deadline, self._callback = clock, deadline, callback
        self._loop = asyncio.get_running_loop()
        self._look()

    def cancel(self) -> None:
        self._handle.cancel()

    def _look(self) -> None:
        left_s = self._deadline - self._clock.monotonic()
        due = self._callback if left_s <= 0 else self._look
        self._handle = self._loop.call_later(max(0.0, left_s) / (self._clock.speed * self._clock.pace), due)


class ManualClock(AlarmClock):
    """Time for tests: it stands still until `advance` moves it, waking each sleeper in the order of its deadline."""

    def __init__(self, start: datetime = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._order = itertools.count()
        self._alarms: list[tuple[float, int, _ManualAlarm]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    def call_after(self, seconds: float, callback: Callable[[], object]) -> Alarm:
        alarm = _ManualAlarm(callback)
        heapq.heappush(self._alarms, (self._elapsed_s + max(0.0, seconds), next(self._order), alarm))
        return alarm

    @property
    def sleeping(self) -> int:
        """How many wait for time to pass."""
        return sum(alarm.callback is not None for _, _, alarm in self._alarms)

    async def advance(self, seconds: float) -> None:
        """Moves time on by `seconds`, stopping at every deadline on the way and letting the woken tasks run."""
        target = self._elapsed_s + seconds
        await settle()
        while self.leap(target):
            await settle()
        self._elapsed_s = target
        await settle()

    def leap(self, latest_s: float = math.inf) -> bool:
        """Moves time to the next deadline and calls back, if there is one by `latest_s`; whether there was."""
        while self._alarms and self._alarms[0][0] <= latest_s:
            deadline, _, alarm = heapq.heappop(self._alarms)
            if alarm.callback is not None:
                self._elapsed_s = max(self._elapsed_s, deadline)
                alarm.callback()
                return True
        return False


class _ManualAlarm:
    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


async def settle(rounds: int = 50) -> None:
    """Lets every task that is ready run until it waits for something."""
    for _ in range(rounds):
        await asyncio.sleep(0)
