"""From a snapshot to arrays; what is refused keeps its power and the others are planned around it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from optivgi.model.ev import Connector
from optivgi.model.framing import EVState, frame
from optivgi.model.site import Circuit, Site
from optivgi.model.snapshot import RefusedEV, Snapshot
from tests.algorithms.instances import NOW, ev, hours, limit, snapshot

SITE = Site.single(limit((0, 30.0)))


def test_evs_are_in_the_order_of_their_ids_with_all_their_numbers() -> None:
    framing = frame(snapshot(ev("2", priority=3.0), ev("1", measured_kw=4.0)), SITE, NOW)
    case = framing.problem
    assert case.ev_ids == ("1", "2")
    assert case.priority.tolist() == [1.0, 3.0]
    assert case.measured_kw[0] == 4.0
    assert math.isnan(case.measured_kw[1])
    assert math.isnan(case.current_kw[0])


def test_what_control_remembers_is_carried_in() -> None:
    states = {"1": EVState(allowed_kw=3.0, waiting_s=0.0, running_s=700.0)}
    case = frame(snapshot(ev("1"), ev("2")), SITE, NOW, states=states).problem
    assert case.current_kw[0] == 3.0
    assert case.running_s.tolist() == [700.0, math.inf]


@pytest.mark.parametrize(("states", "taken"), [({"bad": EVState(worst_kw=5.0)}, 5.0), ({}, 1.5)])
def test_a_refused_ev_keeps_its_power_and_the_others_have_the_rest(states: dict[str, EVState], taken: float) -> None:
    framing = frame(snapshot(ev("bad", min_kw=9.0), ev("good")), SITE, NOW, states=states, refused_kw=1.5)
    assert framing.refused[0].ev_id == "bad"
    assert np.unique(framing.problem.limit_kw).tolist() == [30.0 - taken]


def test_what_the_reader_refused_counts_too_on_its_own_circuit() -> None:
    site = Site((Circuit("site", limit=limit((0, 30.0))), Circuit("a", "site", limit((0, 10.0)))))
    connector = Connector("ST-9", 1, True, "Charging", None, 1.4, 7.2, 240.0, circuit="a")
    there = Snapshot("default", NOW, (ev("1"),), (connector,), (RefusedEV("9", "ST-9", 1, "t-9", "no meter"),))
    case = frame(there, site, NOW, states={"9": EVState(worst_kw=4.0)}).problem
    assert case.limit_kw[:, 0].tolist() == [26.0, 6.0]


def test_a_limit_is_never_below_zero() -> None:
    states = {"bad": EVState(worst_kw=50.0)}
    assert not frame(snapshot(ev("bad", max_kw=-1.0), ev("1")), SITE, NOW, states=states).problem.limit_kw.any()


def test_several_faults_of_one_ev_are_named_together() -> None:
    framing = frame(snapshot(ev("bad", max_kw=math.nan, voltage_v=0.0, step_a=-1.0)), SITE, NOW)
    reason = framing.refused[0].reason
    assert "maximum power" in reason
    assert "voltage" in reason
    assert "step" in reason


def test_limits_know_their_source() -> None:
    site = Site((Circuit("main", limit=limit((0, 30.0))), Circuit("a", "main", limit_a=20.0)))
    case = frame(snapshot(ev("1", circuit="a")), site, NOW).problem
    assert case.limit_source == ("site limit", "a limit")


def test_no_evs_make_an_empty_problem() -> None:
    case = frame(snapshot(), SITE, NOW).problem
    assert case.stay_h.shape == (0, 1)
    assert case.edges_s.tolist() == [0.0, 300.0]


def test_an_expected_ev_is_planned_for_from_its_arrival_on() -> None:
    there = replace(snapshot(ev("1")), expected=(ev("2", arrival=NOW + hours(1), departure=None),))
    case = frame(there, SITE, NOW).problem
    assert case.ev_ids == ("1", "2")
    assert case.arrival_s[1] == 3600.0
    assert case.departure_s[1] == 9 * 3600.0
    assert case.present[1].tolist() == [False, False, True, True]


def test_an_ev_that_has_come_or_is_late_is_not_expected_any_more() -> None:
    expected = (ev("1", arrival=NOW + hours(1)), ev("late", arrival=NOW - hours(0.1)))
    assert frame(replace(snapshot(ev("1")), expected=expected), SITE, NOW).problem.ev_ids == ("1",)


def test_whoever_comes_within_the_first_cell_has_no_part_of_it() -> None:
    there = replace(snapshot(ev("1")), expected=(ev("2", arrival=NOW + hours(20 / 3600)),))
    case = frame(there, SITE, NOW).problem
    assert case.edges_s[1] == 60.0
    assert case.present[1].tolist() == [False, True]
