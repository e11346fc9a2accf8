"""Plays one scenario with faulty stations on a whole site in one process, on accelerated time, and watches."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bench.chaos.truth import Overshoot, Step, Truth
from optivgi.clock import ScaledClock
from optivgi.model.clock import Clock
from optivgi.settings import load_settings
from optivgi.wiring import DemoSite, demo_site

SPEED = 150.0
READY_WITHIN_S = 60.0
SAFE_START_WITHIN_S = 2.0
"""Real seconds; faulty stations may never have one."""
LATE_S = 60.0
"""Site seconds after the last departure at which a station that still has something to say is not waited for."""
BOOT_PACE, BUSY_PACE = 0.1, 0.15
SLOWER, HESITANT, FASTER = 0.8, 1.05, 1.2
"""How time gives way and comes back, from look to look."""
LOOK_S, LATE_LOOK_S = 0.005, 0.012
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


async def play(file: Path, folder: Path, speed: float = SPEED, changes: Mapping[str, object] | None = None) -> Seen:
    """Plays the scenario in `file` to its end; `folder` is for the database and the trace, `changes` are other settings."""
    clock = ScaledClock(speed)
    settings = load_settings(None).model_copy(update={"site_power_limit_kw": {"": _limit_kw(file)}, **(changes or {})})
    trace = folder / "truth.csv"
    with _heard(clock) as heard:
        async with demo_site(folder, settings, clock, file, trace) as site, asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(site.scheduler.run()), tasks.create_task(site.fleet.run())]
            clock.pace = BOOT_PACE
            async with asyncio.timeout(READY_WITHIN_S):
                await site.fleet.ready.wait()
                await _ready_or_tired(site)
            site.start.set()
            began = clock.now()
            await _until_done(site, clock, began)
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


async def _ready_or_tired(site: DemoSite) -> None:
    """Waits for the safe start; a station that refuses or never answers must not keep the others waiting for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SAFE_START_WITHIN_S):
            await site.scheduler.ready.wait()


async def _until_done(site: DemoSite, clock: ScaledClock, began: datetime) -> None:
    """Until the last EV has gone and the CSMS was told, or LATE_S after that should have been.

    Time gives way to a machine that cannot keep up, and is slow when commands are on their way, so that messages take about
    as long as they do at a site; answers that do not come are not waited for.
    """
    last = began + timedelta(seconds=site.scenario.duration_s + LATE_S)
    loop, sending = asyncio.get_running_loop(), 0
    while not site.fleet.done.is_set() and clock.now() < last:
        asleep = loop.time()
        with suppress(TimeoutError):
            await asyncio.wait_for(site.fleet.done.wait(), LOOK_S)
        before, sending = sending, site.scheduler.sending
        if site.fleet.backlog > 1 or loop.time() - asleep > LATE_LOOK_S:
            clock.pace *= SLOWER
        elif sending > before:
            clock.pace = min(clock.pace, BUSY_PACE)
        else:
            clock.pace *= HESITANT if sending else FASTER


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
