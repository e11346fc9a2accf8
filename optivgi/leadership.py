"""Which optimizer leads a station group: the one that holds the group's lease. Any other one waits for it.

Whoever cannot be sure to hold the lease sends nothing: see docs/adr/0006-one-leader.md.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from optivgi.model.clock import Clock

ASK_EVERY_S = 1.0
STARTING = "it has only just started"
FENCE_S = 8.0
"""A lease that was confirmed this long ago may be somebody else's. Shorter than the time after which a lease is freed."""
WAITERS_S = 15.0
"""Somebody who was heard waiting this long before the lease was last confirmed counts as still there."""


class Role(StrEnum):
    """What an optimizer is to a station group."""

    LEADS = "leads"
    WAITS = "waits"


class Answer(StrEnum):
    """What became known of a lease."""

    HELD = "held"
    """It is ours."""
    RENEWED = "renewed"
    """It is ours, and has been since it was asked for last."""
    TAKEN = "taken"
    """Somebody else has it."""
    UNKNOWN = "unknown"
    """Nobody can say: the keeper of leases is away."""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer about one lease. `why` names who has it, or says why nobody can tell; it is for a site manager."""

    answer: Answer
    why: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What this optimizer is to a group, since when, and why."""

    role: Role
    since: datetime
    why: str = ""


class Lease(Protocol):
    """One station group's lease, wherever it is kept. It has one holder at a time, who loses it by dying."""

    waiter_heard_at: float
    """When somebody else was last heard waiting for it, on the clock's monotonic scale; minus infinity is never."""

    async def ask(self) -> Report:
        """Takes or renews it. Never raises for its keeper's sake, and answers within seconds."""
        ...

    async def aclose(self) -> None:
        """Gives it back."""
        ...


class Leadership(Protocol):
    """Tells whether this optimizer may command a group's stations."""

    @property
    def standings(self) -> Mapping[str, Standing]:
        """What it is to each group; a group that is not here can be led by nobody else."""
        ...

    async def run(self, tell: Callable[[str, Standing], None]) -> None:
        """Keeps what is asked below up to date. `tell` is called with each change of a group's standing."""
        ...

    def leads(self, group: str) -> bool:
        """Whether commands may be sent at this moment: to be asked right before sending."""
        ...

    async def won(self, group: str) -> None:
        """Returns once this optimizer leads the group."""
        ...

    async def lost(self, group: str) -> None:
        """Returns once it does not any more, or may have missed that another one led meanwhile."""
        ...


class SoleLeader:
    """Leads everything for ever: where nothing could tell several optimizers apart."""

    @property
    def standings(self) -> Mapping[str, Standing]:
        return {}

    async def run(self, tell: Callable[[str, Standing], None]) -> None:
        """There is nothing to do."""

    def leads(self, group: str) -> bool:  # noqa: ARG002 - any group
        return True

    async def won(self, group: str) -> None:
        """At once."""

    async def lost(self, group: str) -> None:  # noqa: ARG002 - any group
        """Never."""
        await asyncio.Event().wait()


@dataclass(slots=True)
class Tenure:
    """What is known of one group's lease. Times are the clock's monotonic seconds. Pure.

    `proven_at` is when the question was asked whose answer was that the lease is ours; `asked_at` the same for the last
    answer of any kind, so that a process which slept meanwhile does not trust what it knew before.
    """

    hold_s: float
    led: bool = False
    term: int = 0
    """Grows with each time that the lease was won."""
    proven_at: float = -math.inf
    asked_at: float = -math.inf
    waiter_at: float = -math.inf

    def holds(self, at: float) -> bool:
        """Whether nobody else can be leading.

        Without an answer the last one counts for `FENCE_S`. After that a leader that knows the lease's keeper to be away goes
        on: for ever if nobody was waiting, else for `hold_s`.
        """
        if not self.led or at - self.asked_at > FENCE_S:
            return False
        alone = self.waiter_at < self.proven_at - WAITERS_S
        return at - self.proven_at <= FENCE_S or alone or at - self.proven_at <= self.hold_s

    def learned(self, answer: Answer, asked_at: float, at: float) -> None:
        """Takes in the answer that came at `at` to what was asked at `asked_at`."""
        continuous = answer is Answer.RENEWED or self.holds(at)
        self.asked_at = asked_at
        if answer in (Answer.HELD, Answer.RENEWED):
            self.proven_at = asked_at
            if not (self.led and continuous):
                self.led, self.term = True, self.term + 1
        elif answer is Answer.TAKEN:
            self.led = False
        elif at - asked_at <= FENCE_S:
            self.led = self.holds(at)


class LeasedLeadership:
    """Leads each group while it has the group's lease. `run` asks for the leases, again and again."""

    def __init__(
        self,
        leases: Mapping[str, Lease],
        clock: Clock,
        *,
        hold_s: float,
    ) -> None:
        self._leases, self._clock = leases, clock
        self._tenures = {group: Tenure(hold_s) for group in leases}
        self._changed = asyncio.Condition()
        self._standings = {group: Standing(Role.WAITS, clock.now(), STARTING) for group in leases}

    @property
    def standings(self) -> Mapping[str, Standing]:
        return self._standings

    async def run(self, tell: Callable[[str, Standing], None]) -> None:
        """Endless."""
        async with asyncio.TaskGroup() as tasks:
            for group in self._leases:
                tasks.create_task(self._keep(group, tell))

    def leads(self, group: str) -> bool:
        return self._tenures[group].holds(self._clock.monotonic())

    async def won(self, group: str) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._tenures[group].led)

    async def lost(self, group: str) -> None:
        tenure = self._tenures[group]
        term = tenure.term
        async with self._changed:
            await self._changed.wait_for(lambda: not tenure.led or tenure.term != term)

    async def _keep(self, group: str, tell: Callable[[str, Standing], None]) -> None:
        tenure, lease = self._tenures[group], self._leases[group]
        while True:
            asked_at = self._clock.monotonic()
            report = await lease.ask()
            tenure.waiter_at = lease.waiter_heard_at
            tenure.learned(report.answer, asked_at, self._clock.monotonic())
            if self._note(group, Role.LEADS if tenure.led else Role.WAITS, report.why):
                tell(group, self._standings[group])
            async with self._changed:
                self._changed.notify_all()
            await self._clock.sleep(ASK_EVERY_S)

    def _note(self, group: str, role: Role, why: str) -> bool:
        """Whether that is new."""
        before = self._standings[group]
        since = before.since if role is before.role else self._clock.now()
        self._standings[group] = Standing(role, since, why)
        return (role, why) != (before.role, before.why)
