"""`optivgi study`: sessions in, a table out. Reads options, runs the cases, prints and writes what is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from optivgi.errors import SettingsError
from optivgi.model.problem import Floats
from optivgi.model.site import Site
from optivgi.study import table
from optivgi.study.case import NO_LIMIT, Case, cross, parse_algorithms, parse_limits, parse_tariffs
from optivgi.study.engine import run_all
from optivgi.study.generator import generate, parse_generate
from optivgi.study.metrics import Outcome, Tariffed, day_profile, outcome
from optivgi.study.places import Places, load_places
from optivgi.study.recorded import Recorded
from optivgi.study.replay import Replay
from optivgi.study.session import Session, by_month, stretches, with_departure_errors
from optivgi.study.session_files import Defaults, load_sessions
from optivgi.study.task import Physics, ReplaySettings, Task

DONE, INTERRUPTED = 0, 130
STDOUT = "-"
LIMITS = "150,300"
TABLE_WIDTH = 120


@dataclass(frozen=True, slots=True)
class StudyOptions:
    """The command's options as written; exactly one of `file`, `generate` and `csms` says where sessions come from."""

    file: Path | None = None
    generate: str = ""
    csms: str = ""
    days: int = 1
    seed: int = 1
    algorithm: str = "fair"
    limit: str = ""
    site: Path | None = None
    voltage: float = 240.0
    tariff: str = "flat"
    departure_error_min: float | None = None
    taper: bool = False
    replan_min: float = 5.0
    max_kw: float = 7.2
    min_kw: float | None = None
    timezone: str = "UTC"
    jobs: int = 1
    dask: str = ""
    json: str | None = None
    csv: str | None = None
    plot: Path | None = None


@dataclass(frozen=True, slots=True)
class Studied:
    """A case, its measures, and the mean power in each quarter hour of the day [96]."""

    case: Case
    outcome: Outcome
    profile_kw: Floats


Draw = Callable[[Sequence[Studied], Path], Sequence[Path]]
"""Draws pictures into a folder; says which files it wrote."""


def run(options: StudyOptions, physics: Physics, *, read_csms: Callable[[str], Recorded], draw: Draw) -> int:
    """Runs the command; returns its exit code. Raises OptiVGIError for wrong options and files, before any replay."""
    console = Console(stderr=STDOUT in (options.json, options.csv), highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, TABLE_WIDTH)
    zone = _checked(options)
    limit = options.limit or (NO_LIMIT if options.site is not None else LIMITS)
    cases = cross(parse_algorithms(options.algorithm), parse_limits(limit, zone), parse_tariffs(options.tariff, zone))
    places = None if options.site is None else load_places(options.site, zone, options.voltage)
    sessions, left_out = _sessions(options, zone, read_csms)
    if places is not None:
        sessions = places.placed(sessions)
    for words in left_out:
        console.print(f"Left out: {words}", markup=False, style="yellow")
    sessions = with_departure_errors(sessions, options.departure_error_min, options.seed)
    studied = study(sessions, cases, options=options, physics=physics, zone=zone, console=console, places=places)
    outcomes = [one.outcome for one in studied]
    interrupted = len(studied) < len(cases) or outcomes[0].evs < len(sessions)
    if interrupted:
        console.print(_interruption(outcomes, len(cases), len(sessions)), markup=False, style="yellow", soft_wrap=True)
    if not outcomes:
        return INTERRUPTED
    console.print(_headline(outcomes[0], options), markup=False, soft_wrap=True)
    console.print(table.table(outcomes))
    _notes(outcomes, console)
    told = {"count": outcomes[0].evs, "seed": options.seed, "departure_error_min": options.departure_error_min}
    _write(options.json, table.as_json({**told, "taper": options.taper}, outcomes))
    _write(options.csv, table.as_csv(outcomes))
    if options.plot is not None:
        for file in draw(studied, options.plot):
            console.print(f"Picture: {file}", markup=False, soft_wrap=True)
    return INTERRUPTED if interrupted else DONE


