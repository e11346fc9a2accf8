"""Sharing out power: levels, sequences, admission, steps and balance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.algorithms import rates
from optivgi.model.problem import Floats

ONE = np.ones((1, 3))


def plain(count: int) -> Floats:
    return np.stack((np.ones(count), np.zeros(count)))


def test_power_rises_together_until_bounds_hold_some_back() -> None:
    power = rates.fill_one(10.0, plain(3), np.array([0.0, 0.0, 5.0]), np.array([2.0, 9.0, 9.0]))
    assert power == pytest.approx([2.0, 3.0, 5.0])


def test_an_inner_limit_leaves_more_for_those_outside() -> None:
    tiers = (np.array([0, 0, -1]), np.array([1, 1, 1]))
    bounds = np.stack((np.zeros(3), np.full(3, 9.0)))
    power = rates.fill_nested(tiers, np.array([4.0, 12.0]), plain(3), bounds)
    assert power == pytest.approx([2.0, 2.0, 8.0])


def test_rows_with_different_weights_stop_only_their_own() -> None:
    weight = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    power = rates.fill(weight, np.array([4.0, 10.0]), plain(3), np.zeros(3), np.full(3, 20.0))
    assert power == pytest.approx([2.0, 2.0, 8.0])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.floats(0, 10), st.floats(0.1, 10), st.floats(-5, 5)), min_size=1, max_size=12
    ),
    st.floats(0, 1),
)
def test_a_level_fills_the_room_and_keeps_the_bounds(
    rows: list[tuple[float, float, float, float]], part: float
) -> None:
    low, more, slope, offset = np.array(rows).T
    high = low + more
    room = float(low.sum() + part * more.sum())
    power = rates.fill_one(room, np.stack((slope, offset)), low, high)
    assert (power >= low - 1e-9).all()
    assert (power <= high + 1e-9).all()
    assert power.sum() == pytest.approx(room, abs=1e-6)
    general = rates.fill(np.ones((1, len(low))), np.array([room]), np.stack((slope, offset)), low, high)
    assert general == pytest.approx(power, abs=1e-6)


def test_many_groups_at_once_fill_as_each_alone() -> None:
    rng = np.random.default_rng(5)
    group = rng.integers(0, 7, 60)
    low, high = rng.uniform(0, 1, 60), rng.uniform(2, 9, 60)
    claim = np.stack((rng.uniform(0.5, 2, 60), rng.uniform(-3, 3, 60)))
    room = np.array([low[group == g].sum() + 0.4 * (high - low)[group == g].sum() for g in range(7)])
    power = rates.fill_groups(group, room, claim, low, high)
    for g in range(7):
        one = group == g
        assert power[one] == pytest.approx(rates.fill_one(float(room[g]), claim[:, one], low[one], high[one]))


def test_who_comes_first_is_admitted_and_those_that_still_fit_after_a_big_one() -> None:
    low = np.array([4.0, 4.0, 1.0])
    order = np.array([1, 0, 2])
    assert rates.admitted(ONE, np.array([6.0]), order, low).tolist() == [False, True, True]
    assert rates.admitted_one(6.0, order, low).tolist() == [False, True, True]


def test_in_sequence_the_last_one_gets_what_is_left_if_that_is_enough_for_it() -> None:
    low, high = np.full(3, 1.4), np.full(3, 7.0)
    assert rates.in_sequence(ONE, np.array([9.0]), np.array([2, 0, 1]), low, high).tolist() == [2.0, 0.0, 7.0]
    assert rates.in_sequence(ONE, np.array([8.0]), np.array([2, 0, 1]), low, high).tolist() == [0.0, 0.0, 7.0]


def test_steps_round_down_and_below_the_least_power_to_zero() -> None:
    power = rates.stepped_down(np.array([5.9, 1.5, 3.3]), np.array([1.0, 1.0, 0.0]), np.array([2.0, 2.0, 1.0]))
    assert power.tolist() == [5.0, 0.0, 3.3]


def test_an_unbalanced_site_lowers_the_heavy_phase_only() -> None:
    share = np.eye(3)
    power = rates.balanced(np.array([7.0, 2.0, 3.0]), share, np.zeros(3), 2.0, np.full(3, 1.4))
    assert power == pytest.approx([4.0, 2.0, 3.0])


def test_what_may_be_on_any_phase_counts_as_unbalance() -> None:
    power = rates.balanced(np.array([7.0]), np.zeros((3, 1)), np.ones(1), 4.0, np.full(1, 1.4))
    assert power == pytest.approx([4.0])


def test_cuts_starts_and_stops_are_sent_and_small_raises_are_not() -> None:
    current = np.array([5.0, 5.0, 5.0, 0.0, 5.0, np.nan])
    planned = np.array([4.99, 5.05, 5.5, 1.4, 5.0, 3.0])
    assert rates.worth_sending(current, planned, 0.2).tolist() == [True, False, True, True, False, True]
