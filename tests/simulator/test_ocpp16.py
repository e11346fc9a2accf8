"""A station on OCPP 1.6J, against a CSMS of plain websockets."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from optivgi.clock import ManualClock, settle
from simulator.charger import ChargerSpec
from simulator.ocpp16 import Station, StationOptions
from simulator.ticker import Ticker
from simulator.vehicle import Vehicle, VehicleSpec
from tests.simulator.tiny_csms import PATIENCE_S, TinyCsms, tiny_csms, until

Json = dict[str, Any]


@pytest.fixture
async def csms() -> AsyncIterator[TinyCsms]:
    async with tiny_csms() as server:
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@asynccontextmanager
async def running(csms: TinyCsms, clock: ManualClock, **options: Any) -> AsyncIterator[Station]:
    """A station that lives until the block ends."""
    ticker = Ticker(clock)
    station = Station(
        ChargerSpec("ST-01", aligned_interval_s=10),
        StationOptions(csms.url, response_timeout_s=options.pop("response_timeout_s", 5.0), **options),
        clock,
        changed=ticker.reschedule,
    )
    tasks = [asyncio.create_task(ticker.run()), asyncio.create_task(station.run())]
    try:
        yield station
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results), results


@asynccontextmanager
async def ready(csms: TinyCsms, clock: ManualClock, **options: Any) -> AsyncIterator[Station]:
    """The same, accepted and with all statuses told."""
    async with running(csms, clock, **options) as station, asyncio.timeout(PATIENCE_S):
        await station.ready.wait()
        yield station


def car(soc: float = 0.2) -> Vehicle:
    return Vehicle(VehicleSpec(60, 7.2, ramp_up_kw_per_s=math.inf, ramp_down_s=0), soc)


async def charging(csms: TinyCsms, clock: ManualClock, station: Station) -> int:
    """An EV charges at connector 1; the CSMS's id of its transaction."""
    station.plug(1, car(), clock.now())
    station.present(1, "TAG-1", clock.now())
    await csms.hears("StartTransaction", len(csms.of("StartTransaction")) + 1)
    await until(lambda: (tx := station.charger.connectors[1].transaction) is not None and tx.transaction_id)
    transaction = station.charger.connectors[1].transaction
    assert transaction is not None
    return int(transaction.transaction_id or -1)


def failed(station: Station, times: int) -> bool:
    owed = station.outbox.head()
    return owed is not None and owed.failures == times


def tx_profile(transaction_id: int, limit: float = 10.0, **fields: Any) -> Json:
    return {
        "chargingProfileId": 5,
        "transactionId": transaction_id,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": "2026-03-03T08:00:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        },
        **fields,
    }


# Boot


async def test_it_boots_then_tells_every_status(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock) as station:
        assert [one.action for one in csms.heard] == ["BootNotification"] + ["StatusNotification"] * 3
        assert csms.of("BootNotification")[0]["chargePointVendor"] == "OptiVGI"
        assert [(p["connectorId"], p["status"]) for p in csms.of("StatusNotification")] == [
            (0, "Available"),
            (1, "Available"),
            (2, "Available"),
        ]
        assert station.online


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
async def test_it_says_nothing_until_accepted_and_asks_again_after_the_interval(
    csms: TinyCsms, clock: ManualClock, status: str
) -> None:
    csms.answers["BootNotification"] = {"currentTime": "2026-03-03T08:00:00Z", "interval": 40, "status": status}
    async with running(csms, clock) as station:
        await csms.hears("BootNotification")
        await settle()
        await clock.advance(39)
        assert [one.action for one in csms.heard] == ["BootNotification"]
        assert not station.online
        csms.answers["BootNotification"]["status"] = "Accepted"
        await clock.advance(2)
        await csms.hears("StatusNotification", 3)
        assert len(csms.of("BootNotification")) == 2


async def test_pending_station_obeys_and_answers_triggers(csms: TinyCsms, clock: ManualClock) -> None:
    csms.answers["BootNotification"] = {"currentTime": "2026-03-03T08:00:00Z", "interval": 40, "status": "Pending"}
    async with running(csms, clock):
        await csms.hears("BootNotification")
        assert (await csms.call("GetConfiguration", {"key": ["NumberOfConnectors"]}))["configurationKey"]
        trigger = {"requestedMessage": "StatusNotification", "connectorId": 1}
        assert await csms.call("TriggerMessage", trigger) == {"status": "Accepted"}
        await csms.hears("StatusNotification", connectorId=1)
        csms.answers["BootNotification"]["status"] = "Accepted"
        await csms.call("TriggerMessage", {"requestedMessage": "BootNotification"})
        await csms.hears("BootNotification", 2)
        await csms.hears("StatusNotification", connectorId=2)


