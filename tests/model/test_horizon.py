"""The time grid: boundaries at events, merged whole, limits never loosened by merging."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.model import horizon
from optivgi.model.framing import frame
from optivgi.model.horizon import GridSettings
from optivgi.model.site import Site
from tests.algorithms.instances import NOW, ev, evs, hours, limit, problem, snapshot

HOUR = 3600.0


def test_boundaries_are_arrivals_departures_and_limit_changes() -> None:
    those = [ev("1", departure=NOW + hours(2)), ev("2", arrival=NOW + hours(1), departure=NOW + hours(3))]
    case = problem(those, limit((0, 30.0), (2.5, 20.0)))
    assert case.edges_s.tolist() == [0.0, 300.0, HOUR, 2 * HOUR, 2.5 * HOUR, 3 * HOUR]
    assert case.limit_kw[0].tolist() == [30.0, 30.0, 30.0, 30.0, 20.0]
    assert case.present.tolist() == [[True, True, True, False, False], [False, False, True, True, True]]


def test_the_first_cell_ends_at_the_next_event_but_not_before_a_minute() -> None:
    assert problem([ev(departure=NOW + hours(0.05))]).edges_s[1] == pytest.approx(180.0)
    assert problem([ev("1", departure=NOW + hours(0.001)), ev("2")]).edges_s[1] == 60.0


def test_whoever_is_here_counts_for_the_first_cell_even_if_it_leaves_within() -> None:
    case = problem([ev("1", departure=NOW + hours(0.001)), ev("2")])
    assert case.present[0].tolist()[:2] == [True, False]


def test_an_unknown_departure_is_the_assumed_stay_from_now() -> None:
    case = problem([ev(departure=None)], grid=GridSettings(assumed_stay_s=2 * HOUR))
    assert case.departure_s[0] == 2 * HOUR
    assert not case.departure_known[0]
    assert case.edges_s[-1] == 2 * HOUR


def test_an_overdue_ev_stays_as_long_as_one_that_said_nothing() -> None:
    case = problem([ev(arrival=NOW - hours(9), departure=NOW - hours(1))])
    assert case.departure_s[0] == 8 * HOUR
    assert not case.departure_known[0]


def test_a_departure_beyond_the_horizon_is_kept_so_that_it_is_not_urgent() -> None:
    case = problem([ev(departure=NOW + hours(200))])
    assert case.edges_s[-1] == 48 * HOUR
    assert case.departure_s[0] == 200 * HOUR


def test_cells_are_cut_into_turns_where_minimums_do_not_fit() -> None:
    crowded, roomy = problem(evs(6), 4.0), problem(evs(6), 30.0)
    assert np.diff(crowded.edges_s).max() <= 900.0
    assert len(roomy.edges_s) == 3


@pytest.mark.parametrize(("count", "longest_s"), [(10, 900.0), (11, 3.3 * HOUR)])
def test_few_evs_take_turns_as_soon_as_minimums_are_half_of_the_limit(count: int, longest_s: float) -> None:
    crowded = problem(evs(count), 1.4 * count * 1.9)
    assert np.diff(crowded.edges_s).max() == pytest.approx(longest_s, rel=0.3)


def test_merging_keeps_the_stricter_limit() -> None:
    steps = [(quarter / 4, 10.0 + quarter % 7) for quarter in range(40)]
    case = problem([ev(departure=NOW + hours(10))], limit(*steps), grid=GridSettings(most_cells=24))
    assert len(case.edges_s) <= 25
    for start, end, merged in zip(case.edges_s, case.edges_s[1:], case.limit_kw[0], strict=False):
        inside = [kw for at, kw in steps if at * HOUR < end - 1e-6 and (at + 0.25) * HOUR > start + 1e-6]
        assert merged == min(inside)


def test_in_a_merged_cell_where_others_could_use_the_power_only_whole_stays_count() -> None:
    those = [ev(f"{n:03d}", departure=NOW + hours(1 + n / 40)) for n in range(200)]
    crowded, roomy = problem(those, 100.0), problem(those, 2000.0)
    lengths = np.diff(crowded.edges_s) / HOUR
    contended = (crowded.present * 7.2).sum(axis=0) > 100.0
    partly = (crowded.stay_h > 0) & (crowded.stay_h < lengths - 1e-6)
    assert not partly[:, contended][:, 1:].any()
    assert roomy.stay_h.sum(axis=1) == pytest.approx([1 + n / 40 for n in range(200)])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-2, 10), st.floats(0.01, 60)), max_size=150),
    st.lists(st.floats(0.1, 50), max_size=120),
)
def test_grids_start_now_increase_and_stay_small(stays: list[tuple[float, float]], changes: list[float]) -> None:
    settings_ = GridSettings()
    arrival = np.array([start * HOUR for start, _ in stays])
    departure = np.array([(start + length) * HOUR for start, length in stays])
    edges_s = horizon.edges(arrival, departure, np.array(changes) * HOUR, settings_)
    assert edges_s[0] == 0
    assert (np.diff(edges_s) > 0).all()
    assert len(edges_s) - 1 <= settings_.most_cells
    assert (horizon.stays(arrival, departure, edges_s) >= 0).all()


def test_prices_are_averaged_over_a_cell() -> None:
    means = horizon.mean_on(np.array([0.0, HOUR]), np.array([0.2, 0.4]), np.array([0.0, 2 * HOUR, 3 * HOUR]))
    assert means == pytest.approx([0.3, 0.4])


def test_a_near_change_of_the_limit_ends_the_first_cell_exactly_where_it_is() -> None:
    case = problem([ev()], limit((0, 30.0), (20 / HOUR, 12.0), (21.5 / HOUR, 30.0)), grid=GridSettings(lead_s=10.0))
    assert case.edges_s[:3].tolist() == pytest.approx([0.0, 20.0, 21.5])
    assert case.limit_kw[0, :3].tolist() == [30.0, 12.0, 30.0]


@pytest.mark.parametrize(("change_s", "first_s", "now_kw"), [(10.0, 60.0, 12.0), (10.01, 10.01, 30.0)])
def test_a_drop_within_the_lead_counts_from_now_on(change_s: float, first_s: float, now_kw: float) -> None:
    grid = GridSettings(lead_s=10.0, replan_s=60.0)
    case = problem([ev()], limit((0, 30.0), (change_s / HOUR, 12.0)), grid=grid)
    assert case.edges_s[1] == pytest.approx(first_s)
    assert case.limit_kw[0, 0] == now_kw


def test_a_change_at_no_round_moment_falls_together_with_its_boundary() -> None:
    now = NOW + timedelta(microseconds=123_456)
    series = limit((0, 12.0), (0.5, 30.0), (1.0, 12.0))
    there = snapshot(ev("1", departure=NOW + hours(2)), ev("2", departure=NOW + hours(1.5)))
    case = frame(there, Site.single(series), now, grid=GridSettings(replan_s=60.0)).problem
    assert case.limit_kw[0].tolist() == [12.0, 12.0, 30.0, 12.0, 12.0]
    assert case.present.tolist() == [[True] * 5, [True] * 4 + [False]]
