"""A station on OCPP 1.6J: transactions, in order, through lost connections and lost answers."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from optivgi.clock import ManualClock
from tests.simulator.stations import Json, car, charging, failed, ready, tx_profile
from tests.simulator.tiny_csms import PATIENCE_S, TinyCsms, until


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


async def test_good_day_logs_no_warning(csms: TinyCsms, clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    async with ready(csms, clock) as station:
        await charging(csms, clock, station)
        await clock.advance(100)
        station.unplug(1, clock.now())
        await csms.hears("StopTransaction")
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
