"""Maximum flows between EVs and cells, with scipy, which is loaded when the first flow is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from optivgi.model.problem import Bools, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Wholes = NDArray[np.int64]

LARGEST = 1_000_000_000
"""Capacities are whole numbers whose sum fits 32 bits."""


def maximum_flow(graph: csr_array, source: int, sink: int) -> csr_array:
    """The flow as a matrix that is negative against its direction."""
    from scipy.sparse.csgraph import maximum_flow as solve  # noqa: PLC0415

    return solve(graph, source, sink).flow


def exchange(up: Wholes, down: Wholes, wanted: Wholes, spare: Wholes, room: Wholes) -> Wholes:
    """[N, J], by how much each EV's energy in each cell grows (or falls, negative) in a maximum flow.

    EVs that have `wanted` [N] more get it from the `room` [J] of cells and from those with energy to `spare` [N], by chains
    of EVs that share cells; each changes by at most `up` and `down` [N, J] in a cell.
    """
    from scipy.sparse import csr_array  # noqa: PLC0415

    evs, cells = up.shape
    joined = (up > 0) | (down > 0)
    ev, cell = np.nonzero(joined)
    by_cell = np.argsort(cell, kind="stable")
    count, source, sink = len(ev), evs + cells, evs + cells + 1
    lengths = np.concatenate(
        (np.bincount(ev, minlength=evs) + 2, np.bincount(cell, minlength=cells) + 1, [evs, evs + cells])
    )
    start = np.zeros(sink + 2, dtype=np.int32)
    np.cumsum(lengths, out=start[1:])
    # Every edge has its reverse and every row its columns in order, so that the answer has the same shape.
    head = np.empty(start[-1], dtype=np.int32)
    size = np.zeros(start[-1], dtype=np.int32)
    along = np.arange(count) + 2 * ev
    head[along], size[along] = evs + cell, up[ev, cell]
    ends = start[1 : evs + 1]
    head[ends - 2], head[ends - 1], size[ends - 1] = source, sink, spare
    back = start[evs] + np.arange(count) + cell[by_cell]
    head[back], size[back] = ev[by_cell], down[ev, cell][by_cell]
    ends = start[evs + 1 : source + 1]
    head[ends - 1], size[ends - 1] = sink, room
    head[start[source] : start[sink]], size[start[source] : start[sink]] = np.arange(evs), wanted
    head[start[sink] :] = np.arange(evs + cells)
    flow = maximum_flow(csr_array((size, head, start), shape=(sink + 1, sink + 1)), source, sink)
    moved = np.zeros(up.shape, dtype=np.int64)
    moved[ev, cell] = flow.data[along]
    return moved


def exchange_in_tree(  # noqa: PLR0917
    up: Wholes, down: Wholes, wanted: Wholes, spare: Wholes, limits: tuple[Wholes, Wholes], chain: tuple[Ints, Ints]
) -> Wholes:
    """`exchange` under nested limits: `limits` are their rest and what they carry [M, J], `chain` the limit above each [M]
    and the innermost one of each EV [N], -1 for none.
    """
    from scipy.sparse import csr_array  # noqa: PLC0415

    (room, carried), (parent, innermost) = limits, chain
    (evs, cells), count = up.shape, len(parent)
    node = evs + np.arange(count * cells).reshape(count, cells)
    source, sink = evs + count * cells, evs + count * cells + 1
    ev, cell = np.nonzero((up > 0) | (down > 0))
    entry = np.where(innermost[ev] >= 0, node[innermost[ev], cell], sink)
    outlet = np.where((parent >= 0)[:, None], node[parent], sink)
    inner, back = entry != sink, np.repeat(parent >= 0, cells).reshape(count, cells)
    every = np.arange(evs)
    tails = (ev, entry[inner], node.ravel(), outlet[back], np.full(evs, source), every)
    heads = (entry, ev[inner], outlet.ravel(), node[back], every, np.full(evs, sink))
    sizes = (up[ev, cell], down[ev, cell][inner], room.ravel(), carried[back], wanted, spare)
    edges = (np.concatenate(tails), np.concatenate(heads))
    size = np.minimum(np.concatenate(sizes), LARGEST).astype(np.int32)
    flow = maximum_flow(csr_array((size, edges), shape=(sink + 1, sink + 1)), source, sink)
    moved = np.zeros(up.shape, dtype=np.int64)
    moved[ev, cell] = np.asarray(flow[ev, entry]).ravel()
    return moved


def reachable(rest: Bools, used: Bools, evs: Bools) -> tuple[Bools, Bools]:
    """(EVs [N], cells [J]) that can be reached from `evs` where an EV's energy can grow (`rest` [N, J]) or give way (`used`)."""
    cells = np.zeros(rest.shape[1], dtype=bool)
    reached = evs
    while reached.any():
        new = rest[reached].any(axis=0) & ~cells
        cells |= new
        reached = used[:, new].any(axis=1) & ~evs
        evs = evs | reached
    return evs, cells
