"""What a building draws, from a meter that shows it together with its EVs. Pure.

The meter is quicker than the samples of the stations. So a reading does not tell the base load, but between what it must
lie: the reading less the most, and less the least, that EVs may be drawing. The estimate moves only as far as these bounds
force it. A raise therefore does not look like base load, nor does a cut look like less of it. Where the meter shows more
than the site may draw, EVs that kept still are taken to keep still, so that all of the excess is the building's. When
stations have sampled before and after a reading, its bounds are narrow, and what came later is gone through again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from optivgi.account import Key
from optivgi.model.problem import Floats
from optivgi.site_meter.ev_draw import QUANTITIES, Bounds, DrawHistory

REMEMBER_S = 120.0


@dataclass(frozen=True, slots=True)
class _Past:
    at: datetime
    metered: Floats
    least: Floats
    most: Floats
    estimate: Floats
    transactions: frozenset[tuple[Key, str]]
    """Whose draw it may show."""


class Estimate:
    """The base load as a vector [4] of kW and amperes by phase; nan where the meter shows nothing."""

    def __init__(self, lag_s: float) -> None:
        """`lag_s`: a reading may show the site as it was so many seconds before the reading's time."""
        self._lag = timedelta(seconds=lag_s)
        self._recent: deque[tuple[datetime, Bounds, frozenset[tuple[Key, str]]]] = deque()
        self._past: deque[_Past] = deque()
        self._anchored: datetime | None = None
        self.value: Floats | None = None

    def building(self, metered: Floats) -> None:
        """A reading of a meter that shows the building alone."""
        self.value = metered

    def grid(self, at: datetime, metered: Floats, history: DrawHistory, room: Floats, now: datetime) -> None:
        """A reading of a meter that shows building and EVs. `room` [4] is what they may draw together; inf is no limit."""
        bounds, who = self._lately(history, now)
        least, most = metered - bounds.high, metered - bounds.low
        excess = metered > room
        least = np.where(excess, metered - bounds.settled, least)
        value = most if self.value is None else clamped(self.value, least, most)
        self._past.append(_Past(at, metered, least, most, value, who))
        while self._past and (at - self._past[0].at).total_seconds() > REMEMBER_S:
            self._past.popleft()
        self.value = value
        self._look_back(history, now)

    def _lately(self, history: DrawHistory, now: datetime) -> tuple[Bounds, frozenset[tuple[Key, str]]]:
        """The widest bounds of the time that a reading may show, and everyone who was there."""
        self._recent.append((now, history.now(now), history.transactions))
        while len(self._recent) > 1 and self._recent[1][0] <= now - self._lag:
            self._recent.popleft()
        every = [bounds for _, bounds, _ in self._recent]
        widest = Bounds(
            np.min([one.low for one in every], axis=0),
            np.max([one.high for one in every], axis=0),
            np.max([one.settled for one in every], axis=0),
        )
        return widest, frozenset().union(*(who for _, _, who in self._recent))

    def _look_back(self, history: DrawHistory, now: datetime) -> None:
        """Finds the newest reading between two samples of every EV, and goes through those after it again."""
        until = history.known_until(now)
        if until is None:
            return
        index = next((i for i in range(len(self._past) - 1, -1, -1) if self._past[i].at <= until), None)
        if index is None or (self._anchored is not None and self._past[index].at <= self._anchored):
            return
        anchor = self._past[index]
        if anchor.transactions != history.transactions:
            return
        bounds = history.then(anchor.at - self._lag / 2)
        if bounds is None:
            return
        value = clamped(anchor.estimate, anchor.metered - bounds.high, anchor.metered - bounds.low)
        for later in list(self._past)[index + 1 :]:
            value = clamped(value, later.least, later.most)
        self._anchored, self.value = anchor.at, value


def clamped(value: Floats, least: Floats, most: Floats) -> Floats:
    """[4], `value` moved no further than needed to lie from `least` to `most`; the least has the last word."""
    return np.maximum(np.minimum(np.where(np.isnan(value), most, value), most), least)


def vector(kw: float, amps: tuple[float, float, float] | None) -> Floats:
    """[4], with nan for phases that nobody metered."""
    found = np.full(QUANTITIES, np.nan)
    found[0] = kw
    if amps is not None:
        found[1:] = amps
    return found
