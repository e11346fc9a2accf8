"""MeterValues rows into readings, believing only what makes sense."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from optivgi.model.problem import PHASES

Row = Mapping[str, Any]

REGISTER = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
TO_KILO = {REGISTER: {"Wh": 1e-3, "kWh": 1.0}, POWER: {"W": 1e-3, "kW": 1.0}}
"""Accepted units; the first is the one that OCPP means when none is said."""
AT_THE_OUTLET = (None, "Outlet")
MOST_DIGITS = 9
MOST_KW = 5000.0


class Doubtful(ValueError):
    """A value that cannot be believed; its text says which and why."""


@dataclass(frozen=True, slots=True)
class Metered:
    """What the samples of one transaction prove. None means never metered, which is not 0."""

    power_kw: float | None = None
    power_at: datetime | None = None
    register_kwh: float | None = None
    doubts: tuple[str, ...] = ()


def moment(value: object) -> datetime:
    """Aware UTC from a timestamptz as GraphQL prints it; raises Doubtful for anything else."""
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise Doubtful(f"{value!r} is no date and time with an offset")
    return parsed.astimezone(UTC)


def number(value: object) -> float:
    """A finite number, given as a number or as text (Hasura prints numeric columns as either); else raises Doubtful."""
    try:
        parsed = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except ValueError:
        parsed = math.nan
    if not math.isfinite(parsed):
        raise Doubtful(f"{value!r} is no finite number")
    return parsed


def metered(rows: Sequence[Row], meter_start_kwh: float | None) -> Metered:
    """The newest believable power and register of `rows`, newest first, and a doubt for each value not believed.

    A register is not believed when it is below the transaction's start, or below an older one: meters do not run back.
    """
    doubts: list[str] = []
    power_kw = power_at = None
    registers: list[float] = []
    for row in rows:
        try:
            at = taken_at(row)
            samples = sampled_values(row)
        except Doubtful as doubt:
            doubts.append(f"meter sample: {doubt}")
            continue
        if power_kw is None:
            power_kw, power_at = _believed(samples, POWER, doubts, most=MOST_KW), at
        register = _believed(samples, REGISTER, doubts)
        if register is not None:
            registers.append(register)
    register_kwh = None
    for register in reversed(registers):
        floor = max(meter_start_kwh or 0.0, register_kwh or 0.0)
        if register < floor:
            doubts.append(f"energy register {register:g} kWh is below {floor:g} kWh before it")
        else:
            register_kwh = register
    return Metered(power_kw, power_at if power_kw is not None else None, register_kwh, tuple(doubts))


def taken_at(row: Row) -> datetime:
    """When a sample was taken; not later than the CSMS stored it, so that a station's fast clock never makes it newer."""
    at = moment(row.get("timestamp"))
    stored = row.get("createdAt")
    return at if stored is None else min(at, moment(stored))


def sampled_values(row: Row) -> list[Row]:
    """The samples of one row; the column holds a list, or that list as JSON text."""
    values = row.get("sampledValue")
    if isinstance(values, str):
        try:
            values = json.loads(values)
        except ValueError:
            raise Doubtful(f"sampledValue {values[:60]!r} is no JSON") from None
    if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
        raise Doubtful(f"sampledValue {str(values)[:60]} is no list of samples")
    return values


def measured(samples: Iterable[Row], measurand: str) -> float | None:
    """One measurand of one sample in kW or kWh: its total, else the sum of its phases; None if it is not there."""
    chosen = [
        s for s in samples if (s.get("measurand") or REGISTER) == measurand and s.get("location") in AT_THE_OUTLET
    ]
    totals = [sample for sample in chosen if not sample.get("phase")]
    if totals:
        return _kilo(totals[0], measurand)
    by_phase = {str(s["phase"]).removesuffix("-N"): s for s in chosen}
    lines = [_kilo(by_phase[phase], measurand) for phase in PHASES if phase in by_phase]
    return sum(lines) if lines else None


def _kilo(sample: Row, measurand: str) -> float:
    described = sample.get("unitOfMeasure")
    described = described if isinstance(described, Mapping) else {"unit": sample.get("unit")}
    units = TO_KILO[measurand]
    unit = described.get("unit") or next(iter(units))
    digits = number(described.get("multiplier") or 0)
    if unit not in units:
        raise Doubtful(f"{measurand} in unit {unit!r}")
    if not digits.is_integer() or abs(digits) > MOST_DIGITS:
        raise Doubtful(f"{measurand} with multiplier {digits:g}")
    value: float = number(sample.get("value")) * 10.0**digits * units[unit]
    if value < 0:
        raise Doubtful(f"{measurand} of {value:g}")
    return value


def _believed(samples: list[Row], measurand: str, doubts: list[str], most: float = math.inf) -> float | None:
    try:
        value = measured(samples, measurand)
        if value is not None and value > most:
            raise Doubtful(f"{measurand} of {value:g} kW")
    except Doubtful as doubt:
        doubts.append(f"meter sample: {doubt} is not believed")
        return None
    return value
