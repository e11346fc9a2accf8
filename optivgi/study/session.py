"""Charging sessions as a study replays them: who comes when, leaves when, and takes how much."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from optivgi.model.site import ROOT

PLUGGED_AT_LEAST = timedelta(minutes=15)
"""No driver states a departure earlier than this after the arrival."""
MIN_KW_PER_PHASE = 1.4


@dataclass(frozen=True, slots=True)
class Session:
    """One EV's stay. `energy_kwh` is what it would take from its EVSE if it stayed long enough.

    It leaves at `departure`, whatever its driver said; planning knows only `stated_departure` (None: nobody said).
    `capacity_kwh` of its battery None is not known; `station_id` is empty where nobody said at which EVSE it stood.
    """

    arrival: datetime
    departure: datetime
    energy_kwh: float
    max_kw: float
    min_kw: float
    stated_departure: datetime | None
    phases: tuple[str, ...] = ("L1",)
    capacity_kwh: float | None = None
    station_id: str = ""
    connector_id: int = 1
    circuit: str = ROOT
    priority: float = 1.0

    @property
    def stay_s(self) -> float:
        return (self.departure - self.arrival).total_seconds()


def in_order(sessions: Iterable[Session]) -> tuple[Session, ...]:
    """The sessions by arrival; the order in which they were given plays no part."""
    return tuple(sorted(sessions, key=lambda one: (one.arrival, one.departure, one.energy_kwh, one.max_kw, one.min_kw)))


def with_departure_errors(sessions: Sequence[Session], error_min: float | None, seed: int) -> tuple[Session, ...]:
    """All sessions with a stated departure: the true one plus normal errors of this standard deviation.

    None leaves what was stated, or not, as it is.
    """
    if error_min is None:
        return tuple(sessions)
    errors_s = np.random.default_rng([seed, 1]).normal(0.0, error_min * 60.0, len(sessions))
    return tuple(
        replace(
            one,
            stated_departure=max(
                min(one.arrival + PLUGGED_AT_LEAST, one.departure),
                one.departure + timedelta(seconds=math.floor(error_s)),
            ),
        )
        for one, error_s in zip(sessions, errors_s.tolist(), strict=True)
    )


def stretches(sessions: Sequence[Session]) -> tuple[tuple[Session, ...], ...]:
    """The sessions, in order, cut wherever the site is empty, so that each part can be replayed by itself."""
    parts: list[list[Session]] = []
    busy_until: datetime | None = None
    for one in in_order(sessions):
        if busy_until is None or one.arrival > busy_until:
            parts.append([])
        parts[-1].append(one)
        busy_until = one.departure if busy_until is None else max(busy_until, one.departure)
    return tuple(tuple(part) for part in parts)


def by_month(parts: Iterable[tuple[Session, ...]], zone: ZoneInfo) -> tuple[tuple[Session, ...], ...]:
    """Stretches put together that begin in the same month on the site's clock: for what a month's highest peak costs."""
    months: dict[tuple[int, int], tuple[Session, ...]] = {}
    for part in parts:
        begin = part[0].arrival.astimezone(zone)
        month = begin.year, begin.month
        months[month] = months.get(month, ()) + part
    return tuple(months.values())
