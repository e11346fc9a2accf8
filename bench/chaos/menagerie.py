"""Plays one scenario with faulty stations on a whole site in one process, in as little time as its work takes, and watches."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.chaos.truth import Overshoot, Step, Truth
from optivgi.leaping import LeapingClock
from optivgi.model.clock import Clock
from optivgi.settings import load_settings
from optivgi.wiring import demo_site

READY_WITHIN_S = 60.0
SAFE_START_WITHIN_S = 30.0
"""Faulty stations may never have one."""
LATE_S = 60.0
"""After the last departure, a station that still has something to say is not waited for any longer."""
FIRST_ALARM_LEVEL = logging.WARNING


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a site manager is warned of, seconds after the scenario's start."""

    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What happened: the truth, the alarms, which stations EVs came to, and which of these are faulty.

    `over_s` is for how long physics lets the site be over its limit.
    """

    truth: Truth
    alarms: tuple[Alarm, ...]
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
        return next((one.at_s for one in self.alarms if any(station in one.text for station in self.faulty)), None)

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
    with _heard(clock) as heard:
        async with demo_site(folder, settings, clock, file, trace) as site, asyncio.TaskGroup() as tasks:
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
    alarms = tuple(Alarm((at - began).total_seconds(), text) for at, text in heard if at >= began)
    visited = frozenset(session.station_id for session in site.scenario.sessions)
    faulty = frozenset(one for one in visited if site.scenario.faults_of(one))
    return Seen(Truth.read(trace), alarms, began, ended, site.limit_kw, visited, faulty, site.scenario.over_s)


def _limit_kw(file: Path) -> float:
    """The limit that the scenario is made for."""
    return float(json.loads(file.read_text(encoding="utf-8"))["limit_kw"])


class _Ear(logging.Handler):
    """Keeps what is said at WARNING and above, with the site's time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(FIRST_ALARM_LEVEL)
        self._clock = clock
        self.heard: list[tuple[datetime, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append((self._clock.now(), record.getMessage()))


@contextmanager
def _heard(clock: Clock) -> Iterator[Sequence[tuple[datetime, str]]]:
    log, ear = logging.getLogger("optivgi"), _Ear(clock)
    before = log.level
    log.setLevel(FIRST_ALARM_LEVEL)
    log.propagate = False
    log.addHandler(ear)
    try:
        yield ear.heard
    finally:
        log.removeHandler(ear)
        log.setLevel(before)
        log.propagate = True
