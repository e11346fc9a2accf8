"""`optivgi plan FILE`: plans what a file describes, and shows the plan as a table, JSON or a picture."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optivgi.algorithms.ladder import Ladder
from optivgi.errors import SettingsError
from optivgi.log import OWN_POWER, printable
from optivgi.model.framing import Framing
from optivgi.model.plan import Plan
from optivgi.plan_comparison import Score, chosen, compare
from optivgi.plan_file import PlanRequest, plan_json, read_request, segment_times

STANDARD_INPUT = "-"
DEFAULT_ALGORITHM = "fair"
MOST_SEGMENTS = 40
WORDS = frozenset({"EV", "why"})


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What the command line asks for."""

    file: Path
    as_json: bool = False
    plot: Path | None = None
    algorithm: str = DEFAULT_ALGORITHM
    compare: str | None = None


def run(options: PlanOptions, out: TextIO | None = None) -> int:
    """Plans and shows; 0, also if single EVs were refused. Raises SettingsError if the file or a name is wrong."""
    stream = out or sys.stdout
    request = read_request(_source(options.file), options.file.name)
    framing = request.framing()
    if options.compare is not None:
        scores = compare(framing.problem, chosen(options.compare), time.perf_counter)
        if options.as_json:
            _write_json({"compare": [asdict(score) for score in scores], "refused": _refused(framing)}, stream)
        else:
            _show_scores(scores, framing, Console(file=stream))
        return 0
    ladder = Ladder(options.algorithm)
    started = time.perf_counter()
    plan = ladder(framing.problem)
    solve_ms = (time.perf_counter() - started) * 1000
    if options.as_json:
        _write_json(plan_json(request, framing, plan, solve_ms), stream)
    else:
        _show(request, framing, plan, solve_ms, Console(file=stream))
    if options.plot is not None:
        from optivgi.plot.plan import save  # noqa: PLC0415 - matplotlib takes longer to load than to plan

        save(framing.problem, plan, options.plot)
    return 0


def _source(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == STANDARD_INPUT else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read ({error}): name a readable JSON file") from error


def _write_json(answer: object, stream: TextIO) -> None:
    stream.write(json.dumps(answer, indent=2) + "\n")


def _refused(framing: Framing) -> list[dict[str, str]]:
    return [{"ev_id": one.ev_id, "reason": one.reason} for one in framing.refused]


def _table(*columns: str, left: tuple[str, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        words = name in WORDS
        table.add_column(name, justify="left" if name in left else "right", overflow="fold", no_wrap=not words)
    return table


def _show(request: PlanRequest, framing: Framing, plan: Plan, solve_ms: float, console: Console) -> None:
    problem = framing.problem
    rows = {ev_id: row for row, ev_id in enumerate(problem.ev_ids)}
    evs = _table("EV", "now kW", "of kW", "gets kWh", "short kWh", "until", "why", left=("EV", "until", "why"))
    for ev in request.evs:
        if (row := rows.get(ev.ev_id)) is None:
            continue
        evs.add_row(
            Text(printable(ev.ev_id)),
            f"{plan.power_kw[row, 0]:.2f}",
            f"{ev.max_kw:.1f}",
            f"{plan.energy_kwh[row]:.2f}",
            f"{plan.shortfall_kwh[row]:.2f}" if plan.shortfall_kwh[row] > 5e-3 else "",
            "" if ev.departure is None else _clock(ev.departure, request.now),
            Text(OWN_POWER.sub("", printable(plan.reasons[row].text))),
        )
    console.print(evs)
    site = _table("from", "to", "site kW", "limit kW", "EVs charging", left=("from", "to"))
    times = segment_times(problem)
    for cell in range(min(len(times) - 1, MOST_SEGMENTS)):
        limit_kw = problem.limit_kw[0, cell]
        site.add_row(
            _clock(times[cell], request.now),
            _clock(times[cell + 1], request.now),
            f"{plan.power_kw[:, cell].sum():.2f}",
            f"{limit_kw:.1f}" if np.isfinite(limit_kw) else "none",
            str(int((plan.power_kw[:, cell] > 0).sum())),
        )
    console.print(site)
    if len(times) - 1 > MOST_SEGMENTS:
        console.print(f"... and {len(times) - 1 - MOST_SEGMENTS} more: see --json")
    _show_refused(framing, console)
    for note in plan.notes:
        console.print(Text(printable(note)))
    console.print(Text(f"{plan.algorithm}: {len(problem.ev_ids)} EVs planned in {solve_ms:.1f} ms"))


def _clock(moment: datetime, now: datetime) -> str:
    local = moment.astimezone(now.tzinfo)
    return f"{local:%H:%M:%S}" if local.date() == now.date() else f"{local:%m-%d %H:%M:%S}"


def _show_refused(framing: Framing, console: Console) -> None:
    for one in framing.refused:
        console.print(Text(f"EV {printable(one.ev_id)} is not planned for: {printable(one.reason)}"))


def _show_scores(scores: tuple[Score, ...], framing: Framing, console: Console) -> None:
    priced = bool(framing.problem.price_per_kwh.any() or framing.problem.demand_charge_per_kw)
    names = ["algorithm", "energy %", "worst EV", "Jain", "peak kW", "cost", "pauses", "broken", "ms"]
    table = _table(*names, left=("algorithm",))
    for score in scores:
        if score.failure:
            table.add_row(score.algorithm, Text(printable(score.failure)))
            continue
        table.add_row(
            score.algorithm,
            f"{score.energy_percent:.1f}",
            f"{score.worst:.2f}",
            f"{score.jain:.3f}",
            f"{score.peak_kw:.1f}",
            f"{score.cost:.2f}" if priced else "-",
            str(score.pauses),
            str(score.violations),
            f"{score.solve_ms:.1f}",
        )
    console.print(table)
    _show_refused(framing, console)
