"""One charging station as OCPP 1.6 sees it: connectors, transactions, offers, meters and what it does on command. Pure.

Time moves only by `advance` and by the instants given to commands; whatever falls due on the way (samples, profile changes,
time-outs, an EV that is full) happens at its exact instant. What has to be said is collected for `take_outputs`.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from optivgi.model.composite import Supply
from simulator.authorization import TagBook, TagInfo
from simulator.configuration import MAX_LIST_ENTRIES, Configuration, standard_keys
from simulator.connector import TRANSITIONS, ActiveTransaction, Authorized, Connector
from simulator.faults.catalogue import FaultSpec, station_faults
from simulator.faults.fault import Memory
from simulator.meter import next_aligned, sample
from simulator.offers import set_offers
from simulator.outputs import (
    AuthorizationWanted,
    CableAwaited,
    MeterSampled,
    Output,
    StatusChanged,
    TransactionStarted,
    TransactionStopped,
)
from simulator.profiles import STATION, Capabilities, ProfileStore
from simulator.truth import Trace, Witness
from simulator.vehicle import Vehicle


@dataclass(frozen=True, slots=True)
class ChargerSpec:
    """A station as it is built. `meter_start_wh` is what each connector's meter shows when it is switched on."""

    station_id: str
    connectors: int = 2
    voltage_v: float = 240.0
    phases: int = 3
    max_current_a: float = 32.0
    aligned_interval_s: int = 10
    meter_start_wh: tuple[float, ...] = ()
    capabilities: Capabilities = field(default_factory=Capabilities)
    faults: tuple[tuple[int | None, FaultSpec], ...] = ()
    """Each with the only connector that it concerns, or None."""

    @property
    def supply(self) -> Supply:
        """What each connector can give."""
        return Supply(self.voltage_v, self.phases, self.max_current_a)


