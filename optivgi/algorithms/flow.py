"""Fair energies by flows: source -> EV -> innermost circuit in a cell -> ... -> outermost circuit in that cell -> sink.

With nested limits the deliverable energies of the EVs form a polymatroid, so that the lexicographic max-min fair energies
also have the largest total (Megiddo 1974, Fujishige 1980): fairness costs no energy. They are found by decomposition
(Groenevelt 1991): offer everyone the common level that would use up all that the set can get; if the flow cannot carry it,
the minimum cut names the EVs that the level is too high for, and both sides are problems of their own, with less of everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from optivgi.algorithms.few_sets import FEW, SETS, fair_among_few
from optivgi.algorithms.maxflow import LARGEST, Wholes, exchange, maximum_flow, reachable
from optivgi.algorithms.network import Forest, Network
from optivgi.algorithms.rates import filled_to
from optivgi.model.problem import Bools, Floats, Ints, Problem

DONE_KWH = 1e-6
NOISE_H = 1e-9
LEVEL_NOISE = 1e-6
Cut = tuple[Bools, Bools]
"""EVs [n] and limits in cells [M, J] on the source's side."""

MOST_SETS = 16


def fair_energies(problem: Problem, network: Network, *, proven: bool = True) -> Floats:
    """[S] kWh, lexicographic max-min fair in the fraction of need + delivered, divided by the priority.

    `network` must be nested. Exact to about a billionth of the sum of needs. If they need not be `proven`, they may be too high
    for some EVs under a single limit, which is rare: then no powers reach them.
    """
    most_kwh = np.minimum(problem.need_kwh, problem.max_kw * problem.stay_h.sum(axis=1))
    energy = np.zeros(len(most_kwh))
    rows = np.flatnonzero(most_kwh > DONE_KWH)
    if len(rows):
        total = problem.need_kwh[rows] + problem.delivered_kwh[rows]
        claim = np.stack((problem.priority[rows] * total, -problem.delivered_kwh[rows]))
        if network.single and len(rows) <= FEW:
            pairs = problem.stay_h[rows] * problem.max_kw[rows, None]
            few = fair_among_few(pairs, network.room[0] * problem.hours, claim, most_kwh[rows], np.zeros(len(rows)))
            if few is not None:
                energy[rows] = few
                return np.minimum(energy, problem.need_kwh)
        unit = most_kwh[rows].sum() / LARGEST
        claim /= unit
        most = np.floor(most_kwh[rows] / unit).astype(np.int64)
        fair = _Decomposition(Forest.of(network.weight[:, rows] > 0), claim, most)
        energy[rows] = fair.solve(_whole(problem, network, rows, fair, unit), proven=proven) * unit
    return np.minimum(energy, problem.need_kwh)


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

    def solve(self, whole: _Part, *, proven: bool) -> Wholes:
        if len(self.forest.parent) == 1:
            energy, in_order = self._decomposed(whole, self._likely_cut)
            if in_order and (not proven or self._cut(whole, energy) is None):
                return energy
        return self._decomposed(whole, self._cut)[0]

    def _decomposed(self, whole: _Part, cut_of: Callable[[_Part, Wholes], Cut | None]) -> tuple[Wholes, bool]:
        """([N], what each gets; whether those that are held together get less than those that are not)."""
        energy = np.zeros(len(self.most), dtype=np.int64)
        parts, reached, in_order = [whole], -np.inf, True
        while parts:
            part = parts.pop()
            given = self._among_few(part) if cut_of == self._likely_cut and len(part.evs) <= FEW else None
            if given is None:
                given = self._offer(part)
                cut = cut_of(part, given)
                smaller = [] if cut is None else self._split(part, *cut)
                if smaller:
                    parts += smaller[::-1]
                    continue
            energy[part.evs] = given
            lowest, highest = self._levels(part.evs, given)
            in_order &= lowest >= reached - LEVEL_NOISE
            reached = max(reached, highest)
        return energy, in_order

    def _levels(self, evs: Ints, energy: Wholes) -> tuple[float, float]:
        """The lowest level of those who do not get all they want, and the highest of those who get anything."""
        slope, offset = self.claim[:, evs]
        levels = (energy - offset) / slope
        lowest = levels[energy < self.most[evs] - 1].min(initial=np.inf)
        return float(lowest), float(levels[energy > 1].max(initial=-np.inf))

    def _among_few(self, part: _Part) -> Wholes | None:
        """[n], what each gets, by looking at every set of them; None if that does not tell."""
        room = np.where(part.on[0], part.room[0], LARGEST)
        pairs, able, most, sure = (
            each.astype(np.float64) for each in (part.pairs, room, self.most[part.evs], part.sure)
        )
        few = fair_among_few(pairs, able, self.claim[:, part.evs], most, sure)
        return None if few is None else np.floor(few + 1e-3).astype(np.int64)

    def _offer(self, part: _Part) -> Wholes:
        """[n], what each gets at the common level that uses up the part's total."""
        most = self.most[part.evs]
        if part.total >= most.sum():
            return most
        claim = self.claim[:, part.evs]
        low, high = part.sure.astype(np.float64), most.astype(np.float64)
        room = max(float(part.total), low.sum())
        offer: Wholes = np.floor(filled_to(room, claim, low, high)[1] + 1e-3).astype(np.int64)
        return offer

    def _likely_cut(self, part: _Part, offer: Wholes) -> Cut | None:
        """`_cut` among the sets of EVs that cannot get what they are offered after some cell; None may be wrong.

        From such a set both sides are improved in turn: the cells that the set fills, then the EVs for whom the cells
        that it does not fill are not enough. Under one limit that is nearly always the minimum cut.
        """
        asked, room = (offer - part.sure).astype(np.float64), part.room[0][:, None]
        pairs = part.pairs.astype(np.float64)
        some = np.unique(np.linspace(0, pairs.shape[1] - 1, MOST_SETS).astype(np.int64)) if pairs.size else slice(0)
        own = pairs.sum(axis=1, keepdims=True) - np.cumsum(pairs, axis=1)[:, some]
        for _ in range(2):
            held = asked[:, None] > own
            drawn = pairs.T @ held
            own = pairs @ (drawn < room)
        excess = asked @ held - np.minimum(drawn, room).sum(axis=0)
        worst = int(np.argmax(excess)) if excess.size else 0
        if not excess.size or excess[worst] <= sum(pairs.shape):
            return None
        return held[:, worst], (drawn[:, worst] > room[:, 0])[None, :]

    def _cut(self, part: _Part, offer: Wholes) -> Cut | None:
        """None if the offer can be carried; else (EVs [n] and limits [M, J] on the source's side)."""
        evs = len(part.evs)
        asked = offer - part.sure
        if evs <= FEW:
            return self._cut_among_few(part, asked)
        if len(part.on) == 1 and part.on.all():
            return self._cut_under_one(part, asked)
        return self._cut_in_tree(part, asked)

    def _cut_under_one(self, part: _Part, asked: Wholes) -> Cut | None:
        none = np.zeros_like(part.pairs)
        flow = exchange(part.pairs, none, asked, np.zeros_like(asked), part.room[0])
        missing = asked - flow.sum(axis=1)
        if int(missing.sum()) <= sum(part.pairs.shape):
            return None
        evs, cells = reachable(part.pairs > flow, flow > 0, missing > 0)
        return evs, cells[None, :]

    def _cut_in_tree(self, part: _Part, asked: Wholes) -> Cut | None:
        from scipy.sparse import csr_array  # noqa: PLC0415
        from scipy.sparse.csgraph import breadth_first_order  # noqa: PLC0415

        evs = len(part.evs)
        limits, cells = part.on.shape
        entry = self.forest.innermost[part.evs]
        node = evs + np.arange(limits * cells).reshape(limits, cells)
        source, sink = evs + limits * cells, evs + limits * cells + 1
        ev, cell = np.nonzero(part.pairs)
        upward = self.forest.parent
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
        if int(asked.sum()) - int(flow[[source]].sum()) <= evs + limits * cells:
            return None
        residual = graph - flow
        residual.data[residual.data < 0] = 0
        residual.eliminate_zeros()
        reached = np.zeros(sink + 1, dtype=bool)
        reached[breadth_first_order(residual, source, return_predecessors=False)] = True
        return reached[:evs], reached[evs:source].reshape(limits, cells)

    def _cut_among_few(self, part: _Part, asked: Wholes) -> Cut | None:
        """`_cut` by looking at every set of EVs: what it can carry is known in closed form, cell by cell."""
        evs, (limits, cells) = len(asked), part.on.shape
        sets = SETS[evs]
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
