"""The quick way through the cells of a plain site: one limit, EVs that are there already, may pause, and say when they leave.

The same rules as in `forward`, but for two things that only matter for what is acted on at once, the first cell: how long an EV
has run or waited plays no part, and EVs whose minimum does not fit give way in proportion.
"""

from __future__ import annotations

import numpy as np

from optivgi.algorithms.rates import ROUNDING, admitted_one, fill_one
from optivgi.model.problem import Bools, Floats, Ints, Problem

DONE_KWH = 1e-6
TINY_KW = 1e-9
TINY_H = 1e-9
SAME_H = 1e-9
"""Laxities that differ by less are the same, or rounding would say who runs: least laxity makes them equal."""
ENOUGH = 0.5
"""Rests of a target below this part of the minimum power are left for later, larger ones are overshot."""


def in_time_h(ahead_h: Floats, early_h: float) -> Floats:
    """[N], how long steady powers take that are done `early_h` before departure; at least half of the time ahead."""
    return np.maximum(ahead_h - early_h, 0.5 * ahead_h)


def is_plain(problem: Problem) -> bool:
    """Whether `Cells` may be used, if there is one limit for all."""
    return bool(
        problem.pausable.all()
        and problem.departure_known.all()
        and (problem.arrival_s <= 0.0).all()
        and not (problem.step_kw > 0).any()
        and not np.isfinite(problem.unbalance_kw)
    )


class Cells:
    """The cells after the first one, with EVs in the order of leaving, last ones first: in each cell a part from the front."""

    def __init__(self, problem: Problem, room_kw: Floats, need_kwh: Floats, target_kwh: Floats) -> None:
        self.order: Ints = np.argsort(-problem.departure_s, kind="stable")
        self.room = room_kw.tolist()
        self.stay = np.ascontiguousarray(problem.stay_h[self.order].T)
        beyond = np.maximum(problem.departure_s[self.order] - problem.edges_s[-1], 0.0) / 3600.0
        self.ahead = np.cumsum(self.stay[::-1], axis=0)[::-1] + beyond
        self.here = (self.stay > 0).sum(axis=1).tolist()
        self.least, self.most = problem.min_kw[self.order], problem.max_kw[self.order]
        self.smallest = float(self.least.min(initial=np.inf))
        self.weight = problem.priority[self.order]
        self.left: Floats = np.stack((need_kwh[self.order], target_kwh[self.order]))
        self.need, self.target = self.left
        less = self.need > self.target + DONE_KWH
        self.beyond_target = bool(less.any())
        self.enough = np.where(less, ENOUGH * self.least, DONE_KWH) * self.stay
        """[K, N] kWh, an EV does not run in a cell for a rest of its target of less than this."""
        self.after = self.most * (self.ahead - self.stay)
        """[K, N] kWh, what it can get after a cell."""
        self.pace = self.most / np.maximum(self.stay, TINY_H)
        """[K, N] kW/h, how steeply its power rises as the common laxity of a cell does."""

    def powers(self, early_h: float | None) -> Floats:
        """[S, K - 1] powers; by least laxity, or first with the steady power that completes each target `early_h` before departure."""
        power = np.zeros(self.stay.shape)
        for cell in range(1, len(power)):
            if here := self.here[cell]:
                stay, room = self.stay[cell, :here], self.room[cell]
                wanted = self._capped(self.target[:here], stay, self.enough[cell, :here])
                if np.add.reduce(wanted) > room + ROUNDING:
                    if early_h is None:
                        wanted = self._least_laxity(cell, wanted)
                    else:
                        wanted = self._on_track(cell, wanted, early_h)
                elif self.beyond_target:
                    wanted = self._topped_up(self.ahead[cell, :here], stay, wanted, room)
                power[cell, :here] = wanted
                self.left[:, :here] -= wanted * stay
        power *= power > TINY_KW
        restored = np.empty_like(power.T)
        restored[self.order] = power.T
        return restored[:, 1:]

    def _capped(self, energy: Floats, stay: Floats, least_kwh: Floats | float = DONE_KWH) -> Floats:
        power = energy / stay
        here = len(stay)
        np.maximum(power, self.least[:here], out=power)
        np.minimum(power, self.most[:here], out=power)
        power *= energy > least_kwh
        return power

    def _least_laxity(self, cell: int, wanted: Floats) -> Floats:
        here, room = len(wanted), self.room[cell]
        target = self.target[:here]
        laxity = self.ahead[cell, :here] - target / self.most[:here]
        fluid = _filled(self.pace[cell, :here], laxity, wanted, room)
        floor = np.minimum(self.least[:here], wanted)
        asking = fluid > TINY_KW
        if not (asking & (fluid < floor - TINY_KW)).any():
            return fluid
        required = (target - self.after[cell, :here]) / self.stay[cell, :here]
        np.minimum(required, fluid, out=required)
        reserved = np.maximum(required, floor, out=required)
        order = np.rint(laxity / SAME_H).argsort(kind="stable")
        order = order[asking[order]]
        used = np.add.accumulate(reserved[order])
        count = int(used.searchsorted(room + ROUNDING, side="right"))
        runs = np.zeros(here)
        runs[order[:count]] = 1.0
        left = room - (used[count - 1] if count else 0.0)
        if count < len(order) and left >= self.smallest:
            runs[admitted_one(left, order[count:], reserved)] = 1.0
        reserved *= runs
        fluid *= runs
        wanted *= runs
        return _fitted(np.maximum(fluid, reserved), reserved, wanted, room)

    def _on_track(self, cell: int, wanted: Floats, early_h: float) -> Floats:
        here, room = len(wanted), self.room[cell]
        target = self.target[:here]
        floor = np.minimum(self.least[:here], wanted)
        if np.add.reduce(floor) > room + ROUNDING:
            return self._least_laxity(cell, wanted)
        first = np.minimum(np.maximum(target / in_time_h(self.ahead[cell, :here], early_h), floor), wanted)
        claim = np.stack((self.weight[:here] * np.maximum(target, DONE_KWH), np.zeros(here)))
        return fill_one(room, claim, fill_one(room, claim, floor, first), wanted)

    def _topped_up(self, ahead: Floats, stay: Floats, power: Floats, room: float) -> Floats:
        """`power` with what is still free given to whoever still needs energy, those that run already before others."""
        here = len(stay)
        high = self._capped(self.need[:here], stay)
        if not (high > power).any():
            return power
        running = power > TINY_KW
        power = _fitted(power, power, np.maximum(high * running, power), room)
        left = room - float(np.add.reduce(power))
        idle: Bools = ~running & (high > TINY_KW)
        if left < TINY_KW or not idle.any():
            return power
        laxity = ahead - self.need[:here] / self.most[:here]
        order = np.rint(laxity / SAME_H).argsort(kind="stable")
        started = admitted_one(left, order[idle[order]], self.least[:here])
        low = np.where(started, self.least[:here], power)
        return _fitted(low, low, np.where(started, high, power), room)


