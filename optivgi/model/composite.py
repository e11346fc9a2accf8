"""What charging profiles allow together: the composite limit at an instant and over a window.

At each instant the highest stack level of each purpose speaks; a TxProfile speaks instead of the TxDefaultProfiles; the
strictest of that, the station maximum and the external constraints is the limit (OCPP 1.6 smart charging, OCPP 2.0.1 K01 and K08).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Recurrency, Schedule

_SPAN = {Recurrency.DAILY: timedelta(days=1), Recurrency.WEEKLY: timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class Transaction:
    """The transaction a limit is asked for: its TxProfiles apply, and Relative schedules start with it."""

    transaction_id: str | None
    start: datetime


@dataclass(frozen=True, slots=True)
class Supply:
    """How amperes turn into watts: volts of one phase and how many phases there are; `max_current_a` is the rating."""

    voltage_v: float = 230.0
    phases: int = 3
    max_current_a: float = 48.0

    def rating(self, unit: RateUnit) -> float:
        """The most this supply gives without any profile, in `unit`."""
        return self.max_current_a * (1.0 if unit is RateUnit.A else self.voltage_v * self.phases)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `value` in `unit`, drawing from `phases` phases, because of `profile`."""

    value: float
    unit: RateUnit
    phases: int
    profile: ChargingProfile


@dataclass(frozen=True, slots=True)
class ConnectorProfiles:
    """One connector's profiles and its transaction, for the composite of a whole station."""

    profiles: tuple[ChargingProfile, ...]
    transaction: Transaction | None


def limit_at(
    connector_profiles: Iterable[ChargingProfile],
    station_profiles: Iterable[ChargingProfile],
    moment: datetime,
    transaction: Transaction | None,
    *,
    unit: RateUnit = RateUnit.W,
    supply: Supply | None = None,
) -> Limit | None:
    """The composite limit of one connector at `moment`, in `unit`; None where no profile says anything.

    `station_profiles` are those of connector 0: maxima, external constraints and default profiles for every connector.
    Without a transaction the answer is for one that would start at `moment`. W = A x V x phases with the fewest phases that
    a contributing profile names, else the supply's. Two profiles of one purpose and stack level: the stricter one counts.
    """
    supply = supply or Supply()
    tx = transaction or Transaction(None, moment)
    layers: dict[Purpose, list[tuple[ChargingProfile, Period]]] = {}
    for profile in (*connector_profiles, *station_profiles):
        if (period := period_at(profile, moment, tx)) is not None:
            layers.setdefault(profile.purpose, []).append((profile, period))
    if Purpose.TX in layers:
        layers.pop(Purpose.TX_DEFAULT, None)
    speaking = [candidate for layer in layers.values() for candidate in _highest_level(layer)]
    if not speaking:
        return None
    phases = min([supply.phases, *(period.phases for _, period in speaking if period.phases is not None)])
    value, profile = min(
        ((_convert(period.limit, p.schedule.unit, unit, supply.voltage_v * phases), p) for p, period in speaking),
        key=lambda candidate: candidate[0],
    )
    return Limit(value, unit, phases, profile)


def period_at(profile: ChargingProfile, moment: datetime, transaction: Transaction) -> Period | None:
    """The period of `profile` in force at `moment`, or None: not valid, not begun, over, or for another transaction."""
    if profile.purpose is Purpose.TX and profile.transaction_id not in (None, transaction.transaction_id):
        return None
    if (profile.valid_from is not None and moment < profile.valid_from) or (
        profile.valid_to is not None and moment >= profile.valid_to
    ):
        return None
    elapsed_s = (moment - _anchor(profile, moment, transaction)).total_seconds()
    duration_s = profile.schedule.duration_s
    if elapsed_s < 0 or (duration_s is not None and elapsed_s >= duration_s):
        return None
    current = None
    for period in profile.schedule.periods:
        if period.start_s > elapsed_s:
            break
        current = period
    return current


def next_change_after(
    profiles: Iterable[ChargingProfile], moment: datetime, transaction: Transaction | None
) -> datetime | None:
    """The first instant after `moment` at which one of `profiles` begins, ends or changes its period; None is never."""
    tx = transaction or Transaction(None, moment)
    return min((at for profile in profiles for at in _changes(profile, moment, tx) if at > moment), default=None)


