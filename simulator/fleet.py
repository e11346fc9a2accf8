"""All stations of a site in one process, and the drivers who come and go as a scenario says."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from optivgi.model.clock import Clock
from simulator.building import Building, BuildingSpec
from simulator.charger import ChargerSpec
from simulator.drivers import Diary, Stay
from simulator.faults.catalogue import FaultSpec, station_faults
from simulator.ocpp16 import Station, StationOptions
from simulator.outputs import CableAwaited, Output, TransactionStarted, TransactionStopped
from simulator.scenario import Scenario, Session
from simulator.settings import SimulatorSettings
from simulator.state import SiteKept, kept, load_state, restore, save_state
from simulator.ticker import Ticker
from simulator.truth import Trace
from simulator.vehicle import Vehicle

LOGGER = logging.getLogger(__name__)
HANDSHAKES_AT_ONCE = 64
LEAVE_AFTER_S = 10.0
"""In manual mode: how long after the end of its transaction an EV stays."""
KEEP_EVERY_S = 1.0
"""How often the stations' state is written: a killed process loses no more than this."""
METER_MAX_WH = 5_000_000

MANUAL_EV = Session(
    station_id="",
    connector_id=1,
    arrive_offset_s=0,
    depart_offset_s=0,
    capacity_kwh=60.0,
    arrival_soc=0.2,
    target_soc=1.0,
    max_charge_rate_kw=7.2,
    id_tag="",
)
"""The EV that is plugged in where a RemoteStartTransaction finds none."""


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """One connector at this moment, for people to look at. `offered_kw` is what its profiles let the EV draw."""

    station_id: str
    connector_id: int
    online: bool
    status: str
    id_tag: str | None
    transaction_id: str | None
    power_kw: float
    offered_kw: float
    energy_wh: float
    soc: float | None


