"""A scheduler over in-memory ports and a hand-turned clock, with chargers that answer as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self

import numpy as np

from optivgi.clock import ManualClock, settle
from optivgi.cycle import CycleSettings, Planner, Ports
from optivgi.errors import OptiVGIError
from optivgi.leadership import Leadership, Standing
from optivgi.ledger import Policy
from optivgi.limits.base import OneCircuit, SiteSource
from optivgi.limits.base_load import BaseLoad, NoBaseLoad
from optivgi.limits.env import ALWAYS
from optivgi.model.charging_profile import ChargingProfile, Purpose
from optivgi.model.clock import Clock
from optivgi.model.composite import Transaction, period_at
from optivgi.model.ev import EV
from optivgi.model.limit_series import LimitSeries
from optivgi.model.plan import Binding, Plan, Reason
from optivgi.model.problem import Problem
from optivgi.profile_form import FormBook
from optivgi.reconcile import Finding
from optivgi.record import CycleRecord, Observer
from optivgi.scheduler import Scheduler
from optivgi.testing import FakeEventSource, FakeTranslation, a_connector, an_ev
from optivgi.translation.backoff import Backoff
from optivgi.translation.base import Event, Outcome


class InlineExecutor(ThreadPoolExecutor):
    """Runs what it is given at once, so that a test knows when it is done."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (OptiVGIError, ArithmeticError, LookupError) as error:
            future.set_exception(error)
        return future


