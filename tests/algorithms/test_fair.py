"""`fair` against the linear program, and the quality of its plans on workplace days."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from optivgi.algorithms import algorithm, energies, flow
from optivgi.algorithms.network import Network
from optivgi.algorithms.solver import with_highs, with_pulp
from optivgi.model.checks import violations
from optivgi.model.horizon import GridSettings
from optivgi.model.problem import Floats, Problem
from optivgi.model.site import Circuit, Site
from tests.algorithms.instances import NOW, Day, ev, evs, hours, limit, problem, workplace
from tests.algorithms.strategies import plain_problems

EVERY_EVENT = GridSettings(most_cells=10_000, turn_s=1e9)
WORST = {6: 0.99, 9: 0.99, 30: 0.99, 100: 0.99}
"""By number of EVs, how near the worst-served one must always come to the optimum, which knows no minimum powers."""
LEAST_ENERGY = {6: 0.99, 9: 0.995}
"""By number of EVs, the part of the energy: with few, fairness may cost some, because somebody must run at its minimum or not at all."""


def tree(those: list[str]) -> Site:
    panels = sorted(set(those) - {"site"})
    return Site(
        (
            Circuit("site", limit=limit((0, 20.0))),
            *(Circuit(panel, "site", limit((0, 8.0), (1, 5.0))) for panel in panels),
        )
    )


@settings(max_examples=60, deadline=None)
@given(case=plain_problems(most=14))
def test_flows_and_linear_programs_find_the_same_energies(case: Problem) -> None:
    network = Network.of(case)
    by_flow = flow.fair_energies(case, network)
    assert by_flow == pytest.approx(energies.fair_energies(case, network, with_highs), abs=2e-4)


@pytest.mark.parametrize("seed", range(8))
def test_on_a_tree_flows_and_linear_programs_find_the_same_energies(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuits = [str(name) for name in rng.choice(["site", "a", "b", "c"], 12)]
    those = [
        ev(
            f"{n:02d}",
            circuit=circuits[n],
            energy_needed_kwh=float(rng.uniform(2, 30)),
            departure=NOW + hours(float(rng.uniform(0.5, 5))),
        )
        for n in range(12)
    ]
    case = problem(those, site=tree(["a", "b", "c"]))
    network = Network.of(case)
    assert network.nested
    by_flow = flow.fair_energies(case, network)
    assert by_flow == pytest.approx(energies.fair_energies(case, network, with_highs), abs=1e-3)
    assert by_flow.sum() == pytest.approx(energies.EnergyModel(case, network).largest_total(with_highs), abs=1e-3)


def test_pulp_and_highs_find_the_same_energies() -> None:
    case = workplace(8, 3, dip=True).problem()
    network = Network.of(case)
    by_pulp = energies.fair_energies(case, network, with_pulp)
    assert by_pulp == pytest.approx(energies.fair_energies(case, network, with_highs), abs=1e-4)


def jain(values: Floats) -> float:
    """Jain's index: 1 when all are equal."""
    return float(values.sum() ** 2 / (len(values) * (values @ values)))


def quality(day: Day) -> tuple[float, float]:
    """(total, worst-served fraction) of the plan, relative to the optimum on a grid of every event."""
    case, exact = day.problem(), day.problem(EVERY_EVENT)
    best = flow.fair_energies(exact, Network.of(exact))
    plan = algorithm("fair")(case)
    assert violations(case, plan) == ()
    running = plan.power_kw[plan.power_kw > 0]
    assert running.min() >= 1.4 - 1e-9
    return plan.energy_kwh.sum() / best.sum(), (plan.energy_kwh / case.need_kwh).min() / (best / exact.need_kwh).min()


@pytest.mark.parametrize("dip", [False, True])
@pytest.mark.parametrize("count", [6, 9, 30, 100])
def test_plans_deliver_the_optimum_and_serve_the_worst_served_ev_as_well(count: int, dip: bool) -> None:
    seen = np.array([quality(workplace(count, seed, dip=dip, expected=False)) for seed in range(20)])
    energy, worst = seen.T
    assert energy.mean() >= 0.999
    assert energy.min() >= LEAST_ENERGY.get(count, 0.998)
    assert worst.mean() >= (0.996 if count == 6 else 0.995)
    assert worst.min() >= WORST[count]


