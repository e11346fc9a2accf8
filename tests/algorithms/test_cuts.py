"""Cuts that are likely against those that are certain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from optivgi.algorithms import cuts, energies, flow
from optivgi.algorithms.network import Forest, Network
from optivgi.algorithms.solver import with_highs
from optivgi.model.problem import Floats, Problem
from optivgi.model.site import Site
from tests.algorithms.instances import Day, problem, tight_tree_day, tree_day


def framed(made: tuple[Day, Site]) -> Problem:
    day, site = made
    return problem(list(day.evs), day.limit, site=site)


@contextmanager
def doubtful(evs: int) -> Iterator[None]:
    """Maximum flows are for so many EVs only."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cuts, "DOUBTFUL", evs)
        yield


def certain(case: Problem) -> Floats:
    """The fair energies when every cut is a minimum cut by maximum flow."""
    with doubtful(1_000_000):
        return flow.fair_energies(case, Network.of(case))


@pytest.mark.parametrize("seed", range(12))
def test_where_inner_limits_bind_flows_and_linear_programs_find_the_same_energies(seed: int) -> None:
    case = framed(tight_tree_day(20, seed))
    network = Network.of(case)
    by_program = energies.fair_energies(case, network, with_highs)
    assert flow.fair_energies(case, network) == pytest.approx(by_program, abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_in_a_large_tree_likely_cuts_find_the_fair_energies(seed: int) -> None:
    case = framed(tree_day(600, seed))
    likely = flow.fair_energies(case, Network.of(case), proven=False)
    assert likely == pytest.approx(certain(case), abs=1e-3)


@pytest.mark.parametrize("few", [4, 40])
@pytest.mark.parametrize("seed", range(10))
def test_proven_energies_are_fair_however_few_evs_may_be_in_doubt(seed: int, few: int) -> None:
    case = framed(tight_tree_day(90, seed))
    with doubtful(few):
        found = flow.fair_energies(case, Network.of(case))
    assert found == pytest.approx(certain(case), abs=1e-3)


@given(seed=st.integers(0, 10_000), count=st.integers(9, 24), part=st.floats(0.1, 1.0))
def test_a_likely_cut_is_a_cut_and_never_beats_the_minimum(seed: int, count: int, part: float) -> None:
    """The excess of a set is what its EVs ask for above what its limits let through; no set has more than the minimum cut."""
    case = framed(tight_tree_day(count, seed))
    network = Network.of(case)
    unit = 1e-6
    whole = cuts.Part(
        evs=np.arange(count),
        pairs=np.floor(case.stay_h * case.max_kw[:, None] / unit).astype(np.int64),
        room=np.floor(np.minimum(network.room * case.hours / unit, 1e9)).astype(np.int64),
        on=np.ones(network.room.shape, dtype=bool),
        sure=np.zeros(count, dtype=np.int64),
        total=0,
    )
    forest = Forest.of(network)
    offer = np.floor(part * case.need_kwh / unit).astype(np.int64)
    with doubtful(4):
        found = cuts.likely_cut_in_tree(whole, offer, forest)
    least = cuts.cut_in_tree(whole, offer, forest)
    assert excess(whole, offer, forest, found) <= excess(whole, offer, forest, least) + whole.noise
    assert found is None or excess(whole, offer, forest, found) > whole.noise


def excess(part: cuts.Part, offer: NDArray[np.int64], forest: Forest, cut: cuts.Cut | None) -> float:
    """By summing up cell by cell, limit by limit."""
    if cut is None:
        return 0.0
    held, limits, cells = cut[0], len(part.room), part.room.shape[1]
    carried = 0
    for cell in range(cells):
        inflow = np.zeros(limits + 1, dtype=np.int64)
        for ev in np.flatnonzero(held):
            inflow[forest.innermost[ev]] += part.pairs[ev, cell]
        for tier in forest.tiers:
            for limit in tier:
                inflow[forest.parent[limit]] += min(inflow[limit], part.room[limit, cell])
        carried += int(inflow[-1])
    return float(offer[held].sum() - carried)
