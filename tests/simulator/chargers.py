"""A charger without a network, and the EVs, tags and profiles that it meets."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from simulator.authorization import TagInfo
from simulator.charger import Charger, ChargerSpec
from simulator.outputs import (
    Output,
    StatusChanged,
)
from simulator.vehicle import Vehicle, VehicleSpec

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
ACCEPTED = TagInfo("Accepted")


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def car(soc: float = 0.2, **spec: Any) -> Vehicle:
    ramps = {"ramp_up_kw_per_s": math.inf, "ramp_down_s": 0.0}
    return Vehicle(VehicleSpec(**({"capacity_kwh": 60.0, "max_charge_rate_kw": 7.2} | ramps | spec)), soc)


def station(online: bool = True, **spec: Any) -> Charger:
    charger = Charger(ChargerSpec("ST-01", **spec), NOON)
    charger.online = online
    charger.report_everything(NOON)
    charger.take_outputs()
    return charger


def charging(charger: Charger, connector_id: int = 1, at: datetime = NOON, vehicle: Vehicle | None = None) -> int:
    """A transaction with the id 100 + tx on a connector; returns tx."""
    charger.plug(connector_id, vehicle or car(), at)
    charger.present(connector_id, f"TAG-{connector_id}", at)
    charger.authorization(connector_id, f"TAG-{connector_id}", ACCEPTED, at)
    transaction = charger.connectors[connector_id].transaction
    assert transaction is not None
    charger.transaction_accepted(transaction.tx, str(100 + transaction.tx), ACCEPTED, at)
    charger.take_outputs()
    return transaction.tx


def profile(
    purpose: Purpose, *periods: tuple[int, float], profile_id: int = 1, level: int = 0, **fields: Any
) -> ChargingProfile:
    kind = fields.pop("kind", Kind.ABSOLUTE)
    unit = fields.pop("unit", RateUnit.A)
    start = None if kind is Kind.RELATIVE else NOON
    phases = fields.pop("phases", None)
    schedule = Schedule(unit, tuple(Period(s, limit, phases) for s, limit in periods), start)
    return ChargingProfile(profile_id, level, purpose, kind, schedule, **fields)


def statuses(outputs: list[Output], connector_id: int = 1) -> list[str]:
    return [o.status for o in outputs if isinstance(o, StatusChanged) and o.connector_id == connector_id]


def only(outputs: list[Output], kind: type[Any]) -> list[Any]:
    return [output for output in outputs if isinstance(output, kind)]
