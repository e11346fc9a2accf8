"""The closed loop keeps limits, serves what can be served, and tells planning only what a CSMS would know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.study.replay import Replay, replay
from optivgi.study.session import stretches
from optivgi.study.task import UNCONTROLLED
from tests.study.days import limit, replayed, session, task


def served(result: Replay) -> list[float]:
    return [round(float(part), 3) for part in result.delivered_kwh / result.possible_kwh]


def over_limit_s(result: Replay) -> float:
    return float(result.over_s.sum())


def test_an_ev_alone_gets_what_it_can_take() -> None:
    result = replayed([session(energy_kwh=10.0), session(arrives=1.0, leaves=2.0, energy_kwh=50.0)])

    assert result.possible_kwh == pytest.approx([10.0, 7.2], abs=0.01)
    assert result.delivered_kwh == pytest.approx(result.possible_kwh, abs=0.01)
    assert result.energy_kwh.sum() == pytest.approx(result.delivered_kwh.sum())
    assert result.high_kw.max() == pytest.approx(14.4)


def test_equal_evs_share_a_limit_equally_and_never_exceed_it() -> None:
    result = replayed([session(leaves=2.0, energy_kwh=14.0)] * 6, 30.0, "fair")

    assert result.delivered_kwh == pytest.approx([10.0] * 6, abs=0.02)
    assert over_limit_s(result) == 0.0
    assert result.high_kw.max() == pytest.approx(30.0, abs=0.01)


def test_uncontrolled_evs_draw_their_maximum_whatever_the_limit() -> None:
    result = replayed([session(energy_kwh=7.2)] * 6, 30.0, UNCONTROLLED)

    assert served(result) == [1.0] * 6
    assert over_limit_s(result) == pytest.approx(3600.0, abs=10.0)
    assert result.cycles == 0


def test_a_limit_of_zero_pauses_everybody_and_they_go_on_afterwards() -> None:
    result = replayed([session(energy_kwh=10.0)] * 4, limit((0.0, 20.0), (0.5, 0.0), (1.0, 20.0)))

    assert over_limit_s(result) == 0.0
    assert served(result) == [1.0] * 4
    assert result.pauses.tolist() == [1] * 4
    dip = result.limit_kw == 0.0
    assert result.seconds[dip].sum() == pytest.approx(1800.0)
    assert result.high_kw[dip].max() == 0.0


def test_raises_wait_until_cuts_are_followed() -> None:
    """When the third comes, the two before it are cut from 5 kW; it waits for the 5 s that they have for that."""
    result = replayed([session(arrives=0.1 * number, energy_kwh=20.0) for number in range(3)], 10.0, "equal")

    (waiting,) = np.flatnonzero(np.isclose(result.start_s - result.start_s[0], 720.0))
    assert result.seconds[waiting] == pytest.approx(5.0)
    assert result.energy_kwh[waiting] * 3600 / 5 == pytest.approx(6.67, abs=0.1)
    assert over_limit_s(result) == 0.0
    assert result.high_kw.max() > 9.9


def test_an_overdue_ev_is_served_and_an_early_one_keeps_what_it_has() -> None:
    late = replace(session(leaves=4.0, energy_kwh=14.0), stated_departure=session(leaves=0.5).departure)
    early = replace(session(leaves=0.5, energy_kwh=14.0), stated_departure=session(leaves=4.0).departure)

    result = replayed([late, early])

    assert result.delivered_kwh == pytest.approx([14.0, 3.6], abs=0.02)


def test_an_unknown_departure_does_not_stop_an_ev_from_charging() -> None:
    assert served(replayed([session(stated_departure=None)], 5.0)) == [1.0]


def test_the_end_of_charging_frees_power_at_once() -> None:
    """One EV ends after six minutes at its minimum; the other does not wait for the next planning by the clock."""
    result = replayed([session(energy_kwh=0.14), session(energy_kwh=20.0)], 7.2, "fcfs", replan_s=3600.0)

    at_s = result.start_s - result.start_s[0]
    assert result.delivered_kwh[1] == pytest.approx(20.0, abs=0.01)
    assert result.energy_kwh[(at_s >= 900) & (at_s < 3600)].sum() == pytest.approx(7.2 * 0.75, rel=0.02)
    assert result.delivered_kwh[0] == pytest.approx(0.14, abs=0.001)


def test_tapering_evs_take_longer_than_planned_and_still_get_their_energy() -> None:
    sessions = [session(energy_kwh=14.0, leaves=8.0)] * 4

    falling = replayed(sessions, 20.0, taper=True)
    straight = replayed(sessions, 20.0)

    assert served(falling) == served(straight) == [1.0] * 4
    assert falling.seconds[falling.energy_kwh > 0].sum() > 1.2 * straight.seconds[straight.energy_kwh > 0].sum()


def test_energy_moves_to_cheap_hours_when_cost_decides() -> None:
    sessions = [session(energy_kwh=10.0, leaves=6.0)] * 3
    prices = ((0.0, 0.5), (3.0, 0.1))

    cheap = replayed(sessions, 30.0, "cost", prices=prices)
    quick = replayed(sessions, 30.0, "llf", prices=prices)

    assert served(cheap) == [1.0] * 3
    assert float(cheap.energy_kwh @ cheap.price_per_kwh) == pytest.approx(3.0, abs=0.05)
    assert float(quick.energy_kwh @ quick.price_per_kwh) > 10.0


def test_a_demand_charge_keeps_the_peak_down() -> None:
    sessions = [session(energy_kwh=12.0, leaves=6.0)] * 3

    result = replayed(sessions, 30.0, "cost", demand_charge_per_kw=10.0, replan_s=900.0)

    assert served(result) == pytest.approx([1.0] * 3, abs=0.02)
    assert result.high_kw.max() < 8.0


def test_an_ev_that_comes_within_a_quarter_hour_does_not_raise_its_mean_above_the_peak() -> None:
    """The first one's 2.4 kWh in half an hour make a peak of 4.8 kW; the last one comes ten minutes into a window."""
    sessions = [
        session(energy_kwh=2.4, leaves=0.5),
        session(energy_kwh=4.0, arrives=0.6),
        session(energy_kwh=2.0, arrives=0.67),
    ]

    result = replayed(sessions, 30.0, "cost", demand_charge_per_kw=10.0, replan_s=60.0)

    window = np.floor((result.start_s + 1e-6) / 900.0).astype(int)
    means_kw = np.bincount(window - window[0], weights=result.energy_kwh) * 4
    assert served(result) == pytest.approx([1.0] * 3, abs=0.02)
    assert means_kw.max() < 5.0


