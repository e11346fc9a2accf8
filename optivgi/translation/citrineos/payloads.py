"""Charging profiles as the OCPP 1.6 bodies that CitrineOS's message API takes."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from optivgi.model.charging_profile import ChargingProfile, Purpose, RateUnit, Schedule
from optivgi.model.wire import ROUNDING_NOISE, is_multiple_of_tenth
from optivgi.translation.base import StationRequest, Wish
from optivgi.translation.citrineos.message_api import CHANGE_AVAILABILITY, REMOTE_STOP_TRANSACTION, TRIGGER_MESSAGE

Json = dict[str, Any]

PURPOSE_16 = {
    Purpose.STATION_MAX: "ChargePointMaxProfile",
    Purpose.TX_DEFAULT: "TxDefaultProfile",
    Purpose.TX: "TxProfile",
}


class NotSendable(ValueError):
    """A profile that OCPP 1.6 cannot express; its text says why."""


def set_charging_profile(connector_id: int, profile: ChargingProfile) -> Json:
    """The body of SetChargingProfile; every limit is rounded down to a value that passes. Raises NotSendable."""
    if profile.purpose not in PURPOSE_16:
        raise NotSendable(f"purpose {profile.purpose} is not one that a CSMS may set in OCPP 1.6")
    body: Json = {
        "chargingProfileId": profile.profile_id,
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": PURPOSE_16[profile.purpose],
        "chargingProfileKind": profile.kind.value,
        "chargingSchedule": _schedule(profile.schedule),
    }
    if profile.transaction_id is not None:
        body["transactionId"] = _transaction_number(profile.transaction_id)
    if profile.recurrency is not None:
        body["recurrencyKind"] = profile.recurrency.value
    if profile.valid_from is not None:
        body["validFrom"] = timestamp(profile.valid_from)
    if profile.valid_to is not None:
        body["validTo"] = timestamp(profile.valid_to)
    return {"connectorId": connector_id, "csChargingProfiles": body}


def wish(request: StationRequest) -> tuple[str, Json]:
    """The path and the body that ask a station for something besides profiles. Raises NotSendable."""
    match request.wish:
        case Wish.METER:
            return TRIGGER_MESSAGE, {"requestedMessage": "MeterValues", "connectorId": request.connector_id}
        case Wish.INOPERATIVE:
            return CHANGE_AVAILABILITY, {"connectorId": request.connector_id, "type": "Inoperative"}
        case Wish.STOP:
            return REMOTE_STOP_TRANSACTION, {"transactionId": _transaction_number(request.transaction_id)}


def limit_on_wire(limit: float, unit: RateUnit) -> float:
    """The largest value that passes and is not above `limit`: whole watts, or one decimal of an ampere."""
    if not (math.isfinite(limit) and limit >= 0):
        raise NotSendable(f"limit {limit} {unit}; it must be finite and at least 0")
    if unit is RateUnit.W:
        return float(math.floor(limit + ROUNDING_NOISE))
    tenths = math.floor(limit * 10 + ROUNDING_NOISE)
    while not is_multiple_of_tenth(tenths / 10):
        tenths -= 1
    return tenths / 10


def _transaction_number(transaction_id: str) -> int:
    if not transaction_id.isdecimal():
        raise NotSendable(f"transaction id {transaction_id!r} is not the whole number that OCPP 1.6 needs")
    return int(transaction_id)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole milliseconds, as OCPP stations read it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _schedule(schedule: Schedule) -> Json:
    periods = []
    for period in schedule.periods:
        entry: Json = {"startPeriod": period.start_s, "limit": limit_on_wire(period.limit, schedule.unit)}
        if period.phases is not None:
            entry["numberPhases"] = period.phases
        periods.append(entry)
    body: Json = {"chargingRateUnit": schedule.unit.value, "chargingSchedulePeriod": periods}
    if schedule.start is not None:
        body["startSchedule"] = timestamp(schedule.start)
    if schedule.duration_s is not None:
        body["duration"] = schedule.duration_s
    if schedule.min_rate is not None:
        body["minChargingRate"] = limit_on_wire(schedule.min_rate, schedule.unit)
    return body
