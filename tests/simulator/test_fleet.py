"""A site of stations and the drivers of a scenario, or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from optivgi.clock import ManualClock, settle
from simulator.faults.catalogue import specs
from simulator.fleet import Fleet
from simulator.scenario import Scenario, Session
from simulator.settings import SimulatorSettings
from simulator.ticker import Ticker
from tests.simulator.tiny_csms import PATIENCE_S, TinyCsms, until


def session(number: int = 1, **changes: Any) -> Session:
    fields: dict[str, Any] = {
        "station_id": f"ST-{number:02d}",
        "connector_id": 1,
        "arrive_offset_s": 60.0 * (number - 1),
        "depart_offset_s": 60.0 * (number - 1) + 600,
        "capacity_kwh": 60.0,
        "arrival_soc": 0.2,
        "target_soc": 1.0,
        "max_charge_rate_kw": 7.2,
        "id_tag": f"TAG-{number}",
    }
    return Session(**(fields | changes))


@asynccontextmanager
async def site(
    csms: TinyCsms, clock: ManualClock, *sessions: Session, stations: int = 2, **options: Any
) -> AsyncIterator[Fleet]:
    settings = SimulatorSettings(
        citrineos_ws_url=csms.url, station_ids=tuple(f"ST-{n:02d}" for n in range(1, stations + 1))
    )
    scenario = None
    if sessions:
        scenario = Scenario("a test", sessions, options.pop("meter_interval_s", None), options.pop("faults", {}))
    fleet = Fleet(settings, scenario, clock, **options)
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


async def test_scenario_is_played_at_its_instants(csms: TinyCsms, clock: ManualClock) -> None:
    begin = clock.now() + timedelta(seconds=10)
    async with site(csms, clock, session(1), session(2)) as fleet:
        await live(fleet, clock, 10)
        assert fleet.started_at == begin
        await live(fleet, clock, 650)
        assert not fleet.done.is_set()
        await live(fleet, clock, 20)
        async with asyncio.timeout(PATIENCE_S):
            await fleet.done.wait()
    times = {p["idTag"]: datetime.fromisoformat(p["timestamp"]) - begin for p in csms.of("StartTransaction")}
    assert times == {"TAG-1": timedelta(0), "TAG-2": timedelta(seconds=60)}
    stops = [datetime.fromisoformat(p["timestamp"]) - begin for p in csms.of("StopTransaction")]
    assert stops == [timedelta(seconds=600), timedelta(seconds=660)]
    assert {p["reason"] for p in csms.of("StopTransaction")} == {"EVDisconnected"}
    sums = {(p["transactionId"], p["meterValue"][0]["timestamp"]) for p in csms.of("MeterValues")}
    assert len(sums) == len(csms.of("MeterValues")) == 2 * 60


async def test_scenario_is_over_when_the_csms_has_been_told_so(csms: TinyCsms, clock: ManualClock) -> None:
    async with site(csms, clock, session(depart_offset_s=30)) as fleet:
        await live(fleet, clock, 30)
        csms.answers["StopTransaction"] = "InternalError"
        await clock.advance(10)
        await csms.hears("StopTransaction")
        await settle()
        assert not fleet.done.is_set()
        csms.answers["StopTransaction"] = {}
        await live(fleet, clock, 20)
        async with asyncio.timeout(PATIENCE_S):
            await fleet.done.wait()


async def test_meters_do_not_start_at_zero_and_are_the_same_every_time(csms: TinyCsms, clock: ManualClock) -> None:
    registers = []
    for _ in range(2):
        async with site(csms, clock) as fleet:
            registers.append([state.energy_wh for state in fleet.observe()])
    assert registers[0] == registers[1]
    assert len(set(registers[0])) == 4
    assert min(registers[0]) > 0


async def test_start_may_be_ordered_from_outside(csms: TinyCsms, clock: ManualClock) -> None:
    start = asyncio.Event()
    async with site(csms, clock, session(), start=start) as fleet:
        await live(fleet, clock, 100)
        assert not csms.of("StartTransaction")
        start.set()
        await csms.hears("StartTransaction")


async def test_observe_shows_every_connector_as_it_is_now(csms: TinyCsms, clock: ManualClock) -> None:
    async with site(csms, clock, session()) as fleet:
        await live(fleet, clock, 70)
        states = fleet.observe()
        assert [(s.station_id, s.connector_id) for s in states] == [
            ("ST-01", 1),
            ("ST-01", 2),
            ("ST-02", 1),
            ("ST-02", 2),
        ]
        busy, idle = states[:2]
        assert (busy.status, busy.id_tag, busy.transaction_id, busy.online) == ("Charging", "TAG-1", "1", True)
        assert busy.power_kw == pytest.approx(7.2)
        assert busy.offered_kw == pytest.approx(32 * 0.24)
        assert busy.soc is not None
        assert 0.2 < busy.soc < 0.21
        assert (idle.status, idle.id_tag, idle.power_kw, idle.soc) == ("Available", None, 0, None)


async def test_ev_without_auto_start_waits_for_the_csms(csms: TinyCsms, clock: ManualClock) -> None:
    async with site(csms, clock, session(auto_start=False)) as fleet:
        await live(fleet, clock, 100)
        assert not csms.of("Authorize")
        await csms.hears("StatusNotification", connectorId=1, status="Preparing")
        await csms.call("RemoteStartTransaction", {"idTag": "REMOTE", "connectorId": 1}, "ST-01")
        await csms.hears("StartTransaction", idTag="REMOTE")


async def test_refused_driver_tries_again(csms: TinyCsms, clock: ManualClock) -> None:
    csms.answers["Authorize"] = {"idTagInfo": {"status": "Invalid"}}
    async with site(csms, clock, session()) as fleet:
        await live(fleet, clock, 20)
        csms.answers["Authorize"] = {"idTagInfo": {"status": "Accepted"}}
        await live(fleet, clock, 30)
        await csms.hears("StartTransaction")
        assert len(csms.of("Authorize")) == 2


async def test_driver_who_was_stopped_does_not_start_again(csms: TinyCsms, clock: ManualClock) -> None:
    async with site(csms, clock, session()) as fleet:
        await live(fleet, clock, 20)
        await csms.call("RemoteStopTransaction", {"transactionId": 1}, "ST-01")
        await live(fleet, clock, 300)
        assert len(csms.of("StartTransaction")) == 1
        await live(fleet, clock, 300)
        async with asyncio.timeout(PATIENCE_S):
            await fleet.done.wait()


async def test_without_a_scenario_an_ev_comes_when_the_csms_starts_one(csms: TinyCsms, clock: ManualClock) -> None:
    async with site(csms, clock) as fleet:
        await live(fleet, clock, 600)
        assert not csms.of("StartTransaction")
        assert await csms.call("RemoteStartTransaction", {"idTag": "ME", "connectorId": 2}, "ST-02") == {
            "status": "Accepted"
        }
        await live(fleet, clock, 60)
        await csms.hears("StartTransaction", idTag="ME", connectorId=2)
        await csms.call("RemoteStopTransaction", {"transactionId": 1}, "ST-02")
        await live(fleet, clock, 20)
        await csms.hears("StopTransaction", reason="Remote")
        assert {state.status for state in fleet.observe()} == {"Available"}


async def test_scenario_may_set_the_meter_interval(csms: TinyCsms, clock: ManualClock) -> None:
    async with site(csms, clock, session(), meter_interval_s=60) as fleet:
        await live(fleet, clock, 200)
        assert len(csms.of("MeterValues")) == 3


async def test_two_hundred_stations_live_in_one_process(csms: TinyCsms, clock: ManualClock) -> None:
    async with site(csms, clock, stations=200) as fleet:
        assert len(fleet.observe()) == 400
        assert all(station.online for station in fleet.stations.values())


class Alarm:
    """Rings at each of its instants."""

    def __init__(self, *instants: datetime) -> None:
        self.instants = list(instants)
        self.rang: list[datetime] = []

    @property
    def next_due(self) -> datetime:
        return self.instants[0] if self.instants else datetime.max.replace(tzinfo=self.rang[0].tzinfo)

    def tick(self, now: datetime) -> None:
        self.rang.append(now)
        self.instants.pop(0)


async def test_ticker_wakes_each_thing_when_it_is_due_and_when_that_moves_forward(clock: ManualClock) -> None:
    begin = clock.now()
    ticker = Ticker(clock)
    task = asyncio.create_task(ticker.run())
    late, early = Alarm(begin + timedelta(seconds=50)), Alarm(begin + timedelta(seconds=20))
    ticker.reschedule(late)
    await clock.advance(5)
    ticker.reschedule(early)
    await clock.advance(5)
    late.instants = [begin + timedelta(seconds=15), begin + timedelta(seconds=7200)]
    ticker.reschedule(late)
    await clock.advance(10_000)
    assert late.rang == [begin + timedelta(seconds=15), begin + timedelta(seconds=7200)]
    assert early.rang == [begin + timedelta(seconds=20)]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_incidents_count_from_the_scenarios_start_or_the_evs_arrival(csms: TinyCsms, clock: ManualClock) -> None:
    faults = {"ST-01": specs([{"name": "reboots", "after_s": 30}])}
    late = session(2, arrive_offset_s=20.0, faults=specs([{"name": "disconnects", "after_s": 30, "for_s": 100}]))
    async with site(csms, clock, session(1), late, faults=faults) as fleet:
        boots = len(csms.of("BootNotification"))
        await live(fleet, clock, 10 + 29)
        assert len(csms.of("BootNotification")) == boots
        assert all(station.online for station in fleet.stations.values())
        await live(fleet, clock, 23)
        assert [p["chargePointSerialNumber"] for p in csms.of("BootNotification")[boots:]] == ["ST-01"]
        assert [station_id for station_id, one in fleet.stations.items() if not one.online] == ["ST-02"]


async def test_an_evs_own_fault_comes_and_goes_with_it(csms: TinyCsms, clock: ManualClock) -> None:
    first = session(1, depart_offset_s=60.0, faults=specs(["draws_half"]))
    async with site(csms, clock, first, session(2, station_id="ST-01", arrive_offset_s=70.0)) as fleet:
        await live(fleet, clock, 10 + 30)
        assert fleet.observe()[0].power_kw == pytest.approx(3.6)
        await live(fleet, clock, 60)
        assert fleet.observe()[0].power_kw == pytest.approx(7.2)
