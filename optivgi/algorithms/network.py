"""The limits of a problem as rows that weigh powers: one per circuit in kW, one per circuit and phase in amperes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optivgi.algorithms import rates
from optivgi.model.checks import below
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

    @classmethod
    def of(cls, problem: Problem) -> Network:
        """Rows that can bind; those above nobody or without a limit are left out."""
        evs, cells = problem.present.shape
        if len(problem.parent) == 1 and not np.isfinite(problem.limit_a).any():
            return cls(np.ones((1, evs)), problem.limit_kw, nested=True)
        mask = below(problem)
        weights, rooms = [np.zeros((0, evs))], [np.zeros((0, cells))]
        amps = problem.amps_per_kw.T
        for phase in range(-1, 3):
            limit = problem.limit_kw if phase < 0 else problem.limit_a
            rows = mask if phase < 0 else mask * amps[phase]
            kept = np.flatnonzero(np.isfinite(limit).any(axis=1) & rows.any(axis=1))
            weights.append(rows[kept])
            rooms.append(limit[kept])
        return _without_twins(np.concatenate(weights), np.concatenate(rooms))

    def fill(self, cell: int, rows: Ints, claim: Floats, low_kw: Floats, high_kw: Floats) -> Floats:
        """rates.fill for the EVs at positions `rows`; `claim` [2, N] is slope and offset."""
        return rates.fill(self._weight(rows), self.room[:, cell], claim, low_kw, high_kw)

    def _weight(self, rows: Ints) -> Floats:
        return self.weight if len(rows) == self.weight.shape[1] else self.weight[:, rows]

    def in_sequence(self, cell: int, rows: Ints, order: Ints, low_kw: Floats, high_kw: Floats) -> Floats:
        """rates.in_sequence for the EVs at positions `rows`."""
        return rates.in_sequence(self._weight(rows), self.room[:, cell], order, low_kw, high_kw)

    def admitted(self, cell: int, rows: Ints, order: Ints, min_kw: Floats) -> Bools:
        """rates.admitted for the EVs at positions `rows`."""
        return rates.admitted(self._weight(rows), self.room[:, cell], order, min_kw)

    def room_left(self, cell: int, rows: Ints, power_kw: Floats) -> Floats:
        """[M], what is left of each row's room when the EVs at `rows` draw `power_kw` and the others nothing."""
        rest: Floats = self.room[:, cell] - self._weight(rows) @ power_kw
        return rest


def _without_twins(weight: Floats, room: Floats) -> Network:
    """The network with rows that weigh the same EVs in proportion merged: the strictest room counts."""
    scale = weight.max(axis=1, initial=0.0)
    shape = np.round(weight / scale[:, None], 9)
    seen: dict[bytes, int] = {}
    keep: list[int] = []
    room = room / scale[:, None]
    for row in range(len(weight)):
        twin = seen.setdefault(shape[row].tobytes(), row)
        if twin == row:
            keep.append(row)
        else:
            room[twin] = np.minimum(room[twin], room[row])
    kept = np.array(keep, dtype=np.int64)
    return Network(shape[kept], room[kept], _nested(shape[kept]))


def _nested(shape: Floats) -> bool:
    """Whether every row weighs its EVs alike and any two rows are disjoint or one inside the other."""
    inside = shape > 0
    if not (shape[inside] == 1.0).all():
        return False
    shared = inside.astype(np.float64) @ inside.T
    size = np.diag(shared)
    smaller = np.minimum(size[:, None], size[None, :])
    return bool(((shared == 0) | (shared == smaller)).all())
