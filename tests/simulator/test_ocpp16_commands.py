"""A station on OCPP 1.6J: the answer to every command, and what follows from it."""

from __future__ import annotations

import asyncio

import pytest

from optivgi.clock import ManualClock, settle
from tests.simulator.stations import Json, car, charging, ready, tx_profile
from tests.simulator.tiny_csms import PATIENCE_S, TinyCsms

COMMANDS: list[tuple[str, Json, Json]] = [
    ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}, {"status": "Accepted"}),
    ("ChangeAvailability", {"connectorId": 9, "type": "Inoperative"}, {"status": "Rejected"}),
    ("ChangeConfiguration", {"key": "Colour", "value": "red"}, {"status": "NotSupported"}),
    ("ClearCache", {}, {"status": "Accepted"}),
    ("ClearChargingProfile", {}, {"status": "Unknown"}),
    ("DataTransfer", {"vendorId": "Acme"}, {"status": "UnknownVendorId"}),
    ("DataTransfer", {"vendorId": "OptiVGI", "messageId": "x"}, {"status": "UnknownMessageId"}),
    ("GetConfiguration", {"key": ["Colour"]}, {"configurationKey": [], "unknownKey": ["Colour"]}),
    ("GetLocalListVersion", {}, {"listVersion": 0}),
    ("RemoteStopTransaction", {"transactionId": 9}, {"status": "Rejected"}),
    ("CancelReservation", {"reservationId": 9}, {"status": "Rejected"}),
    ("UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}),
    ("UpdateFirmware", {"location": "ftp://f/2.0", "retrieveDate": "2026-03-03T08:00:00Z"}, {}),
    ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 7}, {"status": "Rejected"}),
    (
        "SendLocalList",
        {
            "listVersion": 3,
            "updateType": "Full",
            "localAuthorizationList": [
                {"idTag": "A", "idTagInfo": {"status": "Accepted", "expiryDate": "2030-01-01T00:00:00Z"}}
            ],
        },
        {"status": "Accepted"},
    ),
    (
        "ReserveNow",
        {"connectorId": 1, "expiryDate": "2026-03-03T09:00:00Z", "idTag": "A", "reservationId": 1},
        {"status": "Accepted"},
    ),
    (
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": tx_profile(1)},
        {"status": "Rejected"},
    ),
    (
        "SetChargingProfile",
        {
            "connectorId": 1,
            "csChargingProfiles": tx_profile(1)
            | {"chargingSchedule": {"chargingRateUnit": "A", "startSchedule": "soon", "chargingSchedulePeriod": []}},
        },
        {"status": "Rejected"},
    ),
    ("GetCompositeSchedule", {"connectorId": 9, "duration": 60}, {"status": "Rejected"}),
    (
        "GetCompositeSchedule",
        {"connectorId": 1, "duration": 60, "chargingRateUnit": "A"},
        {
            "status": "Accepted",
            "connectorId": 1,
            "scheduleStart": "2026-03-03T08:00:00.000Z",
            "chargingSchedule": {
                "duration": 60,
                "startSchedule": "2026-03-03T08:00:00.000Z",
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 32.0, "numberPhases": 3}],
            },
        },
    ),
]


