"""One transaction, and one connector's safe start, as dispatch accounts for them: what the charger may be allowing.

Times named `at`, `until` and `due` are the clock's monotonic seconds. Powers are as sent, after rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from optivgi.envelope import Envelope
from optivgi.grant import Grant
from optivgi.model.charging_profile import RateUnit
from optivgi.model.clock import Clock
from optivgi.model.ev import EV, Connector
from optivgi.model.snapshot import RefusedEV, Snapshot
from optivgi.model.units import is_aware
from optivgi.model.wire import wire_minimum
from optivgi.profile_form import in_kw
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand

Key = tuple[str, int]
"""Station id and connector number."""

NOT_INSTALLED = frozenset({OutcomeStatus.REJECTED, OutcomeStatus.NOT_SUPPORTED, OutcomeStatus.OFFLINE})
"""Answers which prove that the station does not have the profile; any other failure leaves both possible."""

RETRY_FIRST_S = 5.0
RETRY_MOST_S = 300.0
METER_NOISE_KW = 0.05
VOLTS_IF_SENSELESS = 230.0


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both of the clock's scales."""

    now: datetime
    at: float

    @classmethod
    def of(cls, clock: Clock) -> Instant:
        return cls(clock.now(), clock.monotonic())

    @property
    def wall_s(self) -> float:
        """Seconds since 1970: the scale of what charging profiles say."""
        return self.now.timestamp()


@dataclass(frozen=True, slots=True)
class Attempts:
    """Commands that failed in a row, and when the next one is due."""

    failures: int = 0
    due: float = -math.inf

    def failed(self, at: float) -> Attempts:
        """One more, with doubled patience."""
        return Attempts(self.failures + 1, at + min(RETRY_MOST_S, RETRY_FIRST_S * 2.0 ** min(self.failures, 10)))


@dataclass(frozen=True, slots=True)
class Start:
    """What a TxDefaultProfile allows: `start_kw` for the hold, then `share_kw`."""

    start_kw: float
    share_kw: float

    @classmethod
    def of(cls, command: PowerCommand, volts: float) -> Start:
        schedule = command.profile.schedule
        first, last = (in_kw(one.limit, schedule.unit, volts) for one in (schedule.periods[0], schedule.periods[-1]))
        return cls(first, last)


@dataclass(frozen=True, slots=True)
class SafeStart:
    """A connector and what its TxDefaultProfile allows.

    `confirmed` is what the station said it has (None: nobody knows), `doubtful` what it may have as well. `stale` means
    that it is to be sent (again) even if nothing has changed.
    """

    connector: Connector
    confirmed: Start | None = None
    doubtful: tuple[Start, ...] = ()
    in_flight: Start | None = None
    stale: bool = True
    attempts: Attempts = Attempts()

    def seen(self, connector: Connector) -> SafeStart:
        """The same with fresh facts. A reboot voids what was confirmed; a return only asks for it to be sent again. What was under
        way may have come before or after."""
        old, booted = self.connector, connector.booted_at != self.connector.booted_at
        if not booted and not (connector.online and not old.online):
            return replace(self, connector=connector)
        return SafeStart(
            connector,
            confirmed=None if booted else self.confirmed,
            doubtful=self.doubtful if self.in_flight is None else tuple({*self.doubtful, self.in_flight}),
        )

    def sent(self, command: PowerCommand) -> SafeStart:
        """From now on the station may have `command`."""
        return replace(self, in_flight=Start.of(command, self.connector.volts))

    def learned(self, outcome: Outcome, at: float) -> SafeStart:
        """What became of a command to it; nothing follows if it booted since."""
        start = Start.of(outcome.command, self.connector.volts)
        if self.in_flight is None:
            return self
        if outcome.status is OutcomeStatus.ACCEPTED:
            return SafeStart(self.connector, confirmed=start, stale=False)
        doubtful = self.doubtful if outcome.status in NOT_INSTALLED else tuple({*self.doubtful, start})
        return replace(self, doubtful=doubtful, in_flight=None, stale=True, attempts=self.attempts.failed(at))

    @property
    def share_kw(self) -> float | None:
        """The most that it allows after the hold; None if nobody knows."""
        return None if self.confirmed is None else max(one.share_kw for one in self._possible())

    @property
    def start_kw(self) -> float:
        """The most that it allows from the start, as far as anybody knows."""
        return max((one.start_kw for one in self._possible()), default=0.0)

    def _possible(self) -> Iterator[Start]:
        yield from self.doubtful
        yield from (one for one in (self.confirmed, self.in_flight) if one is not None)


@dataclass(frozen=True, slots=True)
class Settling:
    """A power that an EV may still be drawing, though its charger no longer allows it, until `until`."""

    power_kw: float
    until: float