def study(
    sessions: Sequence[Session],
    cases: Sequence[Case],
    *,
    options: StudyOptions,
    physics: Physics,
    zone: ZoneInfo,
    console: Console,
    places: Places | None = None,
) -> list[Studied]:
    """Every case, in order. Where the site is empty a replay is cut in two, which changes nothing and can run in parallel;
    with a demand charge only between months.

    After an interrupt: every case over the stretches that all cases are through with, or, if there are none, the cases that
    are through with all stretches.
    """
    parts = stretches(sessions)
    if any(case.tariff.demand_charge_per_kw for case in cases):
        parts = by_month(parts, zone)
    settings = ReplaySettings(replan_s=options.replan_min * 60.0, taper=options.taper, voltage_v=options.voltage)
    tasks = [_task(case, part, places, settings, physics) for part in parts for case in cases]
    columns = (
        TextColumn("Replaying EV-days"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(cases) * len(sessions))
        replays = run_all(
            tasks,
            jobs=options.jobs,
            dask=options.dask,
            on_done=lambda task: progress.advance(bar, len(task.sessions)),
        )
    rows = [replays[at : at + len(cases)] for at in range(0, len(replays), len(cases))]
    whole = [number for number, row in enumerate(rows) if None not in row]
    chosen = whole or list(range(len(rows)))
    studied = []
    for case, column in zip(cases, zip(*(rows[number] for number in chosen), strict=True), strict=True):
        done = [one for one in column if one is not None]
        if len(done) == len(column):
            studied.append(_studied(case, done, [one for number in chosen for one in parts[number]], zone))
    return studied


def _task(
    case: Case, part: tuple[Session, ...], places: Places | None, settings: ReplaySettings, physics: Physics
) -> Task:
    start, end = part[0].arrival, max(one.departure for one in part)
    limit = case.limit.series(start, end)
    return Task(
        sessions=part,
        algorithm=case.algorithm,
        site=Site.single(limit) if places is None else places.site(start, end).tightened(limit),
        prices=case.tariff.prices(start, end),
        demand_charge_per_kw=case.tariff.demand_charge_per_kw,
        settings=settings,
        physics=physics,
    )


def _studied(case: Case, replays: Sequence[Replay], sessions: Sequence[Session], zone: ZoneInfo) -> Studied:
    requested_kwh = sum(one.energy_kwh for one in sessions)
    tariff = Tariffed(case.tariff.name, case.tariff.demand_charge_per_kw)
    measured = outcome((case.algorithm, case.limit.name), tariff, requested_kwh, replays, zone)
    return Studied(case, measured, day_profile(replays, zone))


def _sessions(
    options: StudyOptions, zone: ZoneInfo, read_csms: Callable[[str], Recorded]
) -> tuple[tuple[Session, ...], tuple[str, ...]]:
    if options.file is not None:
        return load_sessions(options.file, Defaults(options.max_kw, options.min_kw)), ()
    if options.csms:
        recorded = read_csms(options.csms)
        return recorded.sessions, recorded.left_out
    kind, evs = parse_generate(options.generate)
    return generate(kind, evs, days=options.days, seed=options.seed, zone=zone), ()


def _checked(options: StudyOptions) -> ZoneInfo:
    """The time zone; raises SettingsError with all options that are out of bounds."""
    problems = []
    given = [name for name in ("file", "generate", "csms") if getattr(options, name)]
    if len(given) != 1:
        named = " and ".join(given) or "nothing"
        problems.append(
            f"{named} says where sessions come from; give just one of a FILE, --generate workplace:200, --csms URL"
        )
    bounds = (
        ("days", 1, 3660), ("seed", 0, 2**63), ("replan_min", 0.5, 1440), ("jobs", 1, 1024), ("max_kw", 0.1, 1000),
        ("min_kw", 0, options.max_kw), ("departure_error_min", 0, 1440), ("voltage", 50, 1000),
    )  # fmt: skip
    for name, low, high in bounds:
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            problems.append(f"--{name.replace('_', '-')} is {value:g}; it must be from {low:g} to {high:g}")
    try:
        zone = ZoneInfo(options.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(f"--timezone is {options.timezone!r}; it must be a time zone's name, such as Europe/Berlin")
        zone = ZoneInfo("UTC")
    if problems:
        raise SettingsError(*problems)
    return zone


def _headline(replayed: Outcome, options: StudyOptions) -> str:
    words = [f"{replayed.evs} sessions, {replayed.requested_kwh:.0f} kWh asked for"]
    if options.departure_error_min is not None:
        words.append(f"departures stated with an error of {options.departure_error_min:g} min (sd)")
    if options.taper:
        words.append("charging until full, with falling power")
    return ", ".join(words)


def _interruption(outcomes: Sequence[Outcome], cases: int, sessions: int) -> str:
    if not outcomes:
        return "Interrupted before any algorithm was through: nothing to show"
    if len(outcomes) < cases:
        return f"Interrupted: {len(outcomes)} of {cases} lines are done"
    return (
        f"Interrupted: all lines are about the {outcomes[0].evs} of {sessions} sessions that every case is through with"
    )


def _notes(outcomes: Sequence[Outcome], console: Console) -> None:
    for one in outcomes:
        if one.degraded:
            words = f"{one.algorithm} at {one.limit}: in {one.degraded} of {one.cycles} plannings a simpler algorithm decided"
            console.print(words, markup=False, style="yellow", soft_wrap=True)


def _write(file: str | None, text: str) -> None:
    if file == STDOUT:
        sys.stdout.write(text)
    elif file is not None:
        Path(file).write_text(text, encoding="utf-8")
