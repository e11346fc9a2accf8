"""What meters and answers teach about one station group's EVs and stations, and what follows from it. Pure.

It knows nothing of planning: it says which EVs count at their draw, how much each can use, which profiles go out again
and in which form, and what a site manager must be told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from optivgi.account import NOT_INSTALLED, Key
from optivgi.adherence import (
    Action,
    AdherenceSettings,
    Conduct,
    Sample,
    Stage,
    exceeds,
    given,
    judged,
)
from optivgi.alarm import Alarm, AlarmKind
from optivgi.allowance import Allowance
from optivgi.model.charging_profile import Purpose
from optivgi.model.ev import EV, Connector
from optivgi.model.framing import EVState
from optivgi.model.site import Site
from optivgi.model.snapshot import Snapshot
from optivgi.model.units import is_aware
from optivgi.model.wire import wire_minimum
from optivgi.overload import FOLLOW_S, Drawn, Overload, overloads
from optivgi.profile_form import Form, FormBook, Model, Setting, Slot, reshaped
from optivgi.proof import ASK_AFTER_S, Cut, Trust
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand, StationRequest, Wish
from optivgi.usage import Draw, Usage, UsageSettings, held, silent_s, used
from optivgi.wake import Phase, Seen, Sleeper, WakeSettings, watched

REFUSED = frozenset({OutcomeStatus.REJECTED, OutcomeStatus.NOT_SUPPORTED})
ZERO_KW = 1e-9
SETTLED_S = 0.5
"""So much after the settling time a meter is asked, not to be a moment too early."""


class PausePolicy(StrEnum):
    """What may be done where a station does not pause: give the EV its minimum, or keep asking for 0."""

    MINIMUM = "minimum"
    ZERO = "zero"


@dataclass(frozen=True, slots=True)
class OversightSettings:
    """How EVs and stations are watched."""

    adherence: AdherenceSettings = field(default_factory=AdherenceSettings)
    usage: UsageSettings = field(default_factory=UsageSettings)
    wake: WakeSettings = field(default_factory=WakeSettings)
    pause: PausePolicy = PausePolicy.MINIMUM
    asks: bool = True
    """Whether meters are asked when there is doubt, instead of waiting for what they tell by themselves."""

    @property
    def keep_s(self) -> float:
        """How far back it matters what was allowed."""
        return self.adherence.fresh_s + max(self.usage.ramp_s, self.adherence.settle_s)


@dataclass(frozen=True, slots=True)
class Lately:
    """The least that was sent to a connector of late (inf if nothing was), and since when nothing else was (None: no EV)."""

    least_kw: float = math.inf
    steady_since: datetime | None = None


@dataclass(slots=True)
class _Watched:
    """One transaction, as it is watched."""

    ev: EV
    allowance: Allowance
    conduct: Conduct = field(default_factory=Conduct)
    usage: Usage = field(default_factory=Usage)
    sleeper: Sleeper = field(default_factory=Sleeper)
    cut: Cut | None = None
    ask_at: datetime | None = None
    """When its meter is to be asked, if it has not told by then."""

    @property
    def least_kw(self) -> float:
        return wire_minimum(self.ev.min_kw, self.ev.unit, self.ev.volts)


@dataclass(slots=True)
class Oversight:
    """The watch over one station group. `book` may be shared between groups."""

    settings: OversightSettings = field(default_factory=OversightSettings)
    book: FormBook = field(default_factory=FormBook)
    _watched: dict[Key, _Watched] = field(default_factory=dict)
    _connectors: dict[Key, Connector] = field(default_factory=dict)
    _in_flight: dict[Key, int] = field(default_factory=dict)
    _resend: set[Key] = field(default_factory=set)
    _no_pause: set[str] = field(default_factory=set)
    """Stations that do not pause."""
    _zeros_refused: dict[str, int] = field(default_factory=dict)
    _on_trial: set[str] = field(default_factory=set)
    """Stations that get no 0 to see whether it is that which they refuse."""
    _situation: object = None
    """What followed from the last look."""
    _trust: Trust = field(default_factory=Trust)
    _sites: list[tuple[datetime, Site]] = field(default_factory=list)
    """The site with its limits as it was at every look of the last seconds."""
    _overloads: tuple[Overload, ...] = ()
    _standing_in: dict[Key, float] = field(default_factory=dict)
    """Connectors whose safe start was replaced by a profile for one transaction, and the most that it allows."""

    def look(self, snapshot: Snapshot, now: datetime, site: Site | None = None) -> bool:
        """Takes in a fresh read; the answer is whether something follows from it that is worth a new plan.

        `site` is the site with the limits that hold now, if they are known.
        """
        self._connectors = {connector.key: connector for connector in snapshot.connectors}
        present: dict[Key, _Watched] = {}
        for ev in snapshot.evs:
            key = ev.station_id, ev.connector_id
            known = self._watched.get(key)
            if known is None or known.allowance.transaction_id != ev.transaction_id:
                known = _Watched(ev, Allowance(ev.transaction_id, ev.volts))
            known.ev = ev
            present[key] = known
        self._watched = present
        self._resend &= present.keys()
        for connector in snapshot.connectors:
            if connector.clock_skew_s:
                self.book.prefer_relative(connector.station_id, _model(connector))
        for key, one in present.items():
            if not self._in_flight.get(key):
                self._judge(key, one, now)
        self._overloads = self._overloaded(site, now)
        before, self._situation = self._situation, self._what_follows(now)
        return bool(self._resend) or self._situation != before

    def overdraws(self) -> Mapping[Key, float]:
        """Connectors that count at least so many kW, whatever their profiles say."""
        drawn = {key: one.least_kw for key, one in self._watched.items() if key[0] in self._no_pause}
        for key, one in self._watched.items():
            counts = (one.conduct.overdraw_kw, None if one.cut is None else one.cut.drawn_kw, self._blamed_kw(key))
            if known := [kw for kw in counts if kw is not None]:
                drawn[key] = max(*known, drawn.get(key, 0.0))
        ended = {key: kw for key, kw in self._standing_in.items() if key not in self._watched}
        return {**ended, **drawn}

    def reserves(self) -> Mapping[Key, float]:
        """Free connectors at which an EV begins with so many kW at once, because their stations take no 0."""
        return {
            key: wire_minimum(connector.min_kw, connector.unit, connector.volts)
            for key, connector in self._connectors.items()
            if key[0] in self._no_pause and key not in self._watched
        }

    def spoilt(self) -> tuple[Key, ...]:
        """Connectors without a transaction whose safe start is to be sent again."""
        return tuple(key for key in self._standing_in if key not in self._watched)

    def state(self, key: Key, state: EVState, now: datetime, share_kw: float) -> EVState:
        """`state` with what planning should know of the EV besides."""
        one = self._watched.get(key)
        if one is None:
            return state
        usable_kw = held(one.usage, silent_s(one.usage, now), state.allowed_kw, share_kw, self.settings.usage)
        return replace(state, usable_kw=usable_kw, pausable=key[0] not in self._no_pause)

    def out_of_control(self, key: Key, now: datetime) -> str:
        """Why others are planned around what is drawn at `key`; empty if it can be planned."""
        one = self._watched.get(key)
        if one is None:
            return ""
        if one.conduct.since is not None and one.conduct.stage is not Stage.OBEYS:
            again = (
                "whatever it is allowed" if one.conduct.alarming(now, self.settings.adherence) else "more than it may"
            )
            return f"it draws {one.conduct.drawn_kw:.1f} kW, {again}"
        if (blamed_kw := self._blamed_kw(key)) is not None:
            return f"it draws {blamed_kw:.1f} kW, and nobody knows what it may"
        return "its station does not pause" if key[0] in self._no_pause and one.ev.energy_needed_kwh <= 0 else ""

    def allowed_lately(self, key: Key, now: datetime) -> Lately:
        """What was sent to `key` since a fresh sample may have been taken. Before, it was whatever its sample showed."""
        one = self._watched.get(key)
        if one is None:
            return Lately()
        start = now - timedelta(seconds=self.settings.adherence.fresh_s)
        least_kw = one.allowance.least_sent_kw(start, now)
        return Lately(math.inf if least_kw is None else least_kw, one.allowance.steady_since or one.ev.arrival)

    def target_kw(self, key: Key, planned_kw: float, now: datetime) -> float:
        """What is to be sent in place of what was planned. Who was just told again is not told something else."""
        one = self._watched.get(key)
        if one is None:
            return planned_kw
        if one.conduct.stage is Stage.RESENT and not one.conduct.alarming(now, self.settings.adherence):
            allowed_kw = one.allowance.most_kw(now, now)
            planned_kw = planned_kw if allowed_kw is None else allowed_kw
        if key[0] in self._no_pause:
            return max(planned_kw, one.least_kw)
        return one.sleeper.target_kw(planned_kw, one.least_kw)

    def alarms(self, now: datetime) -> tuple[Alarm, ...]:
        """All that is wrong now."""
        over = (Alarm(AlarmKind.OVERLOAD, (one.circuit_id, 0), "", str(one)) for one in self._overloads)
        return (*over, *(alarm for key, one in self._watched.items() for alarm in self._alarms(key, one, now)))

    def next_due(self, now: datetime) -> datetime | None:
        """When to look again at the latest, because a step is due then."""
        return min((at for one in self._watched.values() for at in self._dues(one) if at > now), default=None)

    def wishes(self, now: datetime) -> tuple[StationRequest, ...]:
        """What stations are to be asked for now; each wish is told once."""
        return tuple(self._wishes(now))

    def _wishes(self, now: datetime) -> Iterator[StationRequest]:
        for key, one in self._watched.items():
            if one.ask_at is None or one.ask_at > now:
                continue
            told = one.ev.measured_at is not None and is_aware(one.ev.measured_at) and one.ev.measured_at >= one.ask_at
            settled = one.cut and one.cut.confirmed_at + timedelta(seconds=self.settings.adherence.settle_s + SETTLED_S)
            one.ask_at = settled if settled and settled > now else None
            if not told:
                yield StationRequest(Wish.METER, *key)

    @property
    def watching(self) -> bool:
        """Whether there is anybody to look at."""
        return bool(self._watched)

    def wave(self, commands: Sequence[PowerCommand]) -> Iterator[PowerCommand]:
        """`commands` and what is to be sent again; without safe starts that would replace a running transaction's."""
        taken = {_key(command) for command in commands if command.profile.purpose is Purpose.TX}
        for command in commands:
            standing = _key(command) in self._standing_in and _key(command) in self._watched
            if not (standing and command.profile.purpose is Purpose.TX_DEFAULT):
                yield command
        for key in sorted(self._resend - taken):
            last = self._watched[key].allowance.last
            if last is not None and not self._in_flight.get(key):
                yield last
        self._resend.clear()

    def sent(self, command: PowerCommand) -> None:
        """`command` is on its way."""
        self._in_flight[_key(command)] = self._in_flight.get(_key(command), 0) + 1

    def shaped(self, command: PowerCommand, fallback_kw: float | None) -> PowerCommand:
        """`command` in the form that its station takes. `fallback_kw` is what its TxDefaultProfile allows."""
        key = _key(command)
        connector, one = self._connectors.get(key), self._watched.get(key)
        if connector is None:
            return command
        form = self.form(command)
        what = connector if one is None else one.ev
        least_kw = wire_minimum(what.min_kw, what.unit, what.volts) if key[0] in self._no_pause else 0.0
        started = None if one is None else one.ev.arrival
        return reshaped(command, form, Setting(what.volts, started, fallback_kw, least_kw))

    def form(self, command: PowerCommand) -> Form:
        """The form in which `command` goes out now."""
        return self.book.form(command.station_id, self._model(_key(command)), Slot.of(command))

    def try_again(self, command: PowerCommand, form: Form, answer: Outcome) -> bool:
        """Takes in a station's answer to `command`, sent in `form`; whether to send it in another form at once."""
        key, slot = _key(command), Slot.of(command)
        connector = self._connectors.get(key)
        if connector is None:
            return False
        model, periods = _model(connector), len(command.profile.schedule.periods)
        if answer.status is OutcomeStatus.ACCEPTED:
            self.book.accepted(key[0], model, slot, form, periods)
            self._on_trial.discard(key[0])
            return False
        if answer.status not in REFUSED:
            return False
        if slot is Slot.TRANSACTION and command.limit_kw <= ZERO_KW and self.settings.pause is PausePolicy.MINIMUM:
            self._zeros_refused[key[0]] = self._zeros_refused.get(key[0], 0) + 1
            if self._zeros_refused[key[0]] > 1:
                self._no_pause.add(key[0])
            return False
        unit = command.profile.schedule.unit
        refused = self.book.refused(key[0], model, slot, form, unit, periods=periods, connector_id=key[1])
        return refused is not None or (slot is Slot.SAFE_START and self._try_without_zeros(key[0], model))

    def _try_without_zeros(self, station_id: str, model: Model) -> bool:
        """Whether to send safe starts again without 0, because no form of one with 0 was taken."""
        if self.settings.pause is not PausePolicy.MINIMUM or not self.book.exhausted(
            station_id, model, Slot.SAFE_START
        ):
            return False
        if station_id in self._on_trial:
            self._on_trial.discard(station_id)
            self._no_pause.discard(station_id)
            return False
        if station_id in self._no_pause:
            return False
        self._on_trial.add(station_id)
        self._no_pause.add(station_id)
        return True

    def learned(self, outcome: Outcome, sent_at: datetime, now: datetime) -> None:
        """What became of a command in the end."""
        command, key = outcome.command, _key(outcome.command)
        self._in_flight[key] = max(0, self._in_flight.get(key, 0) - 1)
        accepted = outcome.status is OutcomeStatus.ACCEPTED
        if command.profile.purpose is Purpose.TX_DEFAULT:
            if accepted and key not in self._watched:
                self._standing_in.pop(key, None)
            return
        form = self.book.form(key[0], self._model(key), Slot.TRANSACTION)
        if form.purpose is Purpose.TX_DEFAULT and outcome.status not in NOT_INSTALLED:
            self._standing_in[key] = max(self._standing_in.get(key, 0.0), command.limit_kw)
        one = self._watched.get(key)
        if one is None or one.allowance.transaction_id != command.profile.transaction_id:
            return
        if accepted:
            drew_kw = self._may_draw_kw(one, now)
            one.allowance = one.allowance.confirmed(command, sent_at, now, self.settings.keep_s)
            self._expect(key, one, drew_kw, now)
        elif outcome.status not in NOT_INSTALLED:
            one.allowance = one.allowance.doubted(command, sent_at)

    def _judge(self, key: Key, one: _Watched, now: datetime) -> None:
        ev, settings = one.ev, self.settings
        sample = draw = None
        if ev.measured_kw is not None and ev.measured_at is not None and is_aware(ev.measured_at):
            settled = ev.measured_at - timedelta(seconds=settings.adherence.settle_s)
            ramped = ev.measured_at - timedelta(seconds=settings.usage.ramp_s)
            allowed_kw = one.allowance.most_kw(settled, ev.measured_at)
            changing = any(settled < sent.since <= ev.measured_at for sent in one.allowance.sent)
            sample = Sample(ev.measured_kw, ev.measured_at, allowed_kw, changing)
            self._prove(key[0], one, ev.measured_kw, ev.measured_at, now)
            draw = Draw(ev.measured_kw, ev.measured_at, one.allowance.least_kw(ramped, ev.measured_at))
        one.conduct, action = judged(one.conduct, sample, now, settings.adherence)
        self._act(key, one, action)
        if one.conduct.since is None and sample is not None and sample.allowed_kw is not None:
            self.book.obeyed(key[0], self._model(key), Slot.TRANSACTION)
        if draw is not None and one.conduct.since is None and one.sleeper.phase in (Phase.NONE, Phase.GIVEN_UP):
            one.usage = used(one.usage, draw, now, ev.max_kw, settings.usage)
        one.sleeper = watched(one.sleeper, self._seen(one, now), settings.wake)

    def _prove(self, station_id: str, one: _Watched, measured_kw: float, measured_at: datetime, now: datetime) -> None:
        """Takes a sample as the answer to whether a cut is followed."""
        if one.cut is None:
            return
        settings = self.settings.adherence
        if one.cut.is_followed(measured_kw, measured_at):
            self._trust.earned(station_id)
            one.cut = one.ask_at = None
        elif one.cut.is_over(measured_at, now, settings.settle_s, settings.adherence_s):
            one.cut = None

    def _expect(self, key: Key, one: _Watched, drew_kw: float | None, now: datetime) -> None:
        """After a change: what its meter has to tell, and when it is asked. A station that proved itself is not."""
        if not self.settings.asks:
            return
        allowed_kw = replace(one.allowance, sent=one.allowance.sent[-1:]).most_kw(now, now)
        settled = now + timedelta(seconds=self.settings.adherence.settle_s + SETTLED_S)
        one.cut = None
        if one.conduct.since is not None:
            one.ask_at = settled
        elif allowed_kw is not None and not self._trust.has(key[0]):
            if drew_kw is not None and exceeds(drew_kw, allowed_kw):
                one.cut, one.ask_at = Cut(drew_kw, allowed_kw, now), now + timedelta(seconds=ASK_AFTER_S)
            elif allowed_kw < one.ev.max_kw:
                one.ask_at = settled

    def _may_draw_kw(self, one: _Watched, now: datetime) -> float | None:
        """What the EV draws by its meter, or could since it told; None if its meter is silent."""
        ev = one.ev
        if ev.measured_kw is None or ev.measured_at is None or not is_aware(ev.measured_at):
            return None
        if (now - ev.measured_at).total_seconds() > self.settings.adherence.fresh_s:
            return None
        cut_kw = 0.0 if one.cut is None else one.cut.drawn_kw
        if not one.allowance.sent or one.allowance.sent[-1].since <= ev.measured_at:
            return max(cut_kw, ev.measured_kw)
        return max(cut_kw, ev.measured_kw, min(ev.max_kw, one.allowance.most_kw(ev.measured_at, now) or 0.0))

    def _overloaded(self, site: Site | None, now: datetime) -> tuple[Overload, ...]:
        """Circuits over every limit that they had lately."""
        if site is None:
            return ()
        self._sites = [one for one in self._sites if (now - one[0]).total_seconds() <= FOLLOW_S]
        if not self._sites or self._sites[-1][1] != site:
            self._sites.append((now, site))
        drawn = [self._drawn(key, one, now) for key, one in self._watched.items()]
        by_site = [overloads(one, drawn, now) for _, one in self._sites]
        lasting = frozenset.intersection(*(frozenset(one.circuit_id for one in found) for found in by_site))
        return tuple(one for one in by_site[-1] if one.circuit_id in lasting)

    def _drawn(self, key: Key, one: _Watched, now: datetime) -> Drawn:
        """What its meter showed, but no more than a cut since then allows."""
        ev, settle = one.ev, timedelta(seconds=self.settings.adherence.settle_s)
        measured_kw, measured_at = ev.measured_kw, ev.measured_at
        if measured_kw is None or measured_at is None or not is_aware(measured_at):
            return Drawn(key, ev.ev_id, ev.circuit, 0.0, excess=False)
        if (now - measured_at).total_seconds() > self.settings.adherence.fresh_s:
            return Drawn(key, ev.ev_id, ev.circuit, 0.0, excess=False)
        may_kw = one.allowance.most_kw(measured_at - settle, measured_at)
        excess = measured_kw > ZERO_KW if may_kw is None else exceeds(measured_kw, may_kw)
        lately_kw = one.allowance.most_kw(max(measured_at, now - settle), now)
        drawn_kw = measured_kw if excess or lately_kw is None else min(measured_kw, lately_kw)
        return Drawn(key, ev.ev_id, ev.circuit, drawn_kw, excess)

    def _blamed_kw(self, key: Key) -> float | None:
        """What is drawn at `key` if that is why a circuit is over its limit; None if it is not."""
        return next((one.drawn_kw for over in self._overloads for one in over.by if one.key == key), None)

    def _seen(self, one: _Watched, now: datetime) -> Seen:
        ev = one.ev
        allowed_kw = one.allowance.least_kw(now, now)
        fresh = (
            ev.measured_at is not None
            and is_aware(ev.measured_at)
            and (now - ev.measured_at).total_seconds() <= self.settings.usage.fresh_s
        )
        return Seen(
            at=now,
            allowed=None if allowed_kw is None else allowed_kw >= one.least_kw - ZERO_KW,
            wants_energy=ev.energy_needed_kwh > 0,
            suspended_by_ev=ev.suspended_by_ev,
            measured_kw=ev.measured_kw if fresh else None,
        )

    def _act(self, key: Key, one: _Watched, action: Action | None) -> None:
        if action is None:
            return
        self._trust.lost(key[0])
        if action is Action.FLOOR and self.settings.pause is PausePolicy.MINIMUM:
            self._no_pause.add(key[0])
            return
        if action is not Action.RESEND:
            own_unit = self._connectors[key].unit if key in self._connectors else one.ev.unit
            if self.book.ignored(key[0], self._model(key), Slot.TRANSACTION, own_unit) is None:
                one.conduct = given(one.conduct)
        self._resend.add(key)

    def _model(self, key: Key) -> Model:
        connector = self._connectors.get(key)
        return Model(station_id=key[0]) if connector is None else _model(connector)

    def _what_follows(self, now: datetime) -> object:
        """What planning, dispatch and people go by, so that a change of it can be told."""
        return (
            {key: (one.usage.usable_kw, one.sleeper.phase, one.conduct.stage) for key, one in self._watched.items()},
            {(alarm.kind, alarm.key) for alarm in self.alarms(now)},
            set(self._no_pause),
            {key: round(kw, 1) for key, kw in self.overdraws().items()},
        )

    def _alarms(self, key: Key, one: _Watched, now: datetime) -> Iterable[Alarm]:
        ev_id, station = one.ev.ev_id, f"{key[0]} connector {key[1]}"
        if one.conduct.alarming(now, self.settings.adherence):
            text = (
                f"EV {ev_id} draws {one.conduct.drawn_kw:.1f} kW at {station}, which is more than its profile allows; "
                f"others are planned around it ({one.conduct.stage.value})"
            )
            yield Alarm(AlarmKind.OVERDRAW, key, ev_id, text)
        if key[0] in self._no_pause:
            text = f"{station} does not pause EV {ev_id}: it gets at least its minimum of {one.least_kw:.1f} kW"
            yield Alarm(AlarmKind.NO_PAUSE, key, ev_id, text)
        if one.sleeper.phase is Phase.GIVEN_UP:
            text = (
                f"EV {ev_id} at {station} sleeps since its pause, and {one.sleeper.attempts} attempts did not wake it: "
                "it keeps its minimum; unplugging and plugging in again helps"
            )
            yield Alarm(AlarmKind.ASLEEP, key, ev_id, text)

    def _dues(self, one: _Watched) -> Iterator[datetime]:
        if one.ask_at is not None:
            yield one.ask_at
        if one.cut is not None:
            yield one.cut.confirmed_at + timedelta(seconds=self.settings.adherence.adherence_s)
        if (due := one.conduct.due(self.settings.adherence)) is not None:
            yield due
        if one.sleeper.since is not None and (due_s := one.sleeper.due_s(self.settings.wake)) is not None:
            yield one.sleeper.since + timedelta(seconds=due_s)


def _key(command: PowerCommand) -> Key:
    return command.station_id, command.connector_id


def _model(connector: Connector) -> Model:
    return Model.of(connector.station_id, connector.vendor, connector.model, connector.firmware)
