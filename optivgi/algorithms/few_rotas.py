"""Who runs when, for few EVs under one limit: what every set of EVs can get tells which turns are worth changing."""

from __future__ import annotations

import numpy as np

from optivgi.algorithms.handing import exchange_among_few
from optivgi.algorithms.network import Network
from optivgi.model.problem import Bools, Floats, Ints, Problem

NOISE = 1e-9
GOAL = 0.993
"""Turns are changed until every set of EVs can get this part of its targets."""
LOST = 0.0005
"""And until not more than this part of all targets is lost, which is not worth looking at."""
MOST_CHANGES = 40
PROMISING = 8
"""Changes are ranked by what they do to sets that get hardly more than their goals; so many are looked at for all sets."""
HARDLY = 0.1
LEAST_GAIN = 1e-3
SHORTEST_H = 1.0 / 6.0
"""Turns in shorter cells stay as they are, so that nobody flaps."""

FEW = 10
EVERY = slice(None)
BITS = {count: 1 << np.arange(count) for count in range(1, FEW + 1)}
"""By number of EVs, the bit of each one: a set of them is the sum of their bits."""
SETS = {count: ((np.arange(1 << count)[:, None] & bits) > 0).astype(np.float64) for count, bits in BITS.items()}
"""By number of EVs, every set of them [2^N, N]."""
NEAR = {count: np.unique(bits[:, None] | bits) for count, bits in BITS.items()}
"""By number of EVs, every one of them and every two."""


def has_rota(problem: Problem, network: Network) -> bool:
    """Whether it is for a `Rota` to say who runs when: few EVs under one limit, all of which may pause, take any power and say
    when they leave.
    """
    return (
        network.single
        and 0 < len(problem.need_kwh) <= FEW
        and bool(problem.pausable.all() and problem.departure_known.all())
        and not (problem.step_kw > 0).any()
        and not np.isfinite(problem.unbalance_kw)
    )


