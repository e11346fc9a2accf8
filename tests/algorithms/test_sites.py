"""Trees of circuits, three phases, unbalance and steps."""

from __future__ import annotations

import numpy as np
import pytest

from optivgi.algorithms import algorithm
from optivgi.algorithms.network import Network
from optivgi.model.checks import unbalance_kw, violations
from optivgi.model.plan import Plan
from optivgi.model.problem import Problem
from optivgi.model.site import Circuit, Site
from tests.algorithms.instances import ev, evs, limit, problem

THREE = ("L1", "L2", "L3")


def planned(case: Problem, name: str = "fair") -> Plan:
    plan = algorithm(name)(case)
    assert violations(case, plan) == ()
    return plan


def test_a_full_panel_leaves_the_rest_of_the_site_to_the_others() -> None:
    site = Site((Circuit("site", limit=limit((0, 20.0))), Circuit("a", "site", limit=limit((0, 6.0)))))
    those = [*[ev(f"a{n}", circuit="a") for n in range(2)], *[ev(f"b{n}") for n in range(2)]]
    assert planned(problem(those, site=site)).power_kw[:, 0] == pytest.approx([3.0, 3.0, 7.0, 7.0])


def test_single_phase_evs_on_one_phase_share_that_phase_only() -> None:
    site = Site((Circuit("site", limit_a=32.0),))
    those = [ev("1", voltage_v=230.0), ev("2", voltage_v=230.0), ev("3", voltage_v=230.0, phases=("L2",))]
    now = planned(problem(those, site=site)).power_kw[:, 0]
    assert now == pytest.approx([3.68, 3.68, 7.2])


def test_mixed_phases_are_no_flow_and_still_kept() -> None:
    site = Site((Circuit("site", limit_a=32.0),))
    those = [ev("1", voltage_v=230.0), ev("3p", voltage_v=230.0, max_kw=22.0, min_kw=4.14, phases=THREE)]
    case = problem(those, site=site)
    assert not Network.of(case).nested
    amps = case.amps_per_kw.T @ planned(case).power_kw[:, 0]
    assert amps.max() == pytest.approx(32.0)


def test_three_phase_evs_alone_are_a_flow() -> None:
    site = Site((Circuit("site", limit_a=32.0),))
    case = problem(evs(3, voltage_v=230.0, max_kw=11.0, phases=THREE), site=site)
    assert Network.of(case).nested
    assert planned(case).power_kw[:, 0] == pytest.approx(32.0 * 0.69 / 3)


def test_an_ev_of_unknown_phase_counts_on_every_phase() -> None:
    site = Site((Circuit("site", limit_a=32.0),))
    case = problem([ev("1", voltage_v=230.0, phases=("?",)), ev("2", voltage_v=230.0, phases=("L3",))], site=site)
    assert planned(case).power_kw[:, 0].sum() == pytest.approx(32.0 * 0.23)


@pytest.mark.parametrize("name", ["fair", "go", "equal", "llf"])
def test_the_unbalance_limit_is_kept(name: str) -> None:
    site = Site((Circuit("site", limit=limit((0, 30.0))),), unbalance_kw=4.6)
    case = problem([ev("1"), ev("2"), ev("3", phases=("L2",))], site=site)
    plan = planned(case, name)
    assert unbalance_kw(case, plan.power_kw)[0] <= 4.6 + 1e-6
    assert plan.power_kw[:, 0].sum() > 4.6


@pytest.mark.parametrize("name", ["fair", "go", "equal", "llf", "edf"])
def test_powers_are_whole_steps_and_the_rest_of_the_limit_is_used_by_one_more_step(name: str) -> None:
    case = problem(evs(4, step_a=1.0), 20.0)
    plan = planned(case, name)
    steps = plan.power_kw / 0.24
    assert steps == pytest.approx(np.round(steps))
    assert plan.power_kw[:, 0].sum() > 20.0 - 0.24


def test_a_tree_of_three_levels_is_kept_everywhere() -> None:
    circuits = [Circuit("site", limit=limit((0, 90.0)))]
    for panel in range(4):
        circuits.append(Circuit(f"p{panel}", "site", limit((0, 30.0))))
        circuits += [Circuit(f"p{panel}f{feeder}", f"p{panel}", limit((0, 12.0))) for feeder in range(3)]
    those = [ev(f"{n:03d}", circuit=f"p{n % 4}f{n % 3}") for n in range(48)]
    plan = planned(problem(those, site=Site(tuple(circuits))))
    assert plan.power_kw[:, 0].sum() == pytest.approx(90.0)
