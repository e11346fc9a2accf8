"""What dispatch is bound by: limits as they will be, safe shares, and the TxDefaultProfiles that grant them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

import numpy as np

from optivgi.account import Account, Instant, Key, Start
from optivgi.envelope import Envelope
from optivgi.ledger import Ledger
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.ev import Connector
from optivgi.model.framing import UNKNOWN_PHASE
from optivgi.model.limit_series import LimitSeries
from optivgi.model.problem import PHASES, Floats
from optivgi.model.site import Site
from optivgi.model.wire import wire_limit, wire_minimum
from optivgi.translation.base import PowerCommand

NOISE = 1e-9
TX_DEFAULT_LEVEL = 0
DAY_S = 24 * 3600.0
NO_STARTS: Mapping[Key, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Limit:
    """One bound on a weighted sum of powers: a circuit's kW, or the amperes of one of its phases.

    `capacity` is the strictest of now and soon; `later` is what is in force at each moment, in seconds since 1970.
    """

    circuit_id: str
    capacity: float
    weights: Mapping[Key, float]
    """How much of `capacity` one kW at each connector takes."""
    phase: str | None = None
    later: Envelope | None = None

    def over(self, moments: Floats) -> Floats:
        """[N], the lowest bound in each span from one of `moments` to the next."""
        if self.later is None:
            return np.full(len(moments), self.capacity)
        turned = Envelope(self.later.starts, tuple(-one for one in self.later.powers_kw))
        return -turned.over(moments)


def limits_at(
    site: Site, accounts: Iterable[Account], now: datetime, lead_s: float, parts: Mapping[Key, float] | None = None
) -> tuple[Limit, ...]:
    """Every bound: what is in force at some moment between `now` and `lead_s` later, so that cuts for a known drop are in
    time, and what is known to be in force at each moment after that. An EV in `parts` draws that part of what it is allowed."""
    part = parts or {}
    below = _chains(site)
    members = [(account, below.get(account.circuit, (site.root.circuit_id,))) for account in accounts]
    limits: list[Limit] = []
    for circuit in site.circuits:
        here = [account for account, chain in members if circuit.circuit_id in chain]
        if circuit.limit is not None and strictest(circuit.limit, now, DAY_S) is not None:
            capacity = strictest(circuit.limit, now, lead_s)
            weights = {account.key: part.get(account.key, 1.0) for account in here}
            bound = math.inf if capacity is None else capacity
            limits.append(Limit(circuit.circuit_id, bound, weights, later=_in_force(circuit.limit, now)))
        if (room_a := circuit.room_a) is not None:
            for phase, phase_a in zip(PHASES, room_a, strict=True):
                on_it = [a for a in here if phase in a.phases or UNKNOWN_PHASE in a.phases]
                weights = {a.key: 1000 / a.volts * part.get(a.key, 1.0) for a in on_it}
                limits.append(Limit(circuit.circuit_id, phase_a, weights, phase))
    return tuple(limits)


def _in_force(series: LimitSeries, now: datetime) -> Envelope:
    steps = [(now, series.at(now).limit_kw), *((at, series.at(at).limit_kw) for at in series.changes_after(now))]
    return Envelope.of((at.timestamp(), math.inf if limit_kw is None else limit_kw) for at, limit_kw in steps)


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


def safe_start_commands(
    ledger: Ledger, shares: Mapping[Key, float], when: Instant, starts: Mapping[Key, float] = NO_STARTS
) -> tuple[PowerCommand, ...]:
    """The TxDefaultProfiles that are to be sent now: where the station is connected and is not known to have its own.

    `starts` is what a car may have at once; 0 where there is nothing.
    """
    wanted = {
        key: tx_default_command(entry.connector, shares[key], ledger.policy.hold_s, starts.get(key, 0.0))
        for key, entry in ledger.safe_starts.items()
        if key in shares and entry.connector.online and entry.in_flight is None and entry.attempts.due <= when.at
    }
    safe_starts = ledger.safe_starts
    return tuple(
        command
        for key, command in wanted.items()
        if safe_starts[key].stale or safe_starts[key].confirmed != Start.of(command, safe_starts[key].connector.volts)
    )


def tx_default_command(connector: Connector, share_kw: float, hold_s: int, start_kw: float = 0.0) -> PowerCommand:
    """The safe start: `start_kw` for `hold_s` from the transaction's start, time enough for a TxProfile, then the share."""
    limit, sent_kw = wire_limit(share_kw, connector.unit, connector.volts)
    first, first_kw = wire_limit(start_kw, connector.unit, connector.volts)
    phases = len(connector.phases)
    held = (Period(0, first, phases),) if hold_s > 0 or limit == first else ()
    after = (Period(hold_s if held else 0, limit, phases),) if limit != first else ()
    profile = ChargingProfile(
        profile_id=profile_id(connector.connector_id, TX_DEFAULT_LEVEL),
        stack_level=TX_DEFAULT_LEVEL,
        purpose=Purpose.TX_DEFAULT,
        kind=Kind.RELATIVE,
        schedule=Schedule(connector.unit, (*held, *after)),
    )
    return PowerCommand(connector.station_id, connector.connector_id, profile, max(sent_kw, first_kw))


def profile_id(connector_id: int, stack_level: int) -> int:
    """An id of its own for each connector and purpose of a station, because a profile replaces any with the same id."""
    return connector_id * 10 + stack_level + 1


def _chains(site: Site) -> dict[str, tuple[str, ...]]:
    """For each circuit itself and all circuits above it."""
    chains: dict[str, tuple[str, ...]] = {}
    for circuit in site.circuits:
        above = () if circuit.parent is None else chains[circuit.parent]
        chains[circuit.circuit_id] = (circuit.circuit_id, *above)
    return chains
