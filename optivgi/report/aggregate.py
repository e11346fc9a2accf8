"""What all EVs of a site, or of a part of it, were allowed together at every instant."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from optivgi.model.history import Key
from optivgi.report.allocation import Allocation, Steps
from optivgi.report.bounds import Bound
from optivgi.report.curve import DIGITS, LimitCurve, Signal

MW_PER_KW = 1_000_000
NOTICEABLY = 0.99
"""An EV that is allowed less than this part of what it can take is curtailed."""


@dataclass(frozen=True, slots=True)
class SiteStep:
    """The whole site from `start` on, until the next step. `allocated_kw` leaves out the EVs without any limit.

    `limit_kw` is what was allowed meanwhile, inf for no limit.
    """

    start: datetime
    allocated_kw: float
    unlimited: tuple[Key, ...]
    active: int
    requested_kw: float
    curtailed: tuple[tuple[Key, float, float], ...]
    """Which EVs are allowed less than they can take: connector, allowed kW, what it can take in kW."""
    limit_kw: float = math.inf
    charging: int = 0
    """How many are allowed more than nothing."""

    @property
    def is_over(self) -> bool:
        return self.allocated_kw > self.limit_kw or (bool(self.unlimited) and math.isfinite(self.limit_kw))


def site_steps(
    allocated: Sequence[Allocation], can_take_kw: Sequence[float], caps: Mapping[str, Steps], limit: LimitCurve
) -> list[SiteStep]:
    """The sum over the site at every instant at which anything changed. `can_take_kw` is per allocation.

    Sums are exact to the milliwatt: limits are whole milliwatts before they are added.
    """
    steps: list[SiteStep] = []
    for start, now, caps_mw in _instants(allocated, caps, limit):
        mw, unlimited = _sum_mw(now, caps_mw, allocated)
        steps.append(
            SiteStep(
                start,
                allocated_kw=mw / MW_PER_KW,
                unlimited=unlimited,
                active=len(now),
                requested_kw=sum(_mw(can_take_kw[index]) for index in now) / MW_PER_KW,
                curtailed=tuple(
                    (allocated[index].transaction.key, allowed_mw / MW_PER_KW, can_take_kw[index])
                    for index, allowed_mw in now.items()
                    if allowed_mw is not None and allowed_mw < NOTICEABLY * _mw(can_take_kw[index])
                ),
                limit_kw=limit.level(start.timestamp()),
                charging=sum(allowed_mw != 0 for allowed_mw in now.values()),
            )
        )
    return steps


def allocated_signal(
    allocated: Sequence[Allocation], caps: Mapping[str, Steps], bound: Bound, begin: datetime, end: datetime
) -> Signal:
    """What the EVs of a bound were allowed together from `begin` to `end`, in its unit; inf where one had no limit."""
    inside = [one for one in allocated if bound.weight(one.transaction.key) > 0]
    starts: list[float] = []
    levels: list[float] = []
    for start, now, caps_mw in _instants(inside, caps, None):
        starts.append(max(start, begin).timestamp())
        levels.append(_weighted(now, caps_mw, inside, bound))
    if not starts or starts[0] > begin.timestamp():
        starts.insert(0, begin.timestamp())
        levels.insert(0, 0.0)
    first, level = np.array(starts), np.array(levels)
    last = np.append(first[1:], end.timestamp())
    shown = (last > first) & (first < end.timestamp())
    return Signal.exact(first[shown], np.minimum(last[shown], end.timestamp()), level[shown])


_Now = dict[int, int | None]


def _instants(
    allocated: Sequence[Allocation], caps: Mapping[str, Steps], limit: LimitCurve | None
) -> Iterable[tuple[datetime, _Now, dict[str, int]]]:
    """Every instant of a change, with each running allocation and each station's cap in mW."""
    changes: dict[datetime, list[tuple[int, int | None, bool]]] = defaultdict(list)
    for index, allocation in enumerate(allocated):
        for start, allowed_kw in allocation.steps:
            changes[start].append((index, None if allowed_kw is None else _mw(allowed_kw), True))
        changes[allocation.end].append((index, 0, False))
    if changes:
        first, last = min(changes), max(changes)
        for steps in caps.values():
            for start, _ in steps:
                if first < start < last:
                    changes.setdefault(start, [])
        if limit is not None:
            for change in limit.changes(first.timestamp(), last.timestamp()):
                changes.setdefault(datetime.fromtimestamp(change.second, UTC), [])
    now: _Now = {}
    for start in sorted(changes):
        for index, allowed_mw, present in changes[start]:
            if present:
                now[index] = allowed_mw
            else:
                now.pop(index, None)
        yield (
            start,
            now,
            {station_id: mw for station_id, steps in caps.items() if (mw := _cap_mw(steps, start)) is not None},
        )


def _cap_mw(steps: Steps, moment: datetime) -> int | None:
    current = None
    for start, cap_kw in steps:
        if start > moment:
            break
        current = cap_kw
    return None if current is None else _mw(current)


def _sum_mw(now: _Now, caps_mw: Mapping[str, int], allocated: Sequence[Allocation]) -> tuple[int, tuple[Key, ...]]:
    """All that is allowed, each station at most its cap, and who has no limit."""
    total = 0
    by_station: dict[str, int] = defaultdict(int)
    unlimited: list[Key] = []
    for index, allowed_mw in now.items():
        key = allocated[index].transaction.key
        if allowed_mw is None:
            unlimited.append(key)
        elif key[0] in caps_mw:
            by_station[key[0]] += allowed_mw
        else:
            total += allowed_mw
    return total + sum(min(mw, caps_mw[station_id]) for station_id, mw in by_station.items()), tuple(unlimited)


def _weighted(now: _Now, caps_mw: Mapping[str, int], allocated: Sequence[Allocation], bound: Bound) -> float:
    """As `_sum_mw` in a bound's unit. EVs of one station that weigh differently share its cap at the highest weight."""
    if None in now.values():
        return math.inf
    total = 0.0
    by_station: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for index, allowed_mw in now.items():
        key = allocated[index].transaction.key
        by_station[key[0]].append((allowed_mw or 0, bound.weight(key)))
    for station_id, parts in by_station.items():
        alone = sum(mw * weight for mw, weight in parts)
        cap_mw = caps_mw.get(station_id)
        total += alone if cap_mw is None else min(alone, cap_mw * max(weight for _, weight in parts))
    return round(total / MW_PER_KW, DIGITS)


def _mw(power_kw: float) -> int:
    return round(power_kw * MW_PER_KW)