@dataclass(frozen=True, slots=True)
class Sent:
    """A TxProfile that its station has or may have, and what it allows."""

    command: PowerCommand
    grant: Grant

    @classmethod
    def of(cls, command: PowerCommand, volts: float, now: datetime) -> Sent:
        return cls(command, Grant.of(command.profile.schedule, volts, now))

    @property
    def expires(self) -> float:
        """When it goes over to the safe share, in seconds since 1970; never is infinite."""
        return math.inf if self.command.expires is None else self.command.expires.timestamp()


@dataclass(frozen=True, slots=True)
class Account:
    """One transaction: what it is, and what its connector may be allowing.

    `min_kw` is the least sendable power other than 0. `inherited` means that it ran before anything was known of it.
    `installed` is the TxProfile that the station confirmed last, `doubtful` those that it may have instead (sent, and never
    answered), `in_flight` those that wait for their answers, and `fallback` says that it may be without a TxProfile and so
    under its TxDefaultProfile. `behind_s` is by how much the station's clock may be behind, if anything tells. `drew_kw` is the metered power before the last confirmation, at
    `drew_on` (seconds since 1970).
    """

    key: Key
    ev_id: str
    transaction_id: str
    unit: RateUnit
    volts: float
    min_kw: float
    max_kw: float
    phases: tuple[str, ...]
    circuit: str
    arrival: datetime
    seen_at: float
    inherited: bool
    online: bool
    wants_energy: bool = True
    behind_s: float = 0.0
    installed: Sent | None = None
    doubtful: tuple[Sent, ...] = ()
    fallback: bool = True
    in_flight: tuple[Sent, ...] = ()
    settling: tuple[Settling, ...] = ()
    confirmed_on: datetime | None = None
    drew_kw: float | None = None
    drew_on: float = -math.inf
    attempts: Attempts = Attempts()
    paused_at: float | None = None
    running_at: float | None = None

    @property
    def certain(self) -> bool:
        """Whether `installed` is all that the charger can have, apart from what is in flight."""
        return self.installed is not None and not self.doubtful and not self.fallback

    @property
    def refused_once(self) -> bool:
        """Whether the last command was refused, and the one before was not: that may be a race with the transaction's end."""
        return self.attempts.failures == 1 and not self.doubtful and not self.in_flight

    @property
    def under_way_kw(self) -> Iterator[float]:
        """What was sent and is not known to be refused: it may be in force, or come into force."""
        return (one.command.limit_kw for one in (*self.in_flight, *self.doubtful))

    def possible(self, fallback: Envelope, *, sure: bool = True) -> Iterator[Envelope]:
        """What each profile that the charger may have allows over time; `fallback` is what it allows without one, left out
        unless that is `sure`."""
        if self.installed is not None:
            yield self.installed.grant.then(fallback)
        for sent in (*self.doubtful, *self.in_flight):
            yield sent.grant.then(fallback)
        if self.fallback and sure:
            yield fallback

    def continued(self, fresh: Account) -> Account:
        """The same transaction with facts as they are now."""
        back = fresh.online and not self.online
        return replace(
            self,
            ev_id=fresh.ev_id,
            unit=fresh.unit,
            volts=fresh.volts,
            min_kw=fresh.min_kw,
            max_kw=fresh.max_kw,
            phases=fresh.phases,
            circuit=fresh.circuit,
            arrival=min(self.arrival, fresh.arrival),
            online=fresh.online,
            wants_energy=fresh.wants_energy,
            behind_s=fresh.behind_s,
            attempts=Attempts() if back else self.attempts,
        )

    def confirmed(self, sent: Sent, power_kw: float, before_kw: float, when: Instant, settle_s: float) -> Account:
        """The station has `sent`, which allows `power_kw` now; until then it may have allowed `before_kw`, and the EV takes
        time to follow."""
        account = self.follows(before_kw, when.at + settle_s) if before_kw > power_kw else self
        paused_at, running_at = self.paused_at, self.running_at
        if power_kw > 0:
            paused_at, running_at = None, when.at if running_at is None else running_at
        else:
            paused_at, running_at = when.at if paused_at is None else paused_at, None
        return replace(
            self,
            installed=sent,
            doubtful=(),
            fallback=False,
            in_flight=self.without(sent.command),
            settling=account.settling,
            confirmed_on=when.now,
            attempts=Attempts(),
            paused_at=paused_at,
            running_at=running_at,
        )

    def came_back(self) -> Account:
        """Its station may have lost all that it took before, also what it says only now that it took."""
        doubtful = (*self.doubtful, *self.in_flight)
        return replace(self, fallback=True, doubtful=doubtful, in_flight=(), attempts=Attempts())

    def awaits(self, command: PowerCommand) -> bool:
        """Whether the answer to `command` says what the charger has now."""
        return any(one.command == command for one in self.in_flight)

    def goes_by_default(self, wall_s: float) -> bool:
        """Whether its TxDefaultProfile may be in force by then."""
        known = [one for one in (self.installed, *self.doubtful, *self.in_flight) if one is not None]
        return self.fallback or any(one.grant.ends <= wall_s for one in known)

    def follows(self, before_kw: float, until: float) -> Account:
        """It is allowed less than `before_kw` now, and may go on drawing that `until` then."""
        return replace(self, settling=(*self.settling, Settling(before_kw, until)))

    def failed(self, outcome: Outcome, when: Instant) -> Account:
        """The station does not have the profile, or nobody knows whether it has."""
        command = outcome.command
        doubt = () if outcome.status in NOT_INSTALLED else (Sent.of(command, self.volts, when.now),)
        return replace(
            self,
            in_flight=self.without(command),
            doubtful=(*self.doubtful, *doubt),
            attempts=self.attempts.failed(when.at),
        )

    def without(self, command: PowerCommand) -> tuple[Sent, ...]:
        """What is in flight besides `command`."""
        return tuple(one for one in self.in_flight if one.command != command)

    def metered(self, ev: EV, allowed_kw: float) -> Account:
        """An EV metered above its new limit (`allowed_kw`) before the confirmation, and at or below it after, has followed."""
        if ev.measured_kw is None or ev.measured_at is None or not is_aware(ev.measured_at):
            return self
        if not self.settling or self.confirmed_on is None or ev.measured_at <= self.confirmed_on:
            return replace(self, drew_kw=ev.measured_kw, drew_on=ev.measured_at.timestamp())
        most_kw = allowed_kw + METER_NOISE_KW
        if self.drew_kw is not None and self.drew_kw > most_kw >= ev.measured_kw:
            return replace(self, settling=(), drew_kw=ev.measured_kw, drew_on=ev.measured_at.timestamp())
        return self

    def running_s(self, at: float) -> float:
        """How long it has been allowed to charge; 0 if it is not, infinite if nobody knows."""
        if self.running_at is not None:
            return at - self.running_at
        return math.inf if self.installed is None and self.inherited else 0.0

    def waiting_s(self, at: float) -> float:
        """How long it has been paused against its need."""
        return at - self.paused_at if self.paused_at is not None and self.wants_energy else 0.0


