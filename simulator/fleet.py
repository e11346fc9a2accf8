"""All stations of a site in one process, and the drivers who come and go as a scenario says."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from optivgi.model.clock import Clock
from simulator.charger import ChargerSpec
from simulator.drivers import Diary, Stay
from simulator.faults.catalogue import FaultSpec, station_faults
from simulator.ocpp16 import Station, StationOptions
from simulator.outputs import CableAwaited, Output, TransactionStarted, TransactionStopped
from simulator.scenario import Scenario, Session
from simulator.settings import SimulatorSettings
from simulator.ticker import Ticker
from simulator.truth import Trace
from simulator.vehicle import Vehicle

LOGGER = logging.getLogger(__name__)
HANDSHAKES_AT_ONCE = 64
LEAVE_AFTER_S = 10.0
"""In manual mode: how long after the end of its transaction an EV stays."""
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
        gate = asyncio.Semaphore(HANDSHAKES_AT_ONCE)
        options = options or StationOptions(
            settings.citrineos_ws_url, settings.simulator_seed, reconnect_max_s=settings.reconnect_max_s
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

    async def run(self) -> None:
        """Runs the stations and the scenario. Stations stay when the scenario is over: cancel it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ticker.run())
                for station in self.stations.values():
                    group.create_task(station.run())
                await self._play()
        finally:
            for station in self.stations.values():
                station.charger.advance(self._clock.now())

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
        """The most transaction messages that a station still owes the CSMS; more than a few say that it cannot keep up."""
        return max((len(station.outbox) for station in self.stations.values()), default=0)

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
        if self._start is not None:
            await self._start.wait()
        else:
            LOGGER.info("the scenario starts in %g s", self._settings.scenario_start_delay_s)
            await self._clock.sleep(self._settings.scenario_start_delay_s)
        begin = self.started_at = self._clock.now()
        LOGGER.info("the scenario starts: %s", self._scenario.description)
        for station_id, orders in self._scenario.stations.items():
            self._expect(self.stations[station_id], orders, begin)
        for session in self._scenario.sessions:
            station = self.stations[session.station_id]
            habits = self._scenario.stations.get(session.station_id, ())
            stay = Stay(station, session, self._diary, self._one_left, habits)
            self._expect(station, session.faults, begin + timedelta(seconds=session.arrive_offset_s))
            self._diary.note(begin + timedelta(seconds=session.arrive_offset_s), stay.arrive)
            self._diary.note(begin + timedelta(seconds=session.depart_offset_s), stay.depart)
        await self._last_left.wait()
        for station in stations:
            await station.quiet.wait()
        LOGGER.info("the scenario is over")
        self.done.set()

    def _expect(self, station: Station, orders: Iterable[FaultSpec], begin: datetime) -> None:
        """Notes what befalls a station, counted from `begin`."""
        for incident in station_faults((None, order) for order in orders).incidents:
            at = begin + timedelta(seconds=incident.after_s)
            self._diary.note(at, partial(station.befall, incident))

    def _one_left(self) -> None:
        self._staying -= 1
        if self._staying == 0:
            self._last_left.set()

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
