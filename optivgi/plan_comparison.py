"""The same problem planned by several algorithms, and what each plan is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from optivgi.algorithms import algorithm, names
from optivgi.errors import PlanningError
from optivgi.model import horizon
from optivgi.model.checks import violations
from optivgi.model.plan import Plan
from optivgi.model.problem import Floats, Problem

ALL = "all"
NEED_KWH = 1e-6
ON_KW = 1e-6
BILLING_S = 900.0


@dataclass(frozen=True, slots=True)
class Score:
    """What one algorithm's plan is worth. `failure` says why there is none; then all else is 0."""

    algorithm: str
    energy_percent: float = 0.0
    """Of what the EVs need."""
    worst: float = 0.0
    """The least part of its need that any EV gets."""
    jain: float = 0.0
    """Jain's index of those parts: 1 if all are equal."""
    peak_kw: float = 0.0
    cost: float = 0.0
    """Energy and demand charge; 0 without prices."""
    pauses: int = 0
    """How often an EV that still needs energy is taken off."""
    violations: int = 0
    solve_ms: float = 0.0
    failure: str = ""


def chosen(names_given: str) -> tuple[str, ...]:
    """The algorithms that "all" or "a,b" names. Raises SettingsError for one that does not exist."""
    if names_given.strip() == ALL:
        return names()
    wanted = tuple(name.strip() for name in names_given.split(",") if name.strip())
    for name in wanted:
        algorithm(name)
    return wanted or names()


def compare(problem: Problem, wanted: Sequence[str], seconds: Callable[[], float]) -> tuple[Score, ...]:
    """Each algorithm on the same problem, without the ladder: what it breaks is counted, not repaired."""
    return tuple(_score(problem, name, seconds) for name in wanted)


def _score(problem: Problem, name: str, seconds: Callable[[], float]) -> Score:
    chosen_one = algorithm(name)
    started = seconds()
    try:
        plan = chosen_one(problem)
    except PlanningError as error:
        return Score(name, failure=str(error))
    took_ms = (seconds() - started) * 1000
    parts = fractions(problem, plan)
    need = float(problem.need_kwh.sum())
    return Score(
        algorithm=name,
        energy_percent=100.0 * float(plan.energy_kwh.sum()) / need if need > 0 else 100.0,
        worst=float(parts.min(initial=1.0)),
        jain=float(parts.sum() ** 2 / (len(parts) * (parts**2).sum())) if (parts > 0).any() else 1.0,
        peak_kw=float(plan.power_kw.sum(axis=0).max(initial=0.0)),
        cost=plan_cost(problem, plan),
        pauses=_pauses(problem, plan),
        violations=len(violations(problem, plan)),
        solve_ms=took_ms,
    )


def fractions(problem: Problem, plan: Plan) -> Floats:
    """The part of its need that each EV with a need gets."""
    wanting = problem.need_kwh > NEED_KWH
    parts: Floats = plan.energy_kwh[wanting] / problem.need_kwh[wanting]
    return parts


def _drawn_kwh(problem: Problem, plan: Plan) -> Floats:
    """[S, K], energy in each cell; an EV stops when it has what it needs."""
    total = np.minimum(np.cumsum(plan.power_kw * problem.stay_h, axis=1), problem.need_kwh[:, None])
    drawn: Floats = np.diff(total, axis=1, prepend=0.0)
    return drawn


def plan_cost(problem: Problem, plan: Plan) -> float:
    """What the energy costs, and the demand charge on the highest mean over a quarter of an hour."""
    energy_kwh = _drawn_kwh(problem, plan).sum(axis=0)
    cost = float(energy_kwh @ problem.price_per_kwh)
    if problem.demand_charge_per_kw > 0:
        first_s = -(problem.now.timestamp() % BILLING_S)
        windows_s = np.arange(first_s, problem.edges_s[-1] + BILLING_S, BILLING_S)
        starts_s = np.append(problem.edges_s, np.inf)[: len(energy_kwh) + 1]
        starts_s = np.concatenate(([windows_s[0] - 1.0], starts_s))
        power_kw = np.concatenate(([0.0], energy_kwh / problem.hours, [0.0]))
        means = horizon.mean_on(starts_s, power_kw, windows_s)
        means[0] += problem.window_so_far_kwh * 3600.0 / BILLING_S
        cost += problem.demand_charge_per_kw * max(0.0, float(means.max()) - problem.peak_so_far_kw)
    return cost


def _pauses(problem: Problem, plan: Plan) -> int:
    on = plan.power_kw > ON_KW
    unserved = np.cumsum(_drawn_kwh(problem, plan), axis=1)[:, :-1] < problem.need_kwh[:, None] - 1e-3
    return int((on[:, :-1] & ~on[:, 1:] & problem.present[:, 1:] & unserved).sum())
