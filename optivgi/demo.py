"""`optivgi demo`: CSMS, chargers, optimizer and verifier in one process, on accelerated time."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

from optivgi.clock import ScaledClock
from optivgi.demo_screen import EVRow, Screen, SiteView
from optivgi.errors import OptiVGIError, SettingsError
from optivgi.log import SiteFormatter
from optivgi.model.clock import Clock
from optivgi.programs import until_told
from optivgi.report import Report
from optivgi.scheduler import Scheduler
from optivgi.setting_fields import MOST_KW
from optivgi.settings import OptimizerSettings
from optivgi.site_setup import site_setup
from optivgi.verifier import FAILED, PASSED, STDOUT, Question, publish, verify
from optivgi.wiring import DemoSite, demo_site
from simulator.scenario import Scenario

READY_WITHIN_S = 60.0
"""Real seconds for all stations to boot and have their safe start."""
REDRAW_S = 0.125
STALLED_AFTER_S, STALLED_AFTER_REAL_S = 120.0, 30.0
"""Site seconds and, besides, real seconds after the last departure until the demo gives up on a session that does not end:
many EVs that leave at once take a machine real time, at whatever speed."""
IN_PROCESS = "http://in-process"
"""Stands in the report for the address of a CSMS that has none."""
MOST_BACKLOG = 3
SLOWER, FASTER = 0.6, 1.25
"""How time gives way while stations have more to say than this machine can take in, and comes back."""


@dataclass(slots=True)
class Patience:
    """How long the end of a scenario is waited for. `last` is when the last EV is to leave."""

    last: datetime
    _real_end_s: float | None = None

    def is_over(self, now: datetime, real_s: float) -> bool:
        """Whether to give up, at `now` of the site and `real_s` of any clock that runs at real speed."""
        if now <= self.last:
            return False
        if self._real_end_s is None:
            self._real_end_s = real_s + STALLED_AFTER_REAL_S
        return now > self.last + timedelta(seconds=STALLED_AFTER_S) and real_s > self._real_end_s


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line says. None leaves it to the settings."""

    scenario: Path | None = None
    limit_kw: float | None = None
    algorithm: str | None = None
    speed: float = 60.0
    plot: Path = Path("curtailment_plot.png")
    json: str | None = None
    trace: Path | None = None
    report: Path | None = None


def run(options: DemoOptions, settings: OptimizerSettings) -> int:
    """Runs the demo to its end; 0 if every check passed. Raises OptiVGIError when it cannot run."""
    console = Console(stderr=options.json == STDOUT, highlight=False)
    clock = ScaledClock(options.speed)
    settings = _adjusted(settings, options)
    _log_to(console, settings.log_level, clock)
    outcome: list[Report] = []

    async def work() -> None:
        outcome.append(await play(options, settings, console, clock))

    try:
        asyncio.run(until_told(work))
    except ExceptionGroup as group:
        deliberate, others = group.split(OptiVGIError)
        if deliberate is None or others is not None:
            raise
        raise deliberate.exceptions[0] from None
    if not outcome:
        console.print("stopped before the scenario was over: nothing to verify")
        return FAILED
    publish(outcome[0], plot_file=options.plot, json_file=options.json, report_file=options.report)
    return PASSED if outcome[0].passed else FAILED


async def play(options: DemoOptions, settings: OptimizerSettings, console: Console, clock: ScaledClock) -> Report:
    """The verdict on one run of the scenario, while `console` shows it."""
    with tempfile.TemporaryDirectory(prefix="optivgi-demo-") as folder:
        async with demo_site(Path(folder), settings, clock, options.scenario, options.trace) as site:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(site.scheduler.run()), tasks.create_task(site.fleet.run())]
                await _all_ready(site)
                site.start.set()
                with Screen(console) as screen:
                    await _watch(site, clock, screen)
                for task in running:
                    task.cancel()
            if site.trace is not None:
                site.trace.close()
            await site.csms.flushed()
            report = await verify(
                IN_PROCESS,
                Question(site_setup(settings), trace_file=site.trace_file, grace_s=_grace_s(site.scenario)),
                voltage_v=settings.voltage,
                clock=clock,
                transport=site.embedded.graphql,
            )
    _tell_speed(console, site.scheduler)
    return report


def _grace_s(scenario: Scenario) -> float:
    """Nobody knows that a building draws more before its meter shows it: the scenario says how long that may take."""
    return 0.0 if scenario.building is None else scenario.over_s


async def _all_ready(site: DemoSite) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await site.fleet.ready.wait()
            await site.scheduler.ready.wait()
    except TimeoutError:
        raise OptiVGIError(
            f"the stations were not ready within {READY_WITHIN_S:g} s: is the machine busy? A lower --speed may help"
        ) from None


async def _watch(site: DemoSite, clock: ScaledClock, screen: Screen) -> None:
    """Shows the site until the scenario is over."""
    begin = clock.now()
    patience = Patience(begin + timedelta(seconds=site.scenario.duration_s))
    names = ev_names(site)
    while not site.fleet.done.is_set():
        now = clock.now()
        rows = tuple(
            EVRow(
                names[state.station_id, state.connector_id], state.status, state.power_kw, state.offered_kw, state.soc
            )
            for state in site.fleet.observe()
            if state.soc is not None
        )
        screen.show(SiteView(now, now - begin, site.limit_kw, rows))
        if patience.is_over(now, asyncio.get_running_loop().time()):
            late = f"{STALLED_AFTER_S:g} s of its own time and {STALLED_AFTER_REAL_S:g} real seconds"
            raise OptiVGIError(f"the scenario did not end within {late} after its last departure")
        clock.pace *= SLOWER if site.fleet.backlog > MOST_BACKLOG else FASTER
        with suppress(TimeoutError):
            await asyncio.wait_for(site.fleet.done.wait(), REDRAW_S)


def ev_names(site: DemoSite) -> dict[tuple[str, int], str]:
    """EV names by connector, as the log uses them."""
    return {
        (state.station_id, state.connector_id): site.view.ev_id(state.station_id, state.connector_id)
        for state in site.fleet.observe()
    }


def _adjusted(settings: OptimizerSettings, options: DemoOptions) -> OptimizerSettings:
    """The settings with what the command line says instead. Raises SettingsError."""
    changes: dict[str, object] = {}
    if options.limit_kw is not None:
        if not 0 < options.limit_kw <= MOST_KW:
            raise SettingsError(f"--limit is {options.limit_kw:g}; it must be above 0 and at most {MOST_KW:g} kW")
        changes["site_power_limit_kw"] = {"": options.limit_kw}
    if options.algorithm is not None:
        changes["algorithm"] = options.algorithm
    return settings.model_copy(update=changes)


def _log_to(console: Console, level: str, clock: Clock) -> None:
    """Site lines, with the site's time, above the live display or as they are without a terminal."""
    if console.is_terminal:
        handler: logging.Handler = RichHandler(console=console, show_time=False, show_level=False, show_path=False)
    else:
        handler = logging.StreamHandler(console.file)
    handler.setFormatter(SiteFormatter(clock))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("optivgi.site").setLevel(level)


def _tell_speed(console: Console, scheduler: Scheduler) -> None:
    cycles = [sum(v for k, v in record.hops_ms.items() if k != "answer") for record in scheduler.history]
    if cycles:
        middle = sorted(cycles)[len(cycles) // 2]
        count = scheduler.history[-1].number
        console.print(f"{count} planning cycles, median {middle:.0f} ms from wake-up to commands sent")