class Fleet:
    """The stations of a site. `run` it in a task; `ready` and `done` tell how far it is.

    The scenario's time 0 is `SCENARIO_START_DELAY_S` after every station is accepted and has told all its statuses, or the
    moment at which `start` is set, if that is given. Without a scenario stations wait for RemoteStartTransaction, and an EV
    is plugged in when one comes.
    """

    def __init__(
        self,
        settings: SimulatorSettings,
        scenario: Scenario | None,
        clock: Clock,
        *,
        start: asyncio.Event | None = None,
        trace: Trace | None = None,
        options: StationOptions | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        """Every station is accepted."""
        self.done = asyncio.Event()
        """The last EV of the scenario has left and the CSMS has been told everything."""
        self.started_at: datetime | None = None
        self._settings = settings
        self._scenario = scenario
        self._clock = clock
        self._start = start
        self._ticker = Ticker(clock)
        self._diary = Diary(self._ticker)
        self._staying = 0 if scenario is None else len(scenario.sessions)
        self._last_left = asyncio.Event()
        self._begun = asyncio.Event()
        self._state_file = Path(settings.simulator_state) if settings.simulator_state else None
        self._kept: SiteKept | None = None
        gate = asyncio.Semaphore(HANDSHAKES_AT_ONCE)
        options = options or StationOptions(
            settings.citrineos_ws_url,
            settings.simulator_seed,
            reconnect_max_s=settings.reconnect_max_s,
            message_s=0.0 if scenario is None else scenario.message_s,
        )
        self.stations = {
            station_id: Station(
                self._spec(station_id),
                options,
                clock,
                changed=self._ticker.reschedule,
                listen=self._hear,
                gate=gate,
                trace=trace,
            )
            for station_id in settings.station_ids
        }
        self._building = (
            None
            if scenario is None or scenario.building is None
            else self._a_building(scenario.building, options, trace)
        )
        if self._state_file is not None:
            self._resume(load_state(self._state_file, _name(scenario)))

    async def run(self) -> None:
        """Runs the stations and the scenario. Stations stay when the scenario is over: cancel it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ticker.run())
                for station in self.stations.values():
                    group.create_task(station.run())
                if self._building is not None:
                    group.create_task(self._building.station.run())
                    group.create_task(self._stand(self._building))
                if self._state_file is not None:
                    group.create_task(self._keep(self._state_file))
                await self._play()
        finally:
            for station in self.stations.values():
                station.charger.advance(self._clock.now())
            if self._state_file is not None:
                save_state(self._state_file, self._keepsake())

    def observe(self) -> list[ConnectorState]:
        """Every connector as it is now; brings each station up to this moment."""
        now = self._clock.now()
        states: list[ConnectorState] = []
        for station in self.stations.values():
            station.tick(now)
            for connector in station.charger.connectors.values():
                reading, transaction = connector.reading(), connector.transaction
                states.append(
                    ConnectorState(
                        station_id=station.station_id,
                        connector_id=connector.connector_id,
                        online=station.online,
                        status=connector.status,
                        id_tag=None if transaction is None else transaction.id_tag,
                        transaction_id=None if transaction is None else transaction.transaction_id,
                        power_kw=reading.power_kw,
                        offered_kw=reading.offered_a * reading.voltage_v * reading.phases / 1000,
                        energy_wh=reading.energy_wh,
                        soc=reading.soc,
                    )
                )
        return states

    @property
    def backlog(self) -> int:
        """The most transaction messages that a connected station owes the CSMS; more than a few: it cannot keep up."""
        return max((len(station.outbox) for station in self.stations.values() if station.online), default=0)

    def _spec(self, station_id: str) -> ChargerSpec:
        settings, scenario = self._settings, self._scenario
        interval = None if scenario is None else scenario.meter_interval_s
        chance = random.Random(f"{settings.simulator_seed}/meters/{station_id}")
        return ChargerSpec(
            station_id=station_id,
            connectors=settings.connectors_per_station,
            voltage_v=settings.voltage,
            aligned_interval_s=interval or settings.meter_values_interval,
            meter_start_wh=tuple(float(chance.randrange(METER_MAX_WH)) for _ in range(settings.connectors_per_station)),
            faults=() if scenario is None else scenario.faults_of(station_id),
        )

    # The scenario

    async def _play(self) -> None:
        stations = list(self.stations.values())
        every = max(1, len(stations) // 10)
        for count, station in enumerate(stations, start=1):
            await station.ready.wait()
            if count % every == 0 or count == len(stations):
                LOGGER.info("%d of %d stations are ready", count, len(stations))
        self.ready.set()
        if self._scenario is None:
            LOGGER.info("manual mode: waiting for RemoteStartTransaction")
            return
        if self.started_at is None:
            await self._wait_for_start()
            self.started_at = self._clock.now()
            LOGGER.info("the scenario starts: %s", self._scenario.description)
        else:
            LOGGER.info("the scenario goes on: %s", self._scenario.description)
        self._begun.set()
        for station_id, orders in self._scenario.stations.items():
            self._expect(self.stations[station_id], orders, self.started_at)
        for session in self._scenario.sessions:
            self._expect_session(session, self.started_at, self._scenario.stations.get(session.station_id, ()))
        await self._last_left.wait()
        for station in stations:
            await station.quiet.wait()
        LOGGER.info("the scenario is over")
        self.done.set()

    def _a_building(self, spec: BuildingSpec, options: StationOptions, trace: Trace | None) -> Building:
        """The building, whose meter is a station without connectors."""
        charger = ChargerSpec(station_id=spec.station_id, connectors=0, voltage_v=self._settings.voltage)
        station = Station(charger, options, self._clock, changed=self._ticker.reschedule)
        return Building(spec, station, lambda: sum(one.power_kw for one in self.observe()), self._clock, trace)

    async def _stand(self, building: Building) -> None:
        """Has the building draw from the scenario's start on."""
        await self._begun.wait()
        if self.started_at is not None:
            await building.run(self.started_at)

    async def _wait_for_start(self) -> None:
        if self._start is not None:
            await self._start.wait()
            return
        LOGGER.info("the scenario starts in %g s", self._settings.scenario_start_delay_s)
        await self._clock.sleep(self._settings.scenario_start_delay_s)

    def _expect_session(self, session: Session, begin: datetime, habits: tuple[FaultSpec, ...]) -> None:
        station = self.stations[session.station_id]
        stay = Stay(station, session, self._diary, self._one_left, habits)
        arrival = begin + timedelta(seconds=session.arrive_offset_s)
        self._expect(station, session.faults, arrival)
        if self._kept is None or arrival > self._kept.at:
            self._diary.note(arrival, stay.arrive)
        elif self._staying_at(session.station_id, session.connector_id, self._kept) is session:
            self._diary.note(self._clock.now(), stay.go_on)
        else:
            self._one_left()
            return
        self._diary.note(begin + timedelta(seconds=session.depart_offset_s), stay.depart)

    def _expect(self, station: Station, orders: Iterable[FaultSpec], begin: datetime) -> None:
        """Notes what befalls a station, counted from `begin`."""
        for incident in station_faults((None, order) for order in orders).incidents:
            at = begin + timedelta(seconds=incident.after_s)
            if self._kept is not None and at <= self._kept.at:
                continue
            self._diary.note(at, partial(station.befall, incident))

    def _one_left(self) -> None:
        self._staying -= 1
        if self._staying == 0:
            self._last_left.set()

    # What outlives the process

    def _resume(self, site: SiteKept | None) -> None:
        """Gives the stations what they kept, and the EVs that were there."""
        if site is None:
            return
        self.started_at = site.begin
        self._kept = None if site.begin is None else site
        for station_id, station in self.stations.items():
            if station_id not in site.stations:
                continue
            restore(site.stations[station_id], station.charger, station.outbox)
            for number, one in site.stations[station_id].connectors.items():
                session = self._staying_at(station_id, number, site)
                if session is None or one.soc is None or number not in station.charger.connectors:
                    continue
                habits = () if self._scenario is None else self._scenario.stations.get(station_id, ())
                vehicle = session.arriving(self._settings.voltage, habits)
                vehicle.soc = one.soc
                station.charger.connectors[number].vehicle = vehicle
        LOGGER.info("the stations go on where they were at %s", site.at.isoformat(timespec="seconds"))

    def _staying_at(self, station_id: str, connector_id: int, site: SiteKept) -> Session | None:
        """Whose EV was plugged in there when `site` was kept; None if none was."""
        connector = site.stations[station_id].connectors.get(connector_id) if station_id in site.stations else None
        if connector is None or connector.soc is None:
            return None
        if self._scenario is None or site.begin is None:
            return MANUAL_EV if self._scenario is None else None
        passed_s = (site.at - site.begin).total_seconds()
        came = [
            session
            for session in self._scenario.sessions
            if (session.station_id, session.connector_id) == (station_id, connector_id)
            and session.arrive_offset_s <= passed_s
        ]
        return max(came, key=lambda session: session.arrive_offset_s, default=None)

    def _keepsake(self) -> SiteKept:
        return SiteKept(
            at=self._clock.now(),
            scenario=_name(self._scenario),
            begin=None if self.done.is_set() else self.started_at,
            stations={name: kept(station.charger, station.outbox) for name, station in self.stations.items()},
        )

    async def _keep(self, file: Path) -> None:
        """Writes the state every second; never returns, cancel it."""
        while True:
            for station in self.stations.values():
                station.tick(self._clock.now())
            save_state(file, self._keepsake())
            await self._clock.sleep(KEEP_EVERY_S)

    # Manual mode

    def _hear(self, station: Station, output: Output) -> None:
        if isinstance(output, TransactionStarted):
            LOGGER.info(
                "%s: transaction #%d of %s begins at connector %d, meter at %d Wh",
                station.station_id,
                output.tx,
                output.id_tag,
                output.connector_id,
                output.meter_start_wh,
            )
        elif isinstance(output, TransactionStopped):
            LOGGER.info(
                "%s: transaction #%d has ended (%s), meter at %d Wh",
                station.station_id,
                output.tx,
                output.reason,
                output.meter_stop_wh,
            )
        if self._scenario is not None:
            return
        if isinstance(output, CableAwaited):
            connector_id = output.connector_id
            self._diary.note(self._clock.now(), lambda at: self._plug_guest(station, connector_id, at))
        elif isinstance(output, TransactionStopped):
            after = timedelta(seconds=LEAVE_AFTER_S)
            self._diary.note(self._clock.now() + after, lambda at: self._unplug_guests(station, at))

    def _plug_guest(self, station: Station, connector_id: int, at: datetime) -> None:
        station.plug(connector_id, Vehicle(MANUAL_EV.vehicle(self._settings.voltage), MANUAL_EV.arrival_soc), at)

    def _unplug_guests(self, station: Station, at: datetime) -> None:
        for connector in station.charger.connectors.values():
            if connector.finishing:
                station.unplug(connector.connector_id, at)


def _name(scenario: Scenario | None) -> str:
    """What tells one scenario from another in the file of the state."""
    return "" if scenario is None else f"{scenario.description} ({len(scenario.sessions)} sessions)"