class Charger:
    """The state of one station and everything it does of itself."""

    def __init__(self, spec: ChargerSpec, now: datetime, trace: Trace | None = None) -> None:
        self.spec = spec
        self.now = now
        self.online = False
        self.operative = True
        self.powered = True
        self.configuration = Configuration(standard_keys(spec.connectors, spec.capabilities, spec.aligned_interval_s))
        self.faults = station_faults(spec.faults)
        for key, value in self.faults.keys().items():
            self.configuration.set(key, value)
        self.profiles = ProfileStore(spec.connectors, spec.capabilities)
        self.tags = TagBook(MAX_LIST_ENTRIES)
        self.firmware_version = "1.0.0"
        self.firmware_status = "Idle"
        self.next_firmware: str | None = None
        self.diagnostics_status = "Idle"
        self.last_refusal: str | None = None
        meters = itertools.chain(spec.meter_start_wh, itertools.repeat(0.0))
        self.connectors = {n: Connector(n, spec.voltage_v, next(meters)) for n in range(1, spec.connectors + 1)}
        self._witness = Witness(spec.station_id, trace)
        self.reported_status: str | None = None
        self._outputs: list[Output] = []
        self.transactions = 0
        """How many there have been; the last one's number."""
        self._order = itertools.count()
        self._agenda: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._next_periodic: dict[int, datetime] = {}

    # Time

    def take_outputs(self) -> list[Output]:
        """What has to be said or done since the last call, in order."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def say(self, output: Output) -> None:
        """Adds to what has to be said or done."""
        self._outputs.extend(self.faults.said(output))

    def advance(self, to: datetime) -> None:
        """Lets time pass until `to`; does nothing when `to` is not later than `now`."""
        while self.now < to:
            at = min(to, self._next_instant())
            self._flow(at)
            self.now = at
            self._fall_due(at)

    @property
    def next_due(self) -> datetime:
        """The next instant at which something may happen by itself; call `advance` then, or earlier, or later."""
        look = self._witness.due(self.connectors.values(), self.now)
        return self._next_instant() if look is None else min(look, self._next_instant())

    def _next_instant(self) -> datetime:
        now, charging = self.now, [c for c in self.connectors.values() if c.transaction is not None]
        candidates = [at for at, _, _ in self._agenda[:1]]
        if charging and (interval := self.configuration.number("ClockAlignedDataInterval")) > 0:
            candidates.append(next_aligned(now, interval))
        for connector in charging:
            candidates += [at for at in (self._next_periodic.get(connector.connector_id),) if at is not None]
            if (change := self._next_change(connector)) is not None:
                candidates.append(change)
            if connector.vehicle is not None and connector.vehicle.charges_at(connector.pilot_a):
                candidates.append(now + timedelta(seconds=max(connector.vehicle.seconds_to_target_at_least(), 1.0)))
        return min(candidates, default=datetime.max.replace(tzinfo=now.tzinfo))

    def _next_change(self, connector: Connector) -> datetime | None:
        assert connector.transaction is not None
        return self.profiles.next_change(connector.connector_id, self.now, connector.transaction.for_profiles)

    def _flow(self, to: datetime) -> None:
        for at, connector in self._witness.flow(self.connectors.values(), self.now, to):
            self.report(connector, at)

    def _fall_due(self, at: datetime) -> None:
        interval = self.configuration.number("ClockAlignedDataInterval")
        if interval > 0 and next_aligned(at - timedelta(microseconds=1), interval) == at:
            self._sample_aligned(at)
        for connector in self.connectors.values():
            if self._next_periodic.get(connector.connector_id) == at:
                self._sample_periodic(connector, at)
        while self._agenda and self._agenda[0][0] <= at:
            _, _, action = heapq.heappop(self._agenda)
            action(at)
        self.refresh(at)

    def later(self, at: datetime, action: Callable[[datetime], None]) -> None:
        """Has `action` done at the instant `at`, or just after now if that has passed."""
        soonest = self.now + timedelta(milliseconds=1)
        heapq.heappush(self._agenda, (max(at, soonest), next(self._order), action))

    # Offers and status

    def refresh(self, at: datetime) -> None:
        """Works out what each connector may offer now and says which statuses changed."""
        if not self.powered:
            return
        set_offers(self.connectors.values(), self.profiles, self.spec.supply, at, self.faults)
        for connector in self.connectors.values():
            self.report(connector, at)

    def report(self, connector: Connector, at: datetime) -> None:
        """Says the connector's status if it is not the one last said; Reserved is only entered from Available."""
        now = (connector.status, connector.error_code)
        if connector.reported != now:
            if (
                now[0] == "Reserved"
                and connector.reported is not None
                and "Reserved" not in TRANSITIONS[connector.reported[0]]
            ):
                self.say(StatusChanged(connector.connector_id, "Available", "NoError", at))
            connector.reported = now
            self.say(StatusChanged(connector.connector_id, *now, at))

    def report_station(self, at: datetime) -> None:
        """Says the station's own status if it is not the one last said."""
        status = "Available" if self.operative else "Unavailable"
        if self.reported_status != status:
            self.reported_status = status
            self.say(StatusChanged(STATION, status, "NoError", at))

    def report_everything(self, at: datetime) -> None:
        """Says the status of the station and of every connector again, as after a boot or a reconnect."""
        self.advance(at)
        self.forget_reports()
        self.report_station(self.now)
        self.refresh(self.now)

    def forget_reports(self) -> None:
        """Makes every status unsaid."""
        self.reported_status = None
        for connector in self.connectors.values():
            connector.reported = None

    # Meter

    def _sample_aligned(self, at: datetime) -> None:
        stored = self.configuration.items("StopTxnAlignedData")
        for connector in self.connectors.values():
            if connector.transaction is None or not self.powered:
                continue
            if stored:
                connector.transaction.samples.append(sample(connector.reading(), at, "Sample.Clock", stored))
            self.send_sample(connector, at, "Sample.Clock", "MeterValuesAlignedData")

    def _sample_periodic(self, connector: Connector, at: datetime) -> None:
        if connector.transaction is not None:
            self.send_sample(connector, at, "Sample.Periodic", "MeterValuesSampledData")
        self._schedule_periodic(connector, at)

    def schedule_samples(self, at: datetime) -> None:
        """Counts MeterValueSampleInterval anew from `at` on."""
        for connector in self.connectors.values():
            self._schedule_periodic(connector, at)

    def _schedule_periodic(self, connector: Connector, at: datetime) -> None:
        interval = self.configuration.number("MeterValueSampleInterval")
        self._next_periodic.pop(connector.connector_id, None)
        if interval > 0 and connector.transaction is not None:
            self._next_periodic[connector.connector_id] = at + timedelta(seconds=interval)

    def send_sample(self, connector: Connector, at: datetime, context: str, key: str) -> None:
        """Says what the connector's meter shows, in the measurands of the configuration key `key`."""
        if not self.powered:
            return
        taken = sample(connector.reading(), at, context, self.configuration.items(key))
        if taken.values:
            tx = None if connector.transaction is None else connector.transaction.tx
            self.say(MeterSampled(connector.connector_id, tx, (taken,)))

    def _keep_sample(self, connector: Connector, at: datetime, context: str) -> None:
        stored = self.configuration.items("StopTxnSampledData")
        if stored and connector.transaction is not None:
            connector.transaction.samples.append(sample(connector.reading(), at, context, stored))

    # Drivers and EVs

    def plug(self, connector_id: int, vehicle: Vehicle, at: datetime) -> bool:
        """An EV is plugged in; False when there is one already."""
        self.advance(at)
        connector = self.connectors[connector_id]
        if connector.vehicle is not None:
            return False
        connector.vehicle = vehicle
        connector.finishing = False
        self.report(connector, self.now)
        if connector.authorized is not None:
            self._start(connector, connector.authorized)
        return True

    def unplug(self, connector_id: int, at: datetime) -> Vehicle | None:
        """The EV leaves, which ends its transaction unless the station is set to keep it."""
        self.advance(at)
        connector = self.connectors[connector_id]
        vehicle, connector.vehicle = connector.vehicle, None
        if vehicle is None:
            return None
        vehicle.power_kw = 0.0
        if connector.transaction is not None and self.configuration.flag("StopTransactionOnEVSideDisconnect"):
            self.stop(connector, "EVDisconnected")
        connector.finishing = False
        self.settle_availability(connector)
        self.refresh(self.now)
        return vehicle

    def present(self, connector_id: int, id_tag: str, at: datetime) -> None:
        """A driver holds `id_tag` to the reader: to start charging, or to stop what the same tag started."""
        self.advance(at)
        connector = self.connectors[connector_id]
        if connector.transaction is not None:
            if connector.transaction.id_tag.casefold() == id_tag.casefold():
                self.stop(connector, "Local", id_tag)
                self.refresh(self.now)
            return
        if connector.status not in ("Faulted", "Unavailable") and connector.authorized is None:
            self.ask(connector, Authorized(id_tag))

    def ask(self, connector: Connector, driver: Authorized) -> None:
        """Finds out whether the driver may charge: from the station's own knowledge, or by asking the CSMS."""
        known = self._known(driver.id_tag)
        if not self.online:
            self._decide_offline(connector, driver)
        elif self.configuration.flag("LocalPreAuthorize") and known is not None and known.accepts(self.now):
            self.authorize(connector, driver, known.parent)
        else:
            connector.asked = driver
            self.say(AuthorizationWanted(connector.connector_id, driver.id_tag))

    def authorization(self, connector_id: int, id_tag: str, info: TagInfo | None, at: datetime) -> None:
        """The CSMS's answer to an AuthorizationWanted; None when there was none, so that the station decides itself."""
        self.advance(at)
        connector = self.connectors[connector_id]
        if info is not None:
            self.tags.remember(id_tag, info)
        driver, connector.asked = connector.asked, None
        usable = connector.transaction is None and connector.status not in ("Faulted", "Unavailable")
        if driver is None or driver.id_tag != id_tag or not usable:
            return
        if info is None:
            self._decide_offline(connector, driver)
        elif info.accepts(self.now):
            self.authorize(connector, driver, info.parent)

    def _decide_offline(self, connector: Connector, driver: Authorized) -> None:
        known = self._known(driver.id_tag) if self.configuration.flag("LocalAuthorizeOffline") else None
        if known.accepts(self.now) if known is not None else self.configuration.flag("AllowOfflineTxForUnknownId"):
            self.authorize(connector, driver, None if known is None else known.parent)

    def _known(self, id_tag: str) -> TagInfo | None:
        return self.tags.lookup(
            id_tag,
            use_list=self.configuration.flag("LocalAuthListEnabled"),
            use_cache=self.configuration.flag("AuthorizationCacheEnabled"),
        )

    def authorize(self, connector: Connector, authorized: Authorized, parent: str | None = None) -> None:
        """Lets the driver charge: at once if the EV is there, else when it comes before ConnectionTimeOut."""
        reserved = connector.reservation
        if reserved is not None and not reserved.is_for(authorized.id_tag, parent):
            return
        connector.authorized = authorized
        connector.finishing = False
        self.report(connector, self.now)
        if connector.vehicle is not None:
            self._start(connector, authorized)
            return
        self.say(CableAwaited(connector.connector_id))
        wait = timedelta(seconds=self.configuration.number("ConnectionTimeOut"))
        if wait > timedelta(0):
            self.later(self.now + wait, lambda _: self._give_up(connector, authorized))

    def _give_up(self, connector: Connector, authorized: Authorized) -> None:
        if connector.authorized is authorized:
            connector.authorized = None
            self.settle_availability(connector)

    # Transactions

    def _start(self, connector: Connector, authorized: Authorized) -> None:
        reservation, connector.reservation, connector.authorized = connector.reservation, None, None
        self.transactions += 1
        transaction = ActiveTransaction(self.transactions, authorized.id_tag, self.now)
        connector.transaction = transaction
        if connector.vehicle is not None:
            connector.vehicle.begin()
        if authorized.profile is not None:
            self.profiles.install_for_new_transaction(connector.connector_id, authorized.profile)
        self._keep_sample(connector, self.now, "Transaction.Begin")
        self._schedule_periodic(connector, self.now)
        self.say(
            TransactionStarted(
                transaction.tx,
                connector.connector_id,
                authorized.id_tag,
                math.floor(connector.energy_wh),
                self.now,
                None if reservation is None else reservation.reservation_id,
            )
        )
        self.refresh(self.now)

    def transaction_accepted(self, tx: int, transaction_id: str, info: TagInfo, at: datetime) -> None:
        """The CSMS's answer to TransactionStarted: its id, and whether the driver may charge."""
        self.advance(at)
        connector = next((c for c in self.connectors.values() if c.transaction and c.transaction.tx == tx), None)
        if connector is None or connector.transaction is None:
            return
        connector.transaction.transaction_id = transaction_id
        self.tags.remember(connector.transaction.id_tag, info)
        if info.status != "Accepted":
            connector.transaction.allowed = False
            if self.configuration.flag("StopTransactionOnInvalidId"):
                self.stop(connector, "DeAuthorized")
        self.refresh(self.now)

    def stop(self, connector: Connector, reason: str, id_tag: str | None = None) -> None:
        """Ends the connector's transaction, if it has one."""
        transaction = connector.transaction
        if transaction is None:
            return
        self._keep_sample(connector, self.now, "Transaction.End")
        connector.transaction = None
        connector.finishing = connector.vehicle is not None
        connector.offered_a = 0.0
        if connector.vehicle is not None:
            connector.vehicle.power_kw = 0.0
        self.profiles.end_transaction(connector.connector_id)
        self._schedule_periodic(connector, self.now)
        self.say(
            TransactionStopped(
                transaction.tx,
                math.floor(connector.energy_wh),
                self.now,
                reason,
                id_tag,
                tuple(transaction.samples),
            )
        )
        self.settle_availability(connector)

    def settle_availability(self, connector: Connector) -> None:
        """Takes the connector out of operation if that was asked for while it could not be done."""
        self.report(connector, self.now)
        if connector.inoperative_later and connector.transaction is None:
            connector.inoperative_later = False
            connector.operative = False
            connector.authorized = None
        self.report(connector, self.now)

    # Faults and boots

    def fault(self, connector_id: int, error_code: str, at: datetime) -> None:
        """The connector fails with an OCPP error code, or works again with NoError; its transaction goes on without energy."""
        self.advance(at)
        connector = self.connectors[connector_id]
        connector.error_code = error_code
        if error_code != "NoError" and connector.vehicle is not None:
            connector.vehicle.power_kw = 0.0
        self.refresh(self.now)

    def stop_all(self, reason: str, at: datetime) -> None:
        """Ends every transaction, as before a boot."""
        self.advance(at)
        for connector in self.connectors.values():
            self.stop(connector, reason)
        self.refresh(self.now)

    def lose_power(self, at: datetime) -> None:
        """Nothing flows and nothing is sampled until the station has `booted`; transactions go on then, without TxProfiles."""
        self.advance(at)
        self.powered = False
        for connector in self.connectors.values():
            connector.offered_a = 0.0
            if connector.vehicle is not None:
                connector.vehicle.power_kw = 0.0
            self.profiles.end_transaction(connector.connector_id)

    def forget_profiles(self, when: Memory) -> None:
        """A faulty station loses its charging profiles now."""
        if when in self.faults.forgets:
            self.profiles.clear()
            self.refresh(self.now)

    def booted(self, at: datetime) -> None:
        """The station comes up again: nobody is authorized, changes that waited for it are in force, statuses are unsaid.

        Transactions, profiles, local list, reservations and availability survive.
        """
        self.advance(at)
        self.powered = True
        self.forget_profiles("reboot")
        self.configuration.reboot()
        for connector in self.connectors.values():
            connector.authorized = connector.asked = None
            connector.finishing = False
        self.forget_reports()
