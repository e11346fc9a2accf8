"""Runs in the peer's own environment: reads problems as JSON from standard input, answers with times and results.

Standard library and the peer's package only; nothing of this repository is importable here.
"""

import json
import sys
import time
from datetime import datetime, timedelta

from optivgi.scm.constants import AlgorithmConstants
from optivgi.scm.ev import EV
from optivgi.scm.go_algorithm import GoAlgorithm
from optivgi.scm.pulp_numerical_algorithm import PulpNumericalAlgorithm

ALGORITHMS = {"go": GoAlgorithm, "pulp": PulpNumericalAlgorithm}
STEP_S = AlgorithmConstants.RESOLUTION.total_seconds()


def solved(problem):
    now = datetime.fromisoformat(problem["now"])
    limit_kw = []
    for step in range(AlgorithmConstants.TIMESTEPS):
        in_force = [kw for at_s, kw in problem["limit"] if at_s <= step * STEP_S]
        limit_kw.append(in_force[-1])
    best_s, evs = float("inf"), []
    for _ in range(problem["repeats"]):
        evs = [
            EV(
                ev_id=number,
                active=True,
                station_id=number,
                connector_id=1,
                min_power=ev["min_kw"],
                max_power=ev["max_kw"],
                arrival_time=now + timedelta(seconds=ev["arrival_s"]),
                departure_time=now + timedelta(seconds=ev["departure_s"]),
                energy=ev["need_kwh"],
            )
            for number, ev in enumerate(problem["evs"])
        ]
        started = time.perf_counter()
        ALGORITHMS[problem["algorithm"]](evs, list(limit_kw), now).calculate()
        best_s = min(best_s, time.perf_counter() - started)
    served = [min(ev.energy_charged() / ev.energy, 1.0) for ev in evs]
    over_kw = max(sum(ev.power[step] for ev in evs) - limit_kw[step] for step in range(len(limit_kw)))
    energy = sum(part * ev.energy for part, ev in zip(served, evs, strict=True))
    return {"ms": best_s * 1000.0, "energy_kwh": energy, "worst": min(served), "over_kw": max(over_kw, 0.0)}


def main():
    for line in sys.stdin:
        sys.stdout.write(json.dumps(solved(json.loads(line))) + "\n")
        sys.stdout.flush()


main()
