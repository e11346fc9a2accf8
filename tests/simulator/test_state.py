"""A simulator that starts again goes on where its stations were when it died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from optivgi.clock import ManualClock
from simulator.errors import StateError
from simulator.faults.catalogue import specs
from simulator.fleet import Fleet
from simulator.scenario import Scenario, Session
from simulator.settings import SimulatorSettings
from simulator.state import SiteKept, save_state
from tests.simulator.tiny_csms import PATIENCE_S, TinyCsms, until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def session(number: int = 1, **changes: Any) -> Session:
    fields: dict[str, Any] = {
        "station_id": f"ST-{number:02d}",
        "connector_id": 1,
        "arrive_offset_s": 0.0,
        "depart_offset_s": 600.0,
        "capacity_kwh": 60.0,
        "arrival_soc": 0.2,
        "target_soc": 1.0,
        "max_charge_rate_kw": 7.2,
        "id_tag": f"TAG-{number}",
    }
    return Session(**(fields | changes))


@asynccontextmanager
async def site(
    csms: TinyCsms, clock: ManualClock, file: Path, *sessions: Session, stations: int = 2
) -> AsyncIterator[Fleet]:
    settings = SimulatorSettings(
        citrineos_ws_url=csms.url,
        station_ids=tuple(f"ST-{n:02d}" for n in range(1, stations + 1)),
        simulator_state=str(file),
        scenario_start_delay_s=0,
    )
    fleet = Fleet(settings, Scenario("a test", sessions) if sessions else None, clock)
    task = asyncio.create_task(fleet.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await fleet.ready.wait()
        yield fleet
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def live(fleet: Fleet, clock: ManualClock, seconds: float) -> None:
    """Lets site time pass, ten seconds at a time, and everything be said and answered meanwhile."""
    left = seconds
    while left > 0:
        await clock.advance(min(left, 10))
        await until(lambda: all(station.silent or not station.online for station in fleet.stations.values()))
        left -= 10


def profile(purpose: str, limit: float, profile_id: int, **fields: Any) -> dict[str, Any]:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": profile_id,
            "stackLevel": 0,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Relative",
            "chargingSchedule": schedule,
            **fields,
        },
    }


async def test_a_transaction_goes_on_with_its_meter_and_its_default_and_ends_as_planned(
    csms: TinyCsms, clock: ManualClock, file: Path
) -> None:
    async with site(csms, clock, file, session()) as fleet:
        begin = clock.now()
        await live(fleet, clock, 60)
        await csms.call("SetChargingProfile", profile("TxDefaultProfile", 8, 1))
        await csms.call("SetChargingProfile", profile("TxProfile", 6, 2, transactionId=1))
        await live(fleet, clock, 60)
        (before,) = [state for state in fleet.observe() if state.soc is not None]
    await clock.advance(100)
    async with site(csms, clock, file, session()) as fleet:
        (after,) = [state for state in fleet.observe() if state.soc is not None]
        assert (after.energy_wh, after.soc, after.transaction_id) == (before.energy_wh, before.soc, "1")
        await live(fleet, clock, 20)
        assert fleet.observe()[0].power_kw == pytest.approx(1.92)
        assert not csms.of("StopTransaction")
        await live(fleet, clock, 360)
        async with asyncio.timeout(PATIENCE_S):
            await fleet.done.wait()
    assert len(csms.of("StartTransaction")) == 1
    assert len(csms.of("BootNotification")) == 4
    (stopped,) = csms.of("StopTransaction")
    assert stopped["transactionId"] == 1
    assert datetime.fromisoformat(stopped["timestamp"]) == begin + timedelta(seconds=600)


async def test_a_killed_simulator_loses_no_more_than_a_second(csms: TinyCsms, clock: ManualClock, file: Path) -> None:
    async with site(csms, clock, file, session()) as fleet:
        await live(fleet, clock, 60)
        (before,) = [state for state in fleet.observe() if state.soc is not None]
        left_by_a_kill = await asyncio.to_thread(file.read_bytes)
    await asyncio.to_thread(file.write_bytes, left_by_a_kill)
    async with site(csms, clock, file, session()) as fleet:
        (after,) = [state for state in fleet.observe() if state.soc is not None]
        assert after.transaction_id == "1"
        assert before.energy_wh - 2.0 <= after.energy_wh <= before.energy_wh
        await live(fleet, clock, 10)
    assert len(csms.of("StartTransaction")) == 1


async def test_evs_that_left_or_came_meanwhile_are_gone_or_there(
    csms: TinyCsms, clock: ManualClock, file: Path
) -> None:
    sessions = (
        session(1, depart_offset_s=100.0),
        session(2, depart_offset_s=40.0),
        session(3, arrive_offset_s=80.0),
    )
    async with site(csms, clock, file, *sessions, stations=3) as fleet:
        await live(fleet, clock, 60)
    await clock.advance(100)
    async with site(csms, clock, file, *sessions, stations=3) as fleet:
        await live(fleet, clock, 10)
        there = {state.station_id for state in fleet.observe() if state.soc is not None}
        assert there == {"ST-03"}
        assert [payload["idTag"] for payload in csms.of("StartTransaction")] == ["TAG-1", "TAG-2", "TAG-3"]
        assert len(csms.of("StopTransaction")) == 2
        await live(fleet, clock, 440)
        async with asyncio.timeout(PATIENCE_S):
            await fleet.done.wait()


async def test_what_was_owed_is_said_after_the_restart(csms: TinyCsms, clock: ManualClock, file: Path) -> None:
    async with site(csms, clock, file, session()) as fleet:
        await live(fleet, clock, 20)
        csms.answers["MeterValues"] = None
        await clock.advance(10)
        await csms.hears("MeterValues", 3)
        await clock.advance(10)
    csms.answers["MeterValues"] = {}
    heard = len(csms.of("MeterValues"))
    async with site(csms, clock, file, session()) as fleet:
        await csms.hears("MeterValues", heard + 2)
        instants = [payload["meterValue"][0]["timestamp"] for payload in csms.of("MeterValues")]
        assert instants[heard:] == sorted(set(instants))[-2:]


async def test_after_the_scenario_the_next_run_plays_it_anew_on_the_same_meters(
    csms: TinyCsms, clock: ManualClock, file: Path
) -> None:
    short = session(depart_offset_s=60.0)
    for run in (1, 2):
        async with site(csms, clock, file, short) as fleet:
            await live(fleet, clock, 70)
            async with asyncio.timeout(PATIENCE_S):
                await fleet.done.wait()
        assert len(csms.of("StopTransaction")) == run
    first, second = csms.of("StopTransaction")
    assert csms.of("StartTransaction")[1]["meterStart"] == first["meterStop"] < second["meterStop"]


async def test_what_befell_a_station_before_does_not_befall_it_again(
    csms: TinyCsms, clock: ManualClock, file: Path
) -> None:
    faulty = session(faults=specs([{"name": "reboots", "after_s": 20}, {"name": "reboots", "after_s": 100}]))
    async with site(csms, clock, file, faulty, stations=1) as fleet:
        await live(fleet, clock, 60)
    assert len(csms.of("BootNotification")) == 2
    async with site(csms, clock, file, faulty, stations=1) as fleet:
        await live(fleet, clock, 30)
        assert len(csms.of("BootNotification")) == 3
        await live(fleet, clock, 40)
        assert len(csms.of("BootNotification")) == 4


async def test_a_driver_who_was_turned_away_tries_again_after_the_restart(
    csms: TinyCsms, clock: ManualClock, file: Path
) -> None:
    csms.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    async with site(csms, clock, file, session()) as fleet:
        await live(fleet, clock, 20)
    csms.answers["Authorize"] = {"idTagInfo": {"status": "Accepted"}}
    async with site(csms, clock, file, session()):
        await csms.hears("StartTransaction")


async def test_in_manual_mode_too(csms: TinyCsms, clock: ManualClock, file: Path) -> None:
    async with site(csms, clock, file) as fleet:
        await csms.call("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1})
        await live(fleet, clock, 20)
    async with site(csms, clock, file) as fleet:
        await live(fleet, clock, 10)
        assert fleet.observe()[0].power_kw == pytest.approx(7.2)
    assert len(csms.of("StartTransaction")) == 1


async def test_a_state_that_cannot_be_used_is_refused_with_the_remedy(
    csms: TinyCsms, clock: ManualClock, file: Path
) -> None:
    async with site(csms, clock, file, session()) as fleet:
        await live(fleet, clock, 20)
    with pytest.raises(
        StateError, match=r"was left in the middle of 'a test \(1 sessions\)'; go on with that, delete it"
    ):
        async with site(csms, clock, file, session(1), session(2)):
            raise AssertionError


@pytest.mark.parametrize("broken", ["{}", '{"at": "yesterday"}', "\x00"])
def test_a_file_that_is_no_state_is_refused_with_the_remedy(clock: ManualClock, file: Path, broken: str) -> None:
    file.write_text(broken, encoding="utf-8")
    settings = SimulatorSettings(station_ids=("ST-01",), simulator_state=str(file))
    with pytest.raises(StateError, match=r"cannot be read \(it is no state of a simulator\); delete it"):
        Fleet(settings, Scenario("a test", (session(),)), clock)


def test_a_place_that_cannot_be_written_is_named(clock: ManualClock, tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"nowhere.*cannot be written .*; change SIMULATOR_STATE"):
        save_state(tmp_path / "nowhere" / "state.json", SiteKept(clock.now(), "", None))
