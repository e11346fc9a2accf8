"""What a connector's meter shows, as samples whose numbers agree with each other. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "SoC",
    "Current.Offered",
    "Power.Offered",
)
DEFAULT_MEASURANDS = MEASURANDS[:5]


@dataclass(frozen=True, slots=True)
class Reading:
    """The meter at one instant. `current_a` is per phase; `soc` (0..1) is None when no EV tells it."""

    energy_wh: float
    power_kw: float
    current_a: float
    offered_a: float
    voltage_v: float
    phases: int
    soc: float | None


@dataclass(frozen=True, slots=True)
class SampledValue:
    """One number of a sample in OCPP's words; without a phase it is for all phases together."""

    measurand: str
    value: str
    unit: str
    phase: str | None = None
    location: str = "Outlet"


@dataclass(frozen=True, slots=True)
class Sample:
    """All numbers taken at one instant, and why they were taken (OCPP ReadingContext)."""

    at: datetime
    context: str
    values: tuple[SampledValue, ...]


def sample(reading: Reading, at: datetime, context: str, measurands: Collection[str]) -> Sample:
    """The sample of `measurands`, in the meter's order. The energy register has a resolution of 1 mWh."""
    return Sample(at, context, tuple(v for name in MEASURANDS if name in measurands for v in _values(name, reading)))


def next_aligned(after: datetime, interval_s: int) -> datetime:
    """The first instant after `after` that is a multiple of the interval from midnight UTC; midnight always is one."""
    midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
    interval = timedelta(seconds=interval_s)
    return min(midnight + ((after - midnight) // interval + 1) * interval, midnight + timedelta(days=1))


def _values(measurand: str, reading: Reading) -> list[SampledValue]:
    match measurand:
        case "Energy.Active.Import.Register":
            return [SampledValue(measurand, f"{reading.energy_wh:.3f}", "Wh")]
        case "Power.Active.Import":
            return [SampledValue(measurand, f"{reading.power_kw * 1000:.1f}", "W")]
        case "Current.Import":
            return _per_phase(measurand, f"{reading.current_a:.3f}", "A", reading.phases)
        case "Voltage":
            return _per_phase(measurand, f"{reading.voltage_v:.1f}", "V", reading.phases)
        case "SoC":
            soc = reading.soc
            return [] if soc is None else [SampledValue(measurand, f"{soc * 100:.2f}", "Percent", location="EV")]
        case "Current.Offered":
            return [SampledValue(measurand, f"{reading.offered_a:.1f}", "A")]
        case _:
            watts = reading.offered_a * reading.voltage_v * reading.phases
            return [SampledValue(measurand, f"{watts:.1f}", "W")]


def _per_phase(measurand: str, value: str, unit: str, phases: int) -> list[SampledValue]:
    if phases == 1:
        return [SampledValue(measurand, value, unit)]
    suffix = "-N" if measurand == "Voltage" else ""
    return [SampledValue(measurand, value, unit, f"L{n}{suffix}") for n in range(1, phases + 1)]
