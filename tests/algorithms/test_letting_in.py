"""Turns that are given after the fact, so that an EV which is short of its target runs in one more cell."""

from __future__ import annotations

import numpy as np
import pytest

from optivgi.algorithms.letting_in import let_in
from optivgi.algorithms.network import Network
from optivgi.model.horizon import GridSettings
from optivgi.model.problem import Floats, Problem
from optivgi.model.site import Circuit, Site
from tests.algorithms.instances import ev, limit, problem

SITE_KW = 8.0


def two_panels(here_kw: float) -> Problem:
    """One EV on panel `here`, two on panel `there`, under a site limit that two EVs at full power use up."""
    site = Site(
        (
            Circuit("site", limit=limit((0, SITE_KW))),
            Circuit("here", "site", limit((0, here_kw))),
            Circuit("there", "site", limit((0, SITE_KW))),
        )
    )
    those = [ev("1", circuit="here"), ev("2", circuit="there"), ev("3", circuit="there")]
    return problem(those, site=site, grid=GridSettings(replan_s=3600.0, turn_s=3600.0, most_cells=4))


def drawn_there(case: Problem) -> Floats:
    """[3, K], all of the site for the EVs on panel `there`."""
    power = np.full(case.stay_h.shape, SITE_KW / 2)
    power[0] = 0.0
    return power


def test_room_for_a_turn_comes_from_evs_on_another_panel_under_the_limit_that_is_full() -> None:
    case = two_panels(here_kw=7.2)
    power = drawn_there(case)
    turned = let_in(case, Network.of(case), power, np.array([5.0, 20.0, 20.0]), worth=0.005)
    assert turned is not None
    cells = np.flatnonzero(turned[0])
    assert len(cells) >= 1
    assert turned[0, cells] == pytest.approx(case.min_kw[0])
    assert turned.sum(axis=0) == pytest.approx(SITE_KW)
    assert (turned[1:] >= case.min_kw[1:, None]).all()


def test_an_ev_on_another_panel_that_has_more_than_its_target_gives_up_its_turn() -> None:
    case = two_panels(here_kw=7.2)
    turned = let_in(case, Network.of(case), drawn_there(case), np.array([5.0, 10.0, 10.0]), worth=0.005)
    assert turned is not None
    assert case.energy_kwh(turned)[0] == pytest.approx(5.0)
    assert ((turned == 0.0) | (turned >= 1.4)).all()
    assert turned.sum(axis=0).max() <= SITE_KW + 1e-9


def test_there_is_no_turn_on_a_panel_that_has_no_room_for_it() -> None:
    case = two_panels(here_kw=1.0)
    power = drawn_there(case)
    assert let_in(case, Network.of(case), power, np.array([5.0, 10.0, 10.0]), worth=0.005) is None
