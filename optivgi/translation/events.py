"""From single events to reasons for a cycle: gathered per station group, merged, never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optivgi.model.clock import Clock
from optivgi.translation.base import Event, EventSource

TIMER = "timer"
RESYNC = "resync"
GATHER_S = 0.02


@dataclass(frozen=True, slots=True)
class Wake:
    """One reason for a cycle: an OCPP action at a station, "timer", "resync", or whatever was given to `wake`."""

    reason: str
    station_id: str = ""


@dataclass(slots=True)
class _Group:
    reasons: dict[Wake, None] = field(default_factory=dict)
    """Pending, in the order of their coming; a dictionary because it merges and keeps order."""
    quiet_until: float = 0.0
    deadlines: dict[Wake, float] = field(default_factory=dict)


class Wakeups:
    """Tells which station group has reasons for a cycle.

    The first event after a quiet time is handed out at once; those that follow within `gather_s` of it come together.
    A group hears of "timer" when `period_s` has passed since its last wake-up. What is not yet handed out stays.
    """

    def __init__(
        self,
        clock: Clock,
        groups: Sequence[str],
        group_of: Callable[[str], str | None],
        period_s: float,
        gather_s: float = GATHER_S,
    ) -> None:
        self._clock = clock
        self._group_of = group_of
        self._period_s = period_s
        self._gather_s = gather_s
        self._groups = {group: _Group() for group in groups}
        self._waiters: set[asyncio.Future[None]] = set()
        for group in groups:
            self.wake_after(period_s, group, TIMER)

    def add(self, event: Event) -> None:
        """An event of a station wakes its group; one without a known station, such as "resync", wakes all groups."""
        group = self._group_of(event.station_id) if event.station_id else None
        if event.station_id and group is None:
            return
        self.wake(group, event.action, event.station_id)

    def wake(self, group: str | None, reason: str, station_id: str = "") -> None:
        """`group` (None: every group) has a reason from now on."""
        for name, state in self._groups.items():
            if group in (None, name):
                state.reasons[Wake(reason, station_id)] = None
        self._notify()

    def wake_after(self, seconds: float, group: str, reason: str) -> None:
        """`group` has a reason in `seconds` of site time; the earlier one holds if that reason is already set for later."""
        state, wake, due = self._groups[group], Wake(reason), self._clock.monotonic() + seconds
        state.deadlines[wake] = min(due, state.deadlines.get(wake, due))
        self._notify()

    async def follow(self, source: EventSource) -> None:
        """Adds every event of `source`, until it is closed."""
        async for event in source.events():
            self.add(event)

    async def next(self, group: str | None = None) -> tuple[str, tuple[Wake, ...]]:
        """The next group (or only the given one) with its reasons, all that there are at that moment; waits for one.

        Cancelling it loses nothing. Several tasks may wait at once, each for its own group.
        """
        candidates = self._groups if group is None else {group: self._groups[group]}
        while True:
            now = self._clock.monotonic()
            due = {name: self._due(state) for name, state in candidates.items()}
            name = min(due, key=lambda one: due[one])
            if due[name] <= now:
                return name, self._take(candidates[name], now)
            await self._change(due[name] - now)

    def pending(self) -> Mapping[str, tuple[Wake, ...]]:
        """Reasons that nobody took yet, by group."""
        return {name: tuple(state.reasons) for name, state in self._groups.items() if state.reasons}

    def _due(self, state: _Group) -> float:
        deadline = min(state.deadlines.values(), default=float("inf"))
        return min(deadline, state.quiet_until) if state.reasons else deadline

    def _take(self, state: _Group, now: float) -> tuple[Wake, ...]:
        expired = [wake for wake, due in state.deadlines.items() if due <= now]
        for wake in expired:
            del state.deadlines[wake]
            state.reasons[wake] = None
        taken = tuple(state.reasons)
        state.reasons.clear()
        state.quiet_until = now + self._gather_s
        state.deadlines[Wake(TIMER)] = now + self._period_s
        return taken

    def _notify(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _change(self, at_most_s: float) -> None:
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with self._clock.timeout(at_most_s):
                await waiter
        except TimeoutError:
            pass
        finally:
            self._waiters.discard(waiter)
