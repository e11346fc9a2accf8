"""Whether stations have what they accepted: which connectors to ask for it, and what follows from their answers. Pure.

A composite schedule (GetCompositeSchedule) is what a station makes of all its profiles. It is compared with what follows
from the profiles that the station accepted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from optivgi.account import Instant, Key
from optivgi.model.charging_profile import ChargingProfile, Purpose, RateUnit, Schedule
from optivgi.model.composite import Supply, Transaction, composite_schedule, next_change_after
from optivgi.model.ev import EV, Connector
from optivgi.model.snapshot import Snapshot
from optivgi.station_model import Model
from optivgi.translation.base import OutcomeStatus, PowerCommand, ReadBack

BEYOND_S = 60
"""Asked for is as much time as the accepted profiles still change in, and this much more."""
LONGEST_S = 24 * 3600
SLACK_S = 10.0
"""A station may be early or late by this much: its clock, and the way of question and answer."""
NOISE_KW, NOISE_SHARE, OTHER_UNIT_SHARE = 0.05, 0.01, 0.1
"""Powers this near are the same; a station that answers in the other unit counts with voltages of its own."""
MOST_REPAIRS = 2
REFUSALS_BEFORE_SILENCE = 2
FORGET_REFUSALS_S = 24 * 3600.0
FORGET_SILENCE_S = 3600.0
REFUSED = frozenset({OutcomeStatus.REJECTED, OutcomeStatus.NOT_SUPPORTED})


class Match(StrEnum):
    """How a station's answer compares with what it accepted."""

    SAME = "same"
    MORE = "more"
    LESS = "less"
    NONE = "no answer"


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask of one connector. `transaction` None is what an EV would get that begins to charge now."""

    key: Key
    duration_s: int
    unit: RateUnit
    profiles: tuple[ChargingProfile, ...]
    transaction: Transaction | None
    supply: Supply
    max_kw: float
    """The most that the connector gives."""
    own_kw: float = math.inf
    """The station has a limit of its own."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a question: `said_kw` where the answer differs most from `expected_kw`, and whether to send anew."""

    key: Key
    match: Match
    idle: bool
    said_kw: float = 0.0
    expected_kw: float = 0.0
    repair: bool = False
    reason: str = ""


@dataclass(slots=True)
class Reticence:
    """Which kinds of stations do not tell, and which stations kept silent. It may be shared between station groups."""

    _refusals: dict[tuple[Model, bool], tuple[int, float]] = field(default_factory=dict)
    _silent_until: dict[str, float] = field(default_factory=dict)

    def tells(self, station_id: str, model: Model, *, idle: bool, at: float) -> bool:
        """Whether it makes sense to ask."""
        count, until = self._refusals.get((model, idle), (0, -math.inf))
        return self._silent_until.get(station_id, -math.inf) <= at and not (
            count >= REFUSALS_BEFORE_SILENCE and until > at
        )

    def told(self, model: Model, *, idle: bool) -> None:
        """It does tell."""
        self._refusals.pop((model, idle), None)

    def refused(self, model: Model, *, idle: bool, at: float) -> None:
        """It does not answer such questions, or not in a way that can be used."""
        count, _ = self._refusals.get((model, idle), (0, at))
        self._refusals[model, idle] = count + 1, at + FORGET_REFUSALS_S

    def silent(self, station_id: str, at: float) -> None:
        """It said nothing at all, and commands wait while a station is silent: it is left alone from the first time on."""
        self._silent_until[station_id] = at + FORGET_SILENCE_S

    def doubt_silence(self) -> None:
        """Answers may have got lost on their way."""
        self._silent_until.clear()


