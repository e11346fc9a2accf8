"""Who runs when the minimum powers do not all fit, for how long, and what is said about it."""

from __future__ import annotations

import numpy as np
import pytest

from optivgi.algorithms import algorithm, names
from optivgi.model.checks import violations
from optivgi.model.framing import EVState
from optivgi.model.plan import Binding
from tests.algorithms.instances import NOW, ev, evs, hours, limit, problem

TURNING = [name for name in names() if name not in {"fcfs", "edf"}]


@pytest.mark.parametrize("name", TURNING)
def test_everybody_gets_a_turn_within_the_stay(name: str) -> None:
    plan = algorithm(name)(problem(evs(6), 4.0))
    assert (plan.energy_kwh > 0).all()


@pytest.mark.parametrize("name", ["equal", "go", "fair"])
def test_whoever_has_waited_too_long_goes_first(name: str) -> None:
    those = evs(6, departure=None)
    states = {one.ev_id: EVState(waiting_s=2400.0 if one.ev_id == "00005" else 60.0) for one in those}
    plan = algorithm(name)(problem(those, 4.0, states=states))
    assert plan.power_kw[4, 0] > 0


@pytest.mark.parametrize("name", ["equal", "go", "fair"])
def test_whoever_has_just_been_let_in_stays_in(name: str) -> None:
    those = evs(6, departure=None)
    states = {one.ev_id: EVState(waiting_s=60.0) for one in those}
    states["00006"] = EVState(allowed_kw=1.4, running_s=120.0)
    plan = algorithm(name)(problem(those, 4.0, states=states))
    assert plan.power_kw[5, 0] > 0


def test_those_with_most_slack_are_paused() -> None:
    those = [
        *evs(2, departure=NOW + hours(2)),
        ev("late-1", departure=NOW + hours(9)),
        ev("late-2", departure=NOW + hours(9)),
    ]
    plan = algorithm("fair")(problem(those, 4.0))
    assert (plan.power_kw[:2, 0] > 0).all()
    assert not plan.power_kw[2:, 0].any()


def test_no_power_is_left_over_while_somebody_could_use_it() -> None:
    case = problem(evs(2), 8.0)
    assert algorithm("fair")(case).power_kw[:, 0].sum() == pytest.approx(8.0)


def test_a_turn_more_than_an_ev_needs_is_made_up_for_in_the_others() -> None:
    need, least, most = (8.0, 0.05, 8.0, 2.0, 2.0), (0.0, 1.4, 1.4, 4.1, 4.1), (7.2, 3.6, 11.0, 4.1, 4.1)
    those = [
        ev(
            str(n),
            departure=None if n else NOW + hours(1.75),
            energy_needed_kwh=need[n],
            min_kw=least[n],
            max_kw=most[n],
        )
        for n in range(5)
    ]
    case = problem(those, limit((0, 2.0), (0.5, 9.0), (1.0, 25.0), (1.75, 0.0)))
    assert violations(case, algorithm("fair")(case)) == ()


def test_replanning_every_turn_lets_everybody_charge() -> None:
    """Closed loop over two hours: 5-minute turns, state carried on, limit for two of six."""
    energy, waiting, running, allowed = np.zeros(6), np.zeros(6), np.zeros(6), np.zeros(6)
    longest = 0.0
    for turn in range(24):
        those = [
            ev(f"{n}", departure=None, energy_needed_kwh=20.0 - energy[n], delivered_kwh=float(energy[n]))
            for n in range(6)
        ]
        states = {
            f"{n}": EVState(allowed_kw=float(allowed[n]), waiting_s=float(waiting[n]), running_s=float(running[n]))
            for n in range(6)
        }
        now = algorithm("fair")(problem(those, 4.0, states=states)).power_kw[:, 0]
        assert now.sum() <= 4.0 + 1e-9, turn
        energy += now * 300.0 / 3600.0
        waiting = np.where(now > 0, 0.0, waiting + 300.0)
        running = np.where(now > 0, running + 300.0, 0.0)
        longest, allowed = max(longest, waiting.max()), now
    assert longest == 1200.0
    assert energy.min() >= 0.6 * energy.mean()


def test_a_paused_ev_is_told_why_and_when_its_turn_comes() -> None:
    plan = algorithm("go")(problem(evs(6), 4.0))
    paused = [reason for reason in plan.reasons if reason.binding is Binding.PAUSED]
    assert len(paused) == 4
    assert "minimum 1.4 kW does not fit under 4.0 kW site limit; next turn in" in paused[0].text
    assert len(plan.notes) == 4
