"""Reasons in words."""

from __future__ import annotations

import pytest

from optivgi.algorithms import algorithm
from optivgi.model.plan import Binding, Plan
from optivgi.model.site import Circuit, Site
from tests.algorithms.instances import ev, evs, limit, problem

THREE = ("L1", "L2", "L3")


def reason(plan: Plan, row: int = 0) -> tuple[Binding, str]:
    return plan.reasons[row].binding, plan.reasons[row].text


def test_six_equal_evs_share_the_site_limit() -> None:
    for name in ("go", "equal", "fair", "llf", "cost"):
        plan = algorithm(name)(problem(evs(6)))
        assert plan.power_kw[:, 0] == pytest.approx(5.0)
        assert reason(plan) == (Binding.CIRCUIT, "5.0 kW: shares 30.0 kW site limit with 5 others")


def test_an_ev_alone_has_its_own_maximum() -> None:
    assert reason(algorithm("fair")(problem([ev()]))) == (Binding.OWN_MAXIMUM, "7.2 kW: its own maximum")


def test_an_ev_alone_under_a_small_limit_has_all_of_it() -> None:
    assert reason(algorithm("fair")(problem([ev()], 5.0))) == (Binding.CIRCUIT, "5.0 kW: all of 5.0 kW site limit")


def test_the_innermost_full_circuit_is_named_with_its_phase() -> None:
    site = Site((Circuit("site", limit=limit((0, 60.0))), Circuit("panel", "site", limit_a=20.0, label="panel A fuse")))
    those = [ev("1", circuit="panel"), ev("2", circuit="panel"), ev("3", circuit="panel", phases=("L2",)), ev("4")]
    plan = algorithm("fair")(problem(those, site=site))
    assert reason(plan) == (Binding.CIRCUIT, "2.4 kW: shares 20.0 A panel A fuse on L1 with 1 other")
    assert (plan.reasons[0].circuit_id, plan.reasons[0].phase) == ("panel", "L1")
    assert reason(plan, 3)[0] is Binding.OWN_MAXIMUM


def test_priority_is_named_where_others_have_more_of_it() -> None:
    plan = algorithm("equal")(problem([ev("1"), ev("2", priority=2.0)], 6.0))
    assert reason(plan) == (
        Binding.PRIORITY,
        "2.0 kW: shares 6.0 kW site limit with 1 other, some of them with priority 2 over 1",
    )


def test_a_limit_of_zero_is_named() -> None:
    binding, text = reason(algorithm("fair")(problem([ev()], limit((0, 0.0), (1, 10.0)))))
    assert binding is Binding.PAUSED
    assert text == "paused: minimum 1.4 kW does not fit under 0.0 kW site limit; next turn in 60 min (09:00 UTC)"
