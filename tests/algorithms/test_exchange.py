"""Exchanging energy between EVs: by a flow and from hand to hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.algorithms.handing import exchange_among_few
from optivgi.algorithms.maxflow import Wholes, exchange, exchange_in_tree
from optivgi.model.problem import Floats

Case = tuple[Wholes, Wholes, Wholes, Wholes]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """(up, down [N, J], gap [N], room [J]) in whole watt-hours."""
    evs, cells = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    amounts = st.integers(0, 400)
    up, down = (
        np.array(draw(st.lists(amounts, min_size=evs * cells, max_size=evs * cells))).reshape(evs, cells)
        for _ in range(2)
    )
    gap = np.array(draw(st.lists(st.integers(-500, 500), min_size=evs, max_size=evs)))
    room = np.array(draw(st.lists(st.sampled_from([0, 0, 100, 300]), min_size=cells, max_size=cells)))
    keep = np.array(draw(st.lists(st.booleans(), min_size=evs * cells, max_size=evs * cells))).reshape(evs, cells)
    return up * keep, down * keep, gap, room


def by_flow(case: Case) -> Wholes:
    up, down, gap, room = case
    return exchange(up, down, np.maximum(gap, 0), np.maximum(-gap, 0), room)


def check(case: Case, moved: Wholes | Floats) -> None:
    up, down, gap, room = case
    assert (moved <= up + 1e-6).all()
    assert (moved >= -down - 1e-6).all()
    assert (moved.sum(axis=0) <= room + 1e-6).all()
    got = moved.sum(axis=1)
    assert (got <= np.maximum(gap, 0) + 1e-6).all()
    assert (got >= np.minimum(gap, 0) - 1e-6).all()


@settings(deadline=None)
@given(cases())
def test_from_hand_to_hand_as_much_arrives_as_in_a_flow(case: Case) -> None:
    up, down, gap, room = (each.astype(float) for each in case)
    flow, hands = by_flow(case), exchange_among_few(up, down, gap, room)
    check(case, flow)
    check(case, hands)
    short = gap > 0
    assert hands[short].sum() == pytest.approx(flow[short].sum(), abs=1e-3)


@settings(deadline=None)
@given(cases())
def test_under_one_limit_a_tree_is_the_same(case: Case) -> None:
    up, down, gap, room = case
    one = exchange_in_tree(
        up,
        down,
        np.maximum(gap, 0),
        np.maximum(-gap, 0),
        (room[None, :], np.zeros_like(room)[None, :]),
        (np.array([-1]), np.zeros(len(gap), dtype=np.int64)),
    )
    check(case, one)
    short = gap > 0
    assert one[short].sum() == by_flow(case)[short].sum()


def test_energy_comes_by_way_of_an_ev_that_shares_a_cell_with_both() -> None:
    up = np.array([[5.0, 0.0], [0.0, 5.0], [0.0, 0.0]])
    down = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    moved = exchange_among_few(up, down, np.array([3.0, 0.0, -4.0]), np.zeros(2))
    assert moved.tolist() == [[3.0, 0.0], [-3.0, 3.0], [0.0, -3.0]]
