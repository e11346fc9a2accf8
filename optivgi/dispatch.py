"""Which charging profiles change now, and to what: cuts at once, raises only into room that is proven free. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from optivgi.account import Account, Instant, Key
from optivgi.ledger import Ledger
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.ev import Connector
from optivgi.model.framing import UNKNOWN_PHASE
from optivgi.model.limit_series import LimitSeries
from optivgi.model.problem import PHASES
from optivgi.model.site import Site
from optivgi.model.wire import wire_limit, wire_minimum
from optivgi.translation.base import PowerCommand

NOISE = 1e-9
TX_DEFAULT_LEVEL = 0
TX_LEVEL = 1
WAITING_SHARE = 0.01
"""Raises below the dead band are sent after all when together they are more than this part of a limit."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One bound on a weighted sum of powers: a circuit's kW, or the amperes of one of its phases."""

    circuit_id: str
    capacity: float
    weights: Mapping[Key, float]
    """How much of `capacity` one kW at each connector takes."""
    phase: str | None = None


def limits_at(site: Site, accounts: Iterable[Account], now: datetime, lead_s: float) -> tuple[Limit, ...]:
    """Every bound in force at some moment between `now` and `lead_s` later, so that cuts for a known drop are in time."""
    below = _chains(site)
    members = [(account, below.get(account.circuit, (site.root.circuit_id,))) for account in accounts]
    limits: list[Limit] = []
    for circuit in site.circuits:
        here = [account for account, chain in members if circuit.circuit_id in chain]
        capacity = strictest(circuit.limit, now, lead_s)
        if capacity is not None:
            limits.append(Limit(circuit.circuit_id, capacity, {account.key: 1.0 for account in here}))
        if (room_a := circuit.room_a) is not None:
            for phase, phase_a in zip(PHASES, room_a, strict=True):
                weights = {a.key: 1000 / a.volts for a in here if phase in a.phases or UNKNOWN_PHASE in a.phases}
                limits.append(Limit(circuit.circuit_id, phase_a, weights, phase))
    return tuple(limits)


def strictest(series: LimitSeries | None, now: datetime, lead_s: float) -> float | None:
    """The lowest limit between `now` and `lead_s` later, in kW; None if there is none."""
    if series is None:
        return None
    moments = [now, *(at for at in series.changes_after(now) if at <= now + timedelta(seconds=lead_s))]
    known = [step.limit_kw for step in map(series.at, moments) if step.limit_kw is not None]
    return min(known, default=None)


def safe_shares(
    site: Site, connectors: Iterable[Connector], now: datetime, lead_s: float, least_connectors: int = 0
) -> dict[Key, float]:
    """For each connector what it may draw without control: its part of every limit if all of them are in use.

    0 where that is less than an EV's minimum. At the grid connection at least `least_connectors` are counted, because a
    connector that never reported counts too.
    """
    known = tuple(connectors)
    below = _chains(site)
    shares = {connector.key: connector.max_kw for connector in known}
    for circuit in site.circuits:
        here = [c for c in known if circuit.circuit_id in below.get(c.circuit, (site.root.circuit_id,))]
        count = max(len(here), least_connectors if circuit is site.root else 0)
        capacity = strictest(circuit.limit, now, lead_s)
        for connector in here:
            part_kw = math.inf if capacity is None else capacity / count
            if (room_a := circuit.room_a) is not None:
                part_kw = min(part_kw, min(room_a) / count * connector.volts / 1000)
            shares[connector.key] = min(shares[connector.key], part_kw)
    return {c.key: sendable(shares[c.key], c.unit, c.volts, wire_minimum(c.min_kw, c.unit, c.volts)) for c in known}


def sendable(power_kw: float, unit: RateUnit, volts: float, min_kw: float) -> float:
    """`power_kw` rounded down to what can be sent: 0, or at least `min_kw`."""
    sent_kw = wire_limit(max(power_kw, 0.0), unit, volts)[1]
    return sent_kw if sent_kw >= min_kw - NOISE else 0.0


def safe_start_commands(ledger: Ledger, shares: Mapping[Key, float], when: Instant) -> tuple[PowerCommand, ...]:
    """The TxDefaultProfiles that are to be sent now: where the station is connected and is not known to have its own."""
    return tuple(
        tx_default_command(entry.connector, shares[key], ledger.policy.hold_s)
        for key, entry in ledger.safe_starts.items()
        if key in shares
        and entry.connector.online
        and entry.in_flight_kw is None
        and entry.attempts.due <= when.at
        and (entry.stale or entry.confirmed_kw != shares[key])
    )


