"""Fair energies by flows: source -> EV -> innermost circuit in a cell -> ... -> outermost circuit in that cell -> sink.

With nested limits the deliverable energies of the EVs form a polymatroid, so that the lexicographic max-min fair energies
also have the largest total (Megiddo 1974, Fujishige 1980): fairness costs no energy. They are found by decomposition
(Groenevelt 1991): offer everyone the common level that would use up all that the set can get; if the flow cannot carry it,
the minimum cut names the EVs that the level is too high for, and both sides are problems of their own, with less of everything.
"""

from __future__ import annotations

import numpy as np

from optivgi.algorithms.cuts import (
    Cut,
    Part,
    cut_among_few,
    cut_in_tree,
    cut_under_one,
    likely_cut,
    likely_cut_in_tree,
    split,
)
from optivgi.algorithms.few_sets import FEW, fair_among_few
from optivgi.algorithms.maxflow import LARGEST, Wholes
from optivgi.algorithms.network import Forest, Network
from optivgi.algorithms.rates import filled_to
from optivgi.model.problem import Floats, Ints, Problem

DONE_KWH = 1e-6
NOISE_H = 1e-9
LEVEL_NOISE = 1e-6


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
        fair = _Decomposition(Forest.of(network, rows), claim, most)
        energy[rows] = fair.solve(_whole(problem, network, rows, fair, unit), proven=proven) * unit
    return np.minimum(energy, problem.need_kwh)


def _whole(problem: Problem, network: Network, rows: Ints, fair: _Decomposition, unit: float) -> Part:
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
    return Part(
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
        self.single = len(forest.parent) == 1

    def solve(self, whole: Part, *, proven: bool) -> Wholes:
        energy, in_order = self._decomposed(whole, likely=True)
        if in_order and (not proven or self._minimum(whole, energy) is None):
            return energy
        return self._decomposed(whole, likely=False)[0]

    def _decomposed(self, whole: Part, *, likely: bool) -> tuple[Wholes, bool]:
        """([N], what each gets; whether those that are held together get less than those that are not)."""
        energy = np.zeros(len(self.most), dtype=np.int64)
        parts, reached, in_order = [whole], -np.inf, True
        while parts:
            part = parts.pop()
            few = len(part.evs) <= FEW
            given = self._among_few(part) if likely and few and self.single else None
            if given is None:
                given = self._offer(part)
                cut = self._likely(part, given) if likely and not few else self._minimum(part, given)
                smaller = [] if cut is None else split(part, *cut, self.forest)
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

    def _among_few(self, part: Part) -> Wholes | None:
        """[n], what each gets, by looking at every set of them; None if that does not tell."""
        room = np.where(part.on[0], part.room[0], LARGEST)
        pairs, able, most, sure = (
            each.astype(np.float64) for each in (part.pairs, room, self.most[part.evs], part.sure)
        )
        few = fair_among_few(pairs, able, self.claim[:, part.evs], most, sure)
        return None if few is None else np.floor(few + 1e-3).astype(np.int64)

    def _offer(self, part: Part) -> Wholes:
        """[n], what each gets at the common level that uses up the part's total."""
        most = self.most[part.evs]
        if part.total >= most.sum():
            return most
        claim = self.claim[:, part.evs]
        low, high = part.sure.astype(np.float64), most.astype(np.float64)
        room = max(float(part.total), low.sum())
        offer: Wholes = np.floor(filled_to(room, claim, low, high)[1] + 1e-3).astype(np.int64)
        return offer

    def _likely(self, part: Part, offer: Wholes) -> Cut | None:
        return likely_cut(part, offer) if self.single else likely_cut_in_tree(part, offer, self.forest)

    def _minimum(self, part: Part, offer: Wholes) -> Cut | None:
        if len(part.evs) <= FEW:
            return cut_among_few(part, offer, self.forest)
        if self.single and part.on.all():
            return cut_under_one(part, offer)
        return cut_in_tree(part, offer, self.forest)
