"""Many small writes in one transaction: each is acknowledged when it is durable, and they share the cost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from csms.errors import DatabaseUnreachable
from csms.store.database import Database

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Entry(Generic[T]):
    item: T
    finished: bool = False
    error: Exception | None = None


class GroupCommit(Generic[T]):
    """What arrives while one transaction is being committed goes, all of it, into the next one.

    There is no task and no delay: whoever has its turn writes for everybody who waits.
    """

    def __init__(
        self, db: Database, write: Callable[[AsyncConnection, Sequence[T]], Awaitable[None]], most: int = 200
    ) -> None:
        self._db, self._write, self._most = db, write, most
        self._waiting: deque[_Entry[T]] = deque()
        self._turn = asyncio.Lock()

    async def add(self, item: T) -> None:
        """Returns when `item` has been committed; raises what its writing raised, and then it was not."""
        entry = _Entry(item)
        self._waiting.append(entry)
        try:
            async with self._turn:
                while not entry.finished:
                    await self._commit()
        finally:
            if not entry.finished and entry in self._waiting:
                self._waiting.remove(entry)
        if entry.error is not None:
            raise entry.error

    async def _commit(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        try:
            await self._commit_together(batch)
        except asyncio.CancelledError:
            self._waiting.extendleft(entry for entry in reversed(batch) if not entry.finished)
            raise

    async def _commit_together(self, batch: Sequence[_Entry[T]]) -> None:
        error: Exception | None = None
        try:
            async with self._db.begin() as connection:
                await self._write(connection, [entry.item for entry in batch])
        except DatabaseUnreachable as unreachable:
            error = unreachable
        except Exception as refused:  # noqa: BLE001 (it is raised where each item is waited for)
            # One item that the database refuses must not take the others with it.
            if len(batch) > 1:
                for entry in batch:
                    await self._commit_together([entry])
                return
            error = refused
        for entry in batch:
            entry.finished, entry.error = True, error
