"""What a site really drew, ten times a second, against its limit. Reads the file of `optivgi simulate --trace`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TENTHS = 10
PARTS_PER_KW = 10_000
"""The file has four decimals; whole numbers add up exactly."""
TOLERANCE_KW = 0.001
"""What rounding to four decimals can add up to."""
HEADER = "t,station_id,connector_id,kw"

Connector = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Step:
    """From `at` (epoch seconds) on, at most `kw`."""

    at: float
    kw: float


@dataclass(frozen=True, slots=True)
class Overshoot:
    """How far a site was over its limit. `begin` and `end` are epoch seconds around all of it, None if there was none."""

    seconds: float = 0.0
    kw_s: float = 0.0
    worst_kw: float = 0.0
    worst_at: float | None = None
    begin: float | None = None
    end: float | None = None


class Truth:
    """The power of every connector at every tenth of a second; a value holds until the connector's next one."""

    def __init__(self, rows: Iterable[tuple[float, str, int, float]]) -> None:
        """`rows` are instants in epoch seconds, stations, connectors and kW, each connector's in the order of time."""
        changes: dict[Connector, list[tuple[int, int]]] = {}
        for at, station_id, connector_id, kw in rows:
            changes.setdefault((station_id, connector_id), []).append((round(at * TENTHS), round(kw * PARTS_PER_KW)))
        ticks = [tick for one in changes.values() for tick, _ in one]
        self._first, self._last = (min(ticks), max(ticks)) if ticks else (0, -1)
        self._changes = {key: np.array(one, dtype=np.int64) for key, one in sorted(changes.items())}
        self._kw = self._sum(self._changes)

    @classmethod
    def read(cls, path: Path) -> Truth:
        """The file's content; a last line without its end is left out. Raises ValueError if it is no trace."""
        text = path.read_text(encoding="utf-8")
        lines = text[: text.rfind("\n") + 1].splitlines()
        if not lines or lines[0] != HEADER:
            raise ValueError(f"{path} is no trace: its first line is not {HEADER}")
        cells = (line.split(",") for line in lines[1:])
        return cls((float(t), station_id, int(connector_id), float(kw)) for t, station_id, connector_id, kw in cells)

    @property
    def begin(self) -> float:
        return self._first / TENTHS

    @property
    def end(self) -> float:
        return self._last / TENTHS

    def over(self, limit: Sequence[Step], begin: float, end: float) -> Overshoot:
        """How far the site was over `limit` (steps in order, the first not after `begin`) from `begin` until before `end`."""
        low, high = self._ticks(begin, end)
        if low >= high:
            return Overshoot()
        times = np.arange(low, high) + self._first
        held = np.searchsorted([step.at * TENTHS - 1e-6 for step in limit], times, side="right") - 1
        allowed = np.array([step.kw for step in limit])[np.maximum(held, 0)]
        excess = self._kw[low:high] - allowed
        at = np.flatnonzero(excess > TOLERANCE_KW)
        if not len(at):
            return Overshoot()
        worst = int(at[np.argmax(excess[at])])
        return Overshoot(
            seconds=len(at) / TENTHS,
            kw_s=float(excess[at].sum()) / TENTHS,
            worst_kw=float(excess[worst]),
            worst_at=float(times[worst]) / TENTHS,
            begin=float(times[at[0]]) / TENTHS,
            end=float(times[at[-1]] + 1) / TENTHS,
        )

    @property
    def connectors(self) -> tuple[Connector, ...]:
        """Every connector that was watched."""
        return tuple(self._changes)

    def mean_kw(self, begin: float, end: float, connector: Connector | None = None) -> float:
        """The mean power of the site, or of one connector, from `begin` until before `end`; 0 where nothing was watched."""
        low, high = self._ticks(begin, end)
        kw = self._kw if connector is None else self._sum({connector: self._changes[connector]})
        return float(kw[low:high].mean()) if low < high else 0.0

    def at(self, when: float) -> dict[Connector, float]:
        """What each connector drew at `when`, without those that drew nothing."""
        tick = round(when * TENTHS)
        found = {}
        for key, one in self._changes.items():
            place = int(np.searchsorted(one[:, 0], tick, side="right")) - 1
            if place >= 0 and one[place, 1]:
                found[key] = float(one[place, 1]) / PARTS_PER_KW
        return found

    def _sum(self, changes: dict[Connector, NDArray[np.int64]]) -> NDArray[np.float64]:
        steps = np.zeros(self._last - self._first + 2, dtype=np.int64)
        for one in changes.values():
            np.add.at(steps, one[:, 0] - self._first, np.diff(one[:, 1], prepend=0))
        kw: NDArray[np.float64] = np.cumsum(steps)[:-1] / PARTS_PER_KW
        return kw

    def _ticks(self, begin: float, end: float) -> tuple[int, int]:
        """Positions in the sum; beyond the last row the last values hold no longer, because nobody watched."""
        low, high = (int(np.ceil(at * TENTHS - 1e-6)) - self._first for at in (begin, end))
        return max(low, 0), min(high, len(self._kw))