@dataclass(slots=True)
class Reconciler:
    """The watch over what one station group's connectors have installed."""

    reticence: Reticence = field(default_factory=Reticence)
    _installed: dict[Key, list[ChargingProfile]] = field(default_factory=dict)
    """What each connector accepted and should still have."""
    _due: dict[Key, None] = field(default_factory=dict)
    _asked: set[Key] = field(default_factory=set)
    _repairs: dict[Key, int] = field(default_factory=dict)
    _claims: dict[Key, float] = field(default_factory=dict)
    _own_kw: dict[Key, float] = field(default_factory=dict)
    """Limits that stations have of their own: they kept saying that they allow less than what they accepted."""
    _connectors: dict[Key, Connector] = field(default_factory=dict)
    _evs: dict[Key, EV] = field(default_factory=dict)
    _refused: frozenset[Key] = frozenset()
    """Connectors with EVs whose data make no sense: nobody can say what they should be allowed."""
    _doubted: frozenset[Key] = frozenset()
    _blind: bool = False

    def observe(self, snapshot: Snapshot, doubted: Collection[Key]) -> None:
        """Takes in a fresh read, and the connectors whose meters show more than they should."""
        known, self._connectors = self._connectors, {one.key: one for one in snapshot.connectors}
        before, self._evs = self._evs, {(ev.station_id, ev.connector_id): ev for ev in snapshot.evs}
        self._refused = frozenset((one.station_id, one.connector_id) for one in snapshot.refused)
        for key, ev in before.items():
            if key not in self._evs or self._evs[key].transaction_id != ev.transaction_id:
                self._ended(key)
        for key, connector in self._connectors.items():
            old = known.get(key)
            if old is None or connector.booted_at != old.booted_at or (connector.online and not old.online):
                self._own_kw.pop(key, None)
                self._suspect(key)
        for key, ev in self._evs.items():
            if self._blind or key not in before or before[key].transaction_id != ev.transaction_id:
                self._suspect(key)
        for key in frozenset(doubted) - self._doubted:
            self._suspect(key)
        self._doubted, self._blind = frozenset(doubted), False

    def lost_sight(self) -> None:
        """Nothing could be read, or events were lost: whatever happened meanwhile, it is looked at again."""
        self._blind = True
        self.reticence.doubt_silence()

    def accepted(self, command: PowerCommand) -> None:
        """The station accepted `command`, in the form in which it was sent."""
        key, new = (command.station_id, command.connector_id), command.profile
        place = new.purpose, new.stack_level
        kept = self._installed.get(key, [])
        self._installed[key] = [
            old for old in kept if (old.purpose, old.stack_level) != place and old.profile_id != new.profile_id
        ] + [new]
        if key in self._evs:
            self._claims.pop(key, None)

    @property
    def due(self) -> int:
        """How many connectors are to be asked, though for some it may be too early."""
        return len(self._due)

    def claims(self) -> Mapping[Key, float]:
        """Connectors whose stations say that they allow more than what they accepted, and how many kW, until a profile
        is accepted anew."""
        return self._claims

    def next_question(self, certain: Callable[[Key], bool], when: Instant) -> Question | None:
        """What to ask now, EVs first; it counts as asked. `certain` tells where it is known what should be installed."""
        for key in sorted(self._due, key=lambda key: key not in self._evs):
            connector = self._connectors.get(key)
            if connector is None or not self._would_tell(connector, when):
                del self._due[key]
            elif key not in self._asked and self._installed.get(key) and certain(key):
                del self._due[key]
                self._asked.add(key)
                return self._question(connector, when)
        return None

    def answered(self, question: Question, answer: ReadBack, when: Instant) -> Finding:
        """Takes in the answer to `question`, and says what to do about it."""
        key, idle = question.key, question.transaction is None
        self._asked.discard(key)
        model, nothing = self._model(key), Finding(key, Match.NONE, idle, reason=answer.reason)
        if answer.schedule is None:
            if answer.status in REFUSED:
                self.reticence.refused(model, idle=idle, at=when.at)
            elif answer.status is OutcomeStatus.UNKNOWN:
                self.reticence.silent(key[0], when.at)
            return nothing
        if self._profiles(key) != question.profiles:
            self._due[key] = None
            return nothing
        finding = compared(question, answer.schedule, when.now)
        if finding.match is Match.SAME:
            self._repairs.pop(key, None)
            self.reticence.told(model, idle=idle)
            return finding
        self._repairs[key] = tried = self._repairs.get(key, 0) + 1
        if tried > MOST_REPAIRS:
            self._claims.pop(key, None)
            if finding.match is Match.MORE:
                self.reticence.refused(model, idle=idle, at=when.at)
            else:
                self._own_kw[key] = finding.said_kw
            return finding
        if finding.match is Match.MORE and not idle:
            self._claims[key] = finding.said_kw
        self._due[key] = None
        return replace(finding, repair=True)

    def _suspect(self, key: Key) -> None:
        self._due[key] = None
        self._repairs.pop(key, None)

    def _ended(self, key: Key) -> None:
        """The transaction is over, and with it its profiles and what was found about it."""
        self._claims.pop(key, None)
        self._installed[key] = [one for one in self._installed.get(key, ()) if one.purpose is not Purpose.TX]

    def _would_tell(self, connector: Connector, when: Instant) -> bool:
        key = connector.key
        idle = key not in self._evs
        tells = self.reticence.tells(key[0], self._model(key), idle=idle, at=when.at)
        return connector.online and key not in self._refused and tells

    def _question(self, connector: Connector, when: Instant) -> Question:
        key = connector.key
        ev, profiles = self._evs.get(key), self._profiles(key)
        transaction = None if ev is None else Transaction(ev.transaction_id, ev.arrival)
        what = connector if ev is None else ev
        return Question(
            key,
            _reach_s(profiles, when.now, transaction),
            profiles[-1].schedule.unit,
            profiles,
            transaction,
            Supply(what.voltage_v, len(what.phases)),
            what.max_kw,
            self._own_kw.get(key, math.inf),
        )

    def _profiles(self, key: Key) -> tuple[ChargingProfile, ...]:
        return tuple(self._installed.get(key, ()))

    def _model(self, key: Key) -> Model:
        connector = self._connectors.get(key)
        if connector is None:
            return Model(station_id=key[0])
        return Model.of(key[0], connector.vendor, connector.model, connector.firmware)


