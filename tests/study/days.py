"""Builders of sessions, tasks and replays that state only what matters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from optivgi.model.framing import Price
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.site import Site
from optivgi.study.replay import Replay, replay
from optivgi.study.session import Session
from optivgi.study.task import ReplaySettings, Task
from simulator.vehicles import Vehicles

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def after(hours: float) -> datetime:
    return EIGHT + timedelta(hours=hours)


def session(arrives: float = 0.0, leaves: float = 4.0, energy_kwh: float = 10.0, **stated: Any) -> Session:
    """A 7.2 kW EV; times in hours after EIGHT. It says when it leaves, unless `stated` says otherwise."""
    facts: dict[str, Any] = {
        "arrival": after(arrives),
        "departure": after(leaves),
        "energy_kwh": energy_kwh,
        "max_kw": 7.2,
        "min_kw": 1.4,
        "stated_departure": after(leaves),
    }
    return Session(**(facts | stated))


def limit(*steps: tuple[float, float | None]) -> LimitSeries:
    """A series of (hours after EIGHT, kW)."""
    return LimitSeries(tuple(LimitStep(after(at), kw, "site limit") for at, kw in steps))


def task(
    sessions: Sequence[Session],
    limit_kw: float | LimitSeries | Site | None = 30.0,
    algorithm: str = "llf",
    *,
    prices: Sequence[tuple[float, float]] = ((0.0, 0.3),),
    demand_charge_per_kw: float = 0.0,
    **settings: Any,
) -> Task:
    if isinstance(limit_kw, float | None):
        limit_kw = limit((0.0, limit_kw))
    site = Site.single(limit_kw) if isinstance(limit_kw, LimitSeries) else limit_kw
    known = tuple(Price(after(at), per_kwh) for at, per_kwh in prices)
    return Task(
        tuple(sessions), algorithm, site, known, demand_charge_per_kw, ReplaySettings(**settings), Vehicles.that_need
    )


def replayed(*given: Any, **named: Any) -> Replay:
    return replay(task(*given, **named))
