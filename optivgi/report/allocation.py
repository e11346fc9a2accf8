"""What each EV was allowed over time, rebuilt from every SetChargingProfile and its answer.

A station's limits change when its answer Accepted is recorded, when a profile or a period of one begins or ends, and
when a transaction starts or ends (in the times that the station itself gave). At each instant a TxProfile speaks while
it lasts, else the TxDefaultProfile; the station's maximum caps each of its EVs and all of them together. Wherever
stations may differ the higher allocation counts: a profile that was never answered may or may not be in force, in any
combination with others; of a default profile for the connector and one of the same level for all connectors either may
speak. Amperes become kW by the given voltage and the profile's number of phases, 3 if it names none. Where nothing
limits a transaction its allocation is unlimited (None), which no site limit can hold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product

from optivgi.model import composite
from optivgi.model.charging_profile import ChargingProfile, Purpose
from optivgi.model.history import History, ProfilesCleared, ProfileSent, Transaction

ACCEPTED = "Accepted"
MOST_ALTERNATIVES = 4096
"""Of so many combinations of unanswered profiles are tried; with more, nothing is believed to limit."""
STATION = 0
"""The connector number that stands for the whole station."""

Slot = tuple[int, Purpose, int]
"""Connector, purpose and stack level: a station holds one profile of each."""
Steps = tuple[tuple[datetime, float | None], ...]
"""From each time on so many kW; None is no limit."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What one transaction was allowed: from each step's time on, so many kW (None is no limit), until `end`.

    `spoke` says likewise which purpose gave the limit; None while nothing did.
    """

    transaction: Transaction
    steps: Steps
    end: datetime
    spoke: tuple[tuple[datetime, Purpose | None], ...] = ()

    def at(self, moment: datetime) -> float | None:
        """The allocation at `moment`, which must lie within the transaction."""
        return self.steps[bisect_right(self.steps, moment, key=lambda step: step[0]) - 1][1]


@dataclass(frozen=True, slots=True)
class _Installed:
    """One station's profiles from some moment on; `doubtful` are those that it never answered."""

    profiles: dict[Slot, ChargingProfile]
    doubtful: tuple[tuple[int, ChargingProfile], ...] = ()

    def alternatives(
        self, connector_id: int, moment: datetime, running: composite.Transaction
    ) -> Iterator[list[tuple[Slot, ChargingProfile]]]:
        """Every combination of what may be installed that makes a difference to a connector at `moment`.

        Of profiles that differ in their limit alone the highest will do: no other allows more.
        """
        choices: dict[Slot, dict[object, tuple[float, ChargingProfile]]] = {}
        for number, profile in self.doubtful:
            if number not in (STATION, connector_id):
                continue
            period = composite.period_at(profile, moment, running)
            says = profile.profile_id, None if period is None else (profile.schedule.unit, period.phases)
            limit = -1.0 if period is None else period.limit
            known = choices.setdefault(_slot(number, profile), {})
            if says not in known or known[says][0] < limit:
                known[says] = limit, profile
        for chosen in product(*([None, *(one for _, one in known.values())] for known in choices.values())):
            profiles = self.profiles
            for slot, profile_or_none in zip(choices, chosen, strict=True):
                if profile_or_none is not None:
                    profiles = _with(profiles, slot[0], profile_or_none)
            here = [(slot, profile) for slot, profile in profiles.items() if slot[0] in (STATION, connector_id)]
            yield here
            for rival in _rivals(here):
                yield [one for one in here if one[0] != rival]


def _rivals(here: Sequence[tuple[Slot, ChargingProfile]]) -> Iterator[Slot]:
    """Default profiles that may have replaced each other: one for all connectors and one for this one, of one level."""
    slots = {slot for slot, _ in here}
    for slot in slots:
        number, purpose, level = slot
        if number != STATION and purpose is Purpose.TX_DEFAULT and (STATION, purpose, level) in slots:
            yield slot
            yield STATION, purpose, level


