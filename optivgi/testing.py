"""Working in-memory implementations of the ports, and builders that state only what matters: for tests and try-outs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from optivgi.errors import TranslationError
from optivgi.model.charging_profile import ChargingProfile, RateUnit
from optivgi.model.clock import Clock
from optivgi.model.composite import Supply, Transaction, composite_schedule
from optivgi.model.ev import EV, Connector
from optivgi.model.limit_series import LimitSeries
from optivgi.model.snapshot import RefusedEV, Snapshot
from optivgi.translation.base import Event, Outcome, OutcomeStatus, PowerCommand, ReadBack, StationRequest

MOMENT = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
"""Where ManualClock starts."""


def an_ev(
    ev_id: str = "1",
    *,
    station_id: str | None = None,
    connector_id: int = 1,
    transaction_id: str = "1",
    arrival: datetime = MOMENT,
    departure: datetime | None = None,
    energy_needed_kwh: float = 20.0,
    delivered_kwh: float = 0.0,
    min_kw: float = 1.44,
    max_kw: float = 7.2,
    voltage_v: float = 240.0,
    phases: tuple[str, ...] = ("L1",),
    circuit: str = "site",
    priority: float = 1.0,
    unit: RateUnit = RateUnit.A,
    suspended_by_ev: bool = False,
    measured_kw: float | None = None,
    measured_at: datetime | None = None,
) -> EV:
    """A one-phase 7.2 kW EV that wants 20 kWh, at station "ST-<ev_id>" unless said otherwise."""
    return EV(
        ev_id=ev_id,
        station_id=station_id or f"ST-{ev_id}",
        connector_id=connector_id,
        transaction_id=transaction_id,
        arrival=arrival,
        departure=departure,
        energy_needed_kwh=energy_needed_kwh,
        delivered_kwh=delivered_kwh,
        min_kw=min_kw,
        max_kw=max_kw,
        voltage_v=voltage_v,
        phases=phases,
        circuit=circuit,
        priority=priority,
        unit=unit,
        suspended_by_ev=suspended_by_ev,
        measured_kw=measured_kw,
        measured_at=measured_at,
    )


def a_connector(
    station_id: str = "ST-1",
    connector_id: int = 1,
    *,
    online: bool = True,
    status: str = "Available",
    booted_at: datetime | None = MOMENT,
    min_kw: float = 1.44,
    max_kw: float = 7.2,
    voltage_v: float = 240.0,
    phases: tuple[str, ...] = ("L1",),
    circuit: str = "site",
    unit: RateUnit = RateUnit.A,
    vendor: str = "",
    model: str = "",
    firmware: str = "",
    clock_skew_s: float = 0.0,
    late_s: float = 0.0,
) -> Connector:
    """A free, connected one-phase connector of 7.2 kW."""
    return Connector(
        station_id=station_id,
        connector_id=connector_id,
        online=online,
        status=status,
        booted_at=booted_at,
        min_kw=min_kw,
        max_kw=max_kw,
        voltage_v=voltage_v,
        phases=phases,
        circuit=circuit,
        unit=unit,
        vendor=vendor,
        model=model,
        firmware=firmware,
        clock_skew_s=clock_skew_s,
        late_s=late_s,
    )


def connector_of(ev: EV) -> Connector:
    """The online, charging connector that `ev` is plugged in to."""
    return a_connector(
        ev.station_id,
        ev.connector_id,
        status="SuspendedEV" if ev.suspended_by_ev else "Charging",
        min_kw=ev.min_kw,
        max_kw=ev.max_kw,
        voltage_v=ev.voltage_v,
        phases=ev.phases,
        circuit=ev.circuit,
        unit=ev.unit,
    )


def a_snapshot(
    *evs: EV,
    connectors: Iterable[Connector] = (),
    refused: Iterable[RefusedEV] = (),
    group: str = "default",
    read_at: datetime = MOMENT,
) -> Snapshot:
    """A snapshot of `evs`, with a connector for each of them beside the given ones."""
    known = {connector.key: connector for connector in connectors}
    for ev in evs:
        known.setdefault((ev.station_id, ev.connector_id), connector_of(ev))
    return Snapshot(group=group, read_at=read_at, evs=evs, connectors=tuple(known.values()), refused=tuple(refused))


class FakeTranslation:
    """A CSMS in memory that keeps every promise of the Translation port, with switches for everything that can go wrong.

    Reads: `failure` (a TranslationError) is raised instead of an answer. Commands: `answers[station_id]` is what a station
    says (ACCEPTED when absent); `takes[station_id]` tells which profiles it does not reject; `delay_s[station_id]` is the
    site time that it takes. `read_delay_s` delays reads.
    A profile takes effect (`installed`) only if its station accepted it.
    """

    def __init__(self, clock: Clock, groups: Mapping[str, Sequence[str]] | None = None) -> None:
        self._clock = clock
        self._groups = groups
        self._evs: dict[str, EV] = {}
        self._connectors: dict[tuple[str, int], Connector] = {}
        self.refused: list[RefusedEV] = []
        self.expected: list[EV] = []
        self.peak_power_demand: LimitSeries | None = None
        self.failure: TranslationError | None = None
        self.answers: dict[str, OutcomeStatus] = {}
        self.takes: dict[str, Callable[[ChargingProfile], bool]] = {}
        self.delay_s: dict[str, float] = {}
        self.read_delay_s = 0.0
        self.reads = 0
        self.sent: list[PowerCommand] = []
        """Every command in the order of sending, whatever became of it."""
        self.batches: list[tuple[PowerCommand, ...]] = []
        """The same, one tuple per call of send_power_to_evs."""
        self.installed: dict[tuple[str, int], list[ChargingProfile]] = {}
        """What each connector accepted and still has, one per purpose and stack level."""
        self.asked: list[StationRequest] = []
        """Every wish in the order of asking."""
        self.fulfil: Callable[[StationRequest], None] = lambda _: None
        """What becomes of a wish: nothing, unless a test says otherwise."""
        self.says: dict[tuple[str, int], ReadBack] = {}
        """What a connector answers when it is read back, instead of what follows from `installed`."""
        self.questions: list[tuple[str, int]] = []
        """Every connector that was read back, in that order."""
        self.closed = False

    def plug_in(self, *evs: EV) -> None:
        """Each EV is there from now on, or replaces the one with the same id."""
        for ev in evs:
            self._evs[ev.ev_id] = ev
            key = ev.station_id, ev.connector_id
            fresh, old = connector_of(ev), self._connectors.get(key)
            self._connectors[key] = fresh if old is None else _same_station(fresh, old)

    def plugged_in(self, ev_id: str) -> EV:
        """The EV as it is told."""
        return self._evs[ev_id]

    def unplug(self, ev_id: str) -> None:
        """The EV leaves; its connector stays, free."""
        ev = self._evs.pop(ev_id)
        key = ev.station_id, ev.connector_id
        self._connectors[key] = replace(self._connectors[key], status="Available")

    def add_connectors(self, *connectors: Connector) -> None:
        """Connectors without an EV, or new facts about known ones."""
        for connector in connectors:
            self._connectors[connector.key] = connector

    async def get_evs(self, group: str) -> Snapshot:
        read_at = self._clock.now()
        self.reads += 1
        await self._reachable()
        return Snapshot(
            group=group,
            read_at=read_at,
            evs=tuple(ev for ev in self._evs.values() if self._belongs(ev.station_id, group)),
            connectors=tuple(one for one in self._connectors.values() if self._belongs(one.station_id, group)),
            refused=tuple(one for one in self.refused if self._belongs(one.station_id, group)),
            expected=tuple(ev for ev in self.expected if self._belongs(ev.station_id, group)),
        )

    async def get_peak_power_demand(self, group: str) -> LimitSeries | None:  # noqa: ARG002
        await self._reachable()
        return self.peak_power_demand

    async def send_power_to_evs(self, commands: Sequence[PowerCommand]) -> tuple[Outcome, ...]:
        self.batches.append(tuple(commands))
        self.sent.extend(commands)
        async with asyncio.TaskGroup() as tasks:
            pending = [tasks.create_task(self._send(command)) for command in commands]
        return tuple(task.result() for task in pending)

    async def ask(self, requests: Sequence[StationRequest]) -> None:
        self.asked.extend(requests)
        for request in requests:
            self.fulfil(request)

    async def read_back(self, station_id: str, connector_id: int, duration_s: int, unit: RateUnit) -> ReadBack:
        key = station_id, connector_id
        self.questions.append(key)
        await self._clock.sleep(self.delay_s.get(station_id, 0.0))
        if key in self.says:
            return self.says[key]
        connector = self._connectors[key]
        ev = next((ev for ev in self._evs.values() if (ev.station_id, ev.connector_id) == key), None)
        transaction = None if ev is None else Transaction(ev.transaction_id, ev.arrival)
        supply = Supply(connector.voltage_v, len(connector.phases))
        profiles = tuple(self.installed.get(key, ()))
        now = self._clock.now()
        schedule = composite_schedule(profiles, (), now, duration_s, transaction, unit=unit, supply=supply)
        return ReadBack(OutcomeStatus.ACCEPTED, schedule)

    async def aclose(self) -> None:
        self.closed = True

    async def _reachable(self) -> None:
        if self.read_delay_s:
            await self._clock.sleep(self.read_delay_s)
        if self.failure is not None:
            raise self.failure

    async def _send(self, command: PowerCommand) -> Outcome:
        await self._clock.sleep(self.delay_s.get(command.station_id, 0.0))
        status = self.answers.get(command.station_id, OutcomeStatus.ACCEPTED)
        takes = self.takes.get(command.station_id)
        if takes is not None and not takes(command.profile):
            status = OutcomeStatus.REJECTED
        if status is OutcomeStatus.ACCEPTED:
            new = command.profile
            kept = self.installed.setdefault((command.station_id, command.connector_id), [])
            place = new.purpose, new.stack_level
            kept[:] = [
                old for old in kept if (old.purpose, old.stack_level) != place and old.profile_id != new.profile_id
            ]
            kept.append(new)
            return Outcome(command, status)
        return Outcome(command, status, f"{command.station_id} answers {status.value}")

    def _belongs(self, station_id: str, group: str) -> bool:
        return self._groups is None or station_id in self._groups.get(group, ())


def _same_station(fresh: Connector, old: Connector) -> Connector:
    """`fresh` with what its station says of itself, which no arrival changes."""
    return replace(fresh, vendor=old.vendor, model=old.model, firmware=old.firmware, clock_skew_s=old.clock_skew_s)


class FakeEventSource:
    """Events that a test puts in with `push`; `reconnect` acts as if the connection had been away."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self.closed = False

    def push(self, action: str, station_id: str = "ST-1", connector_id: int | None = 1) -> None:
        """`action` happens at the station, now."""
        self._queue.put_nowait(Event(action, station_id, self._clock.now(), connector_id))

    def reconnect(self) -> None:
        """The connection was lost and is back: events in between are gone, a "resync" comes."""
        self.push("resync", station_id="", connector_id=None)

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            yield event

    async def aclose(self) -> None:
        self.closed = True
        self._queue.put_nowait(None)
