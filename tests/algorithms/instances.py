"""Builders and a seeded generator of workplace days, as snapshots and as framed problems."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from optivgi.model.ev import EV
from optivgi.model.framing import EVState, frame
from optivgi.model.horizon import GridSettings
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.problem import Problem
from optivgi.model.site import Circuit, Site
from optivgi.model.snapshot import Snapshot

NOW = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)


def ev(ev_id: str = "1", **stated: Any) -> EV:
    """A 7.2 kW EV that came at NOW, stays four hours and needs 20 kWh, but for what is `stated`."""
    plain = EV(
        ev_id=ev_id,
        station_id=f"ST-{ev_id}",
        connector_id=1,
        transaction_id=f"t-{ev_id}",
        arrival=NOW,
        departure=NOW + timedelta(hours=4),
        energy_needed_kwh=20.0,
        delivered_kwh=0.0,
        min_kw=1.4,
        max_kw=7.2,
        voltage_v=240.0,
    )
    return replace(plain, **stated)


def evs(count: int, **stated: Any) -> list[EV]:
    return [ev(f"{number:05d}", **stated) for number in range(1, count + 1)]


def hours(value: float) -> timedelta:
    return timedelta(hours=value)


def limit(*steps: tuple[float, float | None]) -> LimitSeries:
    """A series of (hours after NOW, kW)."""
    return LimitSeries(tuple(LimitStep(NOW + hours(at), kw, "site limit") for at, kw in steps))


def snapshot(*those: EV) -> Snapshot:
    return Snapshot("default", NOW, tuple(those), ())


def problem(
    those: list[EV],
    limit_kw: float | LimitSeries | None = 30.0,
    *,
    site: Site | None = None,
    states: dict[str, EVState] | None = None,
    grid: GridSettings | None = None,
) -> Problem:
    """The framed problem; nobody may be refused."""
    series = limit_kw if isinstance(limit_kw, LimitSeries) else limit((0.0, limit_kw))
    framing = frame(snapshot(*those), site or Site.single(series), NOW, states=states, grid=grid)
    assert framing.refused == ()
    return framing.problem


@dataclass(frozen=True)
class Day:
    """A workplace day: the EVs and the limit over time."""

    evs: tuple[EV, ...]
    limit: LimitSeries

    def problem(self, grid: GridSettings | None = None) -> Problem:
        return problem(list(self.evs), self.limit, grid=grid)


def workplace(count: int, seed: int, *, share: float = 0.18, dip: bool = False, expected: bool = True) -> Day:
    """`count` 7.2 kW cars, most there since the morning, leaving in the afternoon, needing 6 to 40 kWh.

    The limit is `share` of the sum of maxima; with `dip`, half of that for an hour. Without `expected`, nobody is still to come.
    """
    rng = np.random.default_rng([seed, count])
    arrive_h = np.clip(rng.normal(0.0, 1.0, count), -2.0, 3.0) if expected else np.zeros(count)
    stay_h = np.clip(rng.normal(7.0, 1.8, count), 1.5, 10.0)
    need = np.clip(rng.lognormal(2.6, 0.6, count), 3.0, 45.0)
    those = tuple(
        ev(
            f"{number:05d}",
            arrival=NOW + hours(float(np.round(arrive_h[number] * 60) / 60)),
            departure=NOW + hours(float(np.round((max(arrive_h[number], 0.0) + stay_h[number]) * 60) / 60)),
            energy_needed_kwh=float(np.round(min(need[number], 7.2 * stay_h[number]), 2)),
        )
        for number in range(count)
    )
    full = share * 7.2 * count
    if not dip:
        return Day(those, limit((0.0, full)))
    start = float(rng.integers(4, 16)) / 4
    return Day(those, limit((0.0, full), (start, full / 2), (start + 1.0, full)))


def placed(day: Day, circuits: list[str]) -> Day:
    """The day with its EVs on these circuits in turn."""
    those = tuple(replace(one, circuit=circuits[number % len(circuits)]) for number, one in enumerate(day.evs))
    return Day(those, day.limit)


def tree_day(count: int, seed: int) -> tuple[Day, Site]:
    """A grid connection, ten panels and forty feeders, each with a limit that can bind."""
    full_kw = 7.2 * count
    circuits = [Circuit("site", limit=limit((0, 0.18 * full_kw)))]
    for panel in range(10):
        circuits.append(Circuit(f"p{panel}", "site", limit((0, 0.24 * full_kw / 10))))
        circuits += [Circuit(f"p{panel}f{n}", f"p{panel}", limit((0, 0.30 * full_kw / 40))) for n in range(4)]
    feeders = [c.circuit_id for c in circuits if "f" in c.circuit_id]
    return placed(workplace(count, seed, expected=False), feeders), Site(tuple(circuits))


def tight_tree_day(count: int, seed: int) -> tuple[Day, Site]:
    """Three panels with or without feeders, EVs on panels and feeders, and limits of which any may bind, for a while or always."""
    rng = np.random.default_rng([seed, count])
    full_kw = 7.2 * count

    def tight(share: float, parts: int) -> LimitSeries:
        kw = full_kw / parts * float(rng.uniform(share, 4 * share))
        dip_h = float(rng.uniform(0.5, 4.0))
        steps = ((0.0, kw), (dip_h, kw * float(rng.uniform(0.3, 1.2))), (dip_h + 1.0, kw))
        return limit(*steps[: 3 if rng.random() < 0.5 else 1])

    circuits = [Circuit("site", limit=tight(0.15, 1))]
    for panel in range(3):
        feeders = int(rng.integers(0, 3))
        circuits.append(Circuit(f"p{panel}", "site", tight(0.12, 3)))
        circuits += [Circuit(f"p{panel}f{n}", f"p{panel}", tight(0.15, 3 * feeders)) for n in range(feeders)]
    names = [circuit.circuit_id for circuit in circuits[1:]]
    day = workplace(count, seed, expected=bool(rng.integers(2)))
    return placed(day, [str(name) for name in rng.choice(names, count)]), Site(tuple(circuits))