def next_commands(
    ledger: Ledger, targets: Mapping[Key, float], limits: tuple[Limit, ...], when: Instant, *, raises: bool = True
) -> tuple[PowerCommand, ...]:
    """The TxProfiles that are to be sent now on the way to `targets` (kW by connector), cuts first.

    A cut is sent at once. A new EV gets a profile of its own at once, at its target or at whatever room is proven free. A
    raise is sent as far as the worst cases of all others leave room under every limit, and never without `raises`.
    Connectors whose answer is awaited, or that are not asked again yet, are left alone.
    """
    return _Wave(ledger, targets, limits, when).commands(raises=raises)


class _Wave:
    """One decision: the worst cases as they grow with each command that is chosen."""

    def __init__(self, ledger: Ledger, targets: Mapping[Key, float], limits: tuple[Limit, ...], when: Instant) -> None:
        self._ledger, self._when = ledger, when
        self._accounts = ledger.accounts
        self._limits = limits
        self._counted = {key: ledger.counted_kw(key, when) for key in self._accounts}
        self._lasting = {key: ledger.lasting_kw(key, when) for key in self._accounts}
        self._used = [sum(w * self._counted.get(key, 0.0) for key, w in limit.weights.items()) for limit in limits]
        self._over: dict[Key, list[int]] = {}
        for position, limit in enumerate(limits):
            for key in limit.weights:
                self._over.setdefault(key, []).append(position)
        self._wanted = {
            key: sendable(target_kw, account.unit, account.volts, account.min_kw)
            for key, target_kw in targets.items()
            if (account := self._accounts.get(key)) is not None
            and account.in_flight_kw is None
            and not ledger.stuck(key, when.at)
        }
        self._commands: list[PowerCommand] = []

    def commands(self, *, raises: bool) -> tuple[PowerCommand, ...]:
        waiting = self._waiting()
        newcomers = [key for key in self._wanted if self._is_new(key)]
        for key in self._cuts(waiting):
            self._send(key, min(self._wanted[key], self._lasting[key]))
        for key in sorted(newcomers, key=lambda key: (self._accounts[key].seen_at, key)):
            self._send(key, self._fitting(key, max(0.0, self._room(key) + self._counted[key])))
        if raises:
            for key in self._raises(waiting):
                self._raise(key)
        return tuple(self._commands)

    def _is_new(self, key: Key) -> bool:
        account = self._accounts[key]
        return account.installed_kw is None and not account.inherited

    def _cuts(self, waiting: frozenset[Key]) -> list[Key]:
        """Wanted powers below what may be allowed now, and profiles of which nobody knows whether they are there."""
        cuts = [key for key in self._wanted if not self._is_new(key) and self._is_cut(key)]
        sent = [key for key in cuts if key not in waiting]
        after = dict(self._lasting) | {key: min(self._wanted[key], self._lasting[key]) for key in sent}
        needed = {
            key
            for limit in self._limits
            if sum(weight * after.get(key, 0.0) for key, weight in limit.weights.items()) > limit.capacity + NOISE
            for key in limit.weights
        }
        return [key for key in cuts if key not in waiting or key in needed]

    def _is_cut(self, key: Key) -> bool:
        return not self._accounts[key].certain or self._wanted[key] < self._lasting[key] - NOISE

    def _raises(self, waiting: frozenset[Key]) -> list[Key]:
        """EVs to raise, those at 0 first, then those with most to gain."""
        gain = {
            key: wanted_kw - self._lasting[key]
            for key, wanted_kw in self._wanted.items()
            if not self._is_new(key) and self._accounts[key].certain and wanted_kw > self._lasting[key] + NOISE
        }
        band_kw = self._ledger.policy.dead_band_kw
        released = {
            key
            for limit in self._limits
            if limit.phase is None
            and sum(gain.get(key, 0.0) for key in limit.weights if key in waiting)
            > max(band_kw, WAITING_SHARE * limit.capacity)
            for key in limit.weights
        }
        ready = [key for key in gain if key not in waiting or key in released]
        return sorted(ready, key=lambda key: (self._lasting[key] > 0, -gain[key], key))

    def _waiting(self) -> frozenset[Key]:
        """Changes so small that they may wait; one to or from 0 never does."""
        band_kw = self._ledger.policy.dead_band_kw
        return frozenset(
            key
            for key, wanted_kw in self._wanted.items()
            if (account := self._accounts[key]).certain
            and account.installed_kw is not None
            and abs(wanted_kw - account.installed_kw) < band_kw
            and (wanted_kw > 0) == (account.installed_kw > 0)
        )

    def _raise(self, key: Key) -> None:
        room_kw = self._room(key)
        if room_kw < -NOISE and key not in self._ledger.overdrawn:
            return
        now_kw = self._lasting[key]
        power_kw = self._fitting(key, self._counted[key] + max(room_kw, 0.0))
        partial = power_kw < self._wanted[key] - NOISE
        if power_kw <= now_kw + NOISE or (partial and power_kw - now_kw < self._ledger.policy.dead_band_kw):
            return
        if partial and now_kw > 0 and self._more_room_is_coming():
            return
        self._send(key, power_kw)

    def _more_room_is_coming(self) -> bool:
        return bool(self._commands) or any(a.settling or a.in_flight_kw is not None for a in self._accounts.values())

    def _fitting(self, key: Key, most_kw: float) -> float:
        account = self._accounts[key]
        return sendable(min(self._wanted[key], most_kw + NOISE), account.unit, account.volts, account.min_kw)

    def _room(self, key: Key) -> float:
        """How much more than its worst case may be drawn at `key`; negative if a limit is already exceeded."""
        return min(
            (
                (self._limits[i].capacity - self._used[i]) / self._limits[i].weights[key]
                for i in self._over.get(key, ())
            ),
            default=math.inf,
        )

    def _send(self, key: Key, power_kw: float) -> None:
        grown_kw = max(0.0, power_kw - self._counted[key])
        self._counted[key] += grown_kw
        for position in self._over.get(key, ()):
            self._used[position] += grown_kw * self._limits[position].weights[key]
        self._commands.append(tx_command(self._accounts[key], power_kw, self._when.now))


