"""OCPP 1.6 payloads to and from the model. Pure; names on the wire live here and nowhere else in the simulator's core."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Recurrency, Schedule
from simulator.authorization import TagInfo
from simulator.errors import PayloadError
from simulator.meter import Sample, SampledValue

Json = dict[str, Any]

_PURPOSE = {
    "ChargePointMaxProfile": Purpose.STATION_MAX,
    "TxDefaultProfile": Purpose.TX_DEFAULT,
    "TxProfile": Purpose.TX,
}
_PURPOSE_NAME = {purpose: name for name, purpose in _PURPOSE.items()}


def purpose_from_wire(name: str) -> Purpose:
    """The purpose that OCPP 1.6 calls `name`."""
    if name not in _PURPOSE:
        raise PayloadError(f"chargingProfilePurpose {name!r} is not one of {', '.join(_PURPOSE)}")
    return _PURPOSE[name]


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, cut and not rounded so that it is never in the future."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_from_wire(field: str, text: str) -> datetime:
    """The instant that an RFC 3339 text names; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise PayloadError(f"{field} {text!r} is not an RFC 3339 date and time") from None


def profile_from_wire(payload: Mapping[str, Any]) -> ChargingProfile:
    """The profile in a csChargingProfiles or chargingProfile element; PayloadError when a value cannot be meant."""
    schedule = payload["chargingSchedule"]
    transaction_id = payload.get("transactionId")
    try:
        return ChargingProfile(
            profile_id=payload["chargingProfileId"],
            stack_level=payload["stackLevel"],
            purpose=purpose_from_wire(payload["chargingProfilePurpose"]),
            kind=Kind(payload["chargingProfileKind"]),
            schedule=Schedule(
                unit=RateUnit(schedule["chargingRateUnit"]),
                periods=tuple(_period(period) for period in schedule["chargingSchedulePeriod"]),
                start=_optional_moment(schedule, "startSchedule"),
                duration_s=schedule.get("duration"),
                min_rate=None if schedule.get("minChargingRate") is None else float(schedule["minChargingRate"]),
            ),
            transaction_id=None if transaction_id is None else str(transaction_id),
            recurrency=Recurrency(payload["recurrencyKind"]) if payload.get("recurrencyKind") else None,
            valid_from=_optional_moment(payload, "validFrom"),
            valid_to=_optional_moment(payload, "validTo"),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise PayloadError(f"charging profile: {error}") from None


def profile_to_wire(profile: ChargingProfile) -> Json:
    """The csChargingProfiles element that stands for `profile`."""
    payload = {
        "chargingProfileId": profile.profile_id,
        "transactionId": None if profile.transaction_id is None else int(profile.transaction_id),
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": _PURPOSE_NAME[profile.purpose],
        "chargingProfileKind": profile.kind.value,
        "recurrencyKind": profile.recurrency.value if profile.recurrency else None,
        "validFrom": _optional_text(profile.valid_from),
        "validTo": _optional_text(profile.valid_to),
        "chargingSchedule": schedule_to_wire(profile.schedule),
    }
    return _present(payload)


def schedule_to_wire(schedule: Schedule) -> Json:
    """The chargingSchedule element; limits are cut to the one decimal that OCPP 1.6 allows."""
    return _present(
        {
            "duration": schedule.duration_s,
            "startSchedule": _optional_text(schedule.start),
            "chargingRateUnit": schedule.unit.value,
            "chargingSchedulePeriod": [
                _present({"startPeriod": p.start_s, "limit": _tenths_down(p.limit), "numberPhases": p.phases})
                for p in schedule.periods
            ],
            "minChargingRate": schedule.min_rate,
        }
    )


def tag_info_from_wire(payload: Mapping[str, Any]) -> TagInfo:
    """The idTagInfo element, whose names the `ocpp` package has put into snake case."""
    expiry = payload.get("expiry_date")
    return TagInfo(
        payload["status"],
        payload.get("parent_id_tag"),
        None if expiry is None else moment_from_wire("expiryDate", expiry),
    )


def meter_values_to_wire(samples: Iterable[Sample]) -> list[Json]:
    """The meterValue element of MeterValues, or the transactionData of StopTransaction."""
    return [
        {
            "timestamp": timestamp(sample.at),
            "sampledValue": [_sampled(value, sample.context) for value in sample.values],
        }
        for sample in samples
    ]


def _sampled(value: SampledValue, context: str) -> Json:
    return _present(
        {
            "value": value.value,
            "context": context,
            "format": "Raw",
            "measurand": value.measurand,
            "phase": value.phase,
            "location": value.location,
            "unit": value.unit,
        }
    )


def _period(payload: Mapping[str, Any]) -> Period:
    return Period(payload["startPeriod"], float(payload["limit"]), payload.get("numberPhases"))


def _optional_moment(payload: Mapping[str, Any], field: str) -> datetime | None:
    text = payload.get(field)
    return None if text is None else moment_from_wire(field, text)


def _optional_text(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def _tenths_down(limit: float) -> float:
    """Cut to one decimal. A value that is one decimal but for the last bits (0.1 + 0.2) is not cut below it."""
    if not math.isfinite(limit):
        raise PayloadError(f"limit {limit} cannot be sent")
    return float(Decimal(repr(round(limit, 6))).quantize(Decimal("0.1"), ROUND_FLOOR))


def _present(payload: Mapping[str, Any]) -> Json:
    return {name: value for name, value in payload.items() if value is not None}
