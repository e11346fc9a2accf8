"""Meter values of OCPP 1.6 in the form in which they are stored, with what cannot be true set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from csms.rpc.timestamps import format_timestamp, parse_timestamp
from csms.rules.plausibility import judge_instant, measurement_objection, number_of

Json = dict[str, Any]

ENERGY = "Energy.Active.Import.Register"
_DEFAULT_UNIT = {
    "Energy": "Wh",
    "Power": "W",
    "Current": "A",
    "Voltage": "V",
    "SoC": "Percent",
    "Temperature": "Celsius",
    "Frequency": "Hertz",
    "RPM": "RPM",
}
_WH_PER = {"Wh": 1.0, "kWh": 1000.0}


@dataclass(frozen=True, slots=True)
class SetAside:
    """A sample that is not used, and why."""

    reason: str
    sample: Json


@dataclass(frozen=True, slots=True)
class Reading:
    """The samples of one instant. `energy_wh` is the import register, None when it was not among them or not credible."""

    timestamp: datetime
    samples: tuple[Json, ...]
    energy_wh: float | None = None
    reported: datetime | None = None
    set_aside: tuple[SetAside, ...] = ()

    def remarks(self) -> Json:
        """What the record must say beside the samples, {} when all is well."""
        remarks: Json = {}
        if self.reported is not None:
            remarks["reportedTimestamp"] = format_timestamp(self.reported)
        if self.set_aside:
            remarks["setAside"] = [{"reason": item.reason, "sample": item.sample} for item in self.set_aside]
        return remarks


def read_meter_value(entry: Json, now: datetime) -> Reading:
    """One element of a meterValue or transactionData array, already checked against its schema."""
    reported = parse_timestamp(entry["timestamp"]) or now
    instant = judge_instant(reported, now)
    samples: list[Json] = []
    set_aside: list[SetAside] = []
    energy_wh: float | None = None
    for sample in entry["sampledValue"]:
        stored = _stored(sample)
        reason = _objection(sample, stored)
        if reason is not None:
            set_aside.append(SetAside(reason, sample))
            continue
        samples.append(stored)
        if _is_register(stored):
            energy_wh = _in_wh(stored)
    return Reading(
        timestamp=instant.used,
        samples=tuple(samples),
        energy_wh=energy_wh,
        reported=None if instant.trusted else reported,
        set_aside=tuple(set_aside),
    )


def check_register(reading: Reading, at_least_wh: float | None, at_most_wh: float | None = None) -> Reading:
    """The reading with its energy register set aside when that would make the register run backwards.

    `at_least_wh` is the highest register value before its timestamp, `at_most_wh` the lowest one after.
    """
    energy_wh = reading.energy_wh
    if energy_wh is None:
        return reading
    if at_least_wh is not None and energy_wh < at_least_wh:
        reason = f"energy register went back from {at_least_wh:g} Wh to {energy_wh:g} Wh"
    elif at_most_wh is not None and energy_wh > at_most_wh:
        reason = f"energy register shows {energy_wh:g} Wh before it showed {at_most_wh:g} Wh"
    else:
        return reading
    kept = tuple(sample for sample in reading.samples if not _is_register(sample))
    gone = tuple(SetAside(reason, sample) for sample in reading.samples if _is_register(sample))
    return replace(reading, samples=kept, energy_wh=None, set_aside=reading.set_aside + gone)


def check_registers(readings: Sequence[Reading], meter_start_wh: float | None) -> list[Reading]:
    """The readings in the order of their timestamps, each register checked against those before it."""
    checked: list[Reading] = []
    highest_wh = meter_start_wh
    for reading in sorted(readings, key=lambda reading: reading.timestamp):
        good = check_register(reading, highest_wh)
        highest_wh = good.energy_wh if good.energy_wh is not None else highest_wh
        checked.append(good)
    return checked


def register_wh(samples: Sequence[Json]) -> float | None:
    """The energy register among stored samples, in Wh."""
    return next((_in_wh(sample) for sample in samples if _is_register(sample)), None)


def _stored(sample: Json) -> Json:
    measurand = sample.get("measurand", ENERGY)
    unit = sample.get("unit") or _DEFAULT_UNIT.get(measurand.split(".", 1)[0], "")
    stored: Json = {
        "value": number_of(sample["value"]),
        "context": sample.get("context", "Sample.Periodic"),
        "measurand": measurand,
        "unitOfMeasure": {"unit": unit, "multiplier": 0},
    }
    for name in ("phase", "location"):
        if name in sample:
            stored[name] = sample[name]
    return stored


def _objection(sample: Json, stored: Json) -> str | None:
    if sample.get("format") == "SignedData":
        return "signed data is kept unread"
    if stored["value"] is None:
        return "value is not a number"
    return measurement_objection(stored["measurand"], stored["unitOfMeasure"]["unit"], stored["value"])


def _is_register(stored: Json) -> bool:
    """The register of the whole connector: per-phase registers and those inside the EV are something else."""
    return (
        stored.get("measurand") == ENERGY
        and "phase" not in stored
        and stored.get("location", "Outlet") == "Outlet"
        and stored["unitOfMeasure"]["unit"] in _WH_PER
    )


def _in_wh(stored: Json) -> float:
    return float(stored["value"] * _WH_PER[stored["unitOfMeasure"]["unit"]])
