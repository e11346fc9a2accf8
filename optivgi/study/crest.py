"""How high sums of powers go while EVs ramp: powers move in straight lines, so that sums are highest where one ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from optivgi.model.framing import Columns
from optivgi.model.problem import PHASES, Floats, Ints
from optivgi.model.site import Site

NOISE_S = 1e-6
OVER_KW = 0.001
"""A sum of powers that is above a limit by no more than this is rounding."""
LEAST_KW = -1e9


class Series:
    """A piecewise-constant series over seconds since an origin; the first value also holds before."""

    def __init__(self, steps: Sequence[tuple[datetime, float]], origin: datetime) -> None:
        self.starts_s = np.array([(start - origin).total_seconds() for start, _ in steps], dtype=np.float64)
        self._values = [value for _, value in steps]

    def at(self, second: float) -> float:
        index = int(self.starts_s.searchsorted(second + NOISE_S, side="right")) - 1
        return self._values[max(index, 0)]

    def least(self, from_s: float, until_s: float) -> float:
        """The smallest value in force from `from_s` to `until_s`."""
        first, last = self.starts_s.searchsorted((from_s + NOISE_S, until_s + NOISE_S), side="right").tolist()
        return min(self._values[max(first - 1, 0) : max(last, 1)])


@dataclass(frozen=True, slots=True)
class Ramps:
    """What N EVs do from now on: from `before_kw` in straight lines to `goal_kw`, reached after `needed_s`; all [N]."""

    before_kw: Floats
    goal_kw: Floats
    needed_s: Floats

    def sums(self, weight: Floats, seconds: float) -> tuple[Floats, Floats]:
        """(instants [M] from 0 to `seconds` at which a ramp ends, the weighted sums [R, M] then) for `weight` [R, N]."""
        start = weight @ np.where(self.needed_s > 0, self.before_kw, self.goal_kw)
        moving = np.flatnonzero(self.needed_s > 0)
        order = moving[np.argsort(self.needed_s[moving])]
        at_s = np.concatenate(([0.0], np.minimum(self.needed_s[order], seconds), [seconds]))
        slope = weight[:, order] * ((self.goal_kw - self.before_kw)[order] / self.needed_s[order])
        still = np.zeros((len(weight), len(order) + 1))
        still[:, :-1] = np.cumsum(slope[:, ::-1], axis=1)[:, ::-1]
        climbed = np.cumsum(still * np.diff(at_s), axis=1)
        return at_s, np.concatenate((start[:, None], start[:, None] + climbed), axis=1)


class Watch:
    """Measures what flows through a site's circuits against their limits, in kW and on each phase in A.

    Times are seconds since `origin`.
    """

    def __init__(self, site: Site, evs: Columns, origin: datetime) -> None:
        reach = np.eye(len(site.circuits))
        parent = site.parents()
        for position in range(len(parent) - 1, 0, -1):
            reach[parent[position]] += reach[position]
        mask = reach[:, evs.circuit]
        amps_per_kw = evs.on_phase * (1000.0 / (evs.volts * evs.lines))[:, None]
        rows, self._rooms = [np.ones(len(evs.ev_ids))], [_room(site, 0, origin)]
        for position, one in enumerate(site.circuits):
            if position and one.limit is not None:
                rows.append(mask[position])
                self._rooms.append(_room(site, position, origin))
            if one.limit_a is not None:
                # An amperage counts as the power of an EV that draws it on the fewest phases, so that all rows are kW.
                amps = [mask[position] * amps_per_kw[:, phase] for phase in range(len(PHASES))]
                rows += [row / row.max() for row in amps if row.any()]
                self._rooms += [Series([(origin, one.limit_a / float(row.max()))], origin) for row in amps if row.any()]
        self._weight = np.array(rows)
        self._uneven = site.unbalance_kw is not None
        self.changes_s = np.unique(np.concatenate([room.starts_s[1:] for room in self._rooms]))
        """When any limit changes."""

    def limit_kw(self, at_s: float) -> float:
        """What the grid connection may draw."""
        return self._rooms[0].at(at_s)

    def fits(self, at_s: float, ahead_s: float, rows: Ints, power_kw: Floats) -> bool:
        """Whether these powers [N] keep every limit in force at `at_s` and for `ahead_s` after it."""
        room = [one.least(at_s, at_s + ahead_s) for one in self._rooms]
        return not self._uneven and bool((self._weight[:, rows] @ power_kw <= room).all())

    def passed(self, at_s: float, seconds: float, rows: Ints, ramps: Ramps) -> tuple[float, float]:
        """(the site's highest power, for how many seconds any limit was exceeded) from `at_s` on, limits being constant."""
        if not len(rows):
            return 0.0, 0.0
        weight = self._weight[:, rows] if len(rows) < self._weight.shape[1] else self._weight
        room = np.array([one.at(at_s) for one in self._rooms])
        ceiling = weight @ np.maximum(ramps.before_kw, ramps.goal_kw)
        monotonic = not ((ramps.goal_kw > ramps.before_kw).any() and (ramps.goal_kw < ramps.before_kw).any())
        if monotonic and (ceiling <= room + OVER_KW).all():
            return float(ceiling[0]), 0.0
        at, sums = ramps.sums(weight, seconds)
        excess = np.maximum((sums - room[:, None]).max(axis=0) - OVER_KW, LEAST_KW)
        return float(sums[0].max()), _above_s(np.diff(at), excess)


def _room(site: Site, position: int, origin: datetime) -> Series:
    limit = site.circuits[position].limit
    steps = [(origin, math.inf)] if limit is None else [(step.start, _kw(step.limit_kw)) for step in limit.steps]
    return Series(steps, origin)


def _kw(limit_kw: float | None) -> float:
    return math.inf if limit_kw is None else limit_kw


def _above_s(lengths_s: Floats, values: Floats) -> float:
    """How long a line through `values` [M] is above 0, its pieces lasting `lengths_s` [M-1]."""
    above = np.maximum(values, 0.0)
    spread = np.abs(values[1:] - values[:-1])
    share = np.where(values[1:] > 0, 1.0, 0.0)
    crosses = (values[1:] > 0) != (values[:-1] > 0)
    np.divide(np.maximum(above[1:], above[:-1]), spread, out=share, where=crosses & (spread > 0))
    return float(lengths_s @ share)
