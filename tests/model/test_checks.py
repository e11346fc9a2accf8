"""The oracle finds each kind of violation, and nothing in a good plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from optivgi.algorithms import algorithm
from optivgi.algorithms.explain import explained
from optivgi.model.checks import violations
from optivgi.model.plan import Plan
from optivgi.model.problem import Floats, Problem
from optivgi.model.site import Circuit, Site
from tests.algorithms.instances import NOW, ev, evs, hours, limit, problem

CASE = problem([*evs(2, energy_needed_kwh=40.0), ev("9", departure=NOW + hours(1), energy_needed_kwh=7.0)], 15.0)


def rules(case: Problem, plan: Plan) -> set[str]:
    return {broken.rule for broken in violations(case, plan)}


def with_power(case: Problem, power_kw: Floats) -> Plan:
    return explained(case, "made", np.asarray(power_kw, dtype=float))


def steady(*powers: float) -> Plan:
    return with_power(CASE, np.where(CASE.present, np.array(powers)[:, None], 0.0))


def test_a_good_plan_breaks_nothing() -> None:
    assert rules(CASE, algorithm("fair")(CASE)) == set()
    assert rules(CASE, steady(5.0, 5.0, 5.0)) == set()


@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        (steady(7.0, 7.0, 1.4), "circuit"),
        (steady(8.0, 5.0, 0.0), "maximum"),
        (steady(1.0, 5.0, 0.0), "minimum"),
        (steady(-2.0, 5.0, 0.0), "negative"),
        (with_power(CASE, np.full(CASE.stay_h.shape, 4.0)), "absent"),
        (replace(steady(5.0, 5.0, 5.0), energy_kwh=np.zeros(3)), "energy planned but not stated"),
        (replace(steady(5.0, 5.0, 0.0), energy_kwh=np.array([20.0, 20.0, 3.0])), "energy stated but not planned"),
        (replace(steady(5.0, 5.0, 5.0), shortfall_kwh=np.zeros(3)), "shortfall"),
        (replace(steady(5.0, 5.0, 5.0), power_kw=np.full(CASE.stay_h.shape, np.nan)), "finite"),
        (replace(steady(5.0, 5.0, 5.0), reasons=()), "shape (0,), expected (3,)"),
    ],
)
def test_each_broken_rule_is_found(plan: Plan, rule: str) -> None:
    assert rule in rules(CASE, plan)


def test_energy_above_the_need_is_found_unless_it_is_the_last_turn_at_the_minimum() -> None:
    case = problem([ev(energy_needed_kwh=1.0, departure=NOW + hours(1))])
    assert "energy above need" in rules(case, with_power(case, np.full(case.stay_h.shape, 2.0)))
    assert rules(case, with_power(case, np.full(case.stay_h.shape, 1.4))) == set()


def test_circuits_below_phases_and_unbalance_are_checked() -> None:
    site = Site((Circuit("site", limit=limit((0, 30.0)), limit_a=20.0), Circuit("a", "site", limit((0, 5.0)))), 3.0)
    case = problem([ev("1", circuit="a"), ev("2", circuit="a"), ev("3", phases=("L2",))], site=site)
    power = np.where(case.present, np.array([4.0, 4.0, 1.4])[:, None], 0.0)
    found = violations(case, with_power(case, power))
    assert {(broken.rule, broken.subject) for broken in found} == {
        ("circuit", "a"),
        ("circuit phase L1", "site"),
        ("unbalance", "site"),
    }
    assert str(found[0]) == "circuit: a in cell 0 by 3 kW"


def test_steps_and_forbidden_pauses_are_checked() -> None:
    case = problem(evs(2, step_a=1.0), 15.0)
    assert "step" in rules(case, with_power(case, np.where(case.present, 2.0, 0.0)))
    firm = replace(CASE, pausable=np.array([False, True, True]))
    assert "pause" in rules(firm, steady(0.0, 5.0, 0.0))
    assert "pause" not in rules(CASE, steady(0.0, 5.0, 0.0))