def _reach_s(profiles: tuple[ChargingProfile, ...], now: datetime, transaction: Transaction | None) -> int:
    """Until when the profiles change, and a bit more."""
    at, last = now, now
    latest = now + timedelta(seconds=LONGEST_S)
    tx = transaction or Transaction(None, now)
    while (following := next_change_after(profiles, at, tx)) is not None and following < latest:
        at = last = following
    return math.ceil((last - now).total_seconds()) + BEYOND_S


def compared(question: Question, said: Schedule, now: datetime) -> Finding:
    """Where the answer differs most from what follows from the profiles: above it if anywhere, else below it.

    The limits of both may change by SLACK_S earlier or later, and what a connector cannot give does not count.
    """
    supply, duration_s = question.supply, question.duration_s
    from_s = -math.floor(SLACK_S)
    expected = composite_schedule(
        question.profiles,
        (),
        now + timedelta(seconds=from_s),
        duration_s - from_s,
        question.transaction,
        unit=question.unit,
        supply=supply,
    )
    expected = replace(expected, periods=tuple(replace(one, start_s=one.start_s + from_s) for one in expected.periods))
    share = NOISE_SHARE if said.unit is expected.unit else OTHER_UNIT_SHARE
    same = Finding(question.key, Match.SAME, question.transaction is None)
    most, least = same, same
    moments = {float(period.start_s) for period in said.periods}
    moments |= {period.start_s + shift for period in expected.periods for shift in (-SLACK_S, SLACK_S)}
    for at_s in sorted(max(0.0, moment) for moment in moments):
        answered_kw = _range_kw(said, at_s, at_s, supply)
        if not answered_kw or at_s >= min(duration_s, math.inf if said.duration_s is None else said.duration_s):
            continue
        said_kw = min(answered_kw[0], question.max_kw)
        around_kw = [min(kw, question.max_kw) for kw in _range_kw(expected, at_s - SLACK_S, at_s + SLACK_S, supply)]
        low_kw, high_kw = min(*around_kw, question.own_kw), max(around_kw)
        if said_kw - high_kw > max(NOISE_KW, share * high_kw, most.said_kw - most.expected_kw):
            most = replace(same, match=Match.MORE, said_kw=said_kw, expected_kw=high_kw)
        if low_kw - said_kw > max(NOISE_KW, share * low_kw, least.expected_kw - least.said_kw):
            least = replace(same, match=Match.LESS, said_kw=said_kw, expected_kw=low_kw)
    return most if most.match is Match.MORE else least


def _range_kw(schedule: Schedule, from_s: float, until_s: float, supply: Supply) -> list[float]:
    """The limits at some moment between `from_s` and `until_s`, both included."""
    ends_s = [*(float(period.start_s) for period in schedule.periods[1:]), math.inf]
    kilowatts = 1e-3 if schedule.unit is RateUnit.W else supply.voltage_v * supply.phases / 1000
    return [
        period.limit * kilowatts
        for period, end_s in zip(schedule.periods, ends_s, strict=True)
        if period.start_s <= until_s and end_s > from_s
    ]
