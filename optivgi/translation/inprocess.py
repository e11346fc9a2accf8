"""Events of a CSMS in the same process: the streams of the broker, without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from optivgi.model.clock import Clock
from optivgi.translation.base import Event
from optivgi.translation.envelope import Body, Headers, Sink, event_of, is_answered, is_sent, matches, waking
from optivgi.translation.events import RESYNC

Subscribe = Callable[[Callable[[Headers, Body], None]], Callable[[], None]]
"""Calls the given function with the headers and body of every event until the returned function is called."""


class InProcessEventSource:
    """Session events by subscription. What concerns commands goes to `on_answer` from the moment of construction."""

    def __init__(
        self, subscribe: Subscribe, clock: Clock, *, on_answer: Sink | None = None, meter_values: bool = False
    ) -> None:
        self._clock = clock
        self._on_answer = on_answer
        self._waking = waking(meter_values)
        self._inbox: asyncio.Queue[Event | None] = asyncio.Queue()
        self._unsubscribe = subscribe(self._take)

    async def events(self) -> AsyncIterator[Event]:
        """Begins with a "resync": nothing is known of the time before."""
        yield Event(RESYNC, "", self._clock.now())
        while (event := await self._inbox.get()) is not None:
            yield event

    async def aclose(self) -> None:
        self._unsubscribe()
        self._inbox.put_nowait(None)

    def _take(self, headers: Headers, body: Body) -> None:
        if is_sent(headers) or is_answered(headers):
            if self._on_answer is not None:
                self._on_answer(headers, body)
        elif any(matches(headers, binding) for binding in self._waking):
            event = event_of(headers, body, self._clock.now())
            if event is not None:
                self._inbox.put_nowait(event)
