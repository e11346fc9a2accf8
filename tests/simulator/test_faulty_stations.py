"""Stations whose link, word or clock is bad, on OCPP 1.6J, against a CSMS of plain websockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

import pytest

from optivgi.clock import ManualClock, settle
from simulator.faults.fault import Incident
from simulator.ocpp16 import Station
from simulator.wire_clock import shifted
from tests.simulator.stations import charging, ready
from tests.simulator.tiny_csms import TinyCsms, until

Json = dict[str, Any]
HOUR = timedelta(hours=1)


def profile(limit: float, **schedule: Any) -> Json:
    periods = [{"startPeriod": 0, "limit": limit}]
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 5,
            "transactionId": 1,
            "stackLevel": 1,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": periods, **schedule},
        },
    }


def wire(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def power_kw(station: Station, clock: ManualClock) -> float:
    station.tick(clock.now())
    return round(station.charger.connectors[1].power_kw, 6)


async def spend(clock: ManualClock, station: Station, seconds: float) -> None:
    """Lets site time pass, second by second, and everything be said and answered meanwhile."""
    for _ in range(round(seconds)):
        await clock.advance(1)
        await until(lambda: station.silent or not station.online)
    await settle()


# Answers


async def test_answers_late_acts_at_once_says_so_after_25_s_and_talks_meanwhile(
    csms: TinyCsms, clock: ManualClock
) -> None:
    async with ready(csms, clock, "answers_late") as station:
        await charging(csms, clock, station)
        answer = asyncio.create_task(csms.call("SetChargingProfile", profile(6.0, startSchedule=wire(clock.now()))))
        await until(lambda: station.charger.profiles.profile_ids)
        await spend(clock, station, 24)
        assert power_kw(station, clock) == 1.44
        assert not answer.done()
        assert await csms.call("GetConfiguration", {"key": ["NumberOfConnectors"]})
        assert len(csms.of("MeterValues")) == 2
        await spend(clock, station, 1)
        assert await answer == {"status": "Accepted"}


async def test_late_answers_die_with_their_connection(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock, "answers_late") as station:
        await charging(csms, clock, station)
        await csms.connections["ST-01"].send(
            '[2,"late","SetChargingProfile",{"connectorId":1,"csChargingProfiles":{"chargingProfileId":5,"transactionId":1,'
            '"stackLevel":1,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":'
            '{"startSchedule":"2026-01-01T00:00:00Z","chargingRateUnit":"A","chargingSchedulePeriod":'
            '[{"startPeriod":0,"limit":6}]}}}]'
        )
        await until(lambda: station.charger.profiles.profile_ids)
        station.befall(Incident("cut", 0, 5), clock.now())
        await until(lambda: not station.online)
        await spend(clock, station, 40)
        assert all(reply[1] != "late" for reply in csms.replies)


@pytest.mark.parametrize(("order", "kw"), [("never_answers", 1.44), ({"name": "never_answers", "applies": False}, 7.2)])
async def test_never_answers_may_still_do_what_it_is_told(
    csms: TinyCsms, clock: ManualClock, order: Any, kw: float
) -> None:
    async with ready(csms, clock, order) as station:
        await charging(csms, clock, station)
        answer = asyncio.create_task(csms.call("SetChargingProfile", profile(6.0, startSchedule=wire(clock.now()))))
        await until(lambda: station.charger.profiles.profile_ids)
        await spend(clock, station, 40)
        assert power_kw(station, clock) == kw
        assert not answer.done()
        assert await csms.call("GetConfiguration", {"key": ["NumberOfConnectors"]})
        answer.cancel()


# Links and power


async def test_disconnects_for_its_time_charges_on_and_loses_nothing(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock) as station:
        await charging(csms, clock, station)
        await csms.call("SetChargingProfile", profile(6.0, startSchedule=wire(clock.now())))
        station.befall(Incident("cut", 0, 60), clock.now())
        await until(lambda: not station.online)
        heard = len(csms.heard)
        await spend(clock, station, 55)
        assert not station.online
        assert len(csms.heard) == heard
        assert power_kw(station, clock) == 1.44
        await spend(clock, station, 10)
        await csms.hears("MeterValues", 6)
        assert len(csms.of("BootNotification")) == 1
        instants = [payload["meterValue"][0]["timestamp"] for payload in csms.of("MeterValues")]
        assert len(set(instants)) == len(instants)


class Meanwhile(AbstractAsyncContextManager[None]):
    """Does something while a station connects."""

    def __init__(self) -> None:
        self.then: Callable[[], None] = lambda: None

    async def __aexit__(self, *_: object) -> None:
        self.then()


async def test_a_station_whose_link_is_cut_while_it_connects_stays_away(csms: TinyCsms, clock: ManualClock) -> None:
    gate = Meanwhile()
    async with ready(csms, clock, gate=gate) as station:
        station.befall(Incident("cut", 0, 10), clock.now())
        await until(lambda: not station.online)
        told = len(csms.of("StatusNotification"))
        gate.then = lambda: station.befall(Incident("cut", 0, 60), clock.now())
        await spend(clock, station, 12)
        gate.then = lambda: None
        await spend(clock, station, 40)
        assert len(csms.of("StatusNotification")) == told
        await spend(clock, station, 40)
        await until(lambda: station.online)


async def test_drops_profiles_on_reconnect(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock, "drops_profiles_on_reconnect") as station:
        await charging(csms, clock, station)
        await csms.call("SetChargingProfile", profile(6.0, startSchedule=wire(clock.now())))
        station.befall(Incident("cut", 0, 20), clock.now())
        await until(lambda: not station.online)
        await spend(clock, station, 15)
        assert power_kw(station, clock) == 1.44
        await spend(clock, station, 10)
        await until(lambda: station.online)
        assert not station.charger.profiles.profile_ids
        await spend(clock, station, 1)
        assert power_kw(station, clock) == 7.2


async def test_reboots_and_its_transaction_goes_on_without_its_tx_profile(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock) as station:
        await charging(csms, clock, station)
        await csms.call("SetChargingProfile", profile(6.0, startSchedule=wire(clock.now())))
        await spend(clock, station, 5)
        station.befall(Incident("reboot", 0), clock.now())
        assert power_kw(station, clock) == 0
        await until(lambda: not station.online)
        await spend(clock, station, 10)
        await csms.hears("BootNotification", 2)
        await csms.hears("StatusNotification", 2, connectorId=1, status="Charging")
        await spend(clock, station, 2)
        assert power_kw(station, clock) == 7.2
        assert len(csms.of("StartTransaction")) == 1
        assert not csms.of("StopTransaction")
        assert await csms.call("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}


# Clocks and ids


async def test_clock_off_writes_every_instant_an_hour_ahead(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock, "clock_off") as station:
        begin = clock.now()
        await charging(csms, clock, station)
        await spend(clock, station, 10)
        (started,) = csms.of("StartTransaction")
        assert datetime.fromisoformat(started["timestamp"]) == begin + HOUR
        sampled = await csms.hears("MeterValues")
        assert datetime.fromisoformat(sampled["meterValue"][0]["timestamp"]) == begin + HOUR + timedelta(seconds=10)
        schedule = await csms.call("GetCompositeSchedule", {"connectorId": 1, "duration": 60})
        assert datetime.fromisoformat(schedule["scheduleStart"]) == clock.now() + HOUR


async def test_clock_off_takes_a_schedule_of_half_an_hour_for_over(csms: TinyCsms, clock: ManualClock) -> None:
    async with ready(csms, clock, "clock_off") as station:
        await charging(csms, clock, station)
        request = profile(6.0, startSchedule=wire(clock.now()), duration=1800)
        assert await csms.call("SetChargingProfile", request) == {"status": "Accepted"}
        await spend(clock, station, 2)
        assert power_kw(station, clock) == 7.2


async def test_a_clock_that_is_behind_takes_a_schedule_for_one_that_is_to_come(
    csms: TinyCsms, clock: ManualClock
) -> None:
    async with ready(csms, clock, {"name": "clock_off", "by_s": -60}) as station:
        await charging(csms, clock, station)
        await csms.call("SetChargingProfile", profile(6.0, startSchedule=wire(clock.now())))
        await spend(clock, station, 59)
        assert power_kw(station, clock) == 7.2
        await spend(clock, station, 2)
        assert power_kw(station, clock) == 1.44


def test_only_instants_are_shifted_and_what_is_none_is_left_alone() -> None:
    payload = {"timestamp": "2026-03-03T08:00:00Z", "deep": [{"validTo": "soon"}], "idTag": "2026-03-03T08:00:00Z"}
    assert shifted(payload, 90) == payload | {"timestamp": "2026-03-03T08:01:30.000Z"}


async def test_meter_foreign_transaction_names_the_next_id_and_only_in_meter_values(
    csms: TinyCsms, clock: ManualClock
) -> None:
    async with ready(csms, clock, "meter_foreign_transaction") as station:
        await charging(csms, clock, station)
        await spend(clock, station, 10)
        assert (await csms.hears("MeterValues"))["transactionId"] == 2
        station.unplug(1, clock.now())
        assert (await csms.hears("StopTransaction"))["transactionId"] == 1
