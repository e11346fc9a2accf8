"""Closing the gap that minimum powers leave between a plan and its targets, by one flow of exchanges."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from optivgi.algorithms.flow import Forest
from optivgi.algorithms.network import Network
from optivgi.model.problem import Floats, Problem

LARGEST = 1_000_000_000
NOISE = 1e-9


def exchanged(problem: Problem, network: Network, power_kw: Floats, target_kwh: Floats) -> Floats:
    """Powers [S, K] after EVs above their target have given to those below it, as much as can be given.

    Who runs when stays as it is, and so does the first cell: powers move only between minimum and maximum, along chains
    of EVs that share a cell (a maximum flow in the residual network). `network` must be nested. With steps or an unbalance
    limit nothing is moved.
    """
    given = problem.energy_kwh(power_kw)
    gap = np.minimum(target_kwh, problem.need_kwh) - given
    fixed = (problem.step_kw > 0).any() or np.isfinite(problem.unbalance_kw)
    if fixed or power_kw.shape[1] < 2 or not (gap > NOISE).any():
        return power_kw
    whole = problem.stay_h >= problem.hours - NOISE
    moves = (power_kw > NOISE) & whole & (given <= problem.need_kwh + NOISE)[:, None]
    moves[:, 0] = False
    ev, cell = np.nonzero(moves)
    if len(ev) == 0:
        return power_kw
    evs, hours = len(gap), problem.hours
    unit = max(float(problem.need_kwh.sum()), 1.0) / LARGEST
    forest = Forest.of(network.weight > 0)
    limits, cells = network.room.shape
    node = evs + np.arange(limits * cells).reshape(limits, cells)
    source, sink = evs + limits * cells, evs + limits * cells + 1

    energy = power_kw[ev, cell] * hours[cell]
    up = problem.max_kw[ev] * hours[cell] - energy
    down = energy - problem.min_kw[ev] * hours[cell]
    entry = np.where(forest.innermost[ev] >= 0, node[forest.innermost[ev], cell], sink)
    carried = np.minimum(network.weight @ power_kw, network.room) * hours
    outlet = np.where((forest.parent >= 0)[:, None], node[forest.parent], sink)
    inner = entry != sink
    back = (forest.parent >= 0)[:, None] & np.ones(cells, dtype=bool)

    tails = (ev, entry[inner], node.ravel(), outlet[back], np.full(evs, source), np.arange(evs))
    heads = (entry, ev[inner], outlet.ravel(), node[back], np.arange(evs), np.full(evs, sink))
    spare = np.minimum(network.room * hours - carried, problem.need_kwh.sum())
    sizes = (up, down[inner], spare.ravel(), carried[back], np.maximum(gap, 0.0), np.maximum(-gap, 0.0))
    graph = csr_array(
        (
            np.floor(np.maximum(np.concatenate(sizes), 0.0) / unit).astype(np.int32),
            (np.concatenate(tails), np.concatenate(heads)),
        ),
        shape=(sink + 1, sink + 1),
    )
    result = maximum_flow(graph, source, sink).flow
    moved = np.asarray(result[ev, entry]).ravel() * unit
    exchanged_kw = power_kw.copy()
    exchanged_kw[ev, cell] = np.clip(
        power_kw[ev, cell] + moved / hours[cell], np.minimum(problem.min_kw[ev], power_kw[ev, cell]), problem.max_kw[ev]
    )
    return exchanged_kw
