"""Our calls to stations: one at a time, answered once, never later than their time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from csms.ports import CallError, CallResult, NoReply, Stations
from csms.stations.listener import OcppServer
from csms.store import tables
from optivgi.clock import ManualClock
from optivgi.model.clock import Clock
from tests.csms.stations.conftest import Station, Yard

PROFILE = {
    "connectorId": 1,
    "csChargingProfiles": {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]},
    },
}


@pytest.fixture
def clock() -> Clock:
    """Time stands still unless a test moves it."""
    return ManualClock()


@pytest.fixture
def time(clock: Clock) -> ManualClock:
    assert isinstance(clock, ManualClock)
    return clock


@pytest_asyncio.fixture
async def station(yard: Yard, server: OcppServer) -> AsyncIterator[Station]:
    async with yard.station(server) as station:
        assert await station.beats()
        yield station


@pytest.fixture
def stations(server: OcppServer) -> Stations:
    return server.stations


async def test_an_answer_reaches_the_caller(stations: Stations, station: Station) -> None:
    call = asyncio.create_task(stations.call("ST-1", "ClearCache", {}, "abc"))
    assert await station.reply({"status": "Accepted"}) == [2, "abc", "ClearCache", {}]
    assert await call == CallResult({"status": "Accepted"})


async def test_an_accepted_profile_is_in_the_database_before_the_caller_hears_of_it(
    yard: Yard, stations: Stations, station: Station
) -> None:
    call = asyncio.create_task(stations.call("ST-1", "SetChargingProfile", PROFILE, "abc"))
    await station.reply({"status": "Accepted"})
    await call
    assert (await yard.rows(tables.charging_profiles))[0]["isActive"] is True


async def test_a_refusal_reaches_the_caller(stations: Stations, station: Station) -> None:
    call = asyncio.create_task(stations.call("ST-1", "ClearCache", {}, "abc"))
    await station.hear()
    await station.say('[4,"abc","NotSupported","no cache here",{"a":1}]')
    assert await call == CallError("NotSupported", "no cache here", {"a": 1})


async def test_calls_go_out_one_after_the_other_in_their_order(stations: Stations, station: Station) -> None:
    calls = [asyncio.create_task(stations.call("ST-1", "ClearCache", {}, f"c{number}")) for number in range(5)]
    for number in range(5):
        assert (await station.hear())[1] == f"c{number}"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await station.websocket.recv()
        await station.say(f'[3,"c{number}",{{"status":"Accepted"}}]')
    assert await asyncio.gather(*calls) == [CallResult({"status": "Accepted"})] * 5


async def test_a_stations_own_call_is_answered_while_ours_waits(stations: Stations, station: Station) -> None:
    call = asyncio.create_task(stations.call("ST-1", "ClearCache", {}, "abc"))
    await station.hear()
    assert await station.beats()
    await station.say('[3,"abc",{"status":"Accepted"}]')
    assert await call == CallResult({"status": "Accepted"})


async def test_a_silent_station_costs_20_seconds_and_its_late_reply_is_dropped(
    stations: Stations, station: Station, time: ManualClock
) -> None:
    first = asyncio.create_task(stations.call("ST-1", "ClearCache", {}, "a"))
    await station.hear()
    await time.advance(19)
    second = asyncio.create_task(stations.call("ST-1", "ClearCache", {}, "b"))
    await time.advance(1)
    assert await first == NoReply("no answer within 20 s")
    assert (await station.hear())[1] == "b"
    await station.say('[3,"a",{"status":"Rejected"}]')
    assert await station.beats()
    await station.say('[3,"b",{"status":"Accepted"}]')
    await station.say('[3,"b",{"status":"Rejected"}]')
    assert await second == CallResult({"status": "Accepted"})
    assert await station.beats()


async def test_a_call_that_was_never_sent_says_so(stations: Stations, station: Station, time: ManualClock) -> None:
    calls = [asyncio.create_task(stations.call("ST-1", "ClearCache", {}, name)) for name in "ab"]
    await station.hear()
    await time.advance(20)
    assert await asyncio.gather(*calls) == [
        NoReply("no answer within 20 s"),
        NoReply("not sent, as earlier calls were not answered within 20 s"),
    ]


async def test_an_answer_that_breaks_its_schema_is_no_answer(stations: Stations, station: Station) -> None:
    call = asyncio.create_task(stations.call("ST-1", "ClearCache", {}, "abc"))
    await station.reply({"status": "Perhaps"})
    reply = await call
    assert isinstance(reply, NoReply)
    assert reply.reason.startswith("the station's answer breaks its schema: status: ")


async def test_a_lost_connection_ends_the_calls(stations: Stations, station: Station) -> None:
    calls = [asyncio.create_task(stations.call("ST-1", "ClearCache", {}, name)) for name in "ab"]
    await station.hear()
    await station.websocket.close()
    assert await asyncio.gather(*calls) == [NoReply("the connection was lost")] * 2
    assert await stations.call("ST-1", "ClearCache", {}, "c") == NoReply("the station is not connected")


async def test_a_caller_that_gives_up_leaves_the_station_in_order(
    yard: Yard, stations: Stations, station: Station
) -> None:
    call = asyncio.create_task(stations.call("ST-1", "SetChargingProfile", PROFILE, "abc"))
    asked = await station.hear()
    call.cancel()
    await asyncio.wait([call])
    await station.say(json.dumps([3, asked[1], {"status": "Accepted"}]))
    assert await station.beats()
    assert len(await yard.rows(tables.charging_profiles)) == 1


async def test_what_must_not_be_sent_is_not_sent(stations: Stations, station: Station) -> None:
    reply = await stations.call("ST-1", "ClearCache", {"a": 1}, "abc")
    assert isinstance(reply, NoReply)
    assert reply.reason.startswith("not sent: payload: ")
    assert await stations.call("NOBODY", "ClearCache", {}, "abc") == NoReply("the station is not connected")
    assert stations.protocol_of("ST-1") == "ocpp1.6"
    assert stations.protocol_of("NOBODY") is None


async def test_a_station_that_hears_of_a_call_it_does_not_know_answers_for_itself(
    stations: Stations, station: Station
) -> None:
    call = asyncio.create_task(stations.call("ST-1", "TriggerMessage", {"requestedMessage": "Heartbeat"}, "abc"))
    await station.reply({"status": "NotImplemented"})
    assert await call == CallResult({"status": "NotImplemented"})
