"""Rows of Transactions, MeterValues and OCPPMessages as facts of `optivgi.model.history`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from optivgi.errors import ContractBroken
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Recurrency, Schedule
from optivgi.model.history import MeterSample, ProfilesCleared, ProfileSent, Register, Transaction

Row = Mapping[str, Any]

PURPOSES = {"ChargePointMaxProfile": Purpose.STATION_MAX}
FINEST_DECIMALS = 6
WH_PER_UNIT = {"Wh": 1, "kWh": 1000}
KW_PER_UNIT = {"W": Decimal("0.001"), "kW": Decimal(1)}
PHASES = {"L1", "L2", "L3", "L1-N", "L2-N", "L3-N"}


def moment(value: object) -> datetime:
    """Aware UTC from a database or OCPP timestamp; one without an offset is UTC."""
    try:
        parsed = datetime.fromisoformat(str(value))
    except ValueError:
        raise ContractBroken(f"timestamp is {value!r}; it must be ISO 8601") from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def transactions(rows: Sequence[Row]) -> tuple[Transaction, ...]:
    """Transactions in order of their start. One that is over but has no stop time ends when the next one begins there,
    or when its row was last changed."""
    found = sorted((_transaction(row) for row in rows if row.get("startTime")), key=lambda tx: (tx.start, tx.row_id))
    changed = {row["id"]: moment(row["updatedAt"]) for row in rows if not row.get("isActive")}
    following: dict[tuple[str, int], datetime] = {}
    closed: list[Transaction] = []
    for found_tx in reversed(found):
        tx = found_tx
        if tx.end is None and tx.row_id in changed:
            tx = replace(tx, end=following.get(tx.key) or changed[tx.row_id])
        closed.append(tx)
        following[tx.key] = tx.start
    return tuple(reversed(closed))


def _transaction(row: Row) -> Transaction:
    started, stopped = row.get("StartTransaction") or {}, row.get("StopTransaction") or {}
    end = stopped.get("timestamp") or row.get("endTime")
    meter_start = row["meterStart"] if row.get("meterStart") is not None else started.get("meterStart")
    return Transaction(
        row_id=row["id"],
        station_id=row["stationId"],
        connector_id=(row.get("Connector") or {}).get("connectorId") or 0,
        transaction_id=str(row["transactionId"]),
        start=moment(started.get("timestamp") or row["startTime"]),
        end=moment(end) if end else None,
        meter_start=_register(meter_start, 1),
        meter_stop=_register(stopped.get("meterStop"), 1),
    )


def samples(row: Row) -> tuple[MeterSample, ...]:
    """The clock-aligned and the other readings of one MeterValues row, those without power and energy left out."""
    if row.get("transactionDatabaseId") is None:
        return ()
    readings = row["sampledValue"]
    readings = json.loads(readings) if isinstance(readings, str) else readings
    found = []
    for aligned in (True, False):
        chosen = [one for one in readings if (one.get("context") == "Sample.Clock") is aligned]
        power, register = _power_kw(chosen), _energy(chosen)
        if power is not None or register is not None:
            found.append(MeterSample(row["transactionDatabaseId"], moment(row["timestamp"]), aligned, power, register))
    return tuple(found)


def _power_kw(readings: Iterable[Row]) -> float | None:
    total: Decimal | None = None
    by_phase: dict[str, Decimal] = {}
    for one in readings:
        if one.get("measurand") != "Power.Active.Import" or one.get("location") not in (None, "Outlet"):
            continue
        unit, scale = _unit(one, "W")
        value = _decimal(one["value"])
        if value is None or unit not in KW_PER_UNIT:
            continue
        value *= KW_PER_UNIT[unit] * scale
        if one.get("phase") is None:
            total = value
        elif one["phase"] in PHASES:
            by_phase[one["phase"]] = value
    if total is None and by_phase:
        total = sum(by_phase.values(), Decimal(0))
    return None if total is None else float(total)


def _energy(readings: Iterable[Row]) -> Register | None:
    for one in readings:
        measurand = one.get("measurand") or "Energy.Active.Import.Register"
        if (
            measurand != "Energy.Active.Import.Register"
            or one.get("phase")
            or one.get("location") not in (None, "Outlet")
        ):
            continue
        unit, scale = _unit(one, "Wh")
        if unit in WH_PER_UNIT:
            return _register(one["value"], WH_PER_UNIT[unit] * scale)
    return None


def _unit(reading: Row, default: str) -> tuple[str, Decimal]:
    measure = reading.get("unitOfMeasure") or {}
    return measure.get("unit") or reading.get("unit") or default, Decimal(10) ** int(measure.get("multiplier") or 0)


def _register(value: object, wh_per_unit: Decimal | int) -> Register | None:
    """A reading and the place value of its last digit, as far as it was printed."""
    number = None if value is None else _decimal(value)
    if number is None:
        return None
    exponent = number.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    step = Decimal(1).scaleb(-min(decimals, FINEST_DECIMALS))
    return Register(float(number * wh_per_unit), float(step * wh_per_unit))


def _decimal(value: object) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def profiles(rows: Sequence[Row]) -> tuple[tuple[ProfileSent, ...], tuple[ProfilesCleared, ...], tuple[str, ...]]:
    """SetChargingProfile and ClearChargingProfile CALLs of the CSMS with their answers, and what could not be read."""
    calls: list[tuple[Row, list[Any]]] = []
    answers: dict[tuple[str, str], tuple[datetime | None, str | None]] = {}
    unreadable: list[str] = []
    for row in rows:
        frame = json.loads(row["message"]) if isinstance(row["message"], str) else row["message"]
        if row["origin"] == "csms" and frame[0] == 2:
            calls.append((row, frame))
        elif row["origin"] == "cs" and frame[0] in (3, 4):
            answer = str(frame[2].get("status")) if frame[0] == 3 else f"CALLERROR {frame[2]}"
            answers[row["stationId"], str(frame[1])] = moment(row["timestamp"]), answer
    sent: list[ProfileSent] = []
    cleared: list[ProfilesCleared] = []
    for row, frame in calls:
        answered_at, status = answers.get((row["stationId"], str(frame[1])), (None, None))
        try:
            if row.get("protocol") not in (None, "ocpp1.6"):
                raise ValueError(f"protocol {row['protocol']}")
            if frame[2] == "SetChargingProfile":
                sent.append(_sent(row, frame[3], answered_at, status))
            elif answered_at is not None and status == "Accepted":
                cleared.append(_cleared(row["stationId"], frame[3], answered_at))
        except (KeyError, TypeError, ValueError, ContractBroken) as error:
            unreadable.append(f"{frame[2]} to {row['stationId']} at {row['timestamp']}: {error!r}")
    return tuple(sent), tuple(cleared), tuple(unreadable)


def _sent(row: Row, payload: Row, answered_at: datetime | None, status: str | None) -> ProfileSent:
    return ProfileSent(
        row["stationId"],
        int(payload["connectorId"]),
        charging_profile(payload["csChargingProfiles"]),
        moment(row["timestamp"]),
        answered_at,
        status,
    )


def _cleared(station_id: str, payload: Row, answered_at: datetime) -> ProfilesCleared:
    purpose = payload.get("chargingProfilePurpose")
    return ProfilesCleared(
        station_id,
        answered_at,
        profile_id=payload.get("id"),
        connector_id=payload.get("connectorId"),
        purpose=None if purpose is None else PURPOSES.get(purpose) or Purpose(purpose),
        stack_level=payload.get("stackLevel"),
    )


def charging_profile(payload: Row) -> ChargingProfile:
    """An OCPP 1.6 ChargingProfile; KeyError or ValueError if it is not one."""
    schedule = payload["chargingSchedule"]
    purpose, recurrency = payload["chargingProfilePurpose"], payload.get("recurrencyKind")
    transaction_id = payload.get("transactionId")
    return ChargingProfile(
        profile_id=int(payload["chargingProfileId"]),
        stack_level=int(payload["stackLevel"]),
        purpose=PURPOSES.get(purpose) or Purpose(purpose),
        kind=Kind(payload["chargingProfileKind"]),
        schedule=Schedule(
            unit=RateUnit(schedule["chargingRateUnit"]),
            periods=tuple(
                Period(int(period["startPeriod"]), float(period["limit"]), period.get("numberPhases"))
                for period in schedule["chargingSchedulePeriod"]
            ),
            start=_optional(schedule.get("startSchedule")),
            duration_s=schedule.get("duration"),
            min_rate=schedule.get("minChargingRate"),
        ),
        transaction_id=None if transaction_id is None else str(transaction_id),
        recurrency=Recurrency(recurrency) if recurrency else None,
        valid_from=_optional(payload.get("validFrom")),
        valid_to=_optional(payload.get("validTo")),
    )


def _optional(value: object) -> datetime | None:
    return None if value is None else moment(value)
