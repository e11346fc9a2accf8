"""`plain.Cells` for few EVs: the same sums in plain Python numbers, which cost less than arrays of so few."""

from __future__ import annotations

import numpy as np

from optivgi.algorithms.plain import DONE_KWH, SAME_H, TINY_KW, Cells
from optivgi.algorithms.rates import ROUNDING
from optivgi.model.problem import Floats, Problem

FEW = 12

Numbers = list[float]


def cells_of(problem: Problem, room_kw: Floats, need_kwh: Floats, target_kwh: Floats) -> Cells:
    """The cells of a problem, in the quicker form."""
    kind = CellsOfFew if len(need_kwh) <= FEW else Cells
    return kind(problem, room_kw, need_kwh, target_kwh)


class CellsOfFew(Cells):
    """Least laxity in plain numbers; see `Cells`."""

    def powers(self, early_h: float | None) -> Floats:
        if early_h is not None:
            return super().powers(early_h)
        need, target = self.need.tolist(), self.target.tolist()
        least, most = self.least.tolist(), self.most.tolist()
        rows = []
        by_cell = (self.stay[1:].tolist(), self.ahead[1:].tolist(), self.enough[1:].tolist())
        for stay, ahead, enough, here, room in zip(*by_cell, self.here[1:], self.room[1:], strict=True):
            power, total = [0.0] * len(need), 0.0
            for ev in range(here):
                if target[ev] > enough[ev]:
                    power[ev] = wanted = min(max(target[ev] / stay[ev], least[ev]), most[ev])
                    total += wanted
            if total > room + ROUNDING:
                power = _least_laxity(power, [stay, ahead, target, least, most], here, room)
            elif self.beyond_target:
                _top_up(power, [stay, ahead, need, least, most], here, room)
            for ev in range(here):
                if power[ev] > TINY_KW:
                    energy = power[ev] * stay[ev]
                    target[ev] -= energy
                    need[ev] -= energy
                else:
                    power[ev] = 0.0
            rows.append(power)
        powers = np.empty((len(need), len(rows)))
        powers[self.order] = np.array(rows).reshape(len(rows), len(need)).T
        return powers


def _least_laxity(wanted: Numbers, evs: list[Numbers], here: int, room: float) -> Numbers:
    """`Cells._least_laxity`; `evs` are stay, time ahead, target, minimum and maximum of each."""
    stay, ahead, target, least, most = evs
    asking = [ev for ev in range(here) if wanted[ev] > 0.0]
    slope, laxity, steps = [0.0] * here, [0.0] * here, []
    for ev in asking:
        laxity[ev] = first = ahead[ev] - target[ev] / most[ev]
        slope[ev] = rise = most[ev] / stay[ev]
        steps += [(first, rise), (first + wanted[ev] / rise, -rise)]
    steps.sort()
    level, rate, filled = steps[0][0], 0.0, 0.0
    for at, change in steps:
        if rate > 0.0 and filled + rate * (at - level) >= room:
            level += (room - filled) / rate
            break
        filled += rate * (at - level)
        level, rate = at, rate + change
    fluid, squeezed = [0.0] * len(wanted), False
    for ev in asking:
        if level > laxity[ev]:
            fluid[ev] = power = min(slope[ev] * (level - laxity[ev]), wanted[ev])
            if TINY_KW < power < least[ev] - TINY_KW and power < wanted[ev] - TINY_KW:
                squeezed = True
    if not squeezed:
        return fluid
    left, power_kw, low, high = room + ROUNDING, [0.0] * len(wanted), [0.0] * len(wanted), [0.0] * len(wanted)
    for ev in sorted((ev for ev in asking if fluid[ev] > TINY_KW), key=lambda ev: round(laxity[ev] / SAME_H)):
        required = (target[ev] - most[ev] * (ahead[ev] - stay[ev])) / stay[ev]
        reserved = max(min(required, fluid[ev]), min(least[ev], wanted[ev]))
        if reserved <= left:
            left -= reserved
            low[ev], high[ev], power_kw[ev] = reserved, wanted[ev], max(fluid[ev], reserved)
    return _fitted(power_kw, low, high, room)


def _top_up(power: Numbers, evs: list[Numbers], here: int, room: float) -> None:
    """`Cells._topped_up`, in place; `evs` are stay, time ahead, need, minimum and maximum of each."""
    stay, ahead, need, least, most = evs
    high = [0.0] * len(power)
    for ev in range(here):
        if need[ev] > DONE_KWH:
            high[ev] = min(max(need[ev] / stay[ev], least[ev]), most[ev])
    running = [max(high[ev], power[ev]) if power[ev] > TINY_KW else power[ev] for ev in range(len(power))]
    power[:] = _fitted(power, power, running, room)
    left = room - sum(power)
    idle = [ev for ev in range(here) if power[ev] <= TINY_KW < high[ev]]
    if left < TINY_KW or not idle:
        return
    low, goal = power.copy(), power.copy()
    for ev in sorted(idle, key=lambda ev: round((ahead[ev] - need[ev] / most[ev]) / SAME_H)):
        if least[ev] <= left + ROUNDING:
            left -= least[ev]
            low[ev], goal[ev] = least[ev], high[ev]
    power[:] = _fitted(low, low, goal, room)


def _fitted(power: Numbers, low: Numbers, high: Numbers, room: float) -> Numbers:
    """`plain.fitted` in plain numbers."""
    missing = room - sum(power)
    goal = high if missing > 0.0 else low
    length = sum(abs(to - of) for to, of in zip(goal, power, strict=True))
    if 0.0 < length <= missing:
        return high
    if length <= TINY_KW:
        return power
    part = abs(missing) / max(length, abs(missing))
    return [of + (to - of) * part for to, of in zip(goal, power, strict=True)]
