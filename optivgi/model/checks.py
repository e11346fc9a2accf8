"""The one oracle of feasibility: what a plan breaks. Tests, the ladder and the verifier all ask here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optivgi.model.plan import Plan
from optivgi.model.problem import PHASES, Bools, Floats, Ints, Problem

POWER_KW = 1e-6
CURRENT_A = 1e-5
ENERGY_KWH = 1e-3
MOST_LISTED = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule. `cell` and `subject` (an EV or circuit id) are where; `excess` is by how much, in `unit`."""

    rule: str
    subject: str
    cell: int | None
    excess: float
    unit: str

    def __str__(self) -> str:
        where = "" if self.cell is None else f" in cell {self.cell}"
        return f"{self.rule}: {self.subject}{where} by {self.excess:.6g} {self.unit}"


def violations(problem: Problem, plan: Plan) -> tuple[Violation, ...]:
    """Everything that `plan` breaks, at most 20 of each kind; empty if it may be sent.

    The site: every circuit's kW and every phase's amperes in every cell, and the unbalance at the root. Each EV: 0 or at
    least its minimum (0 only if it may pause or needs nothing), at most its maximum, whole steps, nothing while absent.
    Energy: what the powers deliver and not more than the need; an EV that completes within its last cell at the least
    power it can have stops by itself, so that what is left of that cell does not count.
    """
    shapes = tuple(_shapes(problem, plan))
    if shapes:
        return shapes
    power = plan.power_kw
    if not (np.isfinite(power).all() and np.isfinite(plan.energy_kwh).all() and np.isfinite(plan.shortfall_kwh).all()):
        return (Violation("finite", "plan", None, float("nan"), ""),)
    found: list[Violation] = []
    found += _cells("negative", problem.ev_ids, -power, POWER_KW)
    found += _cells("absent", problem.ev_ids, np.where(problem.present, 0.0, power), POWER_KW)
    found += _cells("maximum", problem.ev_ids, power - problem.max_kw[:, None], POWER_KW)
    running = power > POWER_KW
    found += _cells("minimum", problem.ev_ids, np.where(running, problem.min_kw[:, None] - power, 0.0), POWER_KW)
    found += _steps(problem, power)
    found += _pauses(problem, plan, running)
    found += _circuits(problem, power)
    found += _unbalance(problem, power)
    found += _energy(problem, plan, running)
    return tuple(found)


def _shapes(problem: Problem, plan: Plan) -> Iterator[Violation]:
    evs, cells = problem.stay_h.shape
    for name, actual, expected in (
        ("power_kw", plan.power_kw.shape, (evs, cells)),
        ("energy_kwh", plan.energy_kwh.shape, (evs,)),
        ("shortfall_kwh", plan.shortfall_kwh.shape, (evs,)),
        ("reasons", (len(plan.reasons),), (evs,)),
    ):
        if actual != expected:
            yield Violation(f"shape {actual}, expected {expected}", name, None, float("nan"), "")


def _cells(rule: str, names: tuple[str, ...], excess: Floats, tolerance: float, unit: str = "kW") -> list[Violation]:
    broken = excess > tolerance
    if not broken.any():
        return []
    return [
        Violation(rule, names[row], int(cell), float(excess[row, cell]), unit)
        for row, cell in np.argwhere(broken)[:MOST_LISTED]
    ]


def _steps(problem: Problem, power: Floats) -> list[Violation]:
    stepped = problem.step_kw > 0
    if not stepped.any():
        return []
    step = np.where(stepped, problem.step_kw, 1.0)[:, None]
    off = np.where(stepped[:, None], np.abs(power - np.round(power / step) * step), 0.0)
    return _cells("step", problem.ev_ids, off, POWER_KW)


def _pauses(problem: Problem, plan: Plan, running: Bools) -> list[Violation]:
    """EVs that may not pause and do, although their minimum would still fit under every kW limit above them."""
    if problem.pausable.all():
        return []
    before = _energy_before(problem, plan.power_kw)
    unserved = before < (problem.need_kwh - ENERGY_KWH)[:, None]
    mask = below(problem)
    left = np.min(np.where(mask[:, :, None] > 0, (problem.limit_kw - mask @ plan.power_kw)[:, None, :], np.inf), axis=0)
    wrong = problem.present & unserved & ~running & ~problem.pausable[:, None] & (left >= problem.least_kw[:, None])
    return _cells("pause", problem.ev_ids, np.where(wrong, problem.least_kw[:, None], 0.0), POWER_KW)


