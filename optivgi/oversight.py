"""What meters and answers teach about one station group's EVs and stations, and what follows from it. Pure.

It knows nothing of planning: it says which EVs count at their draw, how much each can use, which profiles go out again
and in which form, and what a site manager must be told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from optivgi.account import NOT_INSTALLED, Key
from optivgi.adherence import Action, Sample, Stage, given, judged
from optivgi.alarm import Alarm, AlarmKind
from optivgi.allowance import Allowance
from optivgi.model.charging_profile import Purpose
from optivgi.model.ev import EV, Connector
from optivgi.model.framing import EVState
from optivgi.model.site import Site
from optivgi.model.snapshot import Snapshot
from optivgi.model.units import is_aware
from optivgi.model.wire import wire_minimum
from optivgi.overload import FOLLOW_S, Overload, overloads
from optivgi.oversight_settings import OversightSettings, PausePolicy
from optivgi.profile_form import Form, FormBook, Setting, Slot, reshaped
from optivgi.proof import Trust
from optivgi.proportion import compared
from optivgi.station_model import Model
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand, StationRequest, Wish
from optivgi.usage import Draw, held, silent_s, used
from optivgi.wake import Phase, watched
from optivgi.watched import ZERO_KW, Watched

REFUSED = frozenset({OutcomeStatus.REJECTED, OutcomeStatus.NOT_SUPPORTED})
MOST_OF_SITE = 0.5
"""A station that spikes is given the room for it if that is at most this part of the site's limit."""
PRESSES, PRESS_EVERY_S = 3, 60.0
"""How often a station is asked for what policy allows where it does not pause."""


@dataclass(frozen=True, slots=True)
class Lately:
    """The least that was sent to a connector of late (inf if nothing was), and since when nothing else was (None: no EV)."""

    least_kw: float = math.inf
    steady_since: datetime | None = None