class FakePlanner:
    """Gives every EV the same power, as many as fit at their minimum. `failure` is raised instead; `gate` delays it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.failure: Exception | None = None
        self.gate: Callable[[], None] | None = None

    def __call__(self, problem: Problem) -> Plan:
        self.problems.append(problem)
        if self.gate is not None:
            self.gate()
        if self.failure is not None:
            raise self.failure
        return equal_plan(problem)


def equal_plan(problem: Problem) -> Plan:
    """The same power for all that still need energy; those that do not fit at their minimum are paused."""
    evs, cells = problem.present.shape
    limit_kw = float(problem.limit_kw[0, 0])
    hungry = [row for row in range(evs) if problem.need_kwh[row] > 0 and problem.present[row, 0]]
    while hungry and sum(problem.min_kw[row] for row in hungry) > limit_kw:
        hungry.pop()
    power, left, level = np.zeros(evs), limit_kw, 0.0
    for position, row in enumerate(sorted(hungry, key=lambda row: problem.max_kw[row])):
        level = min(float(problem.max_kw[row]), left / (len(hungry) - position))
        power[row], left = level, left - level
    reasons = tuple(
        Reason(Binding.OWN_MAXIMUM, "its own maximum")
        if kw >= most - 1e-6
        else Reason(Binding.CIRCUIT, "shares the limit")
        if kw > 0
        else Reason(Binding.PAUSED, "no room")
        for kw, most in zip(power, problem.max_kw, strict=True)
    )
    zero = np.zeros(evs)
    return Plan("equal", np.repeat(power[:, None], cells, axis=1), zero, zero, reasons)


class FakeLimit:
    """A LimitSource whose series a test sets."""

    def __init__(self, limit_kw: float) -> None:
        self.now_kw(limit_kw)

    def now_kw(self, limit_kw: float) -> None:
        self.current = LimitSeries.constant(limit_kw, ALWAYS, "site limit")

    def series(self, group: str, now: datetime) -> LimitSeries:
        return self.current


class Witness:
    """An Observer that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.records: list[CycleRecord] = []
        self.outcomes: list[Outcome] = []
        self.safe: list[tuple[str, int]] = []
        self.standings: list[tuple[str, Standing]] = []
        self.findings: list[Finding] = []
        self.crashes: list[str] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def cycle(self, record: CycleRecord) -> None:
        self.records.append(record)

    def outcome(self, group: str, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def protected(self, group: str, connectors: int) -> None:
        self.safe.append((group, connectors))

    def read_back(self, group: str, finding: Finding) -> None:
        self.findings.append(finding)

    def standing(self, group: str, standing: Standing) -> None:
        self.standings.append((group, standing))

    def crashed(self, where: str) -> None:
        self.crashes.append(where)


class ControlRoom:
    """Everything of one running scheduler."""

    def __init__(
        self,
        limit_kw: float = 30.0,
        *,
        stations: int = 6,
        settings: CycleSettings | None = None,
        observers: tuple[Observer, ...] = (),
        planner: Planner | None = None,
        sites: SiteSource | None = None,
        inline: bool = True,
        forms: FormBook | None = None,
        leadership: Leadership | None = None,
        base_load: Callable[[Clock], BaseLoad] = lambda clock: NoBaseLoad(),
    ) -> None:
        self.inline = inline
        self.clock = ManualClock()
        self.csms = FakeTranslation(self.clock)
        self.source = FakeEventSource(self.clock)
        self.limit = FakeLimit(limit_kw)
        self.planner = FakePlanner()
        self.witness = Witness()
        self.csms.add_connectors(*(a_connector(f"ST-{number + 1}") for number in range(stations)))
        self.scheduler = Scheduler(
            Ports(
                self.csms,
                self.limit,
                planner or self.planner,
                self.clock,
                sites or OneCircuit(),
                forms or FormBook(),
                base_load(self.clock),
            ),
            self.source,
            ["default"],
            lambda station_id: "default",
            settings or CycleSettings(policy=Policy(settle_s=5.0, duration_s=180, dead_band_kw=0.1)),
            observers=(self.witness, *observers),
            backoff=Backoff(first_s=1.0, limit_s=60.0, chance=lambda: 0.0),
            leadership=leadership,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """The scheduler runs inside, and ends cleanly."""
        if self.inline:
            asyncio.get_running_loop().set_default_executor(InlineExecutor())
        task = asyncio.create_task(self.scheduler.run())
        try:
            await self.quiet()
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.source.aclose()

    async def quiet(self) -> None:
        """Lets everything happen that needs no time to pass."""
        await settle(150)

    async def a_moment(self) -> None:
        """A tenth of a second: time enough for events that come together to be gathered."""
        await self.quiet()
        await self.passes(0.1, 0.05)

    async def passes(self, seconds: float, step_s: float = 1.0) -> None:
        """Site time passes, in steps, so that every alarm is heard."""
        for _ in range(round(seconds / step_s)):
            await self.clock.advance(step_s)
            await self.quiet()

    async def arrive(self, *evs: EV) -> None:
        """EVs start transactions, one event each."""
        self.csms.plug_in(*evs)
        for ev in evs:
            self.source.push("StartTransaction", ev.station_id)
        await self.a_moment()

    async def leave(self, *ev_ids: str) -> None:
        for ev_id in ev_ids:
            self.csms.unplug(ev_id)
            profiles = self.csms.installed[f"ST-{ev_id}", 1]
            profiles[:] = [profile for profile in profiles if profile.purpose is not Purpose.TX]
            self.source.push("StopTransaction", f"ST-{ev_id}")
        await self.a_moment()

    def allowed_kw(self) -> dict[str, float]:
        """What each EV's TxProfile allows at its station now; EVs without one are left out."""
        return dict(self._allowed())

    def _allowed(self) -> Iterator[tuple[str, float]]:
        for (station_id, _), profiles in sorted(self.csms.installed.items()):
            for profile in profiles:
                if profile.purpose is Purpose.TX:
                    yield station_id.removeprefix("ST-"), power_kw(profile, self.clock.now())


def power_kw(profile: ChargingProfile, now: datetime, volts: float = 240.0) -> float:
    """What a one-phase profile in amperes allows now; it must not have ended."""
    period = period_at(profile, now, Transaction(profile.transaction_id, now))
    assert period is not None, f"ended: {profile}"
    return round(period.limit * volts / 1000, 3)


def evs(*numbers: int, transaction_id: str = "1") -> tuple[EV, ...]:
    return tuple(an_ev(str(number), transaction_id=transaction_id) for number in numbers)
