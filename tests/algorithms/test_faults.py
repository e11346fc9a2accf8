"""The nineteen known faults of charging optimizers, each as a case that ours must survive. Rules in the test names."""

from __future__ import annotations

import math
from datetime import timedelta, timezone

import numpy as np
import pytest
from scipy.sparse import csr_array

from optivgi.algorithms import algorithm, names
from optivgi.algorithms.solver import LinearProgram, Solve, with_highs, with_pulp
from optivgi.errors import PlanningError
from optivgi.model.checks import violations
from optivgi.model.framing import frame
from optivgi.model.plan import Binding, Plan
from optivgi.model.problem import Problem
from optivgi.model.site import Circuit, Site
from optivgi.model.units import amps_from_kw, kw_from_amps, round_down
from tests.algorithms.instances import NOW, ev, evs, hours, limit, problem, snapshot

every = pytest.mark.parametrize("name", names())


def planned(name: str, case: Problem) -> Plan:
    plan = algorithm(name)(case)
    assert violations(case, plan) == ()
    return plan


def refusal(*those: object, **stated: object) -> str:
    framing = frame(snapshot(ev("bad", **stated), ev("good")), Site.single(limit((0, 30.0))), NOW)
    assert framing.problem.ev_ids == ("good",)
    (refused,) = framing.refused
    assert refused.ev_id == "bad"
    return refused.reason


@pytest.mark.parametrize("voltage_v", [0.0, math.nan, -230.0])
def test_01_missing_voltage_is_refused_and_never_guessed(voltage_v: float) -> None:
    assert "voltage" in refusal(voltage_v=voltage_v)


@every
def test_02_an_ev_leaving_at_the_end_of_the_horizon_uses_the_last_step(name: str) -> None:
    case = problem([ev(departure=NOW + hours(1), energy_needed_kwh=7.2)], 10.0)
    plan = planned(name, case)
    assert plan.energy_kwh[0] == pytest.approx(7.2)
    assert plan.power_kw[0, -1] == pytest.approx(7.2)


@every
def test_03_an_overdue_ev_is_served(name: str) -> None:
    case = problem([ev(arrival=NOW - hours(5), departure=NOW - hours(1))], 10.0)
    assert not case.departure_known[0]
    assert planned(name, case).power_kw[0, 0] == pytest.approx(7.2)


@every
def test_04_one_ev_that_cannot_be_served_does_not_spoil_it_for_the_others(name: str) -> None:
    those = [*evs(4, energy_needed_kwh=10.0), ev("short", departure=NOW + timedelta(minutes=6), energy_needed_kwh=40.0)]
    plan = planned(name, problem(those, 28.8))
    assert plan.energy_kwh[:4] == pytest.approx(10.0)


@every
def test_05_an_ev_that_needs_nothing_gets_no_power(name: str) -> None:
    plan = planned(name, problem([ev("a", energy_needed_kwh=0.0), ev("b")], 10.0))
    assert not plan.power_kw[0].any()
    assert plan.reasons[0].binding is Binding.ENERGY_COMPLETE
    assert plan.power_kw[1, 0] == pytest.approx(7.2)


@every
def test_06_a_limit_of_zero_pauses_everybody_there_and_nowhere_else(name: str) -> None:
    case = problem(evs(3), limit((0, 15.0), (1, 0.0), (2, 15.0)))
    plan = planned(name, case)
    closed = case.limit_kw[0] == 0
    assert closed.any()
    assert not plan.power_kw[:, closed].any()
    assert plan.power_kw[:, ~closed].any(axis=0).all()


@pytest.mark.parametrize("solve", [with_pulp, with_highs])
def test_07_a_solver_that_finds_no_optimum_is_an_error(solve: Solve) -> None:
    impossible = LinearProgram(np.ones(1), np.ones(1), csr_array(np.ones((1, 1))), np.array([5.0]), np.array([np.inf]))
    with pytest.raises(PlanningError, match="no proven optimum"):
        solve(impossible)


@every
def test_08_minimums_above_the_limit_pause_some_and_never_exceed_it(name: str) -> None:
    plan = planned(name, problem(evs(10), 10.0))
    now = plan.power_kw[:, 0]
    assert 0 < now.sum() <= 10.0 + 1e-9
    assert (now == 0).any()
    assert all(
        (power == 0) == (reason.binding is Binding.PAUSED) for power, reason in zip(now, plan.reasons, strict=True)
    )
    assert any("paused" in note for note in plan.notes)


def test_09_rounding_down_to_amperes_never_exceeds_the_limit() -> None:
    case = problem(evs(100), 100 * kw_from_amps(30.0, 240.0) - 1.0)
    plan = planned("fair", case)
    amps = [round_down(amps_from_kw(power, 240.0), 0.1) for power in plan.power_kw[:, 0]]
    assert sum(kw_from_amps(current_a, 240.0) for current_a in amps) <= case.limit_kw[0, 0]


