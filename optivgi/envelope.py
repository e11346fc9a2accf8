"""Power over time: what a charger may allow at each later moment, piecewise constant. Pure.

Times are seconds of the site's wall clock (since 1970), because that is what chargers go by.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from optivgi.model.problem import Floats


@dataclass(frozen=True, slots=True)
class Envelope:
    """`powers_kw[i]` from `starts[i]` on, until the next start; the first one also before, the last one for ever."""

    starts: tuple[float, ...]
    powers_kw: tuple[float, ...]

    @classmethod
    def constant(cls, power_kw: float) -> Envelope:
        """The same at every moment."""
        return cls((-np.inf,), (power_kw,))

    @classmethod
    def of(cls, steps: Iterable[tuple[float, float]]) -> Envelope:
        """From (start, kW) in order of time; equal neighbours are merged."""
        starts: list[float] = []
        powers: list[float] = []
        for start, power_kw in steps:
            if starts and starts[-1] == start:
                starts.pop()
                powers.pop()
            if not powers or powers[-1] != power_kw:
                starts.append(start)
                powers.append(power_kw)
        return cls(tuple(starts), tuple(powers))

    def at(self, moment: float) -> float:
        """The power at `moment`."""
        return self.powers_kw[max(0, bisect_right(self.starts, moment) - 1)]

    def most(self, begin: float, end: float) -> float:
        """The highest power from `begin` to `end`, both included."""
        return max(
            self.powers_kw[max(0, bisect_right(self.starts, begin) - 1) : max(1, bisect_right(self.starts, end))]
        )

    def least_from(self, moment: float) -> float:
        """The lowest power from `moment` on."""
        return min(self.powers_kw[max(0, bisect_right(self.starts, moment) - 1) :])

    def until(self, end: float, then: Envelope) -> Envelope:
        """This one before `end`, `then` from there on."""
        cut = max(1, bisect_left(self.starts, end))
        first = bisect_right(then.starts, end)
        mine = zip(self.starts[:cut], self.powers_kw[:cut], strict=True)
        others = zip(then.starts[first:], then.powers_kw[first:], strict=True)
        return Envelope.of((*mine, (end, then.at(end)), *others))

    def widened(self, early_s: float, late_s: float) -> Envelope:
        """At each moment the most from `late_s` before it to `early_s` after: rises come early, drops late."""
        if len(self.starts) == 1:
            return self
        moments = sorted({-math.inf, *(s - early_s for s in self.starts[1:]), *(s + late_s for s in self.starts[1:])})
        return Envelope.of((moment, self.most(moment - late_s, moment + early_s)) for moment in moments)

    def over(self, moments: Floats) -> Floats:
        """[N], the highest power in each span from one of `moments` (rising) to the next; the last span never ends."""
        starts, powers = np.array(self.starts), np.array(self.powers_kw)
        result: Floats = powers[np.maximum(np.searchsorted(starts, moments, side="right") - 1, 0)]
        inside = starts > moments[0]
        np.maximum.at(result, np.searchsorted(moments, starts[inside], side="right") - 1, powers[inside])
        return result


def highest(envelopes: Iterable[Envelope]) -> Envelope:
    """At each moment the highest of several; 0 if there are none."""
    return _chosen(max, envelopes)


def lowest(envelopes: Iterable[Envelope]) -> Envelope:
    """At each moment the lowest of several; 0 if there are none."""
    return _chosen(min, envelopes)


def _chosen(choose: Callable[[Iterable[float]], float], envelopes: Iterable[Envelope]) -> Envelope:
    known = tuple(envelopes)
    if len(known) < 2:
        return known[0] if known else Envelope.constant(0.0)
    moments = sorted({start for one in known for start in one.starts})
    return Envelope.of((moment, choose(one.at(moment) for one in known)) for moment in moments)