def tx_command(account: Account, power_kw: float, now: datetime) -> PowerCommand:
    """A TxProfile of `power_kw` from now on, for the transaction alone."""
    limit, sent_kw = wire_limit(power_kw, account.unit, account.volts)
    station_id, connector_id = account.key
    profile = ChargingProfile(
        profile_id=_profile_id(connector_id, TX_LEVEL),
        stack_level=TX_LEVEL,
        purpose=Purpose.TX,
        kind=Kind.ABSOLUTE,
        schedule=Schedule(account.unit, (Period(0, limit, len(account.phases)),), start=now.replace(microsecond=0)),
        transaction_id=account.transaction_id,
    )
    return PowerCommand(station_id, connector_id, profile, sent_kw, account.ev_id)


def tx_default_command(connector: Connector, share_kw: float, hold_s: int) -> PowerCommand:
    """The safe start: 0 for `hold_s` from the transaction's start, time enough for a TxProfile, then the share."""
    limit, sent_kw = wire_limit(share_kw, connector.unit, connector.volts)
    phases = len(connector.phases)
    held = (Period(0, 0.0, phases),) if hold_s > 0 or limit == 0 else ()
    after = (Period(hold_s, limit, phases),) if limit > 0 else ()
    profile = ChargingProfile(
        profile_id=_profile_id(connector.connector_id, TX_DEFAULT_LEVEL),
        stack_level=TX_DEFAULT_LEVEL,
        purpose=Purpose.TX_DEFAULT,
        kind=Kind.RELATIVE,
        schedule=Schedule(connector.unit, (*held, *after)),
    )
    return PowerCommand(connector.station_id, connector.connector_id, profile, sent_kw)


def _profile_id(connector_id: int, stack_level: int) -> int:
    """An id of its own for each connector and purpose of a station, because a profile replaces any with the same id."""
    return connector_id * 10 + stack_level + 1


def _chains(site: Site) -> dict[str, tuple[str, ...]]:
    """For each circuit itself and all circuits above it."""
    chains: dict[str, tuple[str, ...]] = {}
    for circuit in site.circuits:
        above = () if circuit.parent is None else chains[circuit.parent]
        chains[circuit.circuit_id] = (circuit.circuit_id, *above)
    return chains
