"""A bounded queue that never refuses: when it is full the oldest item makes room, is counted, and is logged once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

log = logging.getLogger("csms.events")


class Mailbox(Generic[T]):
    """What waits for one reader. `put` never blocks; after `close` the reader still gets what is inside."""

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        self.dropped = 0
        self._items: deque[T] = deque()
        self._overflowing = False
        self._closed = False
        self._interruption: Exception | None = None
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Adds `item`; drops the oldest one when there is no room."""
        self._items.append(item)
        self._shed()
        self._changed.set()

    def put_back(self, items: Sequence[T]) -> None:
        """Returns taken `items` to the front in their order; the oldest are dropped when there is no room."""
        self._items.extendleft(reversed(items))
        self._shed()
        self._changed.set()

    def close(self) -> None:
        """Nothing more will be put; the reader ends when it has taken everything."""
        self._closed = True
        self._changed.set()

    def interrupt(self, error: Exception | None) -> None:
        """Makes the present, or else the next, `filled` raise `error`; None takes back one that nobody has seen."""
        self._interruption = error
        self._changed.set()

    async def filled(self) -> bool:
        """True once there is something to take; False once the mailbox is closed and empty."""
        while True:
            if self._interruption is not None:
                error, self._interruption = self._interruption, None
                raise error
            if self._items:
                return True
            if self._closed:
                return False
            self._changed.clear()
            await self._changed.wait()

    def take(self, most: int) -> list[T]:
        """Removes and returns the oldest items, at most `most`."""
        taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
        if self._overflowing and not self._items:
            self._overflowing = False
            log.warning("%s has caught up; %d events were dropped so far", self.name, self.dropped)
        return taken

    def _shed(self) -> None:
        while len(self._items) > self.capacity:
            self._items.popleft()
            self.dropped += 1
            if not self._overflowing:
                self._overflowing = True
                log.warning("%s is full at %d events: the oldest are dropped", self.name, self.capacity)