async def test_it_asks_again_when_the_boot_is_answered_with_an_error(csms: TinyCsms, clock: ManualClock) -> None:
    accepted = csms.answers["BootNotification"]
    csms.answers["BootNotification"] = "InternalError"
    async with running(csms, clock) as station:
        await csms.hears("BootNotification")
        csms.answers["BootNotification"] = accepted
        await settle()
        await clock.advance(11)
        async with asyncio.timeout(PATIENCE_S):
            await station.ready.wait()


async def test_station_that_is_rejected_later_falls_silent(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock) as station:
        csms.answers["BootNotification"] = {"currentTime": "2026-03-03T08:00:00Z", "interval": 40, "status": "Rejected"}
        await csms.call("TriggerMessage", {"requestedMessage": "BootNotification"})
        await csms.hears("BootNotification", 2)
        await until(lambda: not station.online)
        csms.heard.clear()
        station.plug(1, car(), clock.now())
        await settle()
        await clock.advance(41)
        await csms.hears("BootNotification")
        assert {one.action for one in csms.heard} == {"BootNotification"}


async def test_heartbeat_comes_at_the_csms_interval_when_nothing_else_is_said(
    csms: TinyCsms, clock: ManualClock
) -> None:
    async with ready(csms, clock):
        await clock.advance(301)
        await csms.hears("Heartbeat")
        await settle()
        assert await csms.call("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "20"}) == {
            "status": "Accepted"
        }
        await clock.advance(300)
        await csms.hears("Heartbeat", 2)


# Transactions


async def test_session_in_order_with_clock_aligned_samples(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock) as station:
        await clock.advance(3)
        transaction_id = await charging(csms, clock, station)
        await clock.advance(20)
        await csms.hears("MeterValues", 2)
        station.unplug(1, clock.now())
        stopped = await csms.hears("StopTransaction")
        assert stopped == {
            "meterStop": 40,
            "timestamp": "2026-03-03T08:00:23.000Z",
            "transactionId": transaction_id,
            "reason": "EVDisconnected",
        }
        await csms.hears("StatusNotification", 2, connectorId=1, status="Available")
        times = [p["meterValue"][0]["timestamp"] for p in csms.of("MeterValues")]
        assert times == ["2026-03-03T08:00:10.000Z", "2026-03-03T08:00:20.000Z"]
        assert {p["transactionId"] for p in csms.of("MeterValues")} == {transaction_id}
        order = [one.action for one in csms.heard[4:] if one.action != "MeterValues"]
        assert order == [
            "StatusNotification",
            "Authorize",
            "StartTransaction",
            "StatusNotification",
            "StopTransaction",
            "StatusNotification",
        ]


async def test_profile_that_follows_the_start_in_the_same_breath_is_accepted(
    csms: TinyCsms, clock: ManualClock
) -> None:
    """The station must know the transaction's id before it looks at the next frame."""

    def at_once(_: str, answer: Json) -> list[Any]:
        payload = {"connectorId": 1, "csChargingProfiles": tx_profile(answer["transactionId"])}
        return [[2, "at-once", "SetChargingProfile", payload]]

    csms.after_answer["StartTransaction"] = at_once
    async with ready(csms, clock) as station:
        await charging(csms, clock, station)
        await until(lambda: csms.replies)
        assert csms.replies == [[3, "at-once", {"status": "Accepted"}]]
        assert station.charger.connectors[1].offered_a == 10


