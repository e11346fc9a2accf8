"""The limits of a problem as rows that weigh powers: one per circuit in kW, one per circuit and phase in amperes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from optivgi.algorithms import rates
from optivgi.model.checks import below, summed
from optivgi.model.problem import Bools, Floats, Ints, Problem


@dataclass(frozen=True, slots=True)
class Network:
    """`weight` [M, S] and `room` [M, K]: weight @ power <= room in every cell.

    `nested` says that every row weighs its EVs by 1 and that any two rows are disjoint or one inside the other: then the
    deliverable energies are those of a flow network.
    """

    weight: Floats
    room: Floats
    nested: bool
    single: bool = False
    """Whether there is one limit for everybody."""
    tiers: rates.Tiers = ()
    """Sets of disjoint rows, inner ones first: which of them each EV is in, or -1."""

    def within(self, budget_kw: Floats) -> Network:
        """The network with the sum of all powers at most `budget_kw` [K] too."""
        if self.single:
            return replace(self, room=np.minimum(self.room, budget_kw))
        every = np.ones((1, self.weight.shape[1]))
        weight, room = np.concatenate((self.weight, every)), np.concatenate((self.room, budget_kw[None, :]))
        return replace(self, weight=weight, room=room, tiers=_tiers(weight) if self.nested else ())

    @classmethod
    def of(cls, problem: Problem) -> Network:
        """Rows that can bind; those above nobody or without a limit are left out."""
        evs, cells = problem.stay_h.shape
        if len(problem.parent) == 1 and not np.isfinite(problem.limit_a).any():
            every = np.zeros(evs, dtype=np.int64)
            return cls(np.ones((1, evs)), problem.limit_kw, nested=True, single=True, tiers=(every,))
        mask = below(problem)
        weights, rooms = [np.zeros((0, evs))], [np.zeros((0, cells))]
        for phase in range(-1, 3):
            limit = problem.limit_kw if phase < 0 else problem.room_a(phase)
            kept = np.flatnonzero(np.isfinite(limit).any(axis=1))
            if len(kept) == 0:
                continue
            rows = mask[kept] if phase < 0 else mask[kept] * problem.amps_per_kw[:, phase]
            bound = rows.any(axis=1)
            weights.append(rows[bound])
            rooms.append(limit[kept[bound]])
        return _without_twins(np.concatenate(weights), np.concatenate(rooms))

    def drawn(self, power_kw: Floats) -> Floats:
        """[M, K], what powers [S, K] take of every limit."""
        if self.single:
            taken: Floats = np.add.reduce(power_kw)[None, :]
        elif self.nested:
            taken = np.zeros((len(self.room), power_kw.shape[1]))
            for tier in self.tiers:
                taken += summed(tier, power_kw, len(self.room))
        else:
            taken = self.weight @ power_kw
        return taken

    def take(self, order: Ints) -> Network:
        """The same limits on the EVs at positions `order`, in that order."""
        return replace(self, weight=self.weight[:, order], tiers=tuple(tier[order] for tier in self.tiers))

    def at(self, cell: int, rows: Ints | slice) -> Limits:
        """The limits on the EVs at positions `rows` in one cell."""
        if self.single:
            return OneLimit(self.weight, self.room[:, cell], None, float(self.room[0, cell]))
        tiers = tuple(tier[rows] for tier in self.tiers) if self.nested else None
        return Limits(self.weight[:, rows], self.room[:, cell], tiers)


@dataclass(frozen=True, slots=True)
class Limits:
    """`weight` [M, N] and `room` [M] of one cell; `tiers` if they are nested."""

    weight: Floats
    room: Floats
    tiers: rates.Tiers | None

    def fill(self, claim: Floats, low_kw: Floats, high_kw: Floats) -> Floats:
        """rates.fill by the quickest way."""
        if self.tiers is None:
            return rates.fill(self.weight, self.room, claim, low_kw, high_kw)
        return rates.fill_nested(self.tiers, self.room, claim, np.stack((low_kw, high_kw)))

    def fit(self, power_kw: Floats) -> bool:
        """Whether these powers keep every limit."""
        return bool((self._drawn(power_kw) <= self.room + rates.ROUNDING).all())

    def left(self, power_kw: Floats) -> Floats:
        """[M], what these powers leave."""
        rest: Floats = self.room - self._drawn(power_kw)
        return rest

    def _drawn(self, power_kw: Floats) -> Floats:
        if self.tiers is None:
            return np.asarray(self.weight @ power_kw, dtype=np.float64)
        return rates.drawn(self.tiers, power_kw, len(self.room))

    def more(self, power_kw: Floats) -> Limits:
        """What these powers leave of the limits."""
        return Limits(self.weight, np.maximum(self.left(power_kw), 0.0), self.tiers)

    def in_sequence(self, order: Ints, low_kw: Floats, high_kw: Floats) -> Floats:
        """rates.in_sequence."""
        return rates.in_sequence(self.weight, self.room, order, low_kw, high_kw)

    def admitted(self, order: Ints, min_kw: Floats) -> Bools:
        """rates.admitted."""
        return rates.admitted(self.weight, self.room, order, min_kw)


@dataclass(frozen=True, slots=True)
class OneLimit(Limits):
    """The limit of a site with one circuit."""

    kw: float

    def fill(self, claim: Floats, low_kw: Floats, high_kw: Floats) -> Floats:
        return rates.fill_one(self.kw, claim, low_kw, high_kw)

    def in_sequence(self, order: Ints, low_kw: Floats, high_kw: Floats) -> Floats:
        return rates.in_sequence(np.ones((1, len(low_kw))), self.room, order, low_kw, high_kw)

    def more(self, power_kw: Floats) -> Limits:
        room = np.maximum(self.left(power_kw), 0.0)
        return OneLimit(self.weight, room, None, float(room[0]))

    def fit(self, power_kw: Floats) -> bool:
        return bool(np.add.reduce(power_kw) <= self.kw + rates.ROUNDING)

    def left(self, power_kw: Floats) -> Floats:
        rest: Floats = self.room - np.add.reduce(power_kw)
        return rest

    def admitted(self, order: Ints, min_kw: Floats) -> Bools:
        return rates.admitted_one(self.kw, order, min_kw)


def _tiers(weight: Floats) -> rates.Tiers:
    """Sets of disjoint rows of nested ones, smaller rows first."""
    depth = np.zeros(weight.shape[1], dtype=np.int64)
    tiers: list[Ints] = []
    for row, inside in enumerate(weight > 0):
        tier = int(depth.max(initial=0, where=inside))
        if tier == len(tiers):
            tiers.append(np.full(weight.shape[1], -1, dtype=np.int64))
        tiers[tier][inside] = row
        depth[inside] = tier + 1
    return tuple(tiers)


def _without_twins(weight: Floats, room: Floats) -> Network:
    """The network with rows that weigh the same EVs in proportion merged: the strictest room counts."""
    scale = weight.max(axis=1, initial=0.0)
    shape, room = np.round(weight / scale[:, None], 9), room / scale[:, None]
    size = np.count_nonzero(shape, axis=1)
    order = np.argsort(size, kind="stable")
    seen: dict[bytes, int] = {}
    for row in order.tolist():
        twin = seen.setdefault(shape[row].tobytes(), row)
        if twin != row:
            room[twin] = np.minimum(room[twin], room[row])
    kept = np.array(list(seen.values()), dtype=np.int64)
    shape = shape[kept]
    nested = _nested(shape, size[kept])
    return Network(shape, room[kept], nested, tiers=_tiers(shape) if nested else ())


def _nested(shape: Floats, size: Ints) -> bool:
    """Whether every row (smaller ones first) weighs its EVs alike and any two rows are disjoint or one inside the other."""
    shared = shape @ shape.T
    inside = np.minimum(size[:, None], size)
    return bool(((shape == 0.0) | (shape == 1.0)).all() and ((shared == 0.0) | (shared == inside)).all())


@dataclass(frozen=True, slots=True)
class Forest:
    """Nested limits as a forest: `parent` [M] and, for each EV, its `innermost` limit [N]; -1 is none. `tiers` are sets of
    disjoint limits, children first.
    """

    parent: Ints
    innermost: Ints
    tiers: tuple[Ints, ...]

    @classmethod
    def of(cls, network: Network, rows: Ints | slice = slice(None)) -> Forest:
        """The nested limits of a network on the EVs at positions `rows`."""
        limits, evs = network.weight[:, rows].shape
        parent, innermost, tiers = np.full(limits, -1), np.full(evs, -1), []
        for row in reversed(network.tiers):
            tier = row[rows]
            inside = tier >= 0
            parent[tier[inside]] = innermost[inside]
            innermost = np.where(inside, tier, innermost)
            tiers.append(np.unique(tier[inside]))
        return cls(parent, innermost, tuple(reversed(tiers)))