def composite_schedule(
    connector_profiles: Sequence[ChargingProfile],
    station_profiles: Sequence[ChargingProfile],
    start: datetime,
    duration_s: int,
    transaction: Transaction | None,
    *,
    unit: RateUnit = RateUnit.W,
    supply: Supply | None = None,
) -> Schedule:
    """The composite of one connector over [start, start + duration_s), equal neighbours merged; never without a period.

    Where no profile speaks it gives the supply's rating. Without a transaction it is for one that starts at `start`.
    """
    supply = supply or Supply()
    tx = transaction or Transaction(None, start)
    profiles = (*connector_profiles, *station_profiles)
    steps: list[Period] = []
    for at in _instants(profiles, start, duration_s, tx):
        limit = limit_at(connector_profiles, station_profiles, at, tx, unit=unit, supply=supply)
        value, phases = (limit.value, limit.phases) if limit else (supply.rating(unit), supply.phases)
        _append(steps, Period(_second(at, start), value, phases))
    return Schedule(unit, tuple(steps), start, duration_s)


def station_schedule(
    connectors: Sequence[ConnectorProfiles],
    station_profiles: Sequence[ChargingProfile],
    start: datetime,
    duration_s: int,
    *,
    unit: RateUnit = RateUnit.W,
    supply: Supply | None = None,
) -> Schedule:
    """The composite of connector 0: the connectors' limits added, within the station's own.

    A connector counts with its supply's rating at most, and with just that when no profile limits it.
    """
    supply = supply or Supply()
    overall = [p for p in station_profiles if p.purpose in (Purpose.STATION_MAX, Purpose.EXTERNAL_CONSTRAINTS)]
    nobody = Transaction(None, start)
    instants = set(_instants(station_profiles, start, duration_s, nobody))
    for connector in connectors:
        instants.update(_instants(connector.profiles, start, duration_s, connector.transaction or nobody))
    steps: list[Period] = []
    for at in sorted(instants):
        total, phases = 0.0, supply.phases
        for connector in connectors:
            tx = connector.transaction or nobody
            limit = limit_at(connector.profiles, station_profiles, at, tx, unit=unit, supply=supply)
            total += min(limit.value, supply.rating(unit)) if limit else supply.rating(unit)
            phases = min(phases, limit.phases) if limit else phases
        if (cap := limit_at((), overall, at, nobody, unit=unit, supply=supply)) is not None:
            total = min(total, cap.value)
        _append(steps, Period(_second(at, start), total, phases))
    return Schedule(unit, tuple(steps), start, duration_s)


def _highest_level(layer: list[tuple[ChargingProfile, Period]]) -> list[tuple[ChargingProfile, Period]]:
    top = max(profile.stack_level for profile, _ in layer)
    return [candidate for candidate in layer if candidate[0].stack_level == top]


def _convert(limit: float, has: RateUnit, wanted: RateUnit, watts_per_ampere: float) -> float:
    if has is wanted:
        return limit
    return limit * watts_per_ampere if wanted is RateUnit.W else limit / watts_per_ampere


def _anchor(profile: ChargingProfile, moment: datetime, transaction: Transaction) -> datetime:
    """Where the schedule's second 0 lies. One without a start is relative to the transaction, as in OCPP 1.6."""
    start = profile.schedule.start
    if profile.kind is Kind.RELATIVE or start is None:
        start = transaction.start
    if profile.kind is Kind.RECURRING:
        span = _span(profile)
        start += ((moment - start) // span) * span
    return start


def _span(profile: ChargingProfile) -> timedelta:
    return _SPAN[profile.recurrency or Recurrency.DAILY]


def _changes(profile: ChargingProfile, moment: datetime, transaction: Transaction) -> Iterable[datetime]:
    yield from (edge for edge in (profile.valid_from, profile.valid_to) if edge is not None)
    anchor = _anchor(profile, moment, transaction)
    ends = [] if profile.schedule.duration_s is None else [profile.schedule.duration_s]
    for seconds in (*(period.start_s for period in profile.schedule.periods), *ends):
        try:
            yield anchor + timedelta(seconds=seconds)
        except OverflowError:
            continue  # after the end of the calendar: never
    if profile.kind is Kind.RECURRING:
        yield anchor + _span(profile)


def _instants(
    profiles: Sequence[ChargingProfile], start: datetime, duration_s: int, transaction: Transaction
) -> Iterable[datetime]:
    end = start + timedelta(seconds=max(duration_s, 0))
    at: datetime | None = start
    while at is not None and (at == start or at < end):
        yield at
        at = next_change_after(profiles, at, transaction)


def _second(at: datetime, start: datetime) -> int:
    return math.floor((at - start).total_seconds())


def _append(steps: list[Period], period: Period) -> None:
    if steps and steps[-1].start_s == period.start_s:
        steps.pop()
    if not steps or (steps[-1].limit, steps[-1].phases) != (period.limit, period.phases):
        steps.append(period)