async def test_offline_messages_are_kept_in_order_and_get_the_late_id(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock) as station:
        station.charger.configuration.set("AllowOfflineTxForUnknownId", "true")
        await csms.close()
        await until(lambda: not station.online)
        station.plug(1, car(), clock.now())
        station.present(1, "TAG-1", clock.now())
        station.tick(clock.now() + timedelta(seconds=25))
        station.unplug(1, clock.now() + timedelta(seconds=29))
        csms.heard.clear()
        await csms.open()
        await clock.advance(60)
        await csms.hears("StopTransaction", transactionId=1)
        kept = [one for one in csms.heard if one.action != "StatusNotification"]
        assert [one.action for one in kept] == ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"]
        assert {one.payload.get("transactionId") for one in kept[1:]} == {1}
        assert kept[0].payload["timestamp"] == "2026-03-03T08:00:00.000Z"
        statuses = [p["connectorId"] for p in csms.of("StatusNotification")]
        assert statuses[:3] == [0, 1, 2], "a full refresh after a reconnect"


async def test_driver_whose_answer_is_lost_with_the_connection_gets_the_stations_own(
    csms: TinyCsms, clock: ManualClock
) -> None:
    csms.answers["Authorize"] = None
    async with ready(csms, clock) as station:
        station.charger.configuration.set("AllowOfflineTxForUnknownId", "true")
        station.plug(1, car(), clock.now())
        station.present(1, "TAG-1", clock.now())
        await csms.hears("Authorize")
        await (await csms.connected()).close()
        await until(lambda: not station.online)
        assert station.charger.connectors[1].status == "Charging"


async def test_transaction_message_is_tried_again_then_dropped(
    csms: TinyCsms, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    csms.answers["StopTransaction"] = "InternalError"
    async with ready(csms, clock) as station:
        await charging(csms, clock, station)
        station.unplug(1, clock.now())
        for attempt, wait_s in enumerate((10, 20), start=1):
            await csms.hears("StopTransaction", attempt)
            await until(partial(failed, station, attempt))
            owed = station.outbox.head()
            assert owed is not None
            assert owed.not_before is not None
            left_s = (owed.not_before - clock.now()).total_seconds()
            assert wait_s - 2 <= left_s <= wait_s
            await clock.advance(left_s - 0.5)
            assert len(csms.of("StopTransaction")) == attempt
            await clock.advance(1)
        await csms.hears("StopTransaction", 3)
        async with asyncio.timeout(PATIENCE_S):
            await station.quiet.wait()
        assert station.outbox.dropped == 1
        assert "gives up" in caplog.text


async def test_unanswered_start_is_sent_again(csms: TinyCsms, clock: ManualClock) -> None:
    answer, csms.answers["StartTransaction"] = csms.answers["StartTransaction"], None
    async with ready(csms, clock, response_timeout_s=0.05) as station:
        station.plug(1, car(), clock.now())
        station.present(1, "TAG-1", clock.now())
        first = await csms.hears("StartTransaction")
        csms.answers["StartTransaction"] = answer
        await until(partial(failed, station, 1))
        await clock.advance(11)
        assert await csms.hears("StartTransaction", 2) == first


# Connection


async def test_it_comes_back_with_growing_pauses_and_without_booting(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock) as station:
        for _ in range(2):
            socket = await csms.connected()
            await socket.close()
            await until(lambda: not station.online)
            csms.heard.clear()
            await settle()
            await clock.advance(2)
            await csms.hears("StatusNotification", 3)
            assert not csms.of("BootNotification")


async def test_pauses_double_up_to_the_bound_and_never_in_step(clock: ManualClock) -> None:
    stations = [
        Station(ChargerSpec(f"ST-{n}"), StationOptions("ws://127.0.0.1:1", reconnect_max_s=30), clock) for n in (1, 2)
    ]
    first, second = ([next(delays) for _ in range(8)] for delays in (s._delays() for s in stations))
    for n, delay in enumerate(first):
        bound = min(30, 2**n)
        assert bound / 2 <= delay <= bound
    assert first != second


async def test_subprotocol_that_is_not_ours_is_left(csms: TinyCsms, clock: ManualClock) -> None:
    await csms.close()
    csms.subprotocol = "ocpp2.0.1"
    await csms.open()
    async with running(csms, clock) as station:
        await until(lambda: clock.sleeping >= 2)
        assert not csms.heard
        assert not station.online


# Commands

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


# What no CSMS should send

BEYOND = [
    {"startSchedule": "9999-12-31T23:59:59Z"},
    {"startSchedule": "0001-01-01T00:00:00Z"},
    {"startSchedule": "0001-01-01T00:00:00+14:00"},
    {"duration": 10**40},
    {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}, {"startPeriod": 10**40, "limit": 7}]},
    {"chargingSchedulePeriod": [{"startPeriod": -(10**40), "limit": 6}]},
    {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1e20}]},
    {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6, "numberPhases": 10**40}]},
]


