"""Letting EVs run in more cells: what minimum powers keep from an EV is often a turn that another can spare."""

from __future__ import annotations

import numpy as np

from optivgi.algorithms.network import Network
from optivgi.model.problem import Bools, Floats, Ints, Problem

NOISE = 1e-9
MOST_TAKERS = 12
MOST_TURNS = 2
MOST_GIVERS = 32
EXCESS = 1e-3
"""An EV this part of its energy above its target may give up a turn."""
OVERSHOOT = 0.5
"""A turn may give an EV this much more than its gap, as a part of it, beyond what the EV can give back elsewhere."""
FROM_OTHERS = 0.3
"""How readily EVs that are not above their target are squeezed, against those that are."""
TAKEN_FROM_OTHERS = 0.5
"""What a turn is worth when all of it is taken from EVs that are not above their target."""

MIXING = 0.5
"""A turn may make the squares of the gaps larger by this part of the taker's: it still mixes EVs that always ran together,
so that they can exchange.
"""
GIFT = 0.5
"""A turn that makes the squares of the gaps smaller by less than this part of the taker's only moves the gap: it is the last."""


def movable(problem: Problem) -> Bools:
    """[S, K], cells after the first in which the EV is all the time."""
    whole = problem.stay_h >= problem.hours - NOISE
    whole[:, 0] = False
    return whole


def let_in(problem: Problem, network: Network, power_kw: Floats, target_kwh: Floats, *, worth: float) -> Floats | None:
    """Powers [S, K] with more turns for EVs that are short of their target by more than `worth` of their energy, the
    shortest first; None if there is no turn that helps.

    A turn comes from others under the same limit who run in that cell: they go down towards their minimum, or one that
    gets more than its target gives up its own. What is best brings the squares of the gaps, as parts of the EVs' energies,
    down most. Their sum may still rise: chains of exchanges are to follow.
    """
    turns = _Turns(problem, network, power_kw.copy(), target_kwh)
    return turns.power if turns.give(worth) else None


