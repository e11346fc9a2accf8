"""Rows of Transactions, MeterValues and OCPPMessages as facts of `optivgi.model.history`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from optivgi.errors import ContractBroken
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Recurrency, Schedule
from optivgi.model.history import MeterSample, ProfilesCleared, ProfileSent, Register, Transaction
from optivgi.translation.citrineos.meter import POWER, REGISTER, Doubtful, measured, moment, number, sampled_values

Row = Mapping[str, Any]

PURPOSES = {"ChargePointMaxProfile": Purpose.STATION_MAX}
FINEST_DECIMALS = 6


def when(value: object) -> datetime:
    """Aware UTC from a timestamptz; raises ContractBroken."""
    try:
        return moment(value)
    except Doubtful as doubt:
        raise ContractBroken(str(doubt)) from None


def transactions(rows: Sequence[Row]) -> tuple[Transaction, ...]:
    """Transactions in order of their start. One that is over but has no stop time ends when the next one begins there,
    or when its row was last changed."""
    found = sorted((_transaction(row) for row in rows if row.get("startTime")), key=lambda tx: (tx.start, tx.row_id))
    changed = {row["id"]: when(row["updatedAt"]) for row in rows if not row.get("isActive")}
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
        start=when(started.get("timestamp") or row["startTime"]),
        end=when(end) if end else None,
        meter_start=_register(meter_start),
        meter_stop=_register(stopped.get("meterStop")),
    )


def samples(row: Row) -> tuple[MeterSample, ...]:
    """The clock-aligned and the other readings of one MeterValues row. What cannot be believed is left out: missing."""
    if row.get("transactionDatabaseId") is None:
        return ()
    try:
        at, readings = moment(row["timestamp"]), sampled_values(row)
    except Doubtful:
        return ()
    found = []
    for aligned in (True, False):
        chosen = [one for one in readings if (one.get("context") == "Sample.Clock") is aligned]
        power_kw, register = _believed(chosen, POWER), _energy(chosen)
        if power_kw is not None or register is not None:
            found.append(MeterSample(row["transactionDatabaseId"], at, aligned, power_kw, register))
    return tuple(found)


def _believed(readings: Sequence[Row], measurand: str) -> float | None:
    try:
        return measured(readings, measurand)
    except Doubtful:
        return None


def _energy(readings: Sequence[Row]) -> Register | None:
    """The register with the place value of its last printed digit; per phase those add up."""
    energy_kwh = _believed(readings, REGISTER)
    if energy_kwh is None:
        return None
    registers = [one for one in readings if (one.get("measurand") or REGISTER) == REGISTER]
    steps_kwh = [_believed([{**one, "value": _last_digit(one["value"]), "phase": None}], REGISTER) for one in registers]
    return Register(energy_kwh * 1000, sum(step or 0.0 for step in steps_kwh) * 1000)


def _register(value_wh: object) -> Register | None:
    try:
        return None if value_wh is None else Register(number(value_wh), _last_digit(value_wh))
    except Doubtful:
        return None


def _last_digit(value: object) -> float:
    """The place value of the last digit: 1 for 20, 0.001 for 20.125."""
    exponent = Decimal(str(value)).as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return float(Decimal(1).scaleb(-min(decimals, FINEST_DECIMALS)))


def profiles(rows: Sequence[Row]) -> tuple[tuple[ProfileSent, ...], tuple[ProfilesCleared, ...], tuple[str, ...]]:
    """SetChargingProfile and ClearChargingProfile CALLs of the CSMS with their answers, and what could not be read."""
    calls: list[tuple[Row, list[Any]]] = []
    answers: dict[tuple[str, str], tuple[datetime | None, str | None]] = {}
    unreadable: list[str] = []
    for row in rows:
        frame = _frame(row)
        if not frame:
            unreadable.append(f"message {row['id']} of {row['stationId']} at {row['timestamp']}: it is no OCPP frame")
        elif row["origin"] == "csms" and frame[0] == 2:
            calls.append((row, frame))
        elif row["origin"] == "cs" and frame[0] in (3, 4):
            answer = f"CALLERROR {frame[2]}" if frame[0] == 4 else str((frame[2] or {}).get("status"))
            answers[row["stationId"], str(frame[1])] = when(row["timestamp"]), answer
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


def _frame(row: Row) -> list[Any]:
    """The frame as a list of at least three parts; empty if it is not one."""
    try:
        frame = json.loads(row["message"]) if isinstance(row["message"], str) else row["message"]
    except ValueError:
        return []
    return frame if isinstance(frame, list) and len(frame) >= (4 if frame[:1] == [2] else 3) else []


def _sent(row: Row, payload: Row, answered_at: datetime | None, status: str | None) -> ProfileSent:
    return ProfileSent(
        row["stationId"],
        int(payload["connectorId"]),
        charging_profile(payload["csChargingProfiles"]),
        when(row["timestamp"]),
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
    return None if value is None else when(value)
