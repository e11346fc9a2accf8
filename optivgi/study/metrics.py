"""What a replay amounts to: energy, fairness, peak, cost, minutes over the limit, pauses, milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from optivgi.model.problem import Floats
from optivgi.study.bill import BILLING_S
from optivgi.study.crest import NOISE_S
from optivgi.study.replay import Replay

QUARTERS = 96


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the study's table.

    Fractions served and `energy_pct` are of what each EV could have taken in its stay alone at the site. `cost` is that of
    energy and of each month's highest 15-minute mean. `over_limit_min` is how long any limit was exceeded. `degraded` counts plannings in which a simpler algorithm had to decide.
    """

    algorithm: str
    limit: str
    tariff: str
    evs: int
    requested_kwh: float
    possible_kwh: float
    delivered_kwh: float
    energy_pct: float
    worst_ev: float
    jain: float
    peak_kw: float
    cost: float
    over_limit_min: float
    pauses_per_ev: float
    cycles: int
    degraded: int
    ms_per_cycle: float

    def as_json(self) -> dict[str, Any]:
        """Everything, rounded to what is meaningful."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Tariffed:
    """What energy and peaks cost in a case."""

    name: str
    demand_charge_per_kw: float


def outcome(
    names: tuple[str, str], tariff: Tariffed, requested_kwh: float, replays: Sequence[Replay], zone: ZoneInfo
) -> Outcome:
    """The measures of all stretches of a case together; `names` are its algorithm and limit."""
    delivered, possible, pauses = (
        np.concatenate([getattr(one, name) for one in replays]) for name in ("delivered_kwh", "possible_kwh", "pauses")
    )
    served = np.minimum(delivered[possible > 0] / possible[possible > 0], 1.0)
    energy, high, over, price = (
        np.concatenate([getattr(one, name) for one in replays])
        for name in ("energy_kwh", "high_kw", "over_s", "price_per_kwh")
    )
    cycles = sum(one.cycles for one in replays)
    return Outcome(
        algorithm=names[0],
        limit=names[1],
        tariff=tariff.name,
        evs=len(delivered),
        requested_kwh=requested_kwh,
        possible_kwh=float(possible.sum()),
        delivered_kwh=float(delivered.sum()),
        energy_pct=100.0 * float(delivered.sum() / possible.sum()) if possible.sum() > 0 else 100.0,
        worst_ev=float(served.min(initial=1.0)),
        jain=float(served.sum() ** 2 / (len(served) * (served**2).sum())) if served.any() else 1.0,
        peak_kw=float(high.max(initial=0.0)),
        cost=float(energy @ price) + tariff.demand_charge_per_kw * _monthly_peaks_kw(replays, zone),
        over_limit_min=float(over.sum()) / 60.0,
        pauses_per_ev=float(pauses.mean()),
        cycles=cycles,
        degraded=sum(one.degraded for one in replays),
        ms_per_cycle=1000.0 * sum(one.planning_s for one in replays) / max(cycles, 1),
    )


def quarter_hours(replays: Sequence[Replay]) -> tuple[Floats, Floats]:
    """(starts in seconds since 1970, mean kW) of every quarter hour of the clock in which anything was drawn."""
    start = np.concatenate([one.start_s for one in replays])
    energy = np.concatenate([one.energy_kwh for one in replays])
    number = np.floor((start + NOISE_S) / BILLING_S).astype(np.int64)
    windows, place = np.unique(number, return_inverse=True)
    power_kw = np.bincount(place, weights=energy) * 3600.0 / BILLING_S
    return np.asarray(windows * BILLING_S, dtype=np.float64), np.asarray(power_kw, dtype=np.float64)


def day_profile(replays: Sequence[Replay], zone: ZoneInfo) -> Floats:
    """[96] kW, the mean power in each quarter hour of the local day, over all days with any session."""
    starts, power = quarter_hours(replays)
    local = [datetime.fromtimestamp(start, UTC).astimezone(zone) for start in starts.tolist()]
    quarter = np.array([moment.hour * 4 + moment.minute // 15 for moment in local], dtype=np.int64)
    days = len({moment.date() for moment in local})
    return np.bincount(quarter, weights=power, minlength=QUARTERS) / max(days, 1)


def _monthly_peaks_kw(replays: Sequence[Replay], zone: ZoneInfo) -> float:
    """The sum over months of each one's highest 15-minute mean."""
    highest: dict[tuple[int, int], float] = {}
    for start, power in zip(*(column.tolist() for column in quarter_hours(replays)), strict=True):
        moment = datetime.fromtimestamp(start, UTC).astimezone(zone)
        month = moment.year, moment.month
        highest[month] = max(highest.get(month, 0.0), power)
    return sum(highest.values())