@pytest.mark.parametrize("limit_kw", [4.0, 12.0, 30.0])
def test_equal_needs_get_equal_energy_and_equal_power_now(limit_kw: float) -> None:
    case = problem(evs(6), limit_kw)
    plan = algorithm("fair")(case)
    assert jain(plan.energy_kwh) >= 0.9995
    running = plan.power_kw[plan.power_kw[:, 0] > 0, 0]
    assert np.ptp(running) == pytest.approx(0.0, abs=1e-9)


def test_a_higher_priority_gets_a_larger_fraction() -> None:
    plan = algorithm("fair")(problem([*evs(4), ev("vip", priority=2.0)], 10.0))
    fraction = plan.energy_kwh / 20.0
    assert fraction[4] == pytest.approx(2 * fraction[:4].mean(), rel=0.05)


def test_energy_already_delivered_counts() -> None:
    plan = algorithm("fair")(problem([ev("first", delivered_kwh=10.0, energy_needed_kwh=10.0), ev("late")], 4.0))
    assert plan.energy_kwh[1] > plan.energy_kwh[0] + 5.0


def test_a_process_that_plans_fairly_on_one_circuit_does_not_load_a_solver() -> None:
    code = (
        "import sys; from tests.algorithms.instances import workplace; from optivgi.algorithms import algorithm;"
        "algorithm('fair')(workplace(30, 1).problem());"
        "sys.exit(any(name in sys.modules for name in ('pulp', 'highspy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("needs", "delivered", "priorities", "steps"),
    [
        pytest.param((2.0, 2.0, 20.0), (0, 5.0, 0), (1, 1, 1), ((0, 2.0), (0.5, 4.0), (1.75, 1.0)), id="full-and-poor"),
        pytest.param(
            (0.05, 20.0, 20.0, 60.0, 0.05),
            (5.0, 0, 0, 0, 0),
            (1, 1, 1, 3, 1),
            ((0, 6.0), (1.75, 1.0), (3, 0.0)),
            id="late",
        ),
    ],
)
def test_a_likely_cut_that_is_not_the_minimum_is_found_out(
    needs: tuple[float, ...],
    delivered: tuple[float, ...],
    priorities: tuple[float, ...],
    steps: tuple[tuple[float, float], ...],
) -> None:
    arrive_h = {3: (0.0, 0.0, 0.75), 5: (0.0, 0.0, 0.0, 0.75, 2.5)}[len(needs)]
    those = [
        ev(
            str(n),
            arrival=NOW + hours(arrive_h[n] or -2.0),
            departure=None,
            energy_needed_kwh=needs[n],
            delivered_kwh=float(delivered[n]),
            priority=float(priorities[n]),
            min_kw=0.0,
            max_kw=3.6,
        )
        for n in range(len(needs))
    ]
    case = problem(those, limit(*steps))
    network = Network.of(case)
    by_program = energies.fair_energies(case, network, with_highs)
    assert flow.fair_energies(case, network, proven=False) == pytest.approx(by_program, abs=2e-4)


@pytest.mark.parametrize("limit_kw", [12.0, 30.0, 36.0])
def test_small_differences_in_what_meters_say_make_small_differences_in_power(limit_kw: float) -> None:
    told = (0.0, 0.01, 0.02, 0.05, 0.08, 0.1)
    those = [
        ev(f"{n}", departure=None, energy_needed_kwh=40.0 - kwh, delivered_kwh=kwh, max_kw=7.2)
        for n, kwh in enumerate(told)
    ]
    power = algorithm("fair")(problem(those, limit_kw)).power_kw[:, 0]
    assert power.sum() == pytest.approx(limit_kw)
    assert np.ptp(power) <= 0.2
