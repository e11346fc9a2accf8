"""How many EV-days a second a study replays: `python -m bench.study [--days 25] [--evs 200] [--limit 300] [--jobs 4]`.

Each algorithm replays the same workplace days (arrivals around 8:30, 7 hours' stay, 12 kWh) in the closed loop, from the
sessions to the finished line of the table, with the start of the processes that share the work.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from zoneinfo import ZoneInfo

from rich.console import Console

from optivgi.study.case import cross, parse_algorithms, parse_limits, parse_tariffs
from optivgi.study.command import StudyOptions, study
from optivgi.study.generator import generate
from simulator.vehicles import Vehicles

ZONE = ZoneInfo("UTC")
TARGET = {"equal": 500.0, "edf": 500.0, "llf": 500.0}
"""EV-days per second: 5000 in 10 s."""
HEAD = f"{'algorithm':<14}{'limit':>8}{'EV-days':>9}{'seconds':>9}{'EV-days/s':>11}{'target':>8}{'energy %':>10}{'cycles':>9}{'ms/cycle':>10}"


def main() -> int:
    """Prints a line for each algorithm and limit; exit code 1 if a figure misses its target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--algorithm", default="uncontrolled,equal,edf,llf,go,fair")
    parser.add_argument("--limit", default="300", help="kW, several with commas")
    parser.add_argument("--evs", type=int, default=200, help="a day")
    parser.add_argument("--days", type=int, default=25)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    sessions = generate("workplace", given.evs, days=given.days, seed=1, zone=ZONE)
    options = StudyOptions(jobs=given.jobs)
    sys.stdout.write(f"{given.jobs} processes, {given.evs} EVs a day for {given.days} days\n{HEAD}\n")
    missed = False
    limits, tariffs = parse_limits(given.limit, ZONE), parse_tariffs("flat", ZONE)
    for case in cross(parse_algorithms(given.algorithm), limits, tariffs):
        started = time.perf_counter()
        (one,) = study(
            sessions, [case], options=options, physics=Vehicles.that_need, zone=ZONE, console=Console(quiet=True)
        )
        took_s = time.perf_counter() - started
        rate, target = len(sessions) / took_s, TARGET.get(case.algorithm)
        late = target is not None and rate < target
        missed |= late
        line = f"{case.algorithm:<14}{case.limit.name:>8}{len(sessions):>9}{took_s:>9.2f}{rate:>10.0f}{'!' if late else ' '}"
        line += f"{target or float('nan'):>8.0f}{one.outcome.energy_pct:>10.2f}{one.outcome.cycles:>9}"
        sys.stdout.write(line.replace("nan", "  -") + f"{one.outcome.ms_per_cycle:>10.2f}\n")
        sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
