"""What each EV was allowed over time, rebuilt from every SetChargingProfile and its answer.

A station's limits change when its answer Accepted is recorded, when a period of a profile begins or ends, and when a
transaction starts or ends (in the times that the station itself gave). A profile that was never answered may or may not
be in force: the higher allocation counts. Amperes become kW by the given voltage and the profile's number of phases, 3
if it names none. Where nothing limits a transaction its allocation is unlimited (None), which no site limit can hold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from optivgi.model import composite
from optivgi.model.charging_profile import ChargingProfile, Purpose
from optivgi.model.history import History, Key, ProfilesCleared, ProfileSent, Transaction

MW_PER_KW = 1_000_000
ACCEPTED = "Accepted"

Slot = tuple[int, Purpose, int]
"""Connector, purpose and stack level: a station holds one profile of each."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What one transaction was allowed: from each step's time on, so many kW (None is no limit), until `end`."""

    transaction: Transaction
    steps: tuple[tuple[datetime, float | None], ...]
    end: datetime

    def at(self, moment: datetime) -> float | None:
        """The allocation at `moment`, which must lie within the transaction."""
        return self.steps[bisect_right(self.steps, moment, key=lambda step: step[0]) - 1][1]


@dataclass(frozen=True, slots=True)
class SiteStep:
    """The whole site from `start` on, until the next step. `allocated_kw` leaves out the EVs without any limit."""

    start: datetime
    allocated_kw: float
    unlimited: tuple[Key, ...]
    active: int
    requested_kw: float
    curtailed: tuple[tuple[Key, float, float], ...]
    """Which EVs are allowed less than they can take: connector, allowed kW, what it can take in kW."""


@dataclass(frozen=True, slots=True)
class _Installed:
    """One station's profiles from some moment on; `doubtful` are those that it never answered."""

    profiles: dict[Slot, ChargingProfile]
    doubtful: tuple[tuple[int, ChargingProfile], ...] = ()

    def alternatives(self) -> Iterator[dict[Slot, ChargingProfile]]:
        yield self.profiles
        for connector_id, profile in self.doubtful:
            yield _with(self.profiles, connector_id, profile)


def allocations(history: History, voltage_v: float, end: datetime) -> tuple[Allocation, ...]:
    """One Allocation per transaction of the history, up to `end` for those that still run."""
    by_station: dict[str, list[Transaction]] = defaultdict(list)
    for tx in history.transactions:
        by_station[tx.station_id].append(tx)
    changes: dict[str, list[ProfileSent | ProfilesCleared]] = defaultdict(list)
    for sent in history.profiles:
        changes[sent.station_id].append(sent)
    for cleared in history.cleared:
        changes[cleared.station_id].append(cleared)
    found = {}
    for station_id, transactions in by_station.items():
        times, states = _timeline(changes[station_id], transactions)
        for tx in transactions:
            found[tx.row_id] = _allocation(tx, times, states, voltage_v, end)
    return tuple(found[tx.row_id] for tx in history.transactions)


def site_steps(allocated: Sequence[Allocation], can_take_kw: Sequence[float]) -> list[SiteStep]:
    """The sum over the site at every instant at which anything changed. `can_take_kw` is per allocation.

    Sums are exact to the milliwatt: limits are whole milliwatts before they are added.
    """
    changes: dict[datetime, list[tuple[int, int | None, bool]]] = defaultdict(list)
    for index, allocation in enumerate(allocated):
        for start, allowed_kw in allocation.steps:
            changes[start].append((index, None if allowed_kw is None else _mw(allowed_kw), True))
        changes[allocation.end].append((index, 0, False))
    now: dict[int, int | None] = {}
    steps = []
    for start in sorted(changes):
        for index, allowed_mw, present in changes[start]:
            if present:
                now[index] = allowed_mw
            else:
                now.pop(index, None)
        steps.append(_site_step(start, now, allocated, can_take_kw))
    return steps


def _site_step(
    start: datetime, now: dict[int, int | None], allocated: Sequence[Allocation], can_take_kw: Sequence[float]
) -> SiteStep:
    return SiteStep(
        start,
        allocated_kw=sum(allowed_mw for allowed_mw in now.values() if allowed_mw is not None) / MW_PER_KW,
        unlimited=tuple(allocated[index].transaction.key for index, allowed_mw in now.items() if allowed_mw is None),
        active=len(now),
        requested_kw=sum(_mw(can_take_kw[index]) for index in now) / MW_PER_KW,
        curtailed=tuple(
            (allocated[index].transaction.key, allowed_mw / MW_PER_KW, can_take_kw[index])
            for index, allowed_mw in now.items()
            if allowed_mw is not None and allowed_mw < 0.99 * _mw(can_take_kw[index])
        ),
    )


def _mw(power_kw: float) -> int:
    return round(power_kw * MW_PER_KW)


