"""Messages that a station does not repeat, kept while the database is away."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from csms.errors import CallRefused, DatabaseUnreachable
from csms.handlers.context import Context, Handler, Json
from csms.store import stations
from optivgi.model.clock import Clock

log = logging.getLogger("csms.stations")

DEFERRABLE = frozenset({"MeterValues", "StatusNotification"})
CAPACITY = 10_000
RETRY_S = 1.0


class Deferral:
    """A bounded queue of messages to be handled later, in order. `run` belongs to the caller's task group."""

    def __init__(self, clock: Clock, capacity: int = CAPACITY) -> None:
        self._clock, self._capacity = clock, capacity
        self._waiting: deque[tuple[Handler, Json, Context]] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, handler: Handler, payload: Json, context: Context) -> None:
        """Handles the message once the database answers again; the oldest is dropped when there is no room."""
        if not self._waiting:
            log.warning("Meter values and statuses wait in memory until the database answers again")
        self._waiting.append((handler, payload, context))
        if len(self._waiting) > self._capacity:
            self._waiting.popleft()
            self.dropped += 1
        self._changed.set()

    def close(self) -> None:
        """Nothing more will come; `run` makes one last attempt."""
        self._closed = True
        self._changed.set()

    async def run(self) -> None:
        """Works until `close`."""
        while not self._closed or self._waiting:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                handler, payload, context = self._waiting[0]
                try:
                    # The station may have connected during the outage, and be unknown as yet.
                    async with context.db.begin() as connection:
                        await stations.ensure(connection, context.station_id)
                    await handler(payload, context)
                except DatabaseUnreachable as error:
                    if self._closed:
                        log.error("%d meter values and statuses are lost: %s", len(self._waiting), error)
                        return
                    await self._clock.sleep(RETRY_S)
                    continue
                except CallRefused:
                    pass
                except Exception:
                    # The edge of the queue: one message that cannot be handled must not stop those after it.
                    log.exception("A deferred message of %s could not be handled and is lost", context.station_id)
                if self._waiting and self._waiting[0][1] is payload:
                    self._waiting.popleft()
                if not self._waiting:
                    log.warning("Deferred meter values and statuses are written; %d were dropped", self.dropped)
