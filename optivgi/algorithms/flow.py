"""Fair energies by flows: source -> EV -> innermost circuit in a cell -> ... -> outermost circuit in that cell -> sink.

With nested limits the deliverable energies of the EVs form a polymatroid, so that the lexicographic max-min fair energies
also have the largest total (Megiddo 1974, Fujishige 1980): fairness costs no energy. They are found by decomposition
(Groenevelt 1991): offer everyone the common level that would use up all that the set can get; if the flow cannot carry it,
the minimum cut names the EVs that the level is too high for, and both sides are problems of their own, with less of everything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from optivgi.algorithms.network import Network
from optivgi.algorithms.rates import water_levels
from optivgi.model.problem import Bools, Floats, Ints, Problem

DONE_KWH = 1e-6
NOISE_H = 1e-9
LARGEST = 1_000_000_000
"""Capacities are whole numbers whose sum fits 32 bits."""

Wholes = NDArray[np.int64]

FEW = 8
"""So few EVs that every set of them is looked at."""
_SETS = {count: np.array(list(product((0.0, 1.0), repeat=count))) for count in range(1, FEW + 1)}


def fair_energies(problem: Problem, network: Network) -> Floats:
    """[S] kWh, lexicographic max-min fair in the fraction of need + delivered, divided by the priority.

    `network` must be nested. Exact to about a billionth of the sum of needs.
    """
    most_kwh = np.minimum(problem.need_kwh, problem.max_kw * problem.stay_h.sum(axis=1))
    energy = np.zeros(len(most_kwh))
    rows = np.flatnonzero(most_kwh > DONE_KWH)
    if len(rows):
        total = problem.need_kwh[rows] + problem.delivered_kwh[rows]
        unit = most_kwh[rows].sum() / LARGEST
        claim = np.stack((problem.priority[rows] * total, -problem.delivered_kwh[rows])) / unit
        most = np.floor(most_kwh[rows] / unit).astype(np.int64)
        fair = _Decomposition(Forest.of(network.weight[:, rows] > 0), claim, most)
        energy[rows] = fair.solve(_whole(problem, network, rows, fair, unit)) * unit
    return np.minimum(energy, problem.need_kwh)


@dataclass(frozen=True, slots=True)
class Forest:
    """The limits as a forest: `parent` [M] and, for each EV, its `innermost` limit [N]; -1 is none. Children first."""

    parent: Ints
    innermost: Ints
    by_size: Ints

    @classmethod
    def of(cls, inside: Bools) -> Forest:
        size = inside.sum(axis=1)
        by_size = np.argsort(size, kind="stable")
        parent = np.full(len(inside), -1, dtype=np.int64)
        innermost = np.full(inside.shape[1], -1, dtype=np.int64)
        for position, row in enumerate(by_size):
            for other in by_size[position + 1 :]:
                if inside[other, np.argmax(inside[row])]:
                    parent[row] = other
                    break
        for row in by_size[::-1]:
            innermost[inside[row]] = row
        return cls(parent, innermost, by_size)


@dataclass(frozen=True, slots=True)
class _Part:
    """A set of EVs with what it may use: `pairs` [n, J] into its innermost limits, `room` [M, J] of the limits that are
    `on` here, `sure` [n] what each gets anyhow, and `total` what the set as a whole can get.
    """

    evs: Ints
    pairs: Wholes
    room: Wholes
    on: Bools
    sure: Wholes
    total: int

    def narrowed(self) -> _Part:
        """The same part without the cells that none of its EVs can use any more."""
        kept = np.flatnonzero(self.pairs.any(axis=0))
        return replace(self, pairs=self.pairs[:, kept], room=self.room[:, kept], on=self.on[:, kept])


def _whole(problem: Problem, network: Network, rows: Ints, fair: _Decomposition, unit: float) -> _Part:
    """The part that is everything, with neighbouring cells that are alike merged into one."""
    stay_h, room = problem.stay_h[rows], network.room
    whole = stay_h >= problem.hours - NOISE_H
    same = (whole[:, 1:] & whole[:, :-1]) | ((stay_h[:, 1:] == 0) & (stay_h[:, :-1] == 0))
    changes = ~same.all(axis=0) | (room[:, 1:] != room[:, :-1]).any(axis=0)
    first = np.concatenate(([0], np.flatnonzero(changes) + 1))
    hours = np.add.reduceat(problem.hours, first)
    pairs = np.floor(np.add.reduceat(stay_h, first, axis=1) * (problem.max_kw[rows] / unit)[:, None])
    pairs = np.minimum(pairs, fair.most[:, None])
    room_kwh = np.minimum(room[:, first] * hours / unit, LARGEST)
    return _Part(
        evs=np.arange(len(rows)),
        pairs=pairs.astype(np.int64),
        room=np.floor(room_kwh).astype(np.int64),
        on=np.ones(room_kwh.shape, dtype=bool),
        sure=np.zeros(len(rows), dtype=np.int64),
        total=int(fair.most.sum()),
    )


class _Decomposition:
    def __init__(self, forest: Forest, claim: Floats, most: Wholes) -> None:
        self.forest, self.claim, self.most = forest, claim, most
        self.flows = 0

    def solve(self, whole: _Part) -> Wholes:
        energy = np.zeros(len(self.most), dtype=np.int64)
        parts = [whole]
        while parts:
            part = parts.pop()
            offer = self._offer(part)
            cut = self._cut(part, offer)
            smaller = [] if cut is None else self._split(part, *cut)
            if smaller:
                parts += smaller
            else:
                energy[part.evs] = offer
        return energy

    def _offer(self, part: _Part) -> Wholes:
        """[n], what each gets at the common level that uses up the part's total."""
        most, sure = self.most[part.evs], part.sure
        if part.total >= most.sum():
            return most
        count = len(most)
        claim = self.claim[:, part.evs]
        low, high = sure.astype(np.float64), most.astype(np.float64)
        room = max(float(part.total), low.sum())
        level = water_levels(np.ones((1, count)), np.array([room]), claim, low, high)[0]
        offer: Wholes = np.floor(np.clip(claim[0] * level + claim[1], low, high) + 1e-3).astype(np.int64)
        return offer

    def _cut(self, part: _Part, offer: Wholes) -> tuple[Bools, Bools] | None:
        """None if the offer can be carried; else (EVs [n] and limits [M, J] on the source's side)."""
        evs = len(part.evs)
        asked = offer - part.sure
        if evs <= FEW:
            return self._cut_among_few(part, asked)
        limits, cells = part.on.shape
        entry = self.forest.innermost[part.evs]
        node = evs + np.arange(limits * cells).reshape(limits, cells)
        source, sink = evs + limits * cells, evs + limits * cells + 1
        ev, cell = np.nonzero(part.pairs)
        upward = self.forest.parent
        if limits == 1:
            entered = cell + evs
            above = np.full(cells, sink)
        else:
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
        self.flows += 1
        result = maximum_flow(graph, source, sink)
        if int(asked.sum()) - result.flow_value <= evs + limits * cells:
            return None
        residual = graph - result.flow
        residual.data[residual.data < 0] = 0
        residual.eliminate_zeros()
        reached = np.zeros(sink + 1, dtype=bool)
        reached[breadth_first_order(residual, source, return_predecessors=False)] = True
        return reached[:evs], reached[evs:source].reshape(limits, cells)

    def _cut_among_few(self, part: _Part, asked: Wholes) -> tuple[Bools, Bools] | None:
        """`_cut` by looking at every set of EVs: what it can carry is known in closed form, cell by cell."""
        evs, (limits, cells) = len(asked), part.on.shape
        sets = _SETS[evs]
        entry = self.forest.innermost[part.evs]
        room = np.where(part.on, part.room, LARGEST)
        inflow = np.zeros((limits, len(sets), cells))
        free = np.zeros(len(sets))
        for limit in range(-1, limits):
            members = entry == limit
            if members.any():
                drawn = sets[:, members] @ part.pairs[members]
                if limit < 0:
                    free += drawn.sum(axis=1)
                else:
                    inflow[limit] = drawn
        for limit in self.forest.by_size:
            carried = np.minimum(inflow[limit], room[limit])
            above = self.forest.parent[limit]
            if above >= 0:
                inflow[above] += carried
            else:
                free += carried.sum(axis=1)
        spare = free - sets @ asked
        worst = int(np.argmin(spare))
        if spare[worst] >= -(evs + limits * cells):
            return None
        reached = np.zeros((limits, cells), dtype=bool)
        for limit in self.forest.by_size[::-1]:
            above = self.forest.parent[limit]
            inherited = reached[above] if above >= 0 else np.zeros(cells, dtype=bool)
            reached[limit] = (inflow[limit, worst] > room[limit]) | (inherited & (inflow[limit, worst] > 0))
        return sets[worst] > 0, reached & part.on

    def _split(self, part: _Part, held: Bools, reached: Bools) -> list[_Part]:
        """The EVs that the level was too high for with the limits that hold them, and the others with what those leave."""
        forest = self.forest
        entry = forest.innermost[part.evs]
        within = reached[entry] & (entry >= 0)[:, None] if len(reached) else np.zeros(part.pairs.shape, dtype=bool)
        leaving = np.where(within, 0, part.pairs)
        sure = part.sure[held] + leaving[held].sum(axis=1)
        inner = part.on & reached
        outlets = inner.copy()
        for row in np.flatnonzero(forest.parent >= 0):
            outlets[row] &= ~inner[forest.parent[row]]
        total = int(sure.sum() + part.room[outlets].sum())
        if held.all() and total >= part.total:
            return []
        pairs = np.where(within, part.pairs, 0)[held]
        low = _Part(part.evs[held], pairs, part.room, inner, sure, total).narrowed()
        if held.all():
            return [low]
        taken = np.zeros_like(part.room)
        limited = held & (entry >= 0)
        np.add.at(taken, entry[limited], leaving[limited])
        for row in forest.by_size:
            above = forest.parent[row]
            if above >= 0:
                taken[above] += np.where(outlets[row], part.room[row], np.where(inner[row], 0, taken[row]))
        high = _Part(
            evs=part.evs[~held],
            pairs=leaving[~held],
            room=np.maximum(part.room - taken, 0),
            on=part.on & ~reached,
            sure=part.sure[~held],
            total=part.total - total,
        ).narrowed()
        return [low, high]