def _filled(slope: Floats, laxity: Floats, wanted: Floats, room: float) -> Floats:
    """[N], clip(slope * (level - laxity), 0, wanted) at the level that fills the room; sum(wanted) must be more than that."""
    count = len(slope)
    at = np.empty(2 * count)
    at[:count] = laxity
    np.divide(wanted, slope, out=at[count:])
    at[count:] += laxity
    rate = np.empty(2 * count)
    rate[:count] = slope
    np.negative(slope, out=rate[count:])
    order = at.argsort()
    at = at[order]
    rate = np.add.accumulate(rate[order])
    filled = np.add.accumulate(rate[:-1] * (at[1:] - at[:-1]))
    position = min(int(filled.searchsorted(room)), len(filled) - 1)
    before = filled[position - 1] if position else 0.0
    level = at[position] + (room - before) / max(rate[position], 1e-300)
    power: Floats = slope * (min(level, at[position + 1]) - laxity)
    np.maximum(power, 0.0, out=power)
    return np.minimum(power, wanted, out=power)


def _fitted(power: Floats, low: Floats, high: Floats, room: float) -> Floats:
    """`power` lowered towards `low` or raised towards `high`, all by the same part of the way, until the room is full."""
    missing = room - np.add.reduce(power)
    way = high - power if missing > 0 else power - low
    length = np.add.reduce(way)
    if 0 < length <= missing:
        return high
    if length <= TINY_KW:
        return power
    moved: Floats = power + way * (missing / max(length, -missing))
    return moved