@dataclass(slots=True)
class Oversight:
    """The watch over one station group. `book` may be shared between groups."""

    settings: OversightSettings = field(default_factory=OversightSettings)
    book: FormBook = field(default_factory=FormBook)
    _watched: dict[Key, Watched] = field(default_factory=dict)
    _connectors: dict[Key, Connector] = field(default_factory=dict)
    _in_flight: dict[Key, int] = field(default_factory=dict)
    _resend: set[Key] = field(default_factory=set)
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
        present: dict[Key, Watched] = {}
        for ev in snapshot.evs:
            key = ev.station_id, ev.connector_id
            known = self._watched.get(key)
            if known is None or known.allowance.transaction_id != ev.transaction_id:
                known = Watched(ev, Allowance(ev.transaction_id, ev.volts))
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
        drawn = {key: one.least_kw for key, one in self._watched.items() if not self._pauses(key)}
        for key, one in self._watched.items():
            cut_kw = None if one.cut is None else one.cut.drawn_kw
            counts = (one.conduct.overdraw_kw, cut_kw, self._blamed_kw(key), self._spike_kw(key))
            if known := [kw for kw in counts if kw is not None]:
                drawn[key] = max(*known, drawn.get(key, 0.0))
        ended = {key: kw for key, kw in self._standing_in.items() if key not in self._watched}
        return {**ended, **drawn}

    def parts(self) -> Mapping[Key, float]:
        """Connectors whose EVs were proven to draw no more than such a part of what they are allowed. Whoever is in doubt
        for another reason counts in full."""
        if not self.settings.overbook:
            return {}
        counted = self.overdraws()
        proven = ((key, one.proportion.part) for key, one in self._watched.items() if key not in counted)
        return {key: part for key, part in proven if part is not None}

    def planned(self, ev: EV) -> EV:
        """`ev` as plans see it: its bounds are what it draws of what it is allowed."""
        part = self.parts().get((ev.station_id, ev.connector_id), 1.0)
        return replace(ev, min_kw=ev.min_kw * part, max_kw=ev.max_kw * part)

    def reserves(self) -> Mapping[Key, float]:
        """Free connectors at which an EV begins with so many kW at once, because their stations take no 0."""
        return {
            key: wire_minimum(connector.min_kw, connector.unit, connector.volts)
            for key, connector in self._connectors.items()
            if key not in self._watched and not self._pauses(key)
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
        part = self.parts().get(key, 1.0)
        return replace(
            state,
            allowed_kw=None if state.allowed_kw is None else state.allowed_kw * part,
            usable_kw=None if usable_kw is None else usable_kw * part,
            pausable=self._pauses(key),
        )

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
        if (spike_kw := self._spike_kw(key)) is not None:
            return f"its station gives up to {spike_kw:.1f} kW whenever its profile changes"
        return "its station does not pause" if one.ev.energy_needed_kwh <= 0 and not self._pauses(key) else ""

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
        if (spike_kw := self._spike_kw(key)) is not None:
            return min(spike_kw, one.ev.max_kw)
        if not self._pauses(key):
            one.squeezed = planned_kw <= ZERO_KW and one.conduct.since is None and one.ev.energy_needed_kwh > 0
            return max(planned_kw, one.least_kw)
        return one.sleeper.target_kw(planned_kw, one.least_kw)

    def alarms(self, now: datetime) -> tuple[Alarm, ...]:
        """All that is wrong now."""
        over = (Alarm(AlarmKind.OVERLOAD, (one.circuit_id, 0), "", str(one)) for one in self._overloads)
        return (*over, *(alarm for key, one in self._watched.items() for alarm in self._alarms(key, one, now)))

    def next_due(self, now: datetime) -> datetime | None:
        """When to look again at the latest, because a step is due then."""
        return min((at for one in self._watched.values() for at in one.dues(self.settings) if at > now), default=None)

    def wishes(self, now: datetime) -> tuple[StationRequest, ...]:
        """What stations are to be asked for now; each wish is told once."""
        return tuple(self._wishes(now))

    def _wishes(self, now: datetime) -> Iterator[StationRequest]:
        for key, one in self._watched.items():
            if one.ask_at is None or one.ask_at > now:
                continue
            told = one.ev.measured_at is not None and is_aware(one.ev.measured_at) and one.ev.measured_at >= one.ask_at
            one.asked(now, self.settings.adherence)
            if not told:
                yield StationRequest(Wish.METER, *key)
        for key, one in self._watched.items():
            if (wish := self._pressing(key, one, now)) is not None:
                one.pressed, one.pressed_at = one.pressed + 1, now
                yield StationRequest(wish, *key, one.ev.transaction_id)

    def _pressing(self, key: Key, one: Watched, now: datetime) -> Wish | None:
        """What policy allows to ask for now, because the EV is not paused otherwise."""
        if one.pressed >= PRESSES or (one.pressed_at and (now - one.pressed_at).total_seconds() < PRESS_EVERY_S):
            return None
        alarming = one.conduct.alarming(now, self.settings.adherence)
        if self.settings.pause is PausePolicy.INOPERATIVE and (alarming or not self._pauses(key)):
            return Wish.INOPERATIVE
        over = one.conduct.stage in (Stage.FORMS, Stage.GIVEN) and self._blamed_kw(key) is not None
        return Wish.STOP if self.settings.pause is PausePolicy.STOP and (over or one.squeezed) else None

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
        least_kw = 0.0 if self._pauses(key) else wire_minimum(what.min_kw, what.unit, what.volts)
        started = None if one is None else one.ev.arrival
        return reshaped(command, form, Setting(what.volts, started, fallback_kw, least_kw))

    def plain_starts(self) -> tuple[Key, ...]:
        """Connectors whose stations take a TxDefaultProfile of one period only, so that it says the same for ever."""
        forms = ((key, self.book.form(key[0], self._model(key), Slot.SAFE_START)) for key in self._connectors)
        return tuple(key for key, form in forms if form.most_periods == 1)

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
            self._learn_of_zero(key[0], model, command)
            return False
        if answer.status not in REFUSED:
            return False
        if slot is Slot.TRANSACTION and command.limit_kw <= ZERO_KW and self.settings.pause is not PausePolicy.ZERO:
            self._zeros_refused[key[0]] = self._zeros_refused.get(key[0], 0) + 1
            if self._zeros_refused[key[0]] > 1:
                self.book.traits.rejects_zero(key[0], model)
            return False
        unit = command.profile.schedule.unit
        refused = self.book.refused(key[0], model, slot, form, unit, periods=periods, connector_id=key[1])
        return refused is not None or (slot is Slot.SAFE_START and self._try_without_zeros(key[0], model))

    def _try_without_zeros(self, station_id: str, model: Model) -> bool:
        """Whether to send safe starts again without 0, because no form of one with 0 was taken."""
        if self.settings.pause is PausePolicy.ZERO or not self.book.exhausted(station_id, model, Slot.SAFE_START):
            return False
        if station_id in self._on_trial or not self.book.traits.takes_zero(station_id, model):
            self._on_trial.discard(station_id)
            return False
        self._on_trial.add(station_id)
        return True

    def _learn_of_zero(self, station_id: str, model: Model, command: PowerCommand) -> None:
        """What its accepting `command`, as it was shaped, says of limits of 0."""
        if station_id in self._on_trial:
            self._on_trial.discard(station_id)
            self.book.traits.rejects_zero(station_id, model)
        elif self.book.traits.takes_zero(station_id, model) and any(
            period.limit <= 0 for period in command.profile.schedule.periods
        ):
            self.book.traits.took_zero(station_id, model)

    def _pauses(self, key: Key) -> bool:
        """Whether 0 is asked for at `key`, because it may be followed or because policy wants it."""
        if self.settings.pause is PausePolicy.ZERO:
            return True
        return key[0] not in self._on_trial and self.book.traits.takes_zero(key[0], self._model(key))

    def _spike_kw(self, key: Key) -> float | None:
        """What is given at `key` whenever its profile changes, if there is room enough at the site to reserve that."""
        one, spike_kw = self._watched.get(key), self.book.traits.spikes_kw.get(key[0])
        if one is None or spike_kw is None or one.ev.energy_needed_kwh <= 0 or not self._sites:
            return None
        at, site = self._sites[-1]
        limit_kw = None if site.root.limit is None else site.root.limit.at(at).limit_kw
        return spike_kw if limit_kw is None or spike_kw <= MOST_OF_SITE * limit_kw else None

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
            drew_kw = one.may_draw_kw(now, self.settings.adherence)
            one.allowance = one.allowance.confirmed(command, sent_at, now, self.settings.keep_s)
            if self.settings.asks:
                one.expect(drew_kw, now, self.settings.adherence, trusted=self._trust.has(key[0]))
        elif outcome.status not in NOT_INSTALLED:
            one.allowance = one.allowance.doubted(command, sent_at)

    def _judge(self, key: Key, one: Watched, now: datetime) -> None:
        ev, settings = one.ev, self.settings
        sample = draw = None
        if ev.measured_kw is not None and ev.measured_at is not None and is_aware(ev.measured_at):
            settled = ev.measured_at - timedelta(seconds=settings.adherence.settle_s)
            ramped = ev.measured_at - timedelta(seconds=settings.usage.ramp_s)
            allowed_kw = one.allowance.most_kw(settled, ev.measured_at)
            changing = one.allowance.changing(settled, ev.measured_at)
            sample = Sample(ev.measured_kw, ev.measured_at, allowed_kw, changing)
            if one.proves(ev.measured_kw, ev.measured_at, now, settings.adherence):
                self._trust.earned(key[0])
            draw = Draw(ev.measured_kw, ev.measured_at, one.allowance.least_kw(ramped, ev.measured_at))
            if one.usage.seen_at is None or ev.measured_at > one.usage.seen_at:
                one.proportion = compared(one.proportion, ev.measured_kw, draw.steady_kw, allowed_kw)
        before = one.conduct
        one.conduct, action = judged(before, sample, now, settings.adherence)
        if before.stage is Stage.OBEYS and before.since is not None and one.conduct.since is None:
            self.book.traits.spiked(key[0], before.drawn_kw)
        self._act(key, one, action)
        if one.conduct.since is None and sample is not None and sample.allowed_kw is not None:
            self.book.obeyed(key[0], self._model(key), Slot.TRANSACTION)
        if draw is not None and one.conduct.since is None and one.sleeper.phase in (Phase.NONE, Phase.GIVEN_UP):
            one.usage = used(one.usage, draw, now, ev.max_kw, settings.usage)
        one.sleeper = watched(one.sleeper, one.seen(now, settings.usage.fresh_s), settings.wake)

    def _overloaded(self, site: Site | None, now: datetime) -> tuple[Overload, ...]:
        """Circuits over every limit that they had lately."""
        if site is None:
            return ()
        self._sites = [one for one in self._sites if (now - one[0]).total_seconds() <= FOLLOW_S]
        if not self._sites or self._sites[-1][1] != site:
            self._sites.append((now, site))
        drawn = [one.drawn(key, now, self.settings.adherence) for key, one in self._watched.items()]
        by_site = [overloads(one, drawn, now) for _, one in self._sites]
        lasting = frozenset.intersection(*(frozenset(one.circuit_id for one in found) for found in by_site))
        return tuple(one for one in by_site[-1] if one.circuit_id in lasting)

    def _blamed_kw(self, key: Key) -> float | None:
        """What is drawn at `key` if that is why a circuit is over its limit; None if it is not."""
        return next((one.drawn_kw for over in self._overloads for one in over.by if one.key == key), None)

    def _act(self, key: Key, one: Watched, action: Action | None) -> None:
        if action is None:
            return
        self._trust.lost(key[0])
        if action is Action.FLOOR and self.settings.pause is not PausePolicy.ZERO:
            self.book.traits.ignores_zero(key[0])
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
            {key for key in self._connectors if not self._pauses(key)},
            {key: self._spike_kw(key) for key in self._watched},
            self.parts(),
            {key: round(kw, 1) for key, kw in self.overdraws().items()},
        )

    def _alarms(self, key: Key, one: Watched, now: datetime) -> Iterable[Alarm]:
        ev_id, station = one.ev.ev_id, f"{key[0]} connector {key[1]}"
        if one.conduct.alarming(now, self.settings.adherence):
            text = (
                f"EV {ev_id} draws {one.conduct.drawn_kw:.1f} kW at {station}, which is more than its profile allows; "
                f"others are planned around it ({one.conduct.stage.value})"
            )
            yield Alarm(AlarmKind.OVERDRAW, key, ev_id, text)
        if not self._pauses(key):
            text = f"{station} does not pause EV {ev_id}: it gets at least its minimum of {one.least_kw:.1f} kW"
            yield Alarm(AlarmKind.NO_PAUSE, key, ev_id, text)
        if (spike_kw := self.book.traits.spikes_kw.get(key[0])) is not None:
            keeps = (
                "others are planned around that" if self._spike_kw(key) is not None else "the site has no room for that"
            )
            text = f"{station} gives EV {ev_id} up to {spike_kw:.1f} kW whenever its profile changes: {keeps}"
            yield Alarm(AlarmKind.SPIKES, key, ev_id, text)
        if one.sleeper.phase is Phase.GIVEN_UP:
            text = (
                f"EV {ev_id} at {station} sleeps since its pause, and {one.sleeper.attempts} attempts did not wake it: "
                "it keeps its minimum; unplugging and plugging in again helps"
            )
            yield Alarm(AlarmKind.ASLEEP, key, ev_id, text)


def _key(command: PowerCommand) -> Key:
    return command.station_id, command.connector_id


def _model(connector: Connector) -> Model:
    return Model.of(connector.station_id, connector.vendor, connector.model, connector.firmware)
