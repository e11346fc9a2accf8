"""One task that wakes whatever has something due, however many stations there are."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import datetime
from typing import Protocol

from optivgi.model.clock import Clock

LONGEST_SLEEP_S = 3600.0


class Ticking(Protocol):
    """Something that acts by itself at known instants."""

    @property
    def next_due(self) -> datetime:
        """When it next has something to do."""
        ...

    def tick(self, now: datetime) -> None:
        """Does what is due."""
        ...


class Ticker:
    """Calls `tick` of each watched thing when it is due; `reschedule` tells that its next instant has moved."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[datetime, int, Ticking]] = []
        self._due: dict[Ticking, datetime] = {}
        self._order = itertools.count()
        self._earlier = asyncio.Event()

    def reschedule(self, thing: Ticking) -> None:
        """Looks again when `thing` is due; the first call begins watching it."""
        due = thing.next_due
        if self._due.get(thing) == due:
            return
        self._due[thing] = due
        heapq.heappush(self._heap, (due, next(self._order), thing))
        if self._heap[0][2] is thing:
            self._earlier.set()

    async def run(self) -> None:
        """Never returns; cancel it."""
        while True:
            self._earlier.clear()
            self._tick_all()
            wait = LONGEST_SLEEP_S
            if self._heap:
                wait = min(wait, (self._heap[0][0] - self._clock.now()).total_seconds())
            try:
                async with self._clock.timeout(max(wait, 0.0)):
                    await self._earlier.wait()
            except TimeoutError:
                continue

    def _tick_all(self) -> None:
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            due, _, thing = heapq.heappop(self._heap)
            if self._due.get(thing) == due:
                del self._due[thing]
                thing.tick(now)
                self.reschedule(thing)