def test_10_a_naive_time_is_refused_and_a_local_one_converted() -> None:
    assert "no time zone" in refusal(departure=(NOW + hours(4)).replace(tzinfo=None))
    east = timezone(timedelta(hours=5))
    local = problem([ev(departure=(NOW + hours(4)).astimezone(east))])
    assert local.departure_s[0] == 4 * 3600
    with pytest.raises(PlanningError, match="without a time zone"):
        frame(snapshot(ev()), Site.single(limit((0, 30.0))), NOW.replace(tzinfo=None))


@every
def test_11_planning_twice_gives_the_same_plan(name: str) -> None:
    case = problem(evs(7, energy_needed_kwh=15.0), 21.0)
    first, second = algorithm(name)(case), algorithm(name)(case)
    assert np.array_equal(first.power_kw, second.power_kw)
    assert first.reasons == second.reasons


def test_12_two_connectors_with_one_ev_id_are_both_refused() -> None:
    framing = frame(snapshot(ev("1"), ev("1", connector_id=2), ev("2")), Site.single(limit((0, 30.0))), NOW)
    assert framing.problem.ev_ids == ("2",)
    assert [refused.connector_id for refused in framing.refused] == [1, 2]
    assert "unique" in framing.refused[0].reason


def test_13_amperes_and_kilowatts_are_never_added() -> None:
    site = Site((Circuit("site", limit=limit((0, 100.0)), limit_a=32.0),))
    case = problem(evs(3), site=site)
    plan = planned("fair", case)
    assert plan.power_kw[:, 0].sum() == pytest.approx(kw_from_amps(32.0, 240.0))


def test_14_an_11_kw_three_phase_ev_draws_16_a_per_phase() -> None:
    three = ev(max_kw=11.04, voltage_v=230.0, phases=("L1", "L2", "L3"))
    assert problem([three]).amps_per_kw[0] * 11.04 == pytest.approx([16.0, 16.0, 16.0])
    case = problem([three], site=Site((Circuit("site", limit_a=16.0),)))
    assert planned("fair", case).power_kw[0, 0] == pytest.approx(11.04)


@every
def test_15_nobody_gets_more_energy_than_asked(name: str) -> None:
    case = problem([ev("a", energy_needed_kwh=0.5), ev("b", energy_needed_kwh=9.0)], 30.0)
    plan = planned(name, case)
    assert plan.energy_kwh == pytest.approx([0.5, 9.0])


@every
def test_16_the_order_of_the_input_never_matters(name: str) -> None:
    those = [ev(f"{n}", energy_needed_kwh=5.0 + n, departure=NOW + hours(2 + n % 3)) for n in range(6)]
    case = problem(those, 18.0)
    order = np.array([3, 0, 5, 1, 4, 2])
    straight, shuffled = algorithm(name)(case), algorithm(name)(case.take(order))
    assert np.array_equal(shuffled.power_kw, straight.power_kw[order])
    assert shuffled.reasons == tuple(straight.reasons[position] for position in order)


def test_17_whoever_is_expected_but_not_here_has_no_power_now() -> None:
    plan = planned("fair", problem([ev("here"), ev("later", arrival=NOW + hours(1))], 30.0))
    assert plan.power_kw[1, 0] == 0
    assert plan.reasons[1].binding is Binding.ABSENT
    assert plan.energy_kwh[1] == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"energy_needed_kwh": math.nan}, "energy need is nan"),
        ({"energy_needed_kwh": -1.0}, "energy need is -1"),
        ({"min_kw": 8.0}, "above maximum"),
        ({"max_kw": math.inf}, "maximum power is inf"),
        ({"departure": NOW - hours(3), "arrival": NOW - hours(2)}, "before arrival"),
        ({"phases": ()}, "phases"),
        ({"phases": ("L1", "L4")}, "phases"),
        ({"circuit": "nowhere"}, "not part of the site"),
        ({"priority": 0.0}, "priority"),
    ],
)
def test_18_nonsense_is_refused_by_name_and_the_others_are_planned(stated: dict[str, object], named: str) -> None:
    assert named in refusal(**stated)


@every
def test_19_a_dip_below_the_minimum_pauses_and_the_energy_comes_later(name: str) -> None:
    those = [ev(energy_needed_kwh=10.0, departure=NOW + hours(5))]
    case = problem(those, limit((0, 7.2), (1, 1.0), (2, 7.2)))
    plan = planned(name, case)
    assert not plan.power_kw[0, case.limit_kw[0] == 1.0].any()
    assert plan.energy_kwh[0] == pytest.approx(10.0)
