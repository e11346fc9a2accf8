"""Plays one scenario with faulty stations on a whole site in one process, in as little time as its work takes, and watches."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.chaos.truth import Overshoot, Step, Truth
from optivgi.leaping import LeapingClock
from optivgi.model.clock import Clock
from optivgi.record import Bystander
from optivgi.settings import load_settings
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand
from optivgi.wiring import demo_site

READY_WITHIN_S = 60.0
SAFE_START_WITHIN_S = 30.0
"""Faulty stations may never have one."""
LATE_S = 60.0
"""After the last departure, a station that still has something to say is not waited for any longer."""
FOLLOWED_S = 8.0
"""How long an EV may take to follow an order, with the 5 s for which some stations give more than they should."""
MARGIN_KW = 0.1
FIRST_ALARM_LEVEL = logging.WARNING


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a site manager is warned of, seconds after the scenario's start."""

    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Order:
    """A limit that a station accepted for a transaction, seconds after the scenario's start."""

    at_s: float
    station_id: str
    connector_id: int
    limit_kw: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What happened: the truth, the alarms, the orders, which stations EVs came to, and which of these are faulty.

    `over_s` is for how long physics lets the site be over its limit.
    """

    truth: Truth
    alarms: tuple[Alarm, ...]
    orders: tuple[Order, ...]
    began: datetime
    ended: datetime
    limit_kw: float
    visited: frozenset[str]
    faulty: frozenset[str]
    over_s: float

    @property
    def over(self) -> Overshoot:
        """How far the site was over its limit, from the scenario's start to its end."""
        return self.truth.over([Step(0, self.limit_kw)], self.began.timestamp(), self.ended.timestamp())

    def alarmed(self) -> float | None:
        """When the first alarm came that names a faulty station; None if none did."""
        told = (one for one in self.alarms if one.text.startswith("ALARM"))
        return next((one.at_s for one in told if any(station in one.text for station in self.faulty)), None)

    def ignored(self) -> float | None:
        """When a faulty station accepted the first order that it did not follow; None if it followed all."""
        return next((one.at_s for one in self.orders if one.station_id in self.faulty and self._in_vain(one)), None)

    def _in_vain(self, order: Order) -> bool:
        """Whether FOLLOWED_S later the EV drew more than this order and all that came meanwhile let it."""
        by_s = order.at_s + FOLLOWED_S
        place = order.station_id, order.connector_id
        let_kw = max(
            one.limit_kw
            for one in self.orders
            if (one.station_id, one.connector_id) == place and order.at_s <= one.at_s <= by_s
        )
        return self.truth.at(self.began.timestamp() + by_s).get(place, 0.0) > let_kw + MARGIN_KW

    def told(self) -> str:
        """Everything, for whoever reads a failure."""
        over = self.over
        worst = {} if over.worst_at is None else self.truth.at(over.worst_at)
        alarms = "\n".join(f"{alarm.at_s:8.1f} s  {alarm.text}" for alarm in self.alarms)
        return f"{over}\nat the worst moment {worst}\nalarms:\n{alarms}"


def play(file: Path, folder: Path, changes: Mapping[str, object] | None = None) -> Seen:
    """Plays the scenario in `file` to its end; `folder` is for the database and the trace, `changes` are other settings."""
    clock = LeapingClock()
    with asyncio.Runner(loop_factory=clock.loop) as runner:
        return runner.run(_play(clock, file, folder, changes or {}))


async def _play(clock: LeapingClock, file: Path, folder: Path, changes: Mapping[str, object]) -> Seen:
    settings = load_settings(None).model_copy(update={"site_power_limit_kw": {"": _limit_kw(file)}, **changes})
    trace = folder / "truth.csv"
    with _heard(clock) as ear:
        async with demo_site(folder, settings, clock, file, trace, ear) as site, asyncio.TaskGroup() as tasks:
            clock.heed(lambda: site.csms.database.checkouts > 0)
            running = [tasks.create_task(site.scheduler.run()), tasks.create_task(site.fleet.run())]
            async with clock.timeout(READY_WITHIN_S):
                await site.fleet.ready.wait()
            with suppress(TimeoutError):
                async with clock.timeout(SAFE_START_WITHIN_S):
                    await site.scheduler.ready.wait()
            site.start.set()
            began = clock.now()
            with suppress(TimeoutError):
                async with clock.timeout(site.scenario.duration_s + LATE_S):
                    await site.fleet.done.wait()
            ended = clock.now()
            for task in running:
                task.cancel()
    alarms = tuple(Alarm((at - began).total_seconds(), text) for at, text in ear.heard if at >= began)
    orders = tuple(
        Order((at - began).total_seconds(), one.station_id, one.connector_id, one.limit_kw) for at, one in ear.orders
    )
    visited = frozenset(session.station_id for session in site.scenario.sessions)
    faulty = frozenset(one for one in visited if site.scenario.faults_of(one))
    return Seen(Truth.read(trace), alarms, orders, began, ended, site.limit_kw, visited, faulty, site.scenario.over_s)


def _limit_kw(file: Path) -> float:
    """The limit that the scenario is made for."""
    return float(json.loads(file.read_text(encoding="utf-8"))["limit_kw"])


class _Ear(logging.Handler, Bystander):
    """Keeps what is said at WARNING and above, and which orders are accepted, with the site's time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(FIRST_ALARM_LEVEL)
        self._clock = clock
        self.heard: list[tuple[datetime, str]] = []
        self.orders: list[tuple[datetime, PowerCommand]] = []

    def outcome(self, group: str, outcome: Outcome) -> None:  # noqa: ARG002 - there is one
        if outcome.status is OutcomeStatus.ACCEPTED and outcome.command.ev_id is not None:
            self.orders.append((self._clock.now(), outcome.command))

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append((self._clock.now(), record.getMessage()))


@contextmanager
def _heard(clock: Clock) -> Iterator[_Ear]:
    log, ear = logging.getLogger("optivgi"), _Ear(clock)
    before = log.level
    log.setLevel(FIRST_ALARM_LEVEL)
    log.propagate = False
    log.addHandler(ear)
    try:
        yield ear
    finally:
        log.removeHandler(ear)
        log.setLevel(before)
        log.propagate = True
