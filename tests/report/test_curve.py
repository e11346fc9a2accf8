"""Limits over time, and what is above them: by hand and against looking at every second."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.report.curve import LimitCurve, Signal
from optivgi.report.overshoot import Overshoot, back_under, overshoot

STEPS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=6)
"""(second, kW from then on)."""


def curve(*steps: tuple[float, float]) -> LimitCurve:
    return LimitCurve.of(steps)


def signal(*stretches: tuple[float, float, float]) -> Signal:
    begin, end, level = (np.array(column, dtype=np.float64) for column in zip(*stretches, strict=True))
    return Signal.exact(begin, end, level)


def seconds(first: float, last: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.arange(first, last, dtype=np.float64)


def test_a_limit_holds_from_its_very_second_and_the_first_one_also_before() -> None:
    limit = curve((10, 30), (20, 12), (20, 15), (30, 15), (40, 30))

    assert limit.at(np.array([0.0, 10.0, 19.999, 20.0, 39.9, 40.0])).tolist() == [30, 30, 30, 15, 15, 30]
    assert [(one.second, one.before, one.after) for one in limit.changes(0, 40)] == [(20, 30, 15)]
    assert limit.within(25, 100).levels.tolist() == [15, 30]


@given(STEPS, st.integers(0, 60), st.integers(1, 30))
def test_the_mean_limit_of_a_window_is_the_mean_over_its_seconds(
    steps: list[tuple[int, int]], start: int, length: int
) -> None:
    limit = curve(*steps)

    mean = limit.mean(np.array([float(start)]), np.array([float(length)]))

    assert mean[0] == pytest.approx(float(limit.at(seconds(start, start + length)).mean()))


def test_where_there_is_no_limit_for_a_while_no_mean_power_is_too_much() -> None:
    limit = curve((0, 30), (10, math.inf), (20, 30))

    assert limit.mean(np.array([0.0, 5.0, 12.0]), np.array([10.0, 10.0, 3.0])).tolist() == [30, math.inf, math.inf]


@given(STEPS, st.integers(1, 20))
def test_a_held_limit_is_the_highest_of_the_last_seconds(steps: list[tuple[int, int]], grace_s: int) -> None:
    limit = curve(*steps)
    held = limit.held(grace_s)

    for second in range(90):
        assert held.level(second) == limit.at(seconds(second - grace_s, second + 1)).max()


@given(STEPS, STEPS)
def test_sums_and_minima_of_limits_hold_at_every_second(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    first, second, at = curve(*one), curve(*other), seconds(-5, 70)

    assert (first + second).at(at).tolist() == (first.at(at) + second.at(at)).tolist()
    assert first.tightest_with(second).at(at).tolist() == np.minimum(first.at(at), second.at(at)).tolist()


def test_an_overshoot_is_told_with_height_duration_and_what_is_above() -> None:
    over = overshoot(signal((0, 10, 29), (10, 12, 31), (12, 15, 43.5), (15, 20, 30), (20, 21, 33)), curve((0, 30)))

    assert (over.seconds, over.area, len(over.spells)) == (6, 45.5, 2)
    assert over.worst is not None
    assert (over.worst.begin, over.worst.seconds, over.worst.excess, over.worst.area) == (10, 5, 13.5, 42.5)


def test_a_power_that_stays_while_the_limit_falls_is_over_from_that_instant() -> None:
    over = overshoot(signal((0, 100, 20)), curve((0, 30), (40.2, 12), (50, 30)))

    (spell,) = over.spells
    assert (spell.begin, spell.excess) == (40.2, 8)
    assert spell.seconds == pytest.approx(9.8)


def test_no_limit_in_force_is_an_endless_overshoot_and_exactly_the_limit_is_none() -> None:
    endless = overshoot(signal((0, 10, math.inf)), curve((0, 30))).worst
    assert endless is not None
    assert endless.excess == math.inf
    assert overshoot(signal((0, 10, 5.04 * 6)), curve((0, 30.24))) == Overshoot(())


@given(STEPS, st.lists(st.integers(0, 50), min_size=60, max_size=60))
def test_seconds_over_and_what_is_above_are_as_counted_second_by_second(
    steps: list[tuple[int, int]], powers: list[int]
) -> None:
    limit = curve(*steps)
    over = overshoot(signal(*((n, n + 1, kw) for n, kw in enumerate(powers))), limit)

    excess = np.maximum(np.array(powers) - limit.at(seconds(0, 60)), 0)
    assert over.seconds == np.count_nonzero(excess)
    assert over.area == pytest.approx(excess.sum())
    assert (0 if over.worst is None else over.worst.excess) == excess.max()


def test_the_time_back_under_counts_from_the_fall_of_the_limit() -> None:
    limit = curve((0, 30), (40, 12), (80, 30))
    slow = signal((0, 41.7, 28), (41.7, 60, 12), (60, 80, 11))

    assert back_under(slow, limit, 40, 80) == 1.7
    assert back_under(signal((0, 40, 28), (40, 80, 12)), limit, 40, 80) == 0
    assert back_under(signal((0, 100, 28)), limit, 40, 80) is None
