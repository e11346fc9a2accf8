"""A station on OCPP 1.6J: what no CSMS should send."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from optivgi.clock import ManualClock
from tests.simulator.stations import Json, car, charging, ready, tx_profile
from tests.simulator.tiny_csms import PATIENCE_S, TinyCsms

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
