"""Writes the message log behind the stations' backs: batched, bounded, in order, through outages of the database."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from csms.errors import DatabaseUnreachable
from csms.store import stations
from csms.store.database import Database
from csms.store.messages import Message, MessageLog
from optivgi.model.clock import Clock

log = logging.getLogger("csms.stations")

CAPACITY_BYTES = 32 * 1024 * 1024
BATCH = 1000
RETRY_S = 1.0
GATHER_S = 0.2
"""Messages that travel within so long a time are written together, unless somebody waits for them."""

MESSAGE_BYTES = 1024
"""What a message takes in memory beside its text, roughly."""


class Journal:
    """`message`, `heard` and `offline` never block; `run` belongs to the caller's task group and ends after `close`.

    While the database keeps up, whoever reads from stations waits for `room`, so that nothing is lost. During an outage
    nobody waits: the oldest messages are dropped and counted, since a missing log must not stop the charging.
    """

    def __init__(
        self, db: Database, clock: Clock, is_connected: Callable[[str], bool], capacity_bytes: int = CAPACITY_BYTES
    ) -> None:
        self._db, self._clock, self._is_connected = db, clock, is_connected
        self._capacity_bytes = capacity_bytes
        self._log = MessageLog()
        self._messages: deque[tuple[Message, int]] = deque()
        self._size_bytes = 0
        self._heard: dict[str, datetime] = {}
        self._offline: set[str] = set()
        self._changed = asyncio.Event()
        self._awaited = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._room = asyncio.Event()
        self._room.set()
        self.reachable = True
        """Whether the database took the last batch."""
        self._closed = False
        self.dropped = 0

    def message(self, message: Message, size_bytes: int) -> None:
        """One frame for the message log."""
        self._messages.append((message, size_bytes + MESSAGE_BYTES))
        self._size_bytes += size_bytes + MESSAGE_BYTES
        self._shed()
        self._wake()

    async def room(self) -> None:
        """Returns when more can be taken in without loss, or when waiting would not help."""
        await self._room.wait()

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
        self._awaited.set()
        await self._idle.wait()

    def close(self) -> None:
        """Nothing more will come; `run` makes one last attempt to write what is left."""
        self._closed = True
        self._awaited.set()
        self._wake()

    async def run(self) -> None:
        """Writes until `close`."""
        while not (self._closed and self._idle.is_set()):
            await self._changed.wait()
            await self._gather()
            self._changed.clear()
            try:
                await self._write_all()
            except DatabaseUnreachable as error:
                if self._closed:
                    log.error("%d messages and statuses could not be written: %s", len(self._messages), error)
                    return
                self._outage(error)
                self._changed.set()
                await self._clock.sleep(RETRY_S)

    async def _gather(self) -> None:
        with suppress(TimeoutError):
            async with self._clock.timeout(GATHER_S):
                await self._awaited.wait()

    def _outage(self, error: DatabaseUnreachable) -> None:
        if self.reachable:
            log.warning("The message log waits: %s", error)
        self.reachable = False
        self._room.set()

    def _recovered(self) -> None:
        if not self.reachable:
            log.warning("The message log is being written again; %d messages were dropped so far", self.dropped)
        self.reachable = True

    def _wake(self) -> None:
        self._idle.clear()
        self._changed.set()

    def _shed(self) -> None:
        while self._size_bytes > self._capacity_bytes:
            _, size_bytes = self._messages.popleft()
            self._size_bytes -= size_bytes
            self.dropped += 1
        if self.reachable and self._size_bytes > self._capacity_bytes // 2:
            self._room.clear()
            self._awaited.set()

    async def _write_all(self) -> None:
        while self._messages or self._heard or self._offline:
            batch = [self._messages.popleft() for _ in range(min(BATCH, len(self._messages)))]
            self._size_bytes -= sum(size_bytes for _, size_bytes in batch)
            heard, self._heard = self._heard, {}
            offline, self._offline = self._offline, set()
            try:
                await self._write([message for message, _ in batch], heard, offline)
            except DatabaseUnreachable:
                self._put_back(batch, heard, offline)
                raise
            except Exception:
                # The edge of the message log: a row that the database refuses must not stop those after it.
                log.exception("%d messages could not be written to the message log and are lost", len(batch))
                self.dropped += len(batch)
            self._recovered()
            if self._size_bytes <= self._capacity_bytes // 2:
                self._room.set()
        self._idle.set()
        if not self._closed:
            self._awaited.clear()

    def _put_back(self, batch: list[tuple[Message, int]], heard: dict[str, datetime], offline: set[str]) -> None:
        self._messages.extendleft(reversed(batch))
        self._size_bytes += sum(size_bytes for _, size_bytes in batch)
        self._shed()
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