@pytest.mark.parametrize(
    ("action", "payload", "answer"), COMMANDS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_command(csms: TinyCsms, clock: ManualClock, action: str, payload: Json, answer: Json) -> None:
    async with ready(csms, clock):
        assert await csms.call(action, payload) == answer


async def test_remote_start_and_stop_with_a_profile(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock) as station:
        station.plug(1, car(), clock.now())
        profile = tx_profile(0, 8.0)
        del profile["transactionId"]
        start = {"idTag": "TAG-9", "connectorId": 1, "chargingProfile": profile}
        assert await csms.call("RemoteStartTransaction", start) == {"status": "Accepted"}
        started = await csms.hears("StartTransaction", idTag="TAG-9")
        assert started["connectorId"] == 1
        assert not csms.of("Authorize")
        assert station.charger.connectors[1].offered_a == 8
        await csms.hears("StatusNotification", connectorId=1, status="Charging")
        assert await csms.call("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}
        await csms.hears("StopTransaction", reason="Remote")
        await csms.hears("StatusNotification", connectorId=1, status="Finishing")


async def test_limits_of_any_decimal_pass_and_act(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock) as station:
        transaction_id = await charging(csms, clock, station)
        for tenths in range(60, 200, 7):
            payload = {"connectorId": 1, "csChargingProfiles": tx_profile(transaction_id, tenths / 10)}
            assert await csms.call("SetChargingProfile", payload) == {"status": "Accepted"}
            assert station.charger.connectors[1].offered_a == tenths / 10


@pytest.mark.parametrize(
    ("requested", "action"),
    [
        ("Heartbeat", "Heartbeat"),
        ("MeterValues", "MeterValues"),
        ("FirmwareStatusNotification", "FirmwareStatusNotification"),
        ("DiagnosticsStatusNotification", "DiagnosticsStatusNotification"),
        ("StatusNotification", "StatusNotification"),
        ("BootNotification", "BootNotification"),
    ],
)
async def test_trigger(csms: TinyCsms, clock: ManualClock, requested: str, action: str) -> None:
    async with ready(csms, clock):
        csms.heard.clear()
        assert await csms.call("TriggerMessage", {"requestedMessage": requested}) == {"status": "Accepted"}
        await csms.hears(action)


@pytest.mark.parametrize(("kind", "reason"), [("Soft", "SoftReset"), ("Hard", "HardReset")])
async def test_reset_ends_transactions_disconnects_and_boots(
    csms: TinyCsms, clock: ManualClock, kind: str, reason: str
) -> None:
    async with ready(csms, clock) as station:
        transaction_id = await charging(csms, clock, station)
        await csms.call("ChangeConfiguration", {"key": "WebSocketPingInterval", "value": "7"})
        first = await csms.connected()
        assert await csms.call("Reset", {"type": kind}) == {"status": "Accepted"}
        async with asyncio.timeout(PATIENCE_S):
            await first.wait_closed()
        await settle()
        await clock.advance(6)
        await csms.hears("BootNotification", 2)
        stopped = await csms.hears("StopTransaction", transactionId=transaction_id)
        assert stopped["reason"] == reason
        await csms.hears("StatusNotification", 2, connectorId=1, status="Preparing")
        assert station.charger.configuration.number("WebSocketPingInterval") == 7
        actions = [one.action for one in csms.heard]
        boots = [n for n, action in enumerate(actions) if action == "BootNotification"]
        assert (actions.index("StopTransaction") < boots[1]) is (kind == "Soft")


async def test_firmware_update_goes_through_its_steps_and_a_boot(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock):
        await csms.call("UpdateFirmware", {"location": "https://f/fw-2.1", "retrieveDate": "2026-03-03T08:00:30Z"})
        await clock.advance(31)
        await csms.hears("FirmwareStatusNotification", status="Downloading")
        await clock.advance(10)
        await csms.hears("FirmwareStatusNotification", status="Downloaded")
        await csms.hears("FirmwareStatusNotification", status="Installing")
        first = await csms.connected()
        await clock.advance(10)
        await first.wait_closed()
        await settle()
        await clock.advance(6)
        await csms.hears("FirmwareStatusNotification", status="Installed")
        assert csms.of("BootNotification")[1]["firmwareVersion"] == "fw-2.1"


async def test_diagnostics_are_uploaded_or_not(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock):
        assert "fileName" in await csms.call("GetDiagnostics", {"location": "ftp://host/logs"})
        assert await csms.call("GetDiagnostics", {"location": "ftp://host/logs"}) == {}
        await clock.advance(11)
        await csms.hears("DiagnosticsStatusNotification", status="Uploaded")
        await csms.call("GetDiagnostics", {"location": "nowhere"})
        await clock.advance(11)
        await csms.hears("DiagnosticsStatusNotification", status="UploadFailed")


async def test_firmware_whose_date_has_passed_is_fetched_at_once(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock):
        await csms.call("UpdateFirmware", {"location": "ftp://f/2", "retrieveDate": "2020-01-01T00:00:00Z"})
        await settle()
        await clock.advance(0.01)
        await csms.hears("FirmwareStatusNotification", status="Downloading")
