"""Boots, statuses, idTags, and what stations' answers leave behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from csms.rpc.timestamps import format_timestamp
from csms.store import tables
from tests.csms.handlers.conftest import Csms

IDENTITY = {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1.0"}
ACCEPTED = {"status": "Accepted"}


def profile(number: int = 1, *, purpose: str = "TxProfile", level: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "chargingProfileId": number,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": "2026-03-03T08:00:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1, "numberPhases": 1}],
        },
        **more,
    }


async def set_profile(csms: Csms, profile: dict[str, Any], connector: int = 1, status: str = "Accepted") -> None:
    request = {"connectorId": connector, "csChargingProfiles": profile}
    await csms.answered("SetChargingProfile", request, {"status": status})


async def active(csms: Csms) -> list[int]:
    return [row["id"] for row in await csms.rows(tables.charging_profiles, isActive=True)]


async def test_a_boot_is_accepted_and_leaves_identity_and_boot(csms: Csms) -> None:
    answer = await csms.receive("BootNotification", IDENTITY)
    assert answer == {"status": "Accepted", "currentTime": "2026-03-03T08:00:00.000Z", "interval": 60}
    station = await csms.row(tables.charging_stations)
    assert station.items() >= (IDENTITY | {"id": "ST-1", "isOnline": True, "protocol": "ocpp1.6"}).items()
    boot = await csms.row(tables.boots)
    assert (boot["id"], boot["status"], boot["heartbeatInterval"]) == ("ST-1", "Accepted", 60)


async def test_a_boot_that_an_operator_holds_back_is_told_when_to_try_again(csms: Csms) -> None:
    async with csms.db.begin() as connection:
        await connection.execute(insert(tables.boots).values(id="ST-1", status="Pending", bootRetryInterval=30))
    answer = await csms.receive("BootNotification", IDENTITY)
    assert (answer["status"], answer["interval"]) == ("Pending", 30)


async def test_a_heartbeat_tells_the_time(csms: Csms) -> None:
    assert await csms.receive("Heartbeat", {}) == {"currentTime": "2026-03-03T08:00:00.000Z"}


async def test_a_status_reaches_connector_history_and_latest(csms: Csms) -> None:
    for status in ("Available", "Charging"):
        said = {"connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": format_timestamp(csms.now)}
        await csms.receive("StatusNotification", said)
        await csms.clock.advance(1)
    await csms.receive("StatusNotification", {"connectorId": 2, "errorCode": "GroundFailure", "status": "Faulted"})
    connectors = await csms.rows(tables.connectors)
    assert [(row["connectorId"], row["status"], row["errorCode"]) for row in connectors] == [
        (1, "Charging", "NoError"),
        (2, "Faulted", "GroundFailure"),
    ]
    history = await csms.rows(tables.status_notifications)
    assert [row["connectorStatus"] for row in history] == ["Available", "Charging", "Faulted"]
    latest = await csms.rows(tables.latest_status_notifications)
    assert [row["statusNotificationId"] for row in latest] == [history[1]["id"], history[2]["id"]]


async def test_the_status_of_connector_0_is_the_stations_and_makes_no_connector(csms: Csms) -> None:
    await csms.receive("StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": "Available"})
    assert await csms.rows(tables.connectors) == []
    assert (await csms.row(tables.status_notifications))["connectorId"] == 0


async def test_an_id_tag_is_known_in_any_spelling_of_case(csms: Csms) -> None:
    family = await csms.knows_tag("FAMILY")
    expiry = csms.now + timedelta(days=1)
    await csms.knows_tag("Child", groupAuthorizationId=family, cacheExpiryDateTime=expiry)
    assert await csms.receive("Authorize", {"idTag": "cHILD"}) == {
        "idTagInfo": {"status": "Accepted", "expiryDate": format_timestamp(expiry), "parentIdTag": "FAMILY"}
    }
    assert await csms.receive("Authorize", {"idTag": "child' OR 1=1 --"}) == {"idTagInfo": {"status": "Invalid"}}


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("DataTransfer", {"vendorId": "x"}, {"status": "UnknownVendorId"}),
        ("FirmwareStatusNotification", {"status": "Idle"}, {}),
        ("DiagnosticsStatusNotification", {"status": "Idle"}, {}),
    ],
)
async def test_other_notifications_are_acknowledged(
    csms: Csms, action: str, payload: dict[str, Any], answer: dict[str, Any]
) -> None:
    assert await csms.receive(action, payload) == answer


async def test_an_accepted_profile_is_one_row_with_its_schedule(csms: Csms) -> None:
    await csms.start()
    await set_profile(csms, profile(transactionId=1))
    row = await csms.row(tables.charging_profiles)
    assert (
        row.items()
        >= {
            "stationId": "ST-1",
            "id": 1,
            "chargingProfileKind": "Absolute",
            "chargingProfilePurpose": "TxProfile",
            "recurrencyKind": None,
            "stackLevel": 1,
            "validFrom": None,
            "validTo": None,
            "evseId": 1,
            "isActive": True,
            "chargingLimitSource": "CSO",
            "transactionDatabaseId": 1,
        }.items()
    )
    schedule = await csms.row(tables.charging_schedules)
    assert (
        schedule.items()
        >= {
            "id": 1,
            "stationId": "ST-1",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1, "numberPhases": 1}],
            "duration": None,
            "minChargingRate": None,
            "startSchedule": "2026-03-03T08:00:00Z",
            "chargingProfileDatabaseId": row["databaseId"],
        }.items()
    )


async def test_a_profile_of_the_same_id_replaces_row_and_schedule(csms: Csms) -> None:
    await set_profile(csms, profile(purpose="TxDefaultProfile", level=0))
    await set_profile(csms, profile(purpose="TxDefaultProfile", level=2), connector=2)
    row = await csms.row(tables.charging_profiles)
    assert (row["stackLevel"], row["evseId"]) == (2, 2)
    assert (await csms.row(tables.charging_schedules))["chargingProfileDatabaseId"] == row["databaseId"]


async def test_a_profile_at_the_same_place_and_level_replaces_the_other(csms: Csms) -> None:
    await set_profile(csms, profile(1, purpose="TxDefaultProfile", level=0))
    await set_profile(csms, profile(2, purpose="TxDefaultProfile", level=0))
    await set_profile(csms, profile(3, purpose="TxDefaultProfile", level=0), connector=2)
    await set_profile(csms, profile(4, purpose="TxDefaultProfile", level=1))
    assert await active(csms) == [2, 3, 4]


async def test_a_rejected_profile_leaves_no_trace(csms: Csms) -> None:
    await set_profile(csms, profile(), status="Rejected")
    assert await csms.rows(tables.charging_profiles) == []


async def test_a_tx_profile_ends_with_its_transaction_and_a_default_stays(csms: Csms) -> None:
    await csms.start()
    await set_profile(csms, profile(1, transactionId=1))
    await set_profile(csms, profile(2, purpose="TxDefaultProfile", level=0))
    await csms.stop(1)
    assert await active(csms) == [2]


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({"id": 1}, [2, 3]),
        ({"id": 9}, [1, 2, 3]),
        ({"connectorId": 1}, [3]),
        ({"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}, [1, 3]),
        ({}, []),
    ],
)
async def test_clearing_ends_what_matches(csms: Csms, criteria: dict[str, Any], left: list[int]) -> None:
    await set_profile(csms, profile(1, purpose="TxDefaultProfile", level=0))
    await set_profile(csms, profile(2, purpose="TxDefaultProfile", level=1))
    await set_profile(csms, profile(3, purpose="TxDefaultProfile", level=0), connector=2)
    await csms.answered("ClearChargingProfile", criteria, ACCEPTED)
    assert await active(csms) == left


async def test_a_clear_that_found_nothing_changes_nothing(csms: Csms) -> None:
    await set_profile(csms, profile(1, purpose="TxDefaultProfile", level=0))
    await csms.answered("ClearChargingProfile", {}, {"status": "Unknown"})
    assert await active(csms) == [1]


async def test_a_composite_schedule_is_kept(csms: Csms) -> None:
    response = ACCEPTED | {
        "connectorId": 1,
        "scheduleStart": "2026-03-03T08:00:00Z",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]},
    }
    await csms.answered("GetCompositeSchedule", {"connectorId": 1, "duration": 600}, response)
    row = await csms.row(tables.composite_schedules)
    assert (row["stationId"], row["evseId"], row["chargingRateUnit"]) == ("ST-1", 1, "A")
    assert row["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 16}]


async def test_configuration_keys_are_kept_as_last_heard(csms: Csms) -> None:
    keys = [{"key": "NumberOfConnectors", "readonly": True, "value": "2"}, {"key": "Odd", "readonly": False}]
    await csms.answered("GetConfiguration", {}, {"configurationKey": keys, "unknownKey": ["X"]})
    await csms.answered("ChangeConfiguration", {"key": "Odd", "value": "7"}, {"status": "RebootRequired"})
    await csms.answered("ChangeConfiguration", {"key": "Odd", "value": "8"}, {"status": "Rejected"})
    rows = await csms.rows(tables.change_configurations)
    assert {(row["key"], row["value"], row["readonly"]) for row in rows} == {
        ("NumberOfConnectors", "2", True),
        ("Odd", "7", False),
    }


async def test_a_reservation_lives_until_it_is_cancelled(csms: Csms) -> None:
    request = {"connectorId": 1, "expiryDate": "2026-03-03T09:00:00Z", "idTag": "TAG", "reservationId": 5}
    await csms.answered("ReserveNow", request, ACCEPTED)
    row = await csms.row(tables.reservations)
    assert (row["id"], row["isActive"], row["reserveStatus"]) == (5, True, "Accepted")
    assert row["idToken"] == {"idToken": "TAG", "type": "ISO14443"}
    await csms.answered("CancelReservation", {"reservationId": 5}, ACCEPTED)
    assert (await csms.row(tables.reservations))["isActive"] is False


async def test_local_lists_follow_full_and_differential_updates(csms: Csms) -> None:
    full = [{"idTag": tag, "idTagInfo": {"status": "Accepted"}} for tag in ("TAG", "B")]
    request = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": full}
    await csms.answered("SendLocalList", request, ACCEPTED)
    change = [{"idTag": "B"}, {"idTag": "C", "idTagInfo": {"status": "Blocked"}}]
    request = {"listVersion": 2, "updateType": "Differential", "localAuthorizationList": change}
    await csms.answered("SendLocalList", request, ACCEPTED)
    version = await csms.row(tables.local_list_versions)
    assert version["versionNumber"] == 2
    members = await csms.rows(tables.local_list_version_authorizations, localListVersionId=version["id"])
    entries = {row["id"]: row for row in await csms.rows(tables.local_list_authorizations)}
    assert [(entries[m["authorizationId"]]["idToken"], entries[m["authorizationId"]]["status"]) for m in members] == [
        ("TAG", "Accepted"),
        ("C", "Blocked"),
    ]
    await csms.answered("GetLocalListVersion", {}, {"listVersion": 3})
    assert (await csms.row(tables.local_list_versions))["versionNumber"] == 3