class Rota:
    """Which EVs run in which cell, as sums of their bits, and what each set of EVs can get by that.

    In a cell a set can get the minimums of those of it that run, and of what all minimums leave of the limit as much as
    those can take beyond. EVs can get their targets together if and only if no set of them asks for more than it can get
    (a polymatroid), so the set that is shortest tells how near all can come, before there are any powers.
    """

    def __init__(self, problem: Problem, room_kw: Floats, power_kw: Floats, target_kwh: Floats) -> None:
        there = problem.stay_h > 0
        whole = (problem.stay_h >= problem.hours - NOISE) | ~there
        whole[:, 0] = False
        self.cells: Ints = np.flatnonzero(np.logical_and.reduce(whole) & np.logical_or.reduce(there))
        """[J], those in which powers may move; what EVs get elsewhere is `given` [N]."""
        count = len(target_kwh)
        self.sets, self.bits, self.near = SETS[count], BITS[count], NEAR[count]
        self.hours, self.room = problem.hours[self.cells], room_kw[self.cells]
        here_kw, there = power_kw[:, self.cells], there[:, self.cells]
        self.given: Floats = problem.energy_kwh(power_kw) - here_kw @ self.hours
        self.target, self.missing = target_kwh, np.maximum(target_kwh - self.given, 0.0)
        self.least, self.most = problem.min_kw, problem.max_kw
        self.most_kwh: Floats = problem.need_kwh - self.given
        self.there: Ints = self.bits @ there
        self.always: Ints = self.bits @ (there & (problem.min_kw <= NOISE)[:, None])
        self.runs: Ints = (self.bits @ (here_kw > NOISE)) | self.always
        """[J], the set that runs."""
        self.least_kw: Floats = self.sets @ problem.min_kw
        self.beyond_kw: Floats = self.sets @ (problem.max_kw - problem.min_kw)
        asked = self.sets @ self.missing
        self.asking: Ints = np.flatnonzero(asked > NOISE)
        self.scale: Floats = 1.0 / (self.sets[self.asking] @ target_kwh)
        can = self.hours @ self._can(self.runs, self.room)
        self.part: Floats = 1.0 + can - asked[self.asking] * self.scale
        """Of each set that asks for something, which part of its targets it can get; above 1 if it can get more."""
        spare = self.most_kwh - self.missing
        lost = LOST * target_kwh.sum() + spare.sum() - self.sets[self.asking] @ spare
        self.goal: Floats = np.maximum(GOAL, 1.0 - lost * self.scale)
        """What a set misses is lost as far as it is more than the others need beyond their targets."""

    def reachable_kwh(self) -> Floats:
        """[N], what all can get together if the same part of all targets is left out; not less than they have anyhow."""
        left_out = max(1.0 - float(self.part.min(initial=1.0)), 0.0) * self.target
        return self.given + np.maximum(self.missing - left_out, 0.0)

    def improve(self) -> None:
        """Changes turns, each time the one that helps most, until sets reach their goals or no single change helps."""
        for _ in range(MOST_CHANGES):
            if (self.part >= self.goal).all():
                break
            cell, runs = self._changes()
            tight = np.flatnonzero(self.part < self.goal + HARDLY)
            promising = self._missed(self._parts(cell, runs, tight), tight).argsort(kind="stable")[:PROMISING]
            cell, runs = cell[promising], runs[promising]
            parts = self._parts(cell, runs)
            missed = self._missed(parts)
            if len(missed) == 0 or missed.min() >= (1.0 - LEAST_GAIN) * self._missed(self.part):
                break
            best = int(missed.argmin())
            self.runs[cell[best]], self.part = runs[best], parts[best]

    def powers(self, power_kw: Floats) -> Floats:
        """[S, K], powers that deliver what all can get together, then more to those who can get it, so that none is lost.

        From the given powers, with EVs that are let in at their minimum while others give way towards theirs, energy goes from
        hand to hand. Elsewhere than in `cells` nothing changes.
        """
        runs = (self.runs & self.bits[:, None]) > 0
        before = power_kw[:, self.cells]
        low = np.where(runs, self.least[:, None], 0.0)
        more = np.where(runs, np.maximum(before - low, 0.0), 0.0)
        left = np.maximum(self.room - np.add.reduce(low), 0.0)
        power = low + more * np.minimum(left / np.maximum(np.add.reduce(more), NOISE), 1.0)
        energy, need = power @ self.hours, np.maximum(self.most_kwh, 0.0)
        may = runs & (energy <= need + NOISE)[:, None]
        up = np.where(may, np.maximum(self.most[:, None] - power, 0.0), 0.0) * self.hours
        down, room = (power - low) * self.hours, (self.room - np.add.reduce(power)) * self.hours
        total = np.zeros_like(up)
        for goal in (self.reachable_kwh() - self.given, self.missing, need):
            moved = exchange_among_few(up - total, down + total, goal - energy, np.maximum(room, 0.0))
            total += moved
            energy += np.add.reduce(moved, axis=1)
            room -= np.add.reduce(moved)
        result = power_kw.copy()
        result[:, self.cells] = np.clip(power + total / self.hours, low, np.maximum(power, self.most[:, None] * runs))
        return result

    def _missed(self, part: Floats, those: Ints | slice = EVERY) -> Floats:
        """[...], the sum of the fourth powers of what `those` sets are short of their goals with parts [..., those]."""
        short = np.maximum(self.goal[those] - part, 0.0)
        short *= short
        total: Floats = np.einsum("...s,...s->...", short, short)
        return total

    def _can(self, runs: Ints, room: Floats, those: Ints | slice = EVERY) -> Floats:
        """[..., those], what sets can get in an hour in which `runs` [...] do, as a part of their targets."""
        both = runs[..., None] & self.asking[those]
        left = np.maximum(room - self.least_kw[runs], 0.0)[..., None]
        can: Floats = (np.minimum(self.beyond_kw[both], left) + self.least_kw[both]) * self.scale[those]
        return can

    def _parts(self, cell: Ints, runs: Ints, those: Ints | slice = EVERY) -> Floats:
        """[C, those], the parts of sets after each of the changes: the set that is to run in a cell instead."""
        room = self.room[cell]
        more = self._can(runs, room, those) - self._can(self.runs[cell], room, those)
        parts: Floats = self.part[those] + more * self.hours[cell, None]
        return parts

    def _changes(self) -> tuple[Ints, Ints]:
        """(cell, who runs instead) for every change of one EV or two in one cell; of cells that are alike only in the first."""
        alike: dict[tuple[float, ...], int] = {}
        keys = zip(self.hours.tolist(), self.room.tolist(), self.there.tolist(), self.runs.tolist(), strict=True)
        for position, key in enumerate(keys):
            if key[0] >= SHORTEST_H - NOISE:
                alike.setdefault(key, position)
        cells: Ints = np.array(list(alike.values()), dtype=np.int64)
        new = self.runs[cells, None] ^ self.near
        row, column = np.nonzero(self._may(cells, new))
        return cells[row], new[row, column]

    def _may(self, cells: Ints, new: Ints) -> Bools:
        """Whether sets `new` [C, M] are there and keep the limit, and whoever joins can use its minimum."""
        there, always = self.there[cells, None], self.always[cells, None]
        may = (
            ((new & ~there) == 0) & ((new & always) == always) & (self.least_kw[new] <= self.room[cells, None] + NOISE)
        )
        rest = self.most_kwh - self.least * (self.hours @ self.sets[self.runs])
        full = self.bits @ (self.least * self.hours[cells, None] > np.maximum(rest, 0.0) + NOISE).T
        allowed: Bools = may & ((new & ~self.runs[cells, None] & full[:, None]) == 0)
        return allowed
