"""Minimum cuts between EVs and what limits let through: who cannot get what it is offered, and which limits hold it.

The network is source -> EV -> its innermost limit in a cell -> ... -> the outermost limit in that cell -> sink. What a set of
EVs can carry is known in closed form: cell by cell, each limit passes on the lesser of what flows in and its room.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optivgi.algorithms.few_sets import SETS
from optivgi.algorithms.maxflow import LARGEST, Wholes, exchange, maximum_flow, reachable
from optivgi.algorithms.network import Forest
from optivgi.model.checks import summed
from optivgi.model.problem import Bools, Floats, Ints

Cut = tuple[Bools, Bools]
"""EVs [n] on the source's side, and limits in cells [M, J] that they fill, with all limits inside those."""

MOST_SETS = 16
MOST_SETS_IN_TREE = 8
DOUBTFUL = 128
"""So many EVs a maximum flow in a tree is quick for."""
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Part:
    """A set of EVs with what it may use: `pairs` [n, J] into its innermost limits, `room` [M, J] of the limits that are
    `on` here, `sure` [n] what each gets anyhow, and `total` what the set as a whole can get.
    """

    evs: Ints
    pairs: Wholes
    room: Wholes
    on: Bools
    sure: Wholes
    total: int

    def narrowed(self) -> Part:
        """The same part without the cells that none of its EVs can use any more."""
        used = self.pairs.any(axis=0)
        if used.all():
            return self
        kept = np.flatnonzero(used)
        return replace(self, pairs=self.pairs[:, kept], room=self.room[:, kept], on=self.on[:, kept])

    @property
    def noise(self) -> int:
        """What may be missing because capacities are whole numbers."""
        return len(self.evs) + self.on.size


def split(part: Part, held: Bools, reached: Bools, forest: Forest) -> list[Part]:
    """The EVs that the level was too high for with the limits that hold them, and the others with what those leave."""
    parent, entry = forest.parent, forest.innermost[part.evs]
    nothing = np.zeros((1, part.pairs.shape[1]), dtype=bool)
    within = np.concatenate((reached, nothing))[entry]
    pairs = part.pairs[held]
    leaving = pairs * ~within[held]
    sure = part.sure[held] + leaving.sum(axis=1)
    inner = part.on & reached
    outlets = inner & ~np.concatenate((inner, nothing))[parent]
    total = int(sure.sum() + part.room[outlets].sum())
    others = ~held
    if not others.any() and total >= part.total:
        return []
    low = Part(part.evs[held], pairs - leaving, part.room, inner, sure, total).narrowed()
    if not others.any():
        return [low]
    taken = summed(entry[held], leaving, len(parent) + 1)
    for tier in forest.tiers:
        passed = np.where(outlets[tier], part.room[tier], np.where(inner[tier], 0, taken[tier]))
        np.add.at(taken, parent[tier], passed)
    high = Part(
        evs=part.evs[others],
        pairs=part.pairs[others] * ~within[others],
        room=np.maximum(part.room - taken[:-1], 0).astype(np.int64),
        on=part.on & ~reached,
        sure=part.sure[others],
        total=part.total - total,
    ).narrowed()
    return [low, high]


def likely_cut(part: Part, offer: Wholes) -> Cut | None:
    """The minimum cut under one limit among the sets of EVs that cannot get what they are offered after some cell; None may
    be wrong.

    From such a set both sides are improved in turn: the cells that the set fills, then the EVs for whom the cells that it
    does not fill are not enough. That is nearly always the minimum cut.
    """
    asked, room = (offer - part.sure).astype(np.float64), part.room[0][:, None]
    pairs = part.pairs.astype(np.float64)
    own = _after_some_cell(pairs, MOST_SETS)
    for _ in range(ROUNDS):
        held = asked[:, None] > own
        drawn = pairs.T @ held
        own = pairs @ (drawn < room)
    excess = asked @ held - np.minimum(drawn, room).sum(axis=0)
    worst = int(np.argmax(excess)) if excess.size else 0
    if not excess.size or excess[worst] <= part.noise:
        return None
    return held[:, worst], (drawn[:, worst] > room[:, 0])[None, :]


def _after_some_cell(pairs: Floats, most: int) -> Floats:
    """[n, S], what each EV could still get after some of the cells, at most `most`."""
    if not pairs.size:
        return np.zeros((len(pairs), 1))
    some = np.unique(np.linspace(0, pairs.shape[1] - 1, most).astype(np.int64))
    after: Floats = pairs.sum(axis=1, keepdims=True) - np.cumsum(pairs, axis=1)[:, some]
    return after


