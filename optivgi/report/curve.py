"""Limits and powers over time as arrays, and where one passes the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from optivgi.model.limit_series import LimitSeries

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NO_LIMIT = np.inf
DIGITS = 6
"""Sums are rounded to the milliwatt, so that 5.04 six times over is 30.24 and not a little more."""
MOMENT_S = 1e-6
"""What seconds since 1970 are known to as floating-point numbers."""


@dataclass(frozen=True, slots=True)
class Change:
    """At `second` the limit changes `before` -> `after`."""

    second: float
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class LimitCurve:
    """A limit that is piecewise constant: `levels[i]` holds from `starts[i]` (seconds since 1970) until the next one.

    The first start is -inf; a level of inf is no limit. Neighbouring levels differ.
    """

    starts: Floats
    levels: Floats

    @classmethod
    def constant(cls, level: float) -> LimitCurve:
        """The same limit for ever."""
        return cls(np.array([-np.inf]), np.array([level], dtype=np.float64))

    @classmethod
    def of(cls, steps: Iterable[tuple[float, float]]) -> LimitCurve:
        """From (second, level) in any order; the earliest level also holds before its second, of one second the last one."""
        ordered = dict(sorted(steps, key=lambda step: step[0]))
        starts, levels = np.array(list(ordered), dtype=np.float64), np.array(list(ordered.values()), dtype=np.float64)
        starts[0] = -np.inf
        kept = np.append(True, levels[1:] != levels[:-1])
        return cls(starts[kept], levels[kept])

    @classmethod
    def of_series(cls, series: LimitSeries) -> LimitCurve:
        """The same limits as `series`."""
        return cls.of(
            (second_of(step.start), NO_LIMIT if (kw := step.limit_kw) is None else kw) for step in series.steps
        )

    @property
    def is_constant(self) -> bool:
        return len(self.starts) == 1

    @property
    def lowest(self) -> float:
        return float(self.levels.min())

    @property
    def highest(self) -> float:
        return float(self.levels.max())

    def at(self, seconds: Floats) -> Floats:
        """The limit in force at each of `seconds`; one that begins at that very second counts already."""
        return self.levels[np.searchsorted(self.starts, seconds, side="right") - 1]

    def level(self, second: float) -> float:
        return float(self.at(np.array([second]))[0])

    def mean(self, starts: Floats, lengths: Floats) -> Floats:
        """The mean limit over each [start, start + length): the most mean power that keeps it. inf where it is off a while."""
        first = np.searchsorted(self.starts, starts, side="right") - 1
        last = np.searchsorted(self.starts, starts + lengths, side="left") - 1
        mean = np.minimum(self.levels[first], self.levels[last])
        for index in np.flatnonzero(first < last).tolist():
            edges = np.concatenate(
                [
                    starts[index : index + 1],
                    self.starts[first[index] + 1 : last[index] + 1],
                    [starts[index] + lengths[index]],
                ]
            )
            mean[index] = float(np.diff(edges) @ self.levels[first[index] : last[index] + 1]) / lengths[index]
        return mean

    def changes(self, begin: float, end: float) -> tuple[Change, ...]:
        """Its changes after `begin` and before `end`."""
        return tuple(
            Change(second, before, after)
            for second, before, after in zip(
                self.starts[1:].tolist(), self.levels[:-1].tolist(), self.levels[1:].tolist(), strict=True
            )
            if begin < second < end
        )

    def within(self, begin: float, end: float) -> LimitCurve:
        """What of it can be seen between `begin` and `end`."""
        return LimitCurve.of(
            [(begin, self.level(begin)), *((one.second, one.after) for one in self.changes(begin, end))]
        )

    def held(self, seconds: float) -> LimitCurve:
        """The same with every drop `seconds` later: what is above meanwhile is within the time there is to respond."""
        if seconds <= 0 or self.is_constant:
            return self
        edges = np.unique(np.concatenate([self.starts[1:], self.starts[1:] + seconds]))
        highest = []
        for edge in edges.tolist():
            since = edge - seconds + MOMENT_S
            here = self.levels[(self.starts > since) & (self.starts <= edge)]
            highest.append(float(here.max(initial=self.level(since))))
        return LimitCurve.of([(-np.inf, float(self.levels[0])), *zip(edges.tolist(), highest, strict=True)])

    def __add__(self, other: LimitCurve) -> LimitCurve:
        starts = np.union1d(self.starts, other.starts)
        sums = np.round(self.at(starts) + other.at(starts), DIGITS)
        return LimitCurve.of(zip(starts.tolist(), sums.tolist(), strict=True))

    def less(self, load: LimitCurve) -> LimitCurve:
        """What `load` leaves, never less than nothing."""
        starts = np.union1d(self.starts, load.starts)
        left = np.round(np.maximum(self.at(starts) - load.at(starts), 0.0), DIGITS)
        return LimitCurve.of(zip(starts.tolist(), left.tolist(), strict=True))

    def tightest_with(self, other: LimitCurve) -> LimitCurve:
        """At each instant the stricter of the two."""
        starts = np.union1d(self.starts, other.starts)
        return LimitCurve.of(zip(starts.tolist(), np.minimum(self.at(starts), other.at(starts)).tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Signal:
    """A power over stretches of time: `level[i]` from `begin[i]` until before `end[i]`, in order, without overlap.

    `doubt` is how much the level may be too high. Levels and doubts are in the unit of the limit they are held against.
    """

    begin: Floats
    end: Floats
    level: Floats
    doubt: Floats

    @classmethod
    def exact(cls, begin: Floats, end: Floats, level: Floats) -> Signal:
        return cls(begin, end, level, np.zeros_like(level))

    @property
    def is_empty(self) -> bool:
        return len(self.begin) == 0

    def split_at(self, edges: Floats) -> Signal:
        """The same, with stretches cut where a limit changes."""
        cuts = [edge for edge in edges.tolist() if np.isfinite(edge)]
        if self.is_empty or not cuts:
            return self
        begin = np.union1d(self.begin, np.array(cuts))
        index = np.searchsorted(self.begin, begin, side="right") - 1
        inside = (index >= 0) & (begin < self.end[index])
        begin, index = begin[inside], index[inside]
        following = np.append(begin[1:], np.inf)
        return Signal(begin, np.minimum(following, self.end[index]), self.level[index], self.doubt[index])

    def closest_to(self, limit: LimitCurve) -> tuple[float, float]:
        """When it was nearest to `limit` (or furthest above it), and how high then; where nothing limits, when highest."""
        cut = self.split_at(limit.starts)
        allowed = limit.at(cut.begin)
        index = np.lexsort((-cut.begin, cut.level, np.where(np.isfinite(allowed), cut.level - allowed, -np.inf)))[-1]
        return float(cut.begin[index]), float(cut.level[index])


def second_of(moment: datetime) -> float:
    """Seconds since 1970; the year 1, which means always, is -inf."""
    return -np.inf if moment.year <= 1 else moment.timestamp()