def test_the_same_task_gives_the_same_replay() -> None:
    sessions = [session(arrives=0.2 * number, leaves=3.0 + 0.1 * number) for number in range(8)]
    first, second = (replayed(sessions, 15.0, "fair") for _ in range(2))

    assert first.delivered_kwh.tolist() == second.delivered_kwh.tolist()
    assert first.high_kw.tolist() == second.high_kw.tolist()


def test_a_replay_cut_where_the_site_is_empty_is_the_same() -> None:
    sessions = [
        session(arrives=day * 24 + 0.1 * number, leaves=day * 24 + 3) for day in range(2) for number in range(5)
    ]
    parts = stretches(sessions)

    whole = replay(task(sessions, 15.0))
    halves = [replay(task(part, 15.0)) for part in parts]

    assert len(parts) == 2
    assert np.concatenate([half.delivered_kwh for half in halves]) == pytest.approx(whole.delivered_kwh)
    assert sum(half.cycles for half in halves) == whole.cycles


@settings(max_examples=15, deadline=None)
@given(
    stays=st.lists(
        st.tuples(st.floats(0, 3), st.floats(0.2, 5), st.floats(0, 30), st.sampled_from([3.6, 7.2])),
        min_size=1,
        max_size=8,
    ),
    limit_kw=st.sampled_from([0.0, 1.0, 5.0, 12.0]),
    algorithm=st.sampled_from(["fair", "llf", "go", "equal", "round_robin"]),
    taper=st.booleans(),
)
def test_no_limit_is_ever_exceeded_and_nobody_gets_more_than_possible(
    stays: list[tuple[float, float, float, float]], limit_kw: float, algorithm: str, taper: bool
) -> None:
    sessions = [
        session(arrives, arrives + stays_h, energy_kwh, max_kw=max_kw) for arrives, stays_h, energy_kwh, max_kw in stays
    ]

    result = replayed(sessions, limit((0.0, limit_kw), (1.0, limit_kw / 2), (2.0, limit_kw)), algorithm, taper=taper)

    assert over_limit_s(result) == 0.0
    assert (result.delivered_kwh <= result.possible_kwh + 1e-3).all()
    assert result.degraded == 0
