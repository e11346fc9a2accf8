"""A station by itself: everything, in any order."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from optivgi.model.charging_profile import Purpose
from simulator import commands
from simulator.authorization import TagInfo
from simulator.connector import TRANSITIONS, Reservation
from simulator.outputs import (
    StatusChanged,
    TransactionStarted,
    TransactionStopped,
)
from simulator.vehicle import Vehicle, VehicleSpec
from tests.simulator.chargers import NOON, after, profile, station


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: allowed changes of status, energy that only grows, offers within limits."""

    connectors = st.sampled_from([1, 2])

    def __init__(self) -> None:
        super().__init__()
        self.charger = station()
        self.seen: dict[int, list[str]] = {n: [self.charger.connectors[n].status] for n in (1, 2)}
        self.energy = dict.fromkeys((1, 2), 0.0)
        self.started: set[int] = set()
        self.ended: set[int] = set()
        self.last_at = NOON

    @property
    def now(self) -> datetime:
        return self.charger.now

    @rule(seconds=st.floats(0.001, 4000))
    def wait(self, seconds: float) -> None:
        self.charger.advance(self.now + timedelta(seconds=seconds))

    @rule(connector=connectors, soc=st.sampled_from([0.2, 0.799, 0.9999]))
    def plug(self, connector: int, soc: float) -> None:
        self.charger.plug(connector, Vehicle(VehicleSpec(20, 7.2), soc), self.now)

    @rule(connector=connectors)
    def unplug(self, connector: int) -> None:
        self.charger.unplug(connector, self.now)

    @rule(connector=connectors, answer=st.sampled_from(["Accepted", "Invalid", None]))
    def present(self, connector: int, answer: str | None) -> None:
        tag = f"TAG-{connector}"
        self.charger.present(connector, tag, self.now)
        self.charger.authorization(connector, tag, None if answer is None else TagInfo(answer), self.now)

    @rule(connector=connectors, status=st.sampled_from(["Accepted", "Blocked"]))
    def answer_start(self, connector: int, status: str) -> None:
        transaction = self.charger.connectors[connector].transaction
        if transaction is not None:
            self.charger.transaction_accepted(transaction.tx, str(transaction.tx), TagInfo(status), self.now)

    @rule(connector=st.sampled_from([0, 1, 2]), operative=st.booleans())
    def availability(self, connector: int, operative: bool) -> None:
        commands.change_availability(self.charger, connector, operative, self.now)

    @rule(connector=connectors, seconds=st.sampled_from([10, 5000]))
    def reserve(self, connector: int, seconds: int) -> None:
        booked = Reservation(connector, "TAG-1", None, self.now + timedelta(seconds=seconds))
        commands.reserve(self.charger, connector, booked, self.now)

    @rule(connector=connectors, code=st.sampled_from(["GroundFailure", "NoError"]))
    def fault(self, connector: int, code: str) -> None:
        self.charger.fault(connector, code, self.now)

    @rule(connector=st.sampled_from([None, 1, 2]))
    def remote_start(self, connector: int | None) -> None:
        commands.remote_start(self.charger, "TAG-1", connector, None, self.now)

    @rule(connector=connectors)
    def unlock(self, connector: int) -> None:
        commands.unlock(self.charger, connector, self.now)

    @rule(
        connector=st.sampled_from([0, 1, 2]),
        purpose=st.sampled_from([Purpose.STATION_MAX, Purpose.TX_DEFAULT, Purpose.TX]),
        limit=st.sampled_from([0.0, 5.0, 8.0, 20.0]),
    )
    def limit(self, connector: int, purpose: Purpose, limit: float) -> None:
        transaction = self.charger.connectors[connector].transaction if connector else None
        transaction_id = None if transaction is None else transaction.transaction_id
        fresh = profile(
            purpose, (0, limit), (3600, 16.0), profile_id=10 * connector + len(purpose), transaction_id=transaction_id
        )
        commands.set_charging_profile(self.charger, connector, fresh, self.now)

    @rule()
    def clear(self) -> None:
        commands.clear_charging_profile(self.charger, self.now)

    @rule(online=st.booleans())
    def connection(self, online: bool) -> None:
        self.charger.online = online

    @invariant()
    def sound(self) -> None:
        for output in self.charger.take_outputs():
            if isinstance(output, StatusChanged) and output.connector_id:
                self.seen[output.connector_id].append(output.status)
                assert output.at <= self.now
            elif isinstance(output, TransactionStarted):
                assert output.tx not in self.started
                self.started.add(output.tx)
            elif isinstance(output, TransactionStopped):
                assert output.tx in self.started - self.ended
                self.ended.add(output.tx)
        for number, connector in self.charger.connectors.items():
            for before, later in pairwise(self.seen[number]):
                assert later in TRANSITIONS[before], f"{before} -> {later}"
            self.seen[number] = self.seen[number][-1:]
            assert self.seen[number] == [connector.status]
            assert connector.energy_wh >= self.energy[number]
            self.energy[number] = connector.energy_wh
            if connector.transaction is None:
                assert connector.power_kw == 0
        assert self.started - self.ended == {
            c.transaction.tx for c in self.charger.connectors.values() if c.transaction is not None
        }
        maximum = [p for p in self.charger.profiles.of_station if p.schedule.start and p.schedule.start <= self.now]
        if maximum and self.now < after(3600):
            drawing = [c.pilot_a for c in self.charger.connectors.values() if c.vehicle and c.vehicle.wants_energy]
            assert sum(drawing) <= maximum[0].schedule.periods[0].limit + 1e-6


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
