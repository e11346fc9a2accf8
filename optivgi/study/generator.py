"""Invented sessions from a seed: a workplace, a depot or a public car park."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from optivgi.errors import SettingsError
from optivgi.model.problem import PHASES, Bools, Floats
from optivgi.study.session import MIN_KW_PER_PHASE, Session, in_order

FIRST_DAY = date(2026, 3, 2)
"""A Monday."""
MOST_EVS = 100_000
AT_MOST = 0.9
"""The part of what an EV could take in its stay that it asks for at most, so that each can be served alone."""


@dataclass(frozen=True, slots=True)
class _Day:
    """One day's sessions in columns: hours after midnight, kWh, kW, phases, and whether the driver says when he leaves."""

    arrival_h: Floats
    stay_h: Floats
    energy_kwh: Floats
    max_kw: Floats
    phases: Floats
    told: Bools


def _workplace(evs: int, random: np.random.Generator) -> _Day:
    """Arrivals in the morning, departures in the afternoon, 7.2 kW, a commute's energy."""
    arrival_h = np.clip(random.normal(8.5, 1.4, evs), 6.0, 13.0)
    stay_h = np.clip(random.normal(7.0, 1.4, evs), 2.0, 11.0)
    energy_kwh = np.clip(random.gamma(3.0, 4.0, evs), 1.0, 45.0)
    return _Day(arrival_h, stay_h, energy_kwh, np.full(evs, 7.2), np.ones(evs), _all(evs))


def _depot(evs: int, random: np.random.Generator) -> _Day:
    """Vans that come in the evening, leave early in the morning and need most of a night at 11 kW."""
    arrival_h = np.clip(random.normal(18.0, 1.0, evs), 15.0, 21.0)
    stay_h = np.clip(random.normal(30.0, 0.5, evs), 28.5, 31.5) - arrival_h
    energy_kwh = np.clip(random.normal(50.0, 15.0, evs), 10.0, 90.0)
    return _Day(arrival_h, stay_h, energy_kwh, np.full(evs, 11.0), np.full(evs, 3.0), _all(evs))


def _public(evs: int, random: np.random.Generator) -> _Day:
    """Visitors all day long for an hour or two, at 3.7 to 22 kW; half of them say when they leave."""
    arrival_h = random.uniform(7.0, 21.0, evs)
    stay_h = np.clip(random.exponential(1.6, evs), 0.3, 8.0)
    kind = random.choice(4, evs, p=(0.1, 0.4, 0.4, 0.1))
    max_kw = np.array([3.7, 7.4, 11.0, 22.0])[kind]
    energy_kwh = np.clip(random.gamma(2.0, 7.0, evs), 1.0, 60.0)
    return _Day(arrival_h, stay_h, energy_kwh, max_kw, np.where(kind >= 2, 3.0, 1.0), random.random(evs) < 0.5)


KINDS: dict[str, Callable[[int, np.random.Generator], _Day]] = {
    "workplace": _workplace,
    "depot": _depot,
    "public": _public,
}


def generate(kind: str, evs: int, *, days: int, seed: int, zone: ZoneInfo) -> tuple[Session, ...]:
    """`evs` sessions on each of `days` days in a row, the same for the same seed. Times fall on whole seconds."""
    sessions: list[Session] = []
    for number in range(days):
        random = np.random.default_rng([seed, 0, number, sorted(KINDS).index(kind)])
        midnight = datetime.combine(FIRST_DAY + timedelta(days=number), time(), zone).astimezone(ZoneInfo("UTC"))
        sessions += _sessions(KINDS[kind](evs, random), midnight)
    return in_order(sessions)


def _all(evs: int) -> Bools:
    return np.ones(evs, dtype=np.bool_)


def _sessions(day: _Day, midnight: datetime) -> list[Session]:
    energy_kwh = np.minimum(day.energy_kwh, AT_MOST * day.stay_h * day.max_kw)
    columns = (day.arrival_h, day.stay_h, energy_kwh, day.max_kw, day.phases, day.told)
    sessions = []
    for arrival_h, stay_h, kwh, max_kw, phases, told in zip(*(column.tolist() for column in columns), strict=True):
        arrival = midnight + timedelta(seconds=round(arrival_h * 3600))
        departure = arrival + timedelta(seconds=round(stay_h * 3600))
        sessions.append(
            Session(
                arrival=arrival,
                departure=departure,
                energy_kwh=round(kwh, 3),
                max_kw=max_kw,
                min_kw=MIN_KW_PER_PHASE * phases if max_kw >= MIN_KW_PER_PHASE * phases else max_kw,
                stated_departure=departure if told else None,
                phases=PHASES[: int(phases)],
            )
        )
    return sessions


def parse_generate(text: str) -> tuple[str, int]:
    """("workplace", 200) of "workplace:200". Raises SettingsError."""
    kind, _, count = text.partition(":")
    problems = []
    if kind not in KINDS:
        problems.append(f"--generate names {kind!r}: choose one of {', '.join(KINDS)}")
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_EVS):
        problems.append(
            f"--generate has {count!r} EVs a day; it must be a whole number from 1 to {MOST_EVS}: write {kind or 'workplace'}:200"
        )
    if problems:
        raise SettingsError(*problems)
    return kind, int(count)
