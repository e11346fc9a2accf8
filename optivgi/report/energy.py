"""The site's mean power over windows, from what the energy registers prove.

A register that is read in steps of r is known to r, and between two readings it is only known to lie between them, so
that the mean power of a window has a lowest, a most likely and a highest value. Long windows find a small excess that
lasts, because there the resolution weighs less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optivgi.model.history import MeterSample, Register, Transaction
from optivgi.report.curve import Floats, Ints, LimitCurve

WINDOW_STEPS = (1, 2, 4, 8, 16, 32, 64)
KW_S_PER_WH = 3.6


@dataclass(frozen=True, slots=True)
class Grid:
    """The seconds since 1970 that leave `phase_s` when divided by `step_s`."""

    step_s: int
    phase_s: int

    def seconds(self, first: float, last: float) -> Ints:
        """Those from `first` to `last`, both included where they lie on the grid."""
        begin = int(np.ceil((first - self.phase_s) / self.step_s))
        stop = int(np.floor((last - self.phase_s) / self.step_s)) + 1
        return np.arange(begin, stop, dtype=np.int64) * self.step_s + self.phase_s


@dataclass(frozen=True, slots=True)
class Window:
    """Mean power from second `start` on for `seconds`: within [lowest_kw, highest_kw], most likely `mean_kw`."""

    start: int
    seconds: int
    lowest_kw: float
    mean_kw: float
    highest_kw: float


@dataclass(frozen=True, slots=True)
class Windows:
    """Many windows, the shortest ones first, each length by time. All arrays are as long as there are windows."""

    start: Ints
    seconds: Ints
    lowest_kw: Floats
    mean_kw: Floats
    highest_kw: Floats

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: int) -> Window:
        return Window(
            int(self.start[index]),
            int(self.seconds[index]),
            float(self.lowest_kw[index]),
            float(self.mean_kw[index]),
            float(self.highest_kw[index]),
        )

    def allowed(self, limit: LimitCurve) -> Floats:
        """The mean power of each window that keeps `limit`."""
        return limit.mean(self.start.astype(np.float64), self.seconds.astype(np.float64))

    def proven(self, over_kw: float | Floats) -> list[tuple[int, int]]:
        """When the mean power certainly was above `over_kw` (one value, or one of each window): spans without overlap.

        A long window that contains a shorter one that proves it too tells nothing new and is left out.
        """
        starts, stops = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        proving = self.lowest_kw > over_kw
        for seconds in np.unique(self.seconds):
            found = self.start[proving & (self.seconds == seconds)]
            soonest_stop = np.append(np.minimum.accumulate(stops[::-1])[::-1], np.iinfo(np.int64).max)
            found = found[soonest_stop[np.searchsorted(starts, found)] > found + seconds]
            order = np.argsort(np.append(starts, found), kind="stable")
            starts, stops = np.append(starts, found)[order], np.append(stops, found + seconds)[order]
        spans: list[tuple[int, int]] = []
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            if spans and start <= spans[-1][1]:
                spans[-1] = spans[-1][0], max(stop, spans[-1][1])
            else:
                spans.append((start, stop))
        return spans

    def worst(self, limit: LimitCurve) -> Window | None:
        """The one that proves most above `limit`, or comes nearest to it; a window that proves little is not the worst."""
        if not len(self):
            return None
        excess = self.lowest_kw - self.allowed(limit)
        return self[int(np.argmax(excess if np.isfinite(excess).any() else self.lowest_kw))]

    def exclude(self, over_kw: float | Floats) -> bool:
        """Whether even the highest value of every shortest window is at most `over_kw` (one value, or one of each)."""
        return len(self) > 0 and bool((self.highest_kw <= over_kw)[self.seconds == self.seconds[0]].all())


def windows(
    transactions: Sequence[Transaction], samples: Sequence[MeterSample], grid: Grid, begin: float, end: float
) -> Windows:
    """Every window of 1, 2, 4 ... 64 grid steps between the seconds `begin` and `end`, one at each step."""
    readings: dict[int, list[MeterSample]] = defaultdict(list)
    for sample in samples:
        if sample.register is not None:
            readings[sample.transaction_row_id].append(sample)
    curves = [_RegisterCurve(tx, readings[tx.row_id]) for tx in transactions]
    first = max(begin, min((tx.start.timestamp() for tx in transactions), default=end) - grid.step_s)
    still_running = any(tx.end is None for tx in transactions)
    last = _known_until(curves, grid.step_s, end) if still_running else end + grid.step_s
    edges = grid.seconds(first, last)
    parts: list[tuple[Ints, Ints, Floats]] = []
    for steps in WINDOW_STEPS:
        if not readings or (count := len(edges) - steps) < 1:
            break
        energy_wh = np.zeros((3, count))
        for curve in curves:
            curve.add_windows(energy_wh, edges, steps)
        length = np.full(count, steps * grid.step_s, dtype=np.int64)
        parts.append((edges[:count], length, energy_wh * KW_S_PER_WH / (steps * grid.step_s)))
    power_kw = np.hstack([power for _, _, power in parts]) if parts else np.zeros((3, 0))
    none = np.zeros(0, dtype=np.int64)
    return Windows(
        np.concatenate([none, *(start for start, _, _ in parts)]),
        np.concatenate([none, *(length for _, length, _ in parts)]),
        *power_kw,
    )


def _known_until(curves: Sequence[_RegisterCurve], step_s: int, end: float) -> float:
    """Up to when the registers of running transactions are known, unless a meter has been silent for two steps."""
    last = min((curve.last_reading for curve in curves if curve.last_reading is not None), default=end)
    return last if end - last <= 2 * step_s else end


class _RegisterCurve:
    """One transaction's energy register as a rising curve of which some points are known, each to its resolution."""

    def __init__(self, tx: Transaction, readings: Sequence[MeterSample]) -> None:
        self._start = tx.start.timestamp()
        self._stop = np.inf if tx.end is None else tx.end.timestamp()
        self.last_reading = (
            max((sample.at.timestamp() for sample in readings), default=None) if tx.end is None else None
        )
        known = [(sample.at.timestamp(), sample.register) for sample in readings]
        known += [(self._start, tx.meter_start), (self._stop, tx.meter_stop)]
        finest: dict[float, Register] = {}
        for second, register in known:
            if register and np.isfinite(second):
                finest[second] = min(register, finest.get(second, register), key=lambda one: one.resolution_wh)
        self._seconds: Floats = np.array(sorted(finest), dtype=np.float64)
        energy: Floats = np.array([finest[second].energy_wh for second in sorted(finest)], dtype=np.float64)
        doubt: Floats = np.array([finest[second].resolution_wh for second in sorted(finest)], dtype=np.float64)
        self._likely: Floats = np.maximum.accumulate(energy)
        self._lowest: Floats = np.append(np.maximum.accumulate(energy - doubt), -np.inf)
        self._highest: Floats = np.append(np.minimum.accumulate((energy + doubt)[::-1])[::-1], np.inf)

    def add_windows(self, energy_wh: Floats, edges: Ints, steps: int) -> None:
        """Adds the energy (row 0 least, 1 most likely, 2 most) that fell into each window of `steps` grid steps."""
        first = max(0, int(np.searchsorted(edges, self._start, side="right")) - steps)
        last = min(energy_wh.shape[1], int(np.searchsorted(edges, self._stop, side="left")))
        if first >= last:
            return
        begin: Floats = np.clip(edges[first:last].astype(np.float64), self._start, self._stop)
        finish: Floats = np.clip(edges[first + steps : last + steps].astype(np.float64), self._start, self._stop)
        energy_wh[0, first:last] += np.maximum(0.0, self._at_least(finish) - self._at_most(begin))
        energy_wh[1, first:last] += self._about(finish) - self._about(begin)
        energy_wh[2, first:last] += self._at_most(finish) - self._at_least(begin)

    def _at_least(self, moments: Floats) -> Floats:
        """By the last reading before; the sentinel at index -1 stands for "none": the register may have had any value."""
        return self._lowest[np.searchsorted(self._seconds, moments, side="right") - 1]

    def _at_most(self, moments: Floats) -> Floats:
        return self._highest[np.searchsorted(self._seconds, moments, side="left")]

    def _about(self, moments: Floats) -> Floats:
        """On the straight line between the readings around it."""
        return np.interp(moments, self._seconds, self._likely) if len(self._seconds) else np.zeros_like(moments)
