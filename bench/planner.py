"""Milliseconds per planning decision, and what the decision is worth, beside the peer's in the same run.

A decision is everything from arrays to a checked plan: algorithm, reasons, checks; framing the snapshot is shown beside it.
Times are the fastest of some repeats, on both sides. Up to 100 EVs ours is the median of some random days, because some take more
turns than others. The peer (optivgi 0.2.0
from PyPI) runs in its own environment on the EVs of the first day, 480 one-minute steps as it is made for.
What plans are worth is measured by `bench.planner_quality`.

    python -m bench.planner [--quick] [--no-peer] [--json FILE]
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from optivgi.algorithms import Ladder, flow
from optivgi.algorithms.network import Network
from optivgi.model.framing import frame
from optivgi.model.horizon import GridSettings
from optivgi.model.problem import Problem
from optivgi.model.site import Circuit, Site
from tests.algorithms.instances import NOW, Day, ev, hours, snapshot, tree_day, workplace

PEER = "optivgi==0.2.0"
PEER_FOLDER = Path("build/peer")
TARGET_MS = {"6": 2.0, "100": 5.0, "1000": 25.0, "10000": 400.0, "1000 tree": 60.0, "100 three-phase": 60.0}
DAYS = {6: 15, 100: 7}
AT_LEAST = {("6", "go"): 5.0, ("100", "go"): 40.0, ("1000", "go"): 100.0, ("6", "pulp"): 300.0}


@dataclass
class Row:
    """One line of the table."""

    site: str
    shortage: str
    cells: int
    frame_ms: float
    decide_ms: float
    target_ms: float | None
    energy: float
    worst: float
    optimum_worst: float
    over_kw: float = 0.0
    peer: str = ""
    peer_ms: float | None = None
    peer_worst: float | None = None
    peer_over_kw: float | None = None
    ratio: float | None = None
    ratio_at_least: float | None = None


def best_ms(work: Callable[[], object], repeats: int) -> float:
    """The fastest of `repeats` runs, as for the peer: others are slower for what else the machine does. Without the collector's
    pauses.
    """
    times = []
    work()
    gc.disable()
    try:
        for _ in range(repeats):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
    finally:
        gc.enable()
    return min(times) * 1000.0


def three_phase_day(count: int, seed: int) -> tuple[Day, Site]:
    """Every third EV on three phases, the others on one of them in rotation; a limit in amperes per phase."""
    day = workplace(count, seed, expected=False)
    wiring = (("L1",), ("L2",), ("L3",), ("L1", "L2", "L3"))
    those = tuple(
        ev(
            one.ev_id,
            departure=one.departure,
            energy_needed_kwh=one.energy_needed_kwh,
            voltage_v=230.0,
            phases=wiring[number % 4],
            min_kw=4.14 if number % 4 == 3 else 1.4,
            max_kw=11.0 if number % 4 == 3 else 7.2,
        )
        for number, one in enumerate(day.evs)
    )
    return Day(those, day.limit), Site((Circuit("site", limit_a=0.18 * 7.2e3 * count / 690.0),))


def measured(name: str, shortage: str, days: list[Day], site: Site | None, repeats: int) -> Row:
    """Our side of a line: times are medians over the days, the rest is of the first one."""
    problems = [frame(snapshot(*day.evs), site or Site.single(day.limit), NOW).problem for day in days]
    day, site = days[0], site or Site.single(days[0].limit)
    there = snapshot(*day.evs)
    problem = frame(there, site, NOW).problem
    ladder = Ladder("fair")
    plan = ladder(problem)
    assert plan.algorithm == "fair", plan.notes
    return Row(
        site=name,
        shortage=shortage,
        cells=problem.stay_h.shape[1],
        frame_ms=best_ms(lambda: frame(there, site, NOW), repeats),
        decide_ms=statistics.median(best_ms(partial(ladder, each), repeats) for each in problems),
        target_ms=TARGET_MS.get(name),
        energy=float(plan.energy_kwh.sum()),
        worst=float((plan.energy_kwh / problem.need_kwh).min()),
        optimum_worst=optimum_worst(frame(there, site, NOW, grid=GridSettings(most_cells=100_000, turn_s=1e9)).problem),
    )


def optimum_worst(problem: Problem) -> float:
    """The best possible worst-served fraction without minimum powers, on a grid of every event; nan where it is no flow."""
    network = Network.of(problem)
    if not network.nested or len(problem.ev_ids) > 100:
        return float("nan")
    return float((flow.fair_energies(problem, network) / problem.need_kwh).min())


class Peer:
    """The peer's process; every question is a problem, every answer a time and a result."""

    def __init__(self) -> None:
        python = PEER_FOLDER / "bin" / "python"
        if not python.exists():
            venv.create(PEER_FOLDER, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("peer_planner.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def solve(self, algorithm: str, day: Day, repeats: int) -> dict[str, Any]:
        question = {
            "algorithm": algorithm,
            "now": NOW.isoformat(),
            "limit": [[(step.start - NOW).total_seconds(), step.limit_kw] for step in day.limit.steps],
            "repeats": repeats,
            "evs": [
                {
                    "arrival_s": (one.arrival - NOW).total_seconds(),
                    "departure_s": (one.departure - NOW).total_seconds() if one.departure else 8 * 3600.0,
                    "need_kwh": one.energy_needed_kwh,
                    "min_kw": one.min_kw,
                    "max_kw": one.max_kw,
                }
                for one in day.evs
            ],
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate()


def beside(row: Row, algorithm: str, answer: dict[str, Any]) -> Row:
    """The line with the peer's figures."""
    row.peer = algorithm
    row.peer_ms, row.peer_worst, row.peer_over_kw = answer["ms"], answer["worst"], answer["over_kw"]
    row.ratio = answer["ms"] / row.decide_ms
    row.ratio_at_least = AT_LEAST.get((row.site, algorithm))
    return row


def within_eight_hours(day: Day) -> Day:
    """The day with departures inside the peer's horizon, so that both plan the same."""
    end = NOW + hours(7.9)
    those = tuple(
        ev(one.ev_id, departure=min(one.departure or end, end), energy_needed_kwh=one.energy_needed_kwh)
        for one in day.evs
    )
    return Day(those, day.limit)


def table(rows: list[Row]) -> str:
    """Fixed columns; '!' marks a figure that misses its target."""
    head = f"{'site':<16}{'limit':<8}{'cells':>6}{'frame':>8}{'decide':>9}{'target':>8}{'worst EV':>10}{'optimum':>9}"
    lines = [head + f"  {'peer':<5}{'ms':>10}{'worst EV':>10}{'over kW':>9}{'ratio':>8}{'target':>8}"]
    for row in rows:
        late = "!" if row.target_ms is not None and row.decide_ms > row.target_ms else " "
        line = f"{row.site:<16}{row.shortage:<8}{row.cells:>6}{row.frame_ms:>8.1f}{row.decide_ms:>8.2f}{late}"
        line += f"{row.target_ms or float('nan'):>8.0f}{row.worst:>10.3f}{row.optimum_worst:>9.3f}"
        if row.ratio is not None:
            low = "!" if row.ratio_at_least is not None and row.ratio < row.ratio_at_least else " "
            line += f"  {row.peer:<5}{row.peer_ms:>10.1f}{row.peer_worst:>10.3f}{row.peer_over_kw:>9.1f}"
            line += f"{row.ratio:>7.0f}{low}{row.ratio_at_least or float('nan'):>8.0f}"
        lines.append(line.replace("nan", "  -"))
    return "\n".join(lines)


def main() -> int:
    """Prints the table; exit code 1 if a figure misses its target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sites, few repeats")
    parser.add_argument("--no-peer", action="store_true", help="leave the peer out")
    parser.add_argument("--json", type=Path, help="write the rows there too")
    given = parser.parse_args()
    sizes = (6, 100) if given.quick else (6, 100, 1000, 10000)
    repeats = {6: 51, 100: 31, 1000: 11, 10000: 5}
    peer = None if given.no_peer else Peer()
    rows: list[Row] = []
    shortages: tuple[tuple[str, float, bool], ...] = (
        ("18 %", 0.18, False),
        ("18 %+dip", 0.18, True),
        ("40 %", 0.40, False),
    )
    for count in sizes:
        for label, share, dip in shortages:
            seeds = range(1, 1 + DAYS.get(count, 1))
            days = [within_eight_hours(workplace(count, seed, share=share, dip=dip, expected=False)) for seed in seeds]
            day = days[0]
            row = measured(str(count), label, days, None, repeats[count])
            if peer is not None and count <= 1000:
                row = beside(row, "go", peer.solve("go", day, 5 if count <= 100 else 1))
            rows.append(row)
            if peer is not None and count == 6:
                rows.append(beside(replace(row), "pulp", peer.solve("pulp", day, 1)))
    if not given.quick:
        day, site = tree_day(1000, 1)
        rows.append(measured("1000 tree", "18 %", [day], site, 7))
        day, site = three_phase_day(100, 1)
        rows.append(measured("100 three-phase", "18 %", [day], site, 7))
    if peer is not None:
        peer.close()
    sys.stdout.write(table(rows) + "\n")
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    missed = [row for row in rows if row.target_ms is not None and row.decide_ms > row.target_ms]
    slow = [row for row in rows if row.ratio is not None and row.ratio < (row.ratio_at_least or 0.0)]
    return 1 if missed or slow else 0


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    raise SystemExit(main())
