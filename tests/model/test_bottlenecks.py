"""Where bottlenecks end, and which departures a coarse grid keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.model.bottlenecks import Departures, bottlenecks
from optivgi.model.horizon import GridSettings
from optivgi.model.problem import Bools, Floats
from tests.algorithms.instances import NOW, ev, evs, hours, problem


def levels(asked: Floats, room: Floats, ends: Bools) -> Floats:
    """What each bottleneck gives, as a part of what is asked."""
    at = np.flatnonzero(ends)
    return np.diff(room[at], prepend=0.0) / np.diff(asked[at], prepend=0.0)


steps = st.lists(st.tuples(st.floats(0.1, 10.0), st.floats(0.0, 10.0)), min_size=1, max_size=20)


@given(steps)
def test_bottlenecks_give_more_and_more_and_nobody_before_one_could_have_more(drawn: list[tuple[float, float]]) -> None:
    asked, room = np.cumsum(np.array(drawn), axis=0).T
    ends = bottlenecks(asked, room)
    assert ends[-1]
    assert (np.diff(levels(asked, room, ends)) > -1e-9).all()
    taut = np.interp(asked, np.concatenate(([0.0], asked[ends])), np.concatenate(([0.0], room[ends])))
    assert (taut <= room + 1e-6).all()


def test_those_who_leave_before_a_lean_hour_are_a_bottleneck_of_their_own() -> None:
    assert bottlenecks(np.array([10.0, 20.0, 30.0]), np.array([2.0, 8.0, 12.0])).tolist() == [True, False, True]


def test_departures_tell_more_where_those_who_are_left_cannot_use_the_site() -> None:
    at_s = np.arange(1.0, 11.0) * 3600.0
    departures = Departures.of(at_s, np.full(10, 20.0), np.full(10, 7.2))
    weight, ends = departures.telling(at_s, np.minimum(21.6, 7.2 * np.arange(10, 0, -1)))
    assert ends[-1]
    assert (np.diff(weight) >= -1e-9).all()
    assert weight[-3:] == pytest.approx([1.0, 1.0, 1.0])
    assert weight[0] < 0.2


def test_an_ev_that_needs_its_maximum_all_the_time_keeps_its_departure_in_a_coarse_grid() -> None:
    hurried = ev("hurried", departure=NOW + hours(2.0167), energy_needed_kwh=14.0)
    others = [ev(one.ev_id, departure=NOW + hours(3 + 0.05 * n)) for n, one in enumerate(evs(60))]
    coarse = problem([hurried, *others], 120.0, grid=GridSettings(most_cells=20))
    assert np.isclose(coarse.edges_s, 2.0167 * 3600, atol=1.0).any()
    assert coarse.stay_h[coarse.ev_ids.index("hurried")].sum() > 2.01
