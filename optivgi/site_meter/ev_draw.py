"""What EVs draw at a moment, between the least and the most that it can be: samples of stations are seconds old. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from optivgi.account import Key
from optivgi.model.framing import UNKNOWN_PHASE
from optivgi.model.problem import PHASES, Floats

KW, QUANTITIES = 0, 1 + len(PHASES)
"""A vector [4]: kW over all phases, then amperes on L1, L2, L3."""
FRESH_S = 60.0
"""An older sample says nothing about now."""
NEAR_S = 1.0
"""Clocks of stations and meters agree to this much."""
KEEP_S = 180.0


@dataclass(frozen=True, slots=True)
class EVDraw:
    """What is known of one transaction's draw now.

    `most_kw` is the most that it may be drawing, `least_kw` the least that it was allowed lately; `steady_since` is from
    when on its charger has allowed the same (None: nobody knows). `volts` is watts per ampere of its limit.
    """

    key: Key
    transaction_id: str
    most_kw: float
    least_kw: float
    steady_since: datetime | None
    measured_kw: float | None
    measured_at: datetime | None
    volts: float
    phases: tuple[str, ...]

    def vector(self, low_kw: float, high_kw: float) -> tuple[Floats, Floats]:
        """A draw from `low_kw` to `high_kw`, in kW and amperes; on phases of which nobody knows from none to all."""
        low, high = np.zeros(QUANTITIES), np.zeros(QUANTITIES)
        low[KW], high[KW] = low_kw, high_kw
        per_kw = 1000.0 / self.volts
        for place, phase in enumerate(PHASES, start=1):
            if phase in self.phases:
                low[place], high[place] = low_kw * per_kw, high_kw * per_kw
            elif UNKNOWN_PHASE in self.phases:
                high[place] = high_kw * per_kw
        return low, high


@dataclass(frozen=True, slots=True)
class Bounds:
    """All EVs together [4]. `settled` is the most if EVs that kept still at their last sample keep still."""

    low: Floats
    high: Floats
    settled: Floats


Samples = list[tuple[datetime, float]]


class DrawHistory:
    """The samples of every EV over the last minutes."""

    def __init__(self, settle_s: float) -> None:
        self._settle = timedelta(seconds=settle_s)
        self._samples: dict[tuple[Key, str], Samples] = {}
        self._draws: tuple[EVDraw, ...] = ()

    def take(self, draws: Iterable[EVDraw], now: datetime) -> None:
        """The facts as they are now."""
        self._draws = tuple(draws)
        kept: dict[tuple[Key, str], Samples] = {}
        oldest = now - timedelta(seconds=KEEP_S)
        for draw in self._draws:
            samples = self._samples.get((draw.key, draw.transaction_id), [])
            if draw.measured_kw is not None and draw.measured_at is not None:
                at = min(draw.measured_at, now)
                if not samples or samples[-1][0] < at:
                    samples = [*(one for one in samples if one[0] >= oldest), (at, draw.measured_kw)]
            kept[draw.key, draw.transaction_id] = samples
        self._samples = kept

    @property
    def transactions(self) -> frozenset[tuple[Key, str]]:
        """Who is there."""
        return frozenset(self._samples)

    def now(self, now: datetime) -> Bounds:
        """What they may be drawing now. A sample that was taken before a change of the allowance only bounds from below."""
        low, high, settled = np.zeros(QUANTITIES), np.zeros(QUANTITIES), np.zeros(QUANTITIES)
        for draw in self._draws:
            samples = self._samples[draw.key, draw.transaction_id]
            at, drawn_kw = samples[-1] if samples else (None, 0.0)
            if at is None or (now - at).total_seconds() > FRESH_S:
                least_kw, still_kw = 0.0, draw.most_kw
            elif draw.steady_since is not None and draw.steady_since + self._settle <= at:
                least_kw = still_kw = drawn_kw
            else:
                least_kw, still_kw = min(drawn_kw, draw.least_kw), draw.most_kw
            most_kw = max(draw.most_kw, least_kw)
            one_low, one_high = draw.vector(least_kw, most_kw)
            low, high = low + one_low, high + one_high
            settled = settled + draw.vector(least_kw, max(still_kw, least_kw))[1]
        return Bounds(low, high, settled)

    def known_until(self, now: datetime) -> datetime | None:
        """Until when every EV that has samples has one after; None if some EV was never still, or is not metered."""
        until = now
        for draw in self._draws:
            samples = self._samples[draw.key, draw.transaction_id]
            if not samples or (now - samples[-1][0]).total_seconds() > FRESH_S or draw.steady_since is None:
                return None
            until = min(until, samples[-1][0] + timedelta(seconds=NEAR_S))
        return until

    def then(self, at: datetime) -> Bounds | None:
        """What they drew at `at`, between their samples before and after; None if that cannot be told for some EV."""
        low, high = np.zeros(QUANTITIES), np.zeros(QUANTITIES)
        near = timedelta(seconds=NEAR_S)
        for draw in self._draws:
            samples = self._samples[draw.key, draw.transaction_id]
            before = next((one for one in reversed(samples) if one[0] <= at + near), None)
            after = next((one for one in samples if one[0] >= at - near), None)
            if before is None or after is None or draw.steady_since is None:
                return None
            gap_s = (after[0] - before[0]).total_seconds()
            if gap_s > FRESH_S or draw.steady_since + self._settle > min(before[0], at):
                return None
            one_low, one_high = draw.vector(min(before[1], after[1]), max(before[1], after[1]))
            low, high = low + one_low, high + one_high
        return Bounds(low, high, high)
