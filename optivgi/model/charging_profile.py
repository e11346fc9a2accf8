"""OCPP charging profiles as plain data, the same for every OCPP version.

Limits carry their unit beside them (`unit`); times are aware UTC; offsets are whole seconds from the schedule's start.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Purpose(StrEnum):
    """What a profile limits. `STATION_MAX` is ChargePointMaxProfile in OCPP 1.6, ChargingStationMaxProfile later."""

    EXTERNAL_CONSTRAINTS = "ChargingStationExternalConstraints"
    STATION_MAX = "ChargingStationMaxProfile"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


class Kind(StrEnum):
    """How a schedule is anchored in time."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class Recurrency(StrEnum):
    """Period of a Recurring schedule."""

    DAILY = "Daily"
    WEEKLY = "Weekly"


class RateUnit(StrEnum):
    """Unit of a limit: A is amperes per phase, W is watts over all phases."""

    A = "A"
    W = "W"


@dataclass(frozen=True, slots=True)
class Period:
    """From `start_s` after the schedule's start until the next period: at most `limit`, in the schedule's unit."""

    start_s: int
    limit: float
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A limit over time. The last period lasts until `duration_s`, or for ever if that is None."""

    unit: RateUnit
    periods: tuple[Period, ...]
    start: datetime | None = None
    duration_s: int | None = None
    min_rate: float | None = None


@dataclass(frozen=True, slots=True)
class ChargingProfile:
    """One ChargingProfile. `transaction_id` only on TxProfile; `valid_from` and `valid_to` absent mean always."""

    profile_id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    schedule: Schedule
    transaction_id: str | None = None
    recurrency: Recurrency | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
