"""Peaks and time over a limit are exact while EVs ramp, at every circuit and phase."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.model.site import Circuit, Site
from optivgi.study.crest import Ramps, Watch
from optivgi.study.planner import ev_columns
from tests.study.days import EIGHT, limit, session, task

FALLS_THEN_RISES = Ramps(np.array([6.0, 0.0]), np.array([2.0, 6.0]), np.array([1.0, 3.0]))
"""One EV falls by 4 kW in a second while the other rises by 6 kW in three."""


def watch(site: Site, **stated: Any) -> Watch:
    return Watch(site, ev_columns(task([session(**stated), session(**stated)], site), EIGHT), EIGHT)


def one_limit(limit_kw: float) -> Watch:
    return watch(Site.single(limit((0.0, limit_kw))))


def test_the_highest_power_is_found_between_the_ends_of_ramps() -> None:
    both = np.arange(2)

    assert one_limit(30.0).passed(0.0, 10.0, both, FALLS_THEN_RISES) == (8.0, 0.0)
    assert one_limit(30.0).passed(0.0, 0.5, both, FALLS_THEN_RISES) == (6.0, 0.0)
    assert one_limit(30.0).passed(0.0, 10.0, both[:0], FALLS_THEN_RISES) == (0.0, 0.0)


def test_time_over_the_limit_is_counted_from_where_it_is_crossed() -> None:
    """The sum is 6 kW, 4 kW after a second, and 8 kW after three."""
    _, over_s = one_limit(5.0).passed(0.0, 10.0, np.arange(2), FALLS_THEN_RISES)

    assert over_s == pytest.approx(0.5 + 1.5 + 7.0, abs=0.01)


def test_a_fall_without_a_ramp_counts_at_once() -> None:
    ramps = Ramps(np.array([6.0, 0.0]), np.array([0.0, 4.0]), np.array([0.0, 2.0]))

    assert one_limit(5.0).passed(0.0, 10.0, np.arange(2), ramps) == (4.0, 0.0)


def test_circuits_and_phases_are_watched_as_well_as_the_grid_connection() -> None:
    """3 kW on one phase of 240 V are 12.5 A."""
    ramps = Ramps(np.array([2.0, 1.0]), np.array([2.0, 1.0]), np.zeros(2))
    panel_kw = Site((Circuit("site"), Circuit("panel", "site", limit((0.0, 2.5)))))
    panel_a = Site((Circuit("site"), Circuit("panel", "site", limit_a=12.0)))

    for site, circuit, over_s in (
        (panel_kw, "panel", 10.0), (panel_kw, "site", 0.0), (panel_a, "panel", 10.0), (panel_a, "site", 0.0),
    ):  # fmt: skip
        assert watch(site, circuit=circuit).passed(0.0, 10.0, np.arange(2), ramps) == (3.0, over_s)
    on_three = watch(panel_a, circuit="panel", phases=("L1", "L2", "L3"))
    assert on_three.passed(0.0, 10.0, np.arange(2), ramps) == (3.0, 0.0)


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10), st.floats(0.1, 9)), min_size=1, max_size=6),
    st.floats(0.1, 12),
)
def test_sums_are_those_of_the_lines(lines: list[tuple[float, float, float]], seconds: float) -> None:
    before, goal, needed = np.array(lines).T

    at_s, sums = Ramps(before, goal, needed).sums(np.ones((1, len(before))), seconds)

    powers = before + (goal - before) * np.minimum(at_s[:, None] / needed, 1.0)
    assert sums[0] == pytest.approx(powers.sum(axis=1), abs=1e-9)
    assert at_s[-1] == seconds