@pytest.mark.parametrize("schedule", BEYOND, ids=str)
async def test_numbers_and_dates_beyond_all_bounds_do_not_stop_a_station(
    csms: TinyCsms, clock: ManualClock, schedule: Json
) -> None:
    async with ready(csms, clock) as station:
        transaction_id = await charging(csms, clock, station)
        profile = tx_profile(transaction_id)
        profile["chargingSchedule"] |= schedule
        answer = await csms.call("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
        assert answer.get("status") in ("Accepted", "Rejected") or "error" in answer
        for duration in (0, 86_400, 10**40):
            await csms.call("GetCompositeSchedule", {"connectorId": 1, "duration": duration})
        await clock.advance(30)
        await csms.hears("MeterValues", 3)


async def test_endless_heartbeat_interval_does_not_stop_a_station(csms: TinyCsms, clock: ManualClock) -> None:
    csms.answers["BootNotification"]["interval"] = 10**40
    async with ready(csms, clock):
        assert await csms.call("GetLocalListVersion", {}) == {"listVersion": 0}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ([2, "x", "NoSuchAction", {}], "NotImplemented"),
        ([2, "x", "GetLog", {}], "NotSupported"),
        ([2, "x", "BootNotification", {}], "NotSupported"),
        ([2, "x", "Reset", {}], "ProtocolError"),
        ([2, "x", "Reset", {"type": 5}], "TypeConstraintViolation"),
        ([2, "x", "Reset", {"type": "Soft", "colour": "red"}], "FormationViolation"),
        ([2, "x", "Reset", []], "FormationViolation"),
        (
            [2, "x", "ReserveNow", {"connectorId": 1, "expiryDate": "soon", "idTag": "A", "reservationId": 1}],
            "PropertyConstraintViolation",
        ),
        (
            [2, "x", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": tx_profile(1, 5.55)}],
            "FormationViolation",
        ),
        (
            [2, "x", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": tx_profile(1, 10**40)}],
            "FormationViolation",
        ),
    ],
)
async def test_wrong_call_is_answered_with_its_error(
    csms: TinyCsms, clock: ManualClock, frame: list[Any], code: str
) -> None:
    async with ready(csms, clock):
        assert await csms.send(frame) == {"error": code}
        assert await csms.call("GetLocalListVersion", {}) == {"listVersion": 0}


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "[",
        "{}",
        "[]",
        "[9]",
        "[2]",
        '[2, 5, "Reset", {}]',
        '[3, "unknown", {}]',
        '[4, "unknown", "InternalError"]',
        '[2, "x", "Reset", {"type": NaN}]',
        '[2, "x", "Reset", {"type": 1e999}]',
        "[" * 100_000,
        b"\x00\x01",
    ],
    ids=lambda raw: repr(raw)[:24],
)
async def test_frame_that_is_no_message_is_dropped(csms: TinyCsms, clock: ManualClock, raw: str | bytes) -> None:
    async with ready(csms, clock):
        await (await csms.connected()).send(raw)
        assert await csms.call("GetLocalListVersion", {}) == {"listVersion": 0}


async def test_answer_of_a_wrong_shape_is_no_answer(csms: TinyCsms, clock: ManualClock) -> None:
    csms.answers["Authorize"] = {"idTagInfo": {"status": "Perhaps"}}
    async with ready(csms, clock) as station:
        station.plug(1, car(), clock.now())
        station.present(1, "TAG-1", clock.now())
        await csms.hears("Authorize")
        async with asyncio.timeout(PATIENCE_S):
            await station.quiet.wait()
        assert station.charger.connectors[1].transaction is None


async def test_late_answer_is_not_taken_for_another(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock) as station:
        socket = await csms.connected()
        await socket.send(json.dumps([3, "some-older-call", {"idTagInfo": {"status": "Accepted"}}]))
        await charging(csms, clock, station)


async def test_good_day_logs_no_warning(csms: TinyCsms, clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    async with ready(csms, clock) as station:
        await charging(csms, clock, station)
        await clock.advance(100)
        station.unplug(1, clock.now())
        await csms.hears("StopTransaction")
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