def likely_cut_in_tree(part: Part, offer: Wholes, forest: Forest) -> Cut | None:
    """`likely_cut` under nested limits: sets are improved in the same way, and under each limit the best one counts. Which of
    the EVs that nearly belong to it or nearly do not are in the cut, a maximum flow of those alone tells.
    """
    if len(part.evs) <= DOUBTFUL:
        return cut_in_tree(part, offer, forest)
    sets = _Sets(part, offer, forest)
    own = _after_some_cell(sets.pairs, MOST_SETS_IN_TREE)
    for _ in range(ROUNDS):
        held = sets.asked[:, None] > own
        inflow = sets.inflow(held)
        own = sets.beyond(sets.full(inflow))
    full = sets.full(sets.inflow(sets.best_under_each(held, inflow)))
    missing = sets.in_order(sets.asked - sets.beyond(full)[:, 0])
    doubtful = np.argsort(np.abs(missing), kind="stable")[:DOUBTFUL]
    evs = missing > 0
    evs[doubtful] = False
    rest = split(part, evs, sets.full(sets.inflow(evs[sets.order, None]))[:-1, :, 0], forest)[-1] if evs.any() else part
    among = np.isin(rest.evs, part.evs[doubtful])
    some = replace(rest, evs=rest.evs[among], pairs=rest.pairs[among], sure=rest.sure[among]).narrowed()
    found = cut_in_tree(some, offer[np.isin(part.evs, some.evs)], forest)
    if found is not None:
        evs[np.isin(part.evs, some.evs[found[0]])] = True
    held = evs[sets.order, None]
    inflow = sets.inflow(held)
    excess = sets.excess(held, inflow)[-1, 0]
    return (evs, sets.full(inflow)[:-1, :, 0]) if excess > part.noise else None


def cut_among_few(part: Part, offer: Wholes, forest: Forest) -> Cut | None:
    """The minimum cut by looking at every set of EVs; None if the offer can be carried."""
    sets = _Sets(part, offer, forest)
    every = SETS[len(part.evs)].T > 0
    inflow = sets.inflow(every)
    excess = sets.excess(every, inflow)[-1]
    worst = int(np.argmax(excess))
    if excess[worst] <= part.noise:
        return None
    return sets.in_order(every[:, worst]), sets.full(inflow[:, :, worst : worst + 1])[:-1, :, 0]


class _Sets:
    """What S sets of EVs draw of nested limits. Rows [M + 1] are the limits, and last what nothing limits; EVs are in the
    order of their innermost limits.
    """

    def __init__(self, part: Part, offer: Wholes, forest: Forest) -> None:
        self.forest, self.parent, self.tiers = forest, forest.parent, forest.tiers
        entry = forest.innermost[part.evs]
        order = np.argsort(entry, kind="stable")
        self.order, self.entry = order, entry[order]
        self.asked = (offer - part.sure)[order].astype(np.float64)
        self.pairs = part.pairs[order].astype(np.float64)
        self.room = np.where(part.on, part.room, LARGEST).astype(np.float64)[:, :, None]
        starts = np.flatnonzero(np.diff(self.entry, prepend=-2)).tolist()
        ends = [*starts[1:], len(entry)]
        self.groups = [(int(self.entry[a]), slice(a, b)) for a, b in zip(starts, ends, strict=True)]

    def inflow(self, held: Bools) -> Floats:
        """[M + 1, J, S], what the sets `held` [n, S] draw of each limit in each cell."""
        inflow = np.zeros((len(self.room) + 1, self.pairs.shape[1], held.shape[1]))
        drawing = held.astype(np.float64)
        for limit, those in self.groups:
            inflow[limit] = self.pairs[those].T @ drawing[those]
        for tier in self.tiers:
            np.add.at(inflow, self.parent[tier], np.minimum(inflow[tier], self.room[tier]))
        return inflow

    def full(self, inflow: Floats) -> Bools:
        """[M + 1, J, S], whether a set fills the limit or one above it."""
        full = np.zeros(inflow.shape, dtype=bool)
        full[:-1] = inflow[:-1] > self.room
        return _with_all_inside(full, self.forest)

    def beyond(self, full: Bools) -> Floats:
        """[n, S], what each EV could get where no limit above it is `full`."""
        beyond = np.empty((len(self.asked), full.shape[2]))
        free = (~full).astype(np.float64)
        for limit, those in self.groups:
            beyond[those] = self.pairs[those] @ free[limit]
        return beyond

    def excess(self, held: Bools, inflow: Floats) -> Floats:
        """[M + 1, S], how much more the sets' EVs under each limit, last all of them, are offered than it lets through."""
        excess = np.zeros((len(inflow), held.shape[1]))
        for limit, those in self.groups:
            excess[limit] = self.asked[those] @ held[those]
        for tier in self.tiers:
            np.add.at(excess, self.parent[tier], excess[tier])
        excess[:-1] -= np.minimum(inflow[:-1], self.room).sum(axis=1)
        excess[-1] -= inflow[-1].sum(axis=0)
        return excess

    def best_under_each(self, held: Bools, inflow: Floats) -> Bools:
        """[n, 1], the EVs of the set with the largest excess, or of the best ones under the limits inside."""
        excess = self.excess(held, inflow)
        choice = np.argmax(excess, axis=1)
        most = np.maximum(excess.max(axis=1), 0.0)
        inside = np.zeros(len(most))
        for tier in self.tiers:
            np.add.at(inside, self.parent[tier], np.maximum(most[tier], inside[tier]))
        choice[most <= inside] = -1
        for tier in reversed(self.tiers):
            above = choice[self.parent[tier]]
            choice[tier] = np.where(above >= 0, above, choice[tier])
        mine = choice[self.entry]
        best: Bools = held[np.arange(len(mine)), mine] & (mine >= 0)
        return best[:, None]

    def in_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """[n], `values` in the order of the part's EVs."""
        ordered = np.empty_like(values)
        ordered[self.order] = values
        return ordered


