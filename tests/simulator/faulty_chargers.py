"""A charger without a network that has faults, and EVs that have theirs."""

from __future__ import annotations

import math
from typing import Any

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from simulator import commands
from simulator.charger import Charger, ChargerSpec
from simulator.faults.catalogue import specs
from simulator.outputs import MeterSampled, Output
from simulator.scenario import Session
from simulator.vehicle import Vehicle
from tests.simulator.chargers import ACCEPTED, NOON, after, only

REGISTER, POWER = "Energy.Active.Import.Register", "Power.Active.Import"
STATIONS = ("ST-01", "ST-02")


def station(*faults: Any, connector_id: int | None = None) -> Charger:
    orders = tuple((connector_id, spec) for spec in specs(faults))
    charger = Charger(ChargerSpec("ST-01", meter_start_wh=(50_000.0, 50_000.0), faults=orders), NOON)
    charger.online = True
    charger.report_everything(NOON)
    charger.take_outputs()
    return charger


def session(*faults: Any, **fields: Any) -> Session:
    plain: dict[str, Any] = {
        "station_id": "ST-01",
        "connector_id": 1,
        "arrive_offset_s": 0,
        "depart_offset_s": 600,
        "capacity_kwh": 60.0,
        "arrival_soc": 0.2,
        "target_soc": 1.0,
        "max_charge_rate_kw": 7.2,
        "id_tag": "TAG",
        "ramp_up_kw_per_s": math.inf,
        "ramp_down_s": 0.0,
        "faults": specs(faults),
    }
    return Session(**(plain | fields))


def charging(charger: Charger, connector_id: int = 1, vehicle: Vehicle | None = None) -> Charger:
    """The charger with a transaction whose id is 101 at a connector."""
    charger.plug(connector_id, vehicle or session().arriving(240), charger.now)
    return started(charger, connector_id)


def started(charger: Charger, connector_id: int = 1) -> Charger:
    charger.present(connector_id, "TAG", charger.now)
    charger.authorization(connector_id, "TAG", ACCEPTED, charger.now)
    transaction = charger.connectors[connector_id].transaction
    assert transaction is not None
    charger.transaction_accepted(transaction.tx, str(100 + transaction.tx), ACCEPTED, charger.now)
    return charger


def tx(
    *periods: tuple[int, float], unit: RateUnit = RateUnit.A, level: int = 1, profile_id: int = 1
) -> ChargingProfile:
    schedule = Schedule(unit, tuple(Period(start_s, limit) for start_s, limit in periods), NOON)
    return ChargingProfile(profile_id, level, Purpose.TX, Kind.ABSOLUTE, schedule, transaction_id="101")


def tx_default(*periods: tuple[int, float]) -> ChargingProfile:
    schedule = Schedule(RateUnit.A, tuple(Period(start_s, limit) for start_s, limit in periods))
    return ChargingProfile(9, 0, Purpose.TX_DEFAULT, Kind.RELATIVE, schedule)


def told(charger: Charger, profile: ChargingProfile, at_s: float, connector_id: int = 1) -> str:
    return commands.set_charging_profile(charger, connector_id, profile, after(at_s))


def power_kw(charger: Charger, at_s: float, connector_id: int = 1) -> float:
    charger.advance(after(at_s))
    return round(charger.connectors[connector_id].power_kw, 6)


def shown(outputs: list[Output], measurand: str) -> list[float]:
    return [
        float(value.value)
        for output in only(outputs, MeterSampled)
        for sample in output.samples
        for value in sample.values
        if value.measurand == measurand
    ]