def accounts_of(snapshot: Snapshot, at: float, *, inherited: bool) -> Iterator[Account]:
    """A fresh account for every transaction of the snapshot, also of EVs whose data make no sense."""
    connectors = {connector.key: connector for connector in snapshot.connectors}
    taken: set[Key] = set()
    for ev in snapshot.evs:
        key = ev.station_id, ev.connector_id
        taken.add(key)
        yield _account(ev, ev, connectors.get(key), snapshot.read_at, at, inherited=inherited)
    for refused in snapshot.refused:
        key = refused.station_id, refused.connector_id
        connector = connectors.get(key)
        if connector is not None and key not in taken:
            yield _account(refused, connector, connector, snapshot.read_at, at, inherited=inherited)


def _account(
    who: EV | RefusedEV,
    what: EV | Connector,
    connector: Connector | None,
    read_at: datetime,
    at: float,
    *,
    inherited: bool,
) -> Account:
    volts = _sane(what.volts) or (_sane(connector.volts) if connector is not None else 0.0) or VOLTS_IF_SENSELESS
    arrival = what.arrival if isinstance(what, EV) and is_aware(what.arrival) else read_at
    return Account(
        key=(who.station_id, who.connector_id),
        ev_id=who.ev_id,
        transaction_id=who.transaction_id,
        unit=what.unit,
        volts=volts,
        min_kw=wire_minimum(_sane(what.min_kw), what.unit, volts),
        max_kw=max(_sane(what.max_kw), _sane(connector.max_kw) if connector is not None else 0.0),
        phases=what.phases,
        circuit=what.circuit,
        arrival=arrival,
        seen_at=at,
        inherited=inherited,
        online=connector is None or connector.online,
        wants_energy=not isinstance(what, EV) or what.energy_needed_kwh > 0,
        behind_s=0.0 if connector is None else connector.late_s,
    )


def _sane(value: float) -> float:
    return value if math.isfinite(value) and value > 0 else 0.0


def by_key(accounts: Iterator[Account]) -> Mapping[Key, Account]:
    """By connector; of two transactions on one connector the later one counts."""
    return {account.key: account for account in accounts}
