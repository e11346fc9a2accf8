"""Tasks that belong to a part of the program for as long as the part is open."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import Context
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Tasks(asyncio.TaskGroup):
    """A TaskGroup around a block that is not its own: what the block raises passes through as it is.

    (A plain TaskGroup would wrap a taken port, or a wrong setting, into an ExceptionGroup for each part around it.)
    When the block raises, tasks that are still running are cancelled; when a task fails, so is the block.
    """

    def __init__(self) -> None:
        super().__init__()
        self._running: set[asyncio.Task[Any]] = set()

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """See asyncio.TaskGroup.create_task."""
        task = super().create_task(coro, name=name, context=context)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or kind is asyncio.CancelledError:
            await super().__aexit__(kind, error, trace)
            return
        for task in self._running:
            task.cancel()
        await super().__aexit__(None, None, None)
