"""Site time for a whole site in one process that leaps over whatever time nobody needs."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

from optivgi.clock import ManualClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

GRACE_S = 0.001
"""How long the network within the machine may take to pass on what is under way."""
PATIENCE_S = 1.0
"""How long a thread may take before time goes on without it: none should wait for time to pass, and one that does must not
stop it for ever."""


class LeapingClock(ManualClock):
    """Site time that stands still while there is something to do, and leaps to the next deadline when there is not.

    So a site takes as little time as its work takes, and however slow or busy the machine is, no charger answers late.
    What is run with it must run in a loop of its `loop`.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        super().__init__()
        self._patience_s = patience_s
        self._busy: Callable[[], bool] = bool

    def heed(self, busy: Callable[[], bool]) -> None:
        """Lets time stand still while `busy`: for threads that the event loop knows nothing of."""
        self._busy = busy

    def loop(self) -> asyncio.AbstractEventLoop:
        """A new event loop that turns this clock whenever it is idle."""
        return _LeapingLoop(self)

    def wait_s(self, jobs: int) -> float:
        """How long an event loop with nothing to do, but `jobs` in threads, waits for more before time leaps."""
        return self._patience_s if jobs or self._busy() else GRACE_S


class _LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: LeapingClock) -> None:
        super().__init__(_LeapingSelector(clock, self))
        self.jobs = 0

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self.jobs += 1
        future.add_done_callback(self._finished)
        return future

    def _finished(self, _future: asyncio.Future[Any]) -> None:
        self.jobs -= 1


class _LeapingSelector(selectors.DefaultSelector):
    """An event loop asks its selector to wait when it has nothing to do itself."""

    def __init__(self, clock: LeapingClock, loop: _LeapingLoop) -> None:
        super().__init__()
        self._clock, self._loop = clock, loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        wait_s = self._clock.wait_s(self._loop.jobs)
        ready = super().select(wait_s if timeout is None else min(timeout, wait_s))
        if ready or self._clock.leap():
            return ready
        return super().select(timeout)