def cut_under_one(part: Part, offer: Wholes) -> Cut | None:
    """The minimum cut under one limit, by a maximum flow; None if the offer can be carried."""
    asked = offer - part.sure
    none = np.zeros_like(part.pairs)
    flow = exchange(part.pairs, none, asked, np.zeros_like(asked), part.room[0])
    missing = asked - flow.sum(axis=1)
    if int(missing.sum()) <= part.noise:
        return None
    evs, cells = reachable(part.pairs > flow, flow > 0, missing > 0)
    return evs, cells[None, :]


def cut_in_tree(part: Part, offer: Wholes, forest: Forest) -> Cut | None:
    """The minimum cut under nested limits, by a maximum flow; None if the offer can be carried."""
    from scipy.sparse import csr_array  # noqa: PLC0415
    from scipy.sparse.csgraph import breadth_first_order  # noqa: PLC0415

    evs, asked = len(part.evs), offer - part.sure
    limits, cells = part.on.shape
    entry = forest.innermost[part.evs]
    node = evs + np.arange(limits * cells).reshape(limits, cells)
    source, sink = evs + limits * cells, evs + limits * cells + 1
    ev, cell = np.nonzero(part.pairs)
    upward = forest.parent
    entered = np.where(entry[ev] >= 0, node[entry[ev], cell], sink)
    parent_on = (upward >= 0)[:, None] & part.on[upward]
    above = np.where(parent_on, node[upward], sink).ravel()
    counts = np.concatenate((np.bincount(ev, minlength=evs), np.ones(limits * cells, dtype=np.int64), [evs, 0]))
    graph = csr_array(
        (
            np.concatenate((part.pairs[ev, cell], np.where(part.on, part.room, 0).ravel(), asked)).astype(np.int32),
            np.concatenate((entered, above, np.arange(evs))).astype(np.int32),
            np.concatenate(([0], np.cumsum(counts))).astype(np.int32),
        ),
        shape=(sink + 1, sink + 1),
    )
    flow = maximum_flow(graph, source, sink)
    if int(asked.sum()) - int(flow[[source]].sum()) <= part.noise:
        return None
    residual = graph - flow
    residual.data[residual.data < 0] = 0
    residual.eliminate_zeros()
    reached = np.zeros(sink + 1, dtype=bool)
    reached[breadth_first_order(residual, source, return_predecessors=False)] = True
    full = np.zeros((limits + 1, cells), dtype=bool)
    full[:-1] = reached[evs:source].reshape(limits, cells)
    return reached[:evs], _with_all_inside(full, forest)[:-1]


def _with_all_inside(full: Bools, forest: Forest) -> Bools:
    """`full` [M + 1, J, ...] with the limits inside those too: EVs that come through these find their way blocked further out."""
    for tier in reversed(forest.tiers):
        full[tier] |= full[forest.parent[tier]]
    return full