def _energy_before(problem: Problem, power: Floats) -> Floats:
    energy = power * problem.stay_h
    before: Floats = np.cumsum(energy, axis=1) - energy
    return before


def below(problem: Problem) -> Floats:
    """[C, S], 1 where the EV hangs on the circuit or on one below it."""
    circuits = len(problem.parent)
    reach = np.eye(circuits)
    for position in range(circuits - 1, 0, -1):
        reach[problem.parent[position]] += reach[position]
    return reach[:, problem.circuit]


def summed(group: Ints, values: Floats, groups: int) -> Floats:
    """[groups, K], the sums of `values` [N, K] by `group` [N]; -1 is none."""
    sums = np.zeros((groups, values.shape[1]))
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-2))
    if len(first):
        found = np.add.reduceat(values[order], first, axis=0)
        inside = ordered[first] >= 0
        sums[ordered[first][inside]] = found[inside]
    return sums


def summed_below(problem: Problem, values: Floats) -> Floats:
    """[C, K], the sums of `values` [S, K] over the EVs that hang on each circuit or below it."""
    sums = summed(problem.circuit, values, len(problem.parent))
    for position in range(len(sums) - 1, 0, -1):
        sums[problem.parent[position]] += sums[position]
    return sums


def _circuits(problem: Problem, power: Floats) -> list[Violation]:
    has_kw = np.isfinite(problem.limit_kw).any()
    has_a = np.isfinite(problem.limit_a).any()
    if not has_kw and not has_a:
        return []
    single = len(problem.parent) == 1
    found: list[Violation] = []
    if has_kw:
        drawn = power.sum(axis=0)[None, :] if single else summed_below(problem, power)
        found += _cells("circuit", problem.circuit_ids, drawn - problem.limit_kw, POWER_KW)
    if has_a:
        amps = problem.amps_per_kw
        for phase, name in enumerate(PHASES):
            share = power * amps[:, phase][:, None]
            drawn_a = share.sum(axis=0)[None, :] if single else summed_below(problem, share)
            found += _cells(
                f"circuit phase {name}", problem.circuit_ids, drawn_a - problem.room_a(phase), CURRENT_A, "A"
            )
    return found


def unbalance_kw(problem: Problem, power: Floats) -> Floats:
    """[K], the largest possible difference between two phases; an EV whose phase nobody knows may be on any."""
    known = problem.on_phase.sum(axis=1) == problem.lines
    per_phase = ((problem.on_phase & known[:, None]) / problem.lines[:, None]).T @ power
    doubt = np.where(known, 0.0, 1.0 / problem.lines) @ power
    spread: Floats = per_phase.max(axis=0) - per_phase.min(axis=0) + doubt
    return spread


def _unbalance(problem: Problem, power: Floats) -> list[Violation]:
    if not np.isfinite(problem.unbalance_kw):
        return []
    excess = unbalance_kw(problem, power)[None, :] - problem.unbalance_kw
    return _cells("unbalance", problem.circuit_ids[:1], excess, POWER_KW)


def _energy(problem: Problem, plan: Plan, running: Bools) -> list[Violation]:
    evs, cells = running.shape
    if evs == 0:
        return []
    given = problem.energy_kwh(plan.power_kw)
    excess = given - problem.need_kwh
    if (excess > ENERGY_KWH).any():
        last = cells - 1 - np.argmax(running[:, ::-1], axis=1)
        rows = np.arange(evs)
        final_kw = np.where(running.any(axis=1), plan.power_kw[rows, last], 0.0)
        before_last = given - final_kw * problem.stay_h[rows, last]
        completes = (final_kw <= problem.least_kw + POWER_KW) & (before_last < problem.need_kwh)
        excess = np.where(completes, 0.0, excess)
    return [
        *_each("energy above need", problem, excess),
        *_each("energy stated above need", problem, plan.energy_kwh - problem.need_kwh),
        *_each("energy stated but not planned", problem, plan.energy_kwh - given),
        *_each("energy planned but not stated", problem, np.minimum(given, problem.need_kwh) - plan.energy_kwh),
        *_each("shortfall", problem, np.abs(problem.need_kwh - plan.energy_kwh - plan.shortfall_kwh)),
    ]


def _each(rule: str, problem: Problem, excess: Floats) -> list[Violation]:
    return [
        Violation(rule, problem.ev_ids[row], None, float(excess[row]), "kWh")
        for row in np.flatnonzero(excess > ENERGY_KWH)[:MOST_LISTED]
    ]
