"""A station on OCPP 1.6J: its boot, its heartbeat and its connection."""

from __future__ import annotations

import asyncio

import pytest

from optivgi.clock import ManualClock, settle
from optivgi.leaping import LeapingClock
from simulator.charger import ChargerSpec
from simulator.ocpp16 import Station, StationOptions
from tests.simulator.stations import car, ready, running
from tests.simulator.tiny_csms import PATIENCE_S, TinyCsms, tiny_csms, until


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


def test_it_takes_its_time_over_each_message() -> None:
    clock = LeapingClock()

    async def boot() -> None:
        async with tiny_csms() as csms, running(csms, clock, message_s=0.5) as station:
            await station.ready.wait()
            assert [one.action for one in csms.heard] == ["BootNotification"] + ["StatusNotification"] * 3
            assert clock.monotonic() == 0.5 * len(csms.heard)

    with asyncio.Runner(loop_factory=clock.loop) as runner:
        runner.run(boot())