def allocations(history: History, voltage_v: float, end: datetime) -> tuple[Allocation, ...]:
    """One Allocation per transaction of the history, up to `end` for those that still run."""
    by_station: dict[str, list[Transaction]] = defaultdict(list)
    for tx in history.transactions:
        by_station[tx.station_id].append(tx)
    changes = _changes(history)
    found = {}
    for station_id, transactions in by_station.items():
        times, states = _timeline(changes[station_id], transactions)
        for tx in transactions:
            found[tx.row_id] = _allocation(tx, times, states, voltage_v, end)
    return tuple(found[tx.row_id] for tx in history.transactions)


def station_caps(history: History, voltage_v: float, begin: datetime, end: datetime) -> dict[str, Steps]:
    """What all EVs at a station may take together, by station, for those that ever had a station maximum."""
    changes = _changes(history)
    capped = {sent.station_id for sent in history.profiles if sent.profile.purpose is Purpose.STATION_MAX}
    caps: dict[str, Steps] = {}
    for station_id in sorted(capped):
        times, states = _timeline(changes[station_id], ())
        everybody = Transaction(0, station_id, STATION, "", begin, end)
        maxima = [_maxima(state) for state in states]
        caps[station_id] = _allocation(everybody, times, maxima, voltage_v, end).steps
    return caps


def _maxima(state: _Installed) -> _Installed:
    return _Installed(
        {slot: profile for slot, profile in state.profiles.items() if slot[1] is Purpose.STATION_MAX},
        tuple((number, profile) for number, profile in state.doubtful if profile.purpose is Purpose.STATION_MAX),
    )


def _changes(history: History) -> Mapping[str, list[ProfileSent | ProfilesCleared]]:
    changes: dict[str, list[ProfileSent | ProfilesCleared]] = defaultdict(list)
    for sent in history.profiles:
        changes[sent.station_id].append(sent)
    for cleared in history.cleared:
        changes[cleared.station_id].append(cleared)
    return changes


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
    spoke: list[tuple[datetime, Purpose | None]] = []
    moment: datetime | None = tx.start
    while moment is not None and (moment < end or not steps):
        position = bisect_right(times, moment)
        state = states[position - 1] if position else _Installed({})
        allowed_kw, purpose = _allowed_kw(state, tx.connector_id, moment, running, supply)
        if not steps or steps[-1][1] != allowed_kw:
            steps.append((moment, allowed_kw))
        if not spoke or spoke[-1][1] is not purpose:
            spoke.append((moment, purpose))
        upcoming = composite.next_change_after(_of_connector(state, tx), moment, running)
        replaced = times[position] if position < len(times) else None
        moment = min((at for at in (upcoming, replaced) if at is not None), default=None)
    return Allocation(tx, tuple(steps), end, tuple(spoke))


def _allowed_kw(
    state: _Installed, connector_id: int, moment: datetime, running: composite.Transaction, supply: composite.Supply
) -> tuple[float | None, Purpose | None]:
    """The highest that any of the station's possible states allows, and what purpose says so; None is no limit."""
    highest_kw, purpose = -1.0, None
    for tried, profiles in enumerate(state.alternatives(connector_id, moment, running)):
        own = [profile for slot, profile in profiles if slot[0] == connector_id]
        station = [profile for slot, profile in profiles if slot[0] != connector_id]
        limit = composite.limit_at(own, station, moment, running, supply=supply)
        if limit is None or tried >= MOST_ALTERNATIVES:
            return None, None
        if limit.value / 1000 > highest_kw:
            highest_kw, purpose = limit.value / 1000, limit.profile.purpose
    return highest_kw, purpose


def _of_connector(state: _Installed, tx: Transaction) -> list[ChargingProfile]:
    profiles = [profile for slot, profile in state.profiles.items() if slot[0] in (STATION, tx.connector_id)]
    return profiles + [profile for number, profile in state.doubtful if number in (STATION, tx.connector_id)]