class _Turns:
    def __init__(self, problem: Problem, network: Network, power: Floats, target_kwh: Floats) -> None:
        self.hours, self.least, self.most = problem.hours, problem.min_kw, problem.max_kw
        self.power, self.movable = power, movable(problem)
        self.whole = np.maximum(problem.need_kwh + problem.delivered_kwh, 1e-3)
        self.scale = self.whole**-2.0
        self.gap: Floats = np.minimum(target_kwh, problem.need_kwh) - problem.energy_kwh(power)
        self.beyond = np.maximum(problem.need_kwh - target_kwh, 0.0)
        """[S], what it needs beyond its target."""
        self.above = network.weight > 0
        """[M, S], who is under which limit; inner limits come first."""
        self.free = np.maximum(network.room - network.drawn(power), 0.0)
        self.runs = power > NOISE
        self.swapped = False
        self.spare = np.where(self.runs & self.movable, power - self.least[:, None], 0.0)
        self.spare_of: Floats = self.above.astype(np.float64) @ self.spare
        """[M, K], by how much those under each limit can go down together."""

    def give(self, worth: float) -> int:
        """How many turns were given."""
        given = 0
        short = self.gap / self.whole
        for taker in np.argsort(-short)[:MOST_TAKERS].tolist():
            if short[taker] <= worth:
                break
            for _ in range(MOST_TURNS):
                if self.gap[taker] <= worth * self.whole[taker] or not self._give_one(taker):
                    break
                given += 1
                if self.swapped:
                    return given
        return given

    def _give_one(self, taker: int) -> bool:
        gap, least_kwh = self.gap[taker], self.least[taker] * self.hours
        back = float(np.add.reduce(self.spare[taker] * self.hours))
        most_kwh = back + min((1 + OVERSHOOT) * gap, gap + self.beyond[taker])
        may = self.movable[taker] & ~self.runs[taker] & (least_kwh <= most_kwh)
        cells = np.flatnonzero(may)
        if len(cells) == 0:
            return False
        path = np.flatnonzero(self.above[:, taker])
        free = self.free[np.ix_(path, cells)]
        givers = np.flatnonzero(self.gap < -EXCESS * self.whole)
        if len(givers) > MOST_GIVERS:
            givers = np.sort(givers[np.argsort(self.gap[givers], kind="stable")[:MOST_GIVERS]])
        squeezed, value = self._squeezed(taker, cells, (path, free), back, givers)
        giver, cell, power, more = self._handed_over(taker, cells, (path, free), back, givers)
        bar = gap**2 * self.scale[taker]
        if max(value, more) <= -MIXING * bar:
            return False
        self.swapped = max(value, more) < GIFT * bar
        if value >= more:
            self._squeeze(taker, int(cells[squeezed]), path)
        else:
            self._hand_over(giver, taker, cell, power)
        return True

    def _gain(self, taker: int, energy: Floats, back: float) -> Floats:
        """By how much the square of the taker's gap falls with `energy` more, of which it can give `back` some elsewhere."""
        gap = self.gap[taker]
        left = np.maximum(gap - energy, 0.0) ** 2 + np.maximum(energy - gap - back, 0.0) ** 2
        gained: Floats = (gap**2 - left) * self.scale[taker]
        return gained

    def _squeezed(
        self, taker: int, cells: Ints, limits: tuple[Ints, Floats], back: float, givers: Ints
    ) -> tuple[int, float]:
        """The best cell to run in at its minimum while others give way: (position in `cells`, value). `limits` are those above
        the taker and what is free of them in the cells.
        """
        hours, least = self.hours[cells], self.least[taker]
        missing = least - limits[1]
        binding = limits[0][np.argmax(missing > 0, axis=0)] if len(missing) else np.zeros(len(cells), dtype=np.int64)
        most = np.maximum(missing.max(axis=0, initial=0.0), 0.0)
        taken = most * hours
        if len(givers):
            under = self.above[binding][:, givers].T
            from_givers = np.minimum(self.spare[np.ix_(givers, cells)] * hours * under, -self.gap[givers, None]).sum(
                axis=0
            )
            taken = np.maximum(taken - from_givers, 0.0)
        value = self._gain(taker, least * hours, back) * (
            1.0 - TAKEN_FROM_OTHERS * taken / np.maximum(least * hours, NOISE)
        )
        value[most > np.where(most > 0, self.spare_of[binding, cells], np.inf) + NOISE] = -np.inf
        best = int(np.argmax(value))
        return best, float(value[best])

    def _handed_over(
        self, taker: int, cells: Ints, limits: tuple[Ints, Floats], back: float, givers: Ints
    ) -> tuple[int, int, float, float]:
        """The best turn to take over: (whose, cell, at what power, value)."""
        if len(givers) == 0:
            return -1, -1, 0.0, -np.inf
        here = np.ix_(givers, cells)
        given = np.where(self.movable[here], self.power[here], 0.0)
        hours, lost = self.hours[cells], given * self.hours[cells]
        loss = (lost + 2.0 * self.gap[givers, None]) * lost * self.scale[givers, None]
        wanted = np.clip(self.gap[taker] / hours, self.least[taker], self.most[taker])
        taken = np.broadcast_to(wanted, given.shape)
        for limit, free in zip(*limits, strict=True):
            taken = np.minimum(taken, free + given * self.above[limit, givers][:, None])
        value = self._gain(taker, taken * hours, back) - loss
        value[(given <= NOISE) | (taken < self.least[taker])] = -np.inf
        row, column = divmod(int(np.argmax(value)), len(cells))
        return int(givers[row]), int(cells[column]), float(taken[row, column]), float(value[row, column])

    def _squeeze(self, taker: int, cell: int, path: Ints) -> None:
        missing = self.least[taker] - self.free[path, cell]
        if (missing > 0).any():
            spare = np.where(self.above[path[np.argmax(missing > 0)]], self.spare[:, cell], 0.0)
            ready = spare * np.where(self.gap < 0, 1.0, FROM_OTHERS)
            missing_kw = float(missing.max())
            less = np.minimum(spare, ready * (missing_kw / ready.sum()))
            rest = spare - less
            if (still := missing_kw - less.sum()) > NOISE:
                less += rest * (still / rest.sum())
            self._change(np.flatnonzero(less), cell, self.power[:, cell] - less)
        self._change(np.array([taker]), cell, np.full(len(self.gap), self.least[taker]))

    def _hand_over(self, giver: int, taker: int, cell: int, power_kw: float) -> None:
        power = self.power[:, cell].copy()
        power[giver], power[taker] = 0.0, power_kw
        self._change(np.array([giver, taker]), cell, power)

    def _change(self, evs: Ints, cell: int, power_kw: Floats) -> None:
        new = power_kw[evs]
        more = new - self.power[evs, cell]
        spare = np.where(new > NOISE, new - self.least[evs], 0.0)
        self.spare_of[:, cell] += self.above[:, evs] @ (spare - self.spare[evs, cell])
        self.spare[evs, cell], self.runs[evs, cell] = spare, new > NOISE
        self.power[evs, cell] = new
        self.gap[evs] -= more * self.hours[cell]
        self.free[:, cell] = np.maximum(self.free[:, cell] - np.add.reduce(self.above[:, evs] * more, axis=1), 0.0)
