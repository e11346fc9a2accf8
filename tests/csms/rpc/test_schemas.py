"""Payloads are checked both ways, and a refusal names the field and the version's own error code."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.handlers.table import INCOMING, OUTGOING
from csms.rpc.dialects import OCPP16
from csms.rpc.schemas import Violation, known_actions, load_schema, violation

STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
METER_VALUE = {"timestamp": "2026-03-03T08:00:00Z", "sampledValue": [{"value": "1"}]}


def profile(limit: float) -> dict[str, Any]:
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            },
        },
    }


@pytest.mark.parametrize(
    ("action", "payload", "code", "field"),
    [
        ("StatusNotification", STATUS | {"connectorId": "1"}, "TypeConstraintViolation", "connectorId"),
        ("StatusNotification", STATUS | {"connectorId": 1.5}, "TypeConstraintViolation", "connectorId"),
        ("StatusNotification", STATUS | {"status": "Sleepy"}, "PropertyConstraintViolation", "status"),
        ("StatusNotification", STATUS | {"info": "x" * 51}, "PropertyConstraintViolation", "info"),
        ("StatusNotification", STATUS | {"timestamp": "today"}, "PropertyConstraintViolation", "timestamp"),
        ("StatusNotification", STATUS | {"colour": "red"}, "FormationViolation", "colour"),
        ("StatusNotification", {"connectorId": 1, "status": "Available"}, "ProtocolError", "errorCode"),
        ("MeterValues", {"connectorId": 1, "meterValue": []}, "OccurenceConstraintViolation", "meterValue"),
        (
            "MeterValues",
            {"connectorId": 1, "meterValue": [METER_VALUE | {"sampledValue": [{"value": 7}]}]},
            "TypeConstraintViolation",
            "meterValue/0/sampledValue/0/value",
        ),
        ("Authorize", {"idTag": "x" * 21}, "PropertyConstraintViolation", "idTag"),
        ("BootNotification", {}, "ProtocolError", "chargePoint"),
    ],
)
def test_a_refusal_names_the_field_and_the_rule(action: str, payload: dict[str, Any], code: str, field: str) -> None:
    wrong = violation(OCPP16, action, "request", payload)
    assert wrong is not None
    assert wrong.code == code
    assert field in wrong.description


def test_a_description_stays_within_255_characters_and_keeps_the_field() -> None:
    wrong = violation(OCPP16, "DataTransfer", "request", {"vendorId": "x" * 5000})
    assert wrong == Violation("PropertyConstraintViolation", "vendorId: breaks its maxLength rule")


@given(st.integers(0, 5000))
def test_every_limit_with_one_decimal_is_legal(tenths: int) -> None:
    assert violation(OCPP16, "SetChargingProfile", "request", profile(tenths / 10)) is None


@pytest.mark.parametrize("limit", [5.85, 0.01, 16.123])
def test_a_limit_with_two_decimals_is_refused(limit: float) -> None:
    wrong = violation(OCPP16, "SetChargingProfile", "request", profile(limit))
    assert wrong is not None
    assert wrong.code == "PropertyConstraintViolation"


@pytest.mark.parametrize("limit", [math.nan, math.inf, -math.inf])
def test_a_limit_that_is_no_number_is_refused(limit: float) -> None:
    assert violation(OCPP16, "SetChargingProfile", "request", profile(limit)) is not None


def test_checking_changes_nothing() -> None:
    payload = profile(16.1)
    before = copy.deepcopy(payload)
    assert violation(OCPP16, "SetChargingProfile", "request", payload) is None
    assert payload == before


def test_answers_are_checked_too() -> None:
    assert violation(OCPP16, "SetChargingProfile", "response", {"status": "Accepted"}) is None
    assert violation(OCPP16, "SetChargingProfile", "response", {"status": "Maybe"}) is not None


def test_all_28_core_actions_are_routed_and_every_routed_action_has_its_schemas() -> None:
    routed = {action for _, action in INCOMING} | {action for _, action in OUTGOING}
    assert len(routed) == 28
    assert routed <= known_actions(OCPP16)
    for action in known_actions(OCPP16):
        assert load_schema(OCPP16, action, "request")["type"] == "object"
        assert load_schema(OCPP16, action, "response")["type"] == "object"


def test_an_unknown_action_has_no_schema() -> None:
    with pytest.raises(KeyError, match="no action 'Teleport'"):
        load_schema(OCPP16, "Teleport", "request")
