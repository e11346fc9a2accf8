"""The quick ways through the cells of a plain site."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.algorithms.network import Network
from optivgi.algorithms.plain import Cells
from optivgi.algorithms.plain_few import CellsOfFew
from optivgi.model.problem import Problem
from tests.algorithms.instances import NOW, ev, hours, limit, problem


@st.composite
def plain_sites(draw: st.DrawFn) -> Problem:
    """Up to twelve EVs that are there, under one limit that may dip."""
    those = [
        ev(
            f"{number:02d}",
            departure=NOW + hours(draw(st.floats(0.2, 8.0))),
            energy_needed_kwh=draw(st.floats(0.0, 40.0)),
            min_kw=draw(st.sampled_from([0.0, 1.4, 4.14])),
            max_kw=draw(st.sampled_from([4.2, 7.2, 11.0])),
        )
        for number in range(draw(st.integers(1, 12)))
    ]
    low, high = draw(st.floats(0.0, 10.0)), draw(st.floats(2.0, 60.0))
    return problem(those, limit((0, high), (1.0, low), (2.0, high)))


@settings(deadline=None)
@given(case=plain_sites(), part=st.sampled_from([0.3, 0.7, 1.0]))
def test_few_evs_get_what_many_would(case: Problem, part: float) -> None:
    room = Network.of(case).room[0]
    by_array = Cells(case, room, case.need_kwh, part * case.need_kwh).powers(None)
    by_number = CellsOfFew(case, room, case.need_kwh, part * case.need_kwh).powers(None)
    assert by_number == pytest.approx(by_array, abs=1e-6)
    assert (by_array.sum(axis=0) <= room[1:] + 1e-6).all()


def test_nobody_runs_for_a_rest_that_takes_less_than_half_a_turn_while_more_is_needed_later() -> None:
    case = problem([ev("1", energy_needed_kwh=10.0, departure=NOW + hours(2))], 30.0)
    target = np.array([0.01])
    cells = Cells(case, Network.of(case).room[0], case.need_kwh, target)
    cells.beyond_target = False
    assert (cells.powers(None) == 0.0).all()
