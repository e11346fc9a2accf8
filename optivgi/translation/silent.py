"""An event source for a CSMS that tells nothing: the scheduler's timer alone then wakes the planning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from optivgi.model.clock import Clock
from optivgi.translation.base import Event
from optivgi.translation.events import RESYNC


class SilentEventSource:
    """One "resync" at the start, then nothing until it is closed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closed = asyncio.Event()

    async def events(self) -> AsyncIterator[Event]:
        yield Event(RESYNC, "", self._clock.now())
        await self._closed.wait()

    async def aclose(self) -> None:
        self._closed.set()
