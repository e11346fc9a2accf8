"""Stations that turn charging profiles down, or take them and do something else. Pure."""

# ruff: noqa: ARG002 - a kind of fault needs only a part of what it is told

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from optivgi.model.charging_profile import ChargingProfile, Purpose, RateUnit
from simulator.connector import Connector
from simulator.faults.fault import Fault
from simulator.profiles import STATION, Refusal


class RejectsZero(Fault):
    """Rejects every profile with a period of 0."""

    def refusal(self, profile: ChargingProfile) -> Refusal | None:
        zero = any(period.limit == 0 for period in profile.schedule.periods)
        return Refusal("a limit of 0 is not supported") if zero else None


class RejectsTxProfile(Fault):
    """Rejects every TxProfile."""

    def refusal(self, profile: ChargingProfile) -> Refusal | None:
        return Refusal("TxProfile is not supported") if profile.purpose is Purpose.TX else None


class OneUnitOnly(Fault):
    """Rejects the other chargingRateUnit; its configuration key says so only if `admits`."""

    def __init__(self, unit: RateUnit, *, admits: bool) -> None:
        self._unit = unit
        self._admits = admits

    def keys(self) -> Mapping[str, str]:
        name = {RateUnit.A: "Current", RateUnit.W: "Power"}[self._unit]
        return {"ChargingScheduleAllowedChargingRateUnit": name} if self._admits else {}

    def refusal(self, profile: ChargingProfile) -> Refusal | None:
        unit = profile.schedule.unit
        return None if unit is self._unit else Refusal(f"chargingRateUnit {unit} is not supported")


class StackLevelZeroOnly(Fault):
    """Rejects every stack level above 0; its configuration key says so only if `admits`."""

    def __init__(self, *, admits: bool) -> None:
        self._admits = admits

    def keys(self) -> Mapping[str, str]:
        return {"ChargeProfileMaxStackLevel": "0"} if self._admits else {}

    def refusal(self, profile: ChargingProfile) -> Refusal | None:
        return Refusal("stackLevel above 0 is not supported") if profile.stack_level > 0 else None


class OnePeriodOnly(Fault):
    """Rejects every schedule of several periods; its configuration key says so only if `admits`."""

    def __init__(self, *, admits: bool) -> None:
        self._admits = admits

    def keys(self) -> Mapping[str, str]:
        return {"ChargingScheduleMaxPeriods": "1"} if self._admits else {}

    def refusal(self, profile: ChargingProfile) -> Refusal | None:
        return Refusal("more than one period is not supported") if len(profile.schedule.periods) > 1 else None


class AcceptsAndIgnores(Fault):
    """Says Accepted, keeps the profile, and offers what it is built for."""

    def in_force(
        self, connector_id: int, profiles: tuple[ChargingProfile, ...], at: datetime
    ) -> tuple[ChargingProfile, ...]:
        return ()


class IgnoresZero(Fault):
    """Takes a limit of 0 for no change: it offers on what it offered last, at first everything; or `gives_a`, if given."""

    def __init__(self, gives_a: float | None) -> None:
        self._gives_a = gives_a
        self._last: dict[int, tuple[int, float]] = {}

    def offered_a(self, connector: Connector, offered_a: float, most_a: float, at: datetime) -> float:
        if connector.transaction is None:
            return offered_a
        tx = connector.transaction.tx
        if offered_a > 0:
            self._last[connector.connector_id] = (tx, offered_a)
            return offered_a
        if self._gives_a is not None:
            return self._gives_a
        last_tx, last_a = self._last.get(connector.connector_id, (tx, most_a))
        return last_a if last_tx == tx else most_a


class SpikesOnChange(Fault):
    """Offers what it is built for, for a while after every profile that it accepts."""

    def __init__(self, for_s: float) -> None:
        self._for = timedelta(seconds=for_s)
        self._until: dict[int, datetime] = {}

    def changed(self, connector_id: int, profile: ChargingProfile, at: datetime) -> Sequence[datetime]:
        self._until[connector_id] = at + self._for
        return [at + self._for]

    def offered_a(self, connector: Connector, offered_a: float, most_a: float, at: datetime) -> float:
        ends = [self._until[n] for n in (STATION, connector.connector_id) if n in self._until]
        return most_a if any(at < end for end in ends) else offered_a


class ClearsBeforeSet(Fault):
    """Forgets the profile of the same purpose and stack level first, and follows the new one a while later."""

    def __init__(self, for_s: float) -> None:
        self._for = timedelta(seconds=for_s)
        self._void: dict[tuple[int, Purpose, int], datetime] = {}

    def changed(self, connector_id: int, profile: ChargingProfile, at: datetime) -> Sequence[datetime]:
        self._void[connector_id, profile.purpose, profile.stack_level] = at + self._for
        return [at + self._for]

    def in_force(
        self, connector_id: int, profiles: tuple[ChargingProfile, ...], at: datetime
    ) -> tuple[ChargingProfile, ...]:
        def void(profile: ChargingProfile) -> bool:
            places = [(n, profile.purpose, profile.stack_level) for n in (STATION, connector_id)]
            return any(place in self._void and at < self._void[place] for place in places)

        return tuple(profile for profile in profiles if not void(profile))
