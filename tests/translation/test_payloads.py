"""Charging profiles on the wire: the OCPP 1.6 schema holds, and no limit is ever rounded up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Recurrency, Schedule
from optivgi.translation.base import StationRequest, Wish
from optivgi.translation.citrineos.payloads import NotSendable, limit_on_wire, set_charging_profile, wish

SCHEMA = jsonschema_rs.validator_for(
    json.loads(files("ocpp.v16").joinpath("schemas/SetChargingProfile.json").read_text(encoding="utf-8-sig"))
)
START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
PLAIN = ChargingProfile(
    profile_id=7,
    stack_level=1,
    purpose=Purpose.TX,
    kind=Kind.ABSOLUTE,
    schedule=Schedule(RateUnit.A, (Period(0, 16.0),), start=START),
    transaction_id="42",
)


def test_a_tx_profile_is_what_was_captured() -> None:
    captured = next(
        entry["body"]
        for entry in json.loads((Path(__file__).parent / "samples" / "rest.json").read_text())
        if entry["label"] is None
    )
    profile = replace(
        PLAIN,
        profile_id=1,
        transaction_id="0",
        schedule=Schedule(RateUnit.A, (Period(0, 16.0, 1),), datetime(2026, 11, 20, 23, 16, 24, 300_000, tzinfo=UTC)),
    )
    assert set_charging_profile(1, profile) == captured


@pytest.mark.parametrize(
    ("asked_for", "action", "path"),
    [
        (Wish.METER, "TriggerMessage", "/ocpp/1.6/configuration/triggerMessage"),
        (Wish.STOP, "RemoteStopTransaction", "/ocpp/1.6/evdriver/remoteStopTransaction"),
        (Wish.INOPERATIVE, "ChangeAvailability", "/ocpp/1.6/configuration/changeAvailability"),
    ],
)
def test_a_wish_is_a_legal_message(asked_for: Wish, action: str, path: str) -> None:
    where, body = wish(StationRequest(asked_for, "ST-1", 2, "42"))
    schema = files("ocpp.v16").joinpath(f"schemas/{action}.json").read_text(encoding="utf-8-sig")
    jsonschema_rs.validator_for(json.loads(schema)).validate(body)
    assert where == path
    assert body.get("connectorId", 2) == 2
    assert body.get("transactionId", 42) == 42


def test_a_transaction_whose_id_is_no_number_cannot_be_ended() -> None:
    with pytest.raises(NotSendable, match="'abc' is not the whole number"):
        wish(StationRequest(Wish.STOP, "ST-1", 2, "abc"))


@pytest.mark.parametrize(
    ("profile", "members"),
    [
        pytest.param(PLAIN, {"transactionId": 42, "chargingProfilePurpose": "TxProfile"}, id="the id is a number"),
        pytest.param(
            replace(PLAIN, purpose=Purpose.STATION_MAX, transaction_id=None),
            {"chargingProfilePurpose": "ChargePointMaxProfile"},
            id="1.6 has its own name for the station's maximum",
        ),
        pytest.param(
            replace(
                PLAIN, kind=Kind.RECURRING, recurrency=Recurrency.DAILY, purpose=Purpose.TX_DEFAULT, transaction_id=None
            ),
            {
                "chargingProfileKind": "Recurring",
                "recurrencyKind": "Daily",
                "chargingProfilePurpose": "TxDefaultProfile",
            },
            id="recurring",
        ),
        pytest.param(
            replace(
                PLAIN, valid_from=START, valid_to=START.astimezone(timezone(timedelta(hours=2))) + timedelta(hours=1)
            ),
            {"validFrom": "2026-03-03T08:00:00.000Z", "validTo": "2026-03-03T09:00:00.000Z"},
            id="validity in UTC",
        ),
    ],
)
def test_members_by_profile(profile: ChargingProfile, members: dict[str, Any]) -> None:
    body = set_charging_profile(2, profile)
    assert body["connectorId"] == 2
    assert body["csChargingProfiles"].items() >= members.items()
    SCHEMA.validate(body)


def test_a_schedule_with_everything() -> None:
    schedule = Schedule(
        RateUnit.W, (Period(0, 0.0), Period(60, 3600.9, 3)), start=START, duration_s=900, min_rate=1440.5
    )
    assert set_charging_profile(1, replace(PLAIN, schedule=schedule))["csChargingProfiles"]["chargingSchedule"] == {
        "chargingRateUnit": "W",
        "startSchedule": "2026-03-03T08:00:00.000Z",
        "duration": 900,
        "minChargingRate": 1440.0,
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 0.0},
            {"startPeriod": 60, "limit": 3600.0, "numberPhases": 3},
        ],
    }


def test_what_is_not_said_is_not_sent() -> None:
    profile = ChargingProfile(1, 0, Purpose.TX_DEFAULT, Kind.RELATIVE, Schedule(RateUnit.A, (Period(0, 0.0),)))
    assert set_charging_profile(1, profile) == {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0.0}]},
        },
    }


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        (replace(PLAIN, transaction_id="tx-1"), "'tx-1' is not the whole number"),
        (replace(PLAIN, purpose=Purpose.EXTERNAL_CONSTRAINTS), "ChargingStationExternalConstraints is not one"),
        (replace(PLAIN, schedule=Schedule(RateUnit.A, (Period(0, float("nan")),))), "limit nan A"),
        (replace(PLAIN, schedule=Schedule(RateUnit.A, (Period(0, -0.1),))), "limit -0.1 A"),
    ],
)
def test_what_ocpp_16_cannot_express_is_not_sent(profile: ChargingProfile, why: str) -> None:
    with pytest.raises(NotSendable, match=why):
        set_charging_profile(1, profile)


@pytest.mark.parametrize(
    ("limit", "unit", "sent"),
    [
        (5.8, RateUnit.A, 5.7),
        (5.85, RateUnit.A, 5.7),
        (7.7, RateUnit.A, 7.7),
        (16.1, RateUnit.A, 16.1),
        (30.0, RateUnit.A, 30.0),
        (6.0, RateUnit.A, 6.0),
        (0.0, RateUnit.A, 0.0),
        (0.05, RateUnit.A, 0.0),
        (7199.99, RateUnit.W, 7199.0),
        (7200.0, RateUnit.W, 7200.0),
    ],
)
def test_limits_known_to_pass_or_fail_at_citrineos(limit: float, unit: RateUnit, sent: float) -> None:
    assert limit_on_wire(limit, unit) == sent


@given(st.floats(0, 500))
def test_amperes_are_rounded_down_by_little_and_pass_a_division_in_doubles(limit: float) -> None:
    sent = limit_on_wire(limit, RateUnit.A)
    assert limit - 0.31 < sent <= limit + 1e-9
    assert (sent / 0.1).is_integer()
    assert limit_on_wire(sent, RateUnit.A) == sent
    SCHEMA.validate(set_charging_profile(1, replace(PLAIN, schedule=Schedule(RateUnit.A, (Period(0, limit),)))))


@given(st.floats(0, 1e6))
def test_watts_are_whole_and_rounded_down(limit: float) -> None:
    sent = limit_on_wire(limit, RateUnit.W)
    assert sent.is_integer()
    assert limit - 1 < sent <= limit + 1e-9
