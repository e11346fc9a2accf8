"""Writes the message log behind the stations' backs: batched, bounded, in order, through outages of the database."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime

from csms.errors import DatabaseUnreachable
from csms.store import stations
from csms.store.database import Database
from csms.store.messages import Message, MessageLog
from optivgi.model.clock import Clock

log = logging.getLogger("csms.stations")

CAPACITY = 20_000
BATCH = 500
RETRY_S = 1.0


class Journal:
    """`message`, `heard` and `offline` never block; `run` belongs to the caller's task group and ends after `close`.

    When the queue is full the oldest messages are dropped and counted: a full disk must not stop the charging.
    """

    def __init__(
        self, db: Database, clock: Clock, is_connected: Callable[[str], bool], capacity: int = CAPACITY
    ) -> None:
        self._db, self._clock, self._is_connected, self._capacity = db, clock, is_connected, capacity
        self._log = MessageLog()
        self._messages: deque[Message] = deque()
        self._heard: dict[str, datetime] = {}
        self._offline: set[str] = set()
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self.dropped = 0

    def message(self, message: Message) -> None:
        """One frame for the message log."""
        self._messages.append(message)
        if len(self._messages) > self._capacity:
            self._messages.popleft()
            self.dropped += 1
        self._wake()

    def heard(self, station_id: str, at: datetime) -> None:
        """The station said something."""
        self._heard[station_id] = at
        self._wake()

    def offline(self, station_id: str) -> None:
        """The station's end could not be written at once."""
        self._offline.add(station_id)
        self._wake()

    async def flushed(self) -> None:
        """Returns once everything said so far is in the database."""
        await self._idle.wait()

    def close(self) -> None:
        """Nothing more will come; `run` makes one last attempt to write what is left."""
        self._closed = True
        self._wake()

    async def run(self) -> None:
        """Writes until `close`."""
        reachable = True
        while not (self._closed and self._idle.is_set()):
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._write_all()
            except DatabaseUnreachable as error:
                if self._closed:
                    log.error("%d messages and statuses could not be written: %s", len(self._messages), error)
                    return
                if reachable:
                    log.warning("The message log waits: %s", error)
                reachable = False
                self._changed.set()
                await self._clock.sleep(RETRY_S)
                continue
            if not reachable:
                log.warning("The message log is being written again; %d messages were dropped so far", self.dropped)
                reachable = True

    def _wake(self) -> None:
        self._idle.clear()
        self._changed.set()

    async def _write_all(self) -> None:
        while self._messages or self._heard or self._offline:
            batch = [self._messages.popleft() for _ in range(min(BATCH, len(self._messages)))]
            heard, self._heard = self._heard, {}
            offline, self._offline = self._offline, set()
            try:
                await self._write(batch, heard, offline)
            except DatabaseUnreachable:
                self._put_back(batch, heard, offline)
                raise
            except Exception:
                # The edge of the message log: a row that the database refuses must not stop those after it.
                log.exception("%d messages could not be written to the message log and are lost", len(batch))
                self.dropped += len(batch)
        self._idle.set()

    def _put_back(self, batch: list[Message], heard: dict[str, datetime], offline: set[str]) -> None:
        self._messages.extendleft(reversed(batch))
        while len(self._messages) > self._capacity:
            self._messages.popleft()
            self.dropped += 1
        self._heard = heard | self._heard
        self._offline |= offline

    async def _write(self, batch: list[Message], heard: dict[str, datetime], offline: set[str]) -> None:
        async with self._db.begin() as connection:
            await self._log.append(connection, batch)
            await stations.set_latest_messages(connection, heard)
            for station_id in sorted(offline):
                if not self._is_connected(station_id):
                    await stations.set_offline(connection, station_id)
        self._log.committed()
