"""What `fair` plans are worth on random workplace days: total energy and the worst-served EV, against the optimum.

Two references. `optimum` is the lexicographic max-min optimum without minimum powers, on a grid of every event; it has the
largest total energy too. `with minimums` (six EVs only) is the best worst-served fraction that any plan can reach in which
EVs take 0 or at least their minimum power, however often they take turns: a linear program over the time that each set of
EVs runs together.

    python -m bench.planner_quality [--days 50] [--quick]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.sparse import coo_array, csr_array

from optivgi.algorithms import Ladder, flow
from optivgi.algorithms.network import Network
from optivgi.algorithms.solver import LinearProgram, with_highs
from optivgi.model.checks import violations
from optivgi.model.horizon import GridSettings
from optivgi.model.problem import Problem
from tests.algorithms.instances import evs, problem, workplace

EVERY_EVENT = GridSettings(most_cells=100_000, turn_s=1e9)
MINIMUM_KW = 1.4
NOISE_KW = 1e-6
WITHIN = 0.01


@dataclass(frozen=True, slots=True)
class Quality:
    """One plan: parts of the optimum, and what it breaks."""

    energy: float
    worst: float
    worst_with_minimums: float
    broken: int
    below_minimum: int


def worst_with_minimums(case: Problem) -> float:
    """The largest fraction of its need that the worst-served EV can get with powers of 0 or at least the minimum."""
    here_h, hours = case.stay_h, case.hours
    columns: list[tuple[int, int, float, float]] = []
    shares: list[tuple[int, float, int]] = []
    for cell in range(len(hours)):
        present = np.flatnonzero(here_h[:, cell] > 0)
        limit_kw = case.limit_kw[0, cell]
        for chosen in product((False, True), repeat=len(present)):
            running = present[np.array(chosen, dtype=bool)]
            if len(running) == 0 or case.min_kw[running].sum() > limit_kw + NOISE_KW:
                continue
            shares.append((cell, limit_kw, len(running)))
            columns += [(int(ev), len(shares) - 1, case.min_kw[ev], case.max_kw[ev]) for ev in running]
    cells, sets, energies = len(hours), len(shares), len(columns)
    level = energies + sets
    entries: list[tuple[int, int, float]] = []
    for number, (ev, share, least, most) in enumerate(columns):
        entries += [(number, number, 1.0), (number, energies + share, -least)]
        entries += [(energies + number, number, 1.0), (energies + number, energies + share, -most)]
        entries += [(2 * energies + share, number, 1.0), (2 * energies + sets + cells + ev, number, 1.0)]
    for share, (cell, limit_kw, _) in enumerate(shares):
        entries += [(2 * energies + share, energies + share, -limit_kw)]
        entries += [(2 * energies + sets + cell, energies + share, 1.0)]
    first_ev = 2 * energies + sets + cells
    entries += [(first_ev + ev, level, -float(need)) for ev, need in enumerate(case.need_kwh)]
    row, column, value = (np.array(side) for side in zip(*entries, strict=True))
    count = len(case.need_kwh)
    rows = csr_array(coo_array((value, (row, column)), shape=(first_ev + count, level + 1)))
    low = np.concatenate((np.zeros(energies), np.full(energies + sets + cells, -np.inf), np.zeros(count)))
    high = np.concatenate((np.full(energies, np.inf), np.zeros(energies + sets), hours, np.full(count, np.inf)))
    gain = np.zeros(level + 1)
    gain[level] = 1.0
    ceiling = np.full(level + 1, np.inf)
    ceiling[level] = 1.0
    return float(with_highs(LinearProgram(gain, ceiling, rows, low, high)).x[level])


def quality(count: int, seed: int, *, dip: bool) -> Quality:
    """The plan of one day, judged."""
    day = workplace(count, seed, dip=dip, expected=False)
    case, exact = day.problem(), day.problem(EVERY_EVENT)
    best = flow.fair_energies(exact, Network.of(exact))
    plan = Ladder("fair", fallbacks=())(case)
    assert plan.algorithm == "fair", plan.notes
    worst = float((plan.energy_kwh / case.need_kwh).min())
    reachable = worst_with_minimums(exact) if count <= 6 else float("nan")
    return Quality(
        energy=float(plan.energy_kwh.sum() / best.sum()),
        worst=worst / float((best / exact.need_kwh).min()),
        worst_with_minimums=worst / reachable,
        broken=len(violations(case, plan)),
        below_minimum=int(((plan.power_kw > NOISE_KW) & (plan.power_kw < MINIMUM_KW - NOISE_KW)).sum()),
    )


def jain_of_equals(count: int, limit_kw: float) -> float:
    """Jain's index of the energies of EVs that are all alike."""
    energy = Ladder("fair")(problem(evs(count), limit_kw)).energy_kwh
    return float(energy.sum() ** 2 / (count * (energy @ energy)))


def line(count: int, label: str, found: list[Quality]) -> str:
    """One row of the table."""
    energy, worst = np.array([one.energy for one in found]), np.array([one.worst for one in found])
    minimums = np.array([one.worst_with_minimums for one in found])
    text = f"{count:>4} {label:<9}{energy.mean():>9.4f}{energy.min():>9.4f}{worst.mean():>10.4f}{worst.min():>9.4f}"
    text += f"{(worst >= 1 - WITHIN).mean():>9.0%}"
    text += f"{(minimums >= 1 - WITHIN).mean():>9.0%}{minimums.min():>9.4f}" if count <= 6 else " " * 18
    return text + f"{sum(one.broken for one in found):>8}{sum(one.below_minimum for one in found):>8}"


def main() -> int:
    """Prints the table; exit code 1 if a plan breaks a rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=50, help="random days per row")
    parser.add_argument("--quick", action="store_true", help="five days per row, up to 30 EVs")
    given = parser.parse_args()
    days, sizes = (5, (6, 30)) if given.quick else (given.days, (6, 30, 100))
    sys.stdout.write(
        f"fair on {days} random days per row, as parts of the optimum without minimum powers (for 6 EVs also with them)\n"
        f"{'EVs':>4} {'limit':<9}{'energy':>9}{'least':>9}{'worst EV':>10}{'least':>9}{'in 1 %':>9}"
        f"{'in 1 % m':>9}{'least m':>9}{'broken':>8}{'< min':>8}\n"
    )
    broken = 0
    for count in sizes:
        for label, dip in (("18 %", False), ("18 %+dip", True)):
            found = [quality(count, seed, dip=dip) for seed in range(days)]
            broken += sum(one.broken + one.below_minimum for one in found)
            sys.stdout.write(line(count, label, found) + "\n")
            sys.stdout.flush()
    jain = min(jain_of_equals(count, share * 7.2 * count) for count in sizes for share in (0.18, 0.4, 0.7))
    sys.stdout.write(f"Jain's index of EVs that are alike, at least {jain:.4f}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