def _timeline(
    changes: Sequence[ProfileSent | ProfilesCleared], transactions: Sequence[Transaction]
) -> tuple[list[datetime], list[_Installed]]:
    """When a station's profiles changed, and what they were from then on."""
    times: list[datetime] = []
    states: list[_Installed] = []
    state = _Installed({})
    for change in sorted(changes, key=_changed_at):
        if isinstance(change, ProfileSent) and change.status not in (ACCEPTED, None):
            continue
        moment = _changed_at(change)
        if isinstance(change, ProfilesCleared):
            state = _Installed(
                {slot: profile for slot, profile in state.profiles.items() if not _cleared(change, slot, profile)},
                state.doubtful,
            )
        else:
            state = _installed(state, change, _bound(change, moment, transactions))
        times.append(moment)
        states.append(state)
    return times, states


def _changed_at(change: ProfileSent | ProfilesCleared) -> datetime:
    return change.answered_at or change.sent_at if isinstance(change, ProfileSent) else change.answered_at


def _installed(state: _Installed, sent: ProfileSent, profile: ChargingProfile) -> _Installed:
    if sent.status is None:
        return _Installed(state.profiles, (*state.doubtful, (sent.connector_id, profile)))
    slot = _slot(sent.connector_id, profile)
    return _Installed(
        _with(state.profiles, sent.connector_id, profile),
        tuple(
            (connector_id, other)
            for connector_id, other in state.doubtful
            if _slot(connector_id, other) != slot and other.profile_id != profile.profile_id
        ),
    )


def _with(
    profiles: dict[Slot, ChargingProfile], connector_id: int, profile: ChargingProfile
) -> dict[Slot, ChargingProfile]:
    """A new profile replaces the one with its id wherever that was, and the one in its slot."""
    kept = {slot: other for slot, other in profiles.items() if other.profile_id != profile.profile_id}
    return kept | {_slot(connector_id, profile): profile}


def _slot(connector_id: int, profile: ChargingProfile) -> Slot:
    return connector_id, profile.purpose, profile.stack_level


def _bound(sent: ProfileSent, moment: datetime, transactions: Sequence[Transaction]) -> ChargingProfile:
    """A TxProfile that names no transaction belongs to the one that ran there when it came."""
    if sent.profile.purpose is not Purpose.TX or sent.profile.transaction_id is not None:
        return sent.profile
    for tx in transactions:
        if tx.connector_id == sent.connector_id and tx.start <= moment and (tx.end is None or moment < tx.end):
            return replace(sent.profile, transaction_id=tx.transaction_id)
    return replace(sent.profile, transaction_id="")


def _cleared(cleared: ProfilesCleared, slot: Slot, profile: ChargingProfile) -> bool:
    if cleared.profile_id is not None:
        return profile.profile_id == cleared.profile_id
    return all(
        wanted is None or wanted == has
        for wanted, has in zip((cleared.connector_id, cleared.purpose, cleared.stack_level), slot, strict=True)
    )


def _allocation(
    tx: Transaction, times: Sequence[datetime], states: Sequence[_Installed], voltage_v: float, end: datetime
) -> Allocation:
    end = max(tx.start, end if tx.end is None else tx.end)
    supply = composite.Supply(voltage_v=voltage_v)
    running = composite.Transaction(tx.transaction_id, tx.start)
    steps: list[tuple[datetime, float | None]] = []
    moment: datetime | None = tx.start
    while moment is not None and (moment < end or not steps):
        position = bisect_right(times, moment)
        state = states[position - 1] if position else _Installed({})
        allowed_kw = _allowed_kw(state, tx, moment, running, supply)
        if not steps or steps[-1][1] != allowed_kw:
            steps.append((moment, allowed_kw))
        upcoming = composite.next_change_after(_of_connector(state, tx), moment, running)
        replaced = times[position] if position < len(times) else None
        moment = min((at for at in (upcoming, replaced) if at is not None), default=None)
    return Allocation(tx, tuple(steps), end)


def _allowed_kw(
    state: _Installed, tx: Transaction, moment: datetime, running: composite.Transaction, supply: composite.Supply
) -> float | None:
    """The highest that any of the station's possible states allows; None if one of them has no limit."""
    highest_kw = 0.0
    for profiles in state.alternatives():
        own = [profile for slot, profile in profiles.items() if slot[0] == tx.connector_id]
        station = [profile for slot, profile in profiles.items() if slot[0] == 0]
        limit = composite.limit_at(own, station, moment, running, supply=supply)
        if limit is None:
            return None
        highest_kw = max(highest_kw, limit.value / 1000)
    return highest_kw


def _of_connector(state: _Installed, tx: Transaction) -> list[ChargingProfile]:
    profiles = [profile for slot, profile in state.profiles.items() if slot[0] in (0, tx.connector_id)]
    return profiles + [profile for connector_id, profile in state.doubtful if connector_id in (0, tx.connector_id)]
