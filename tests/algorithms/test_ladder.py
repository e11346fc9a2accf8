"""The ladder: what goes wrong on one rung is caught on the next."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from optivgi.algorithms import Algorithm, Ladder, algorithm, names
from optivgi.algorithms.explain import explained
from optivgi.algorithms.ladder import MINIMUM_SAFE
from optivgi.errors import PlanningError, SettingsError
from optivgi.model.checks import violations
from optivgi.model.plan import Plan
from optivgi.model.problem import Problem
from tests.algorithms.instances import evs, problem


def test_only_what_decides_is_loaded() -> None:
    """The fallback needs large libraries, which a site that never falls back is spared."""
    code = (
        "import sys; from optivgi.algorithms import Ladder; from tests.algorithms.instances import evs, problem;"
        "print(Ladder('go').decide(problem(evs(6))).degraded, 'scipy' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]


def test_every_algorithm_is_found_by_its_name() -> None:
    assert [algorithm(name).name for name in names()] == list(names())


class Greedy(Algorithm):
    """Gives everybody the maximum, whatever the limit."""

    name = "greedy"

    def plan(self, problem: Problem) -> Plan:
        return explained(problem, self.name, np.where(problem.present, problem.max_kw[:, None], 0.0))


class Broken(Algorithm):
    name = "broken"

    def plan(self, problem: Problem) -> Plan:
        raise PlanningError("no optimum")


class Slow(Algorithm):
    """Good plans, each 9 s after the problem."""

    name = "slow"

    def __init__(self, tick: Callable[[float], None]) -> None:
        self._tick = tick

    def plan(self, problem: Problem) -> Plan:
        self._tick(9.0)
        return algorithm("go").plan(problem)


def test_the_chosen_algorithm_decides_when_nothing_is_wrong() -> None:
    decision = Ladder("go").decide(problem(evs(6)))
    assert decision.plan.algorithm == "go"
    assert not decision.degraded
    assert decision.plan.notes == ()


@pytest.mark.parametrize(("rung", "why"), [(Greedy(), "circuit: site"), (Broken(), "PlanningError: no optimum")])
def test_a_plan_with_violations_or_an_error_is_never_returned(rung: Algorithm, why: str) -> None:
    case = problem(evs(6))
    decision = Ladder(rung).decide(case)
    assert decision.plan.algorithm == "llf"
    assert violations(case, decision.plan) == ()
    assert why in decision.rungs[0].failure
    assert decision.plan.notes[0].startswith(f"{rung.name} gave no plan")


def test_the_last_rung_is_minimum_safe() -> None:
    case = problem(evs(40), 30.0)
    plan = Ladder(Broken(), [Greedy()])(case)
    assert plan.algorithm == MINIMUM_SAFE
    assert violations(case, plan) == ()
    assert set(np.round(plan.power_kw[:, 0], 9)) == {0.0, 1.4}
    assert (plan.power_kw[:, 0] > 0).sum() == 21


def test_a_slow_rung_rests_for_some_problems_and_then_comes_back() -> None:
    seconds = [0.0]

    def tick(by: float) -> None:
        seconds[0] += by

    ladder = Ladder(Slow(tick), ["equal"], deadline_s=5.0, monotonic=lambda: seconds[0], patience=2)
    case = problem(evs(2))
    assert [ladder(case).algorithm for _ in range(4)] == ["go", "equal", "equal", "go"]


def test_an_unknown_algorithm_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(SettingsError, match="choose one of cost, edf, equal, fair, fcfs, go, llf, pulp, round_robin"):
        Ladder("magic")


def test_no_evs_is_a_plan_too() -> None:
    plan = Ladder("fair")(problem([]))
    assert plan.power_kw.shape[0] == 0
    assert plan.reasons == ()
