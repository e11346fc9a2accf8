"""In which form a kind of station takes charging profiles: the ladder that is tried, and what worked, remembered. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import combinations
from typing import Any

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.wire import wire_limit
from optivgi.station_model import Model
from optivgi.traits import Traits
from optivgi.translation.base import PowerCommand

TX_STACK_LEVEL = 1
OTHER_IDS = 1000
REFUSALS_BEFORE_CHANGE = 2
"""A single refusal may be a race: the transaction just began or ended. The second one is about the form."""


@dataclass(frozen=True, slots=True)
class Form:
    """The shape in which profiles are sent. `unit` None is the station's own, `most_periods` None is as many as there are.

    `purpose` TX_DEFAULT stands in for TxProfiles at stations that refuse those: it then takes the safe start's place.
    """

    purpose: Purpose = Purpose.TX
    stack_level: int = TX_STACK_LEVEL
    kind: Kind = Kind.ABSOLUTE
    unit: RateUnit | None = None
    most_periods: int | None = None
    id_offset: int = 0

    def __str__(self) -> str:
        periods = "" if self.most_periods is None else f", {self.most_periods} period"
        unit = "" if self.unit is None else f", in {self.unit.value}"
        ids = f", ids from {self.id_offset}" if self.id_offset else ""
        return f"{self.purpose.value} {self.kind.value}, stack level {self.stack_level}{unit}{periods}{ids}"


TX_FORM = Form()
SAFE_START_FORM = Form(purpose=Purpose.TX_DEFAULT, stack_level=0, kind=Kind.RELATIVE)


class Slot(StrEnum):
    """What a profile is for: one transaction, or any that begins."""

    TRANSACTION = "transaction"
    SAFE_START = "safe start"

    @classmethod
    def of(cls, command: PowerCommand) -> Slot:
        return cls.SAFE_START if command.profile.purpose is Purpose.TX_DEFAULT else cls.TRANSACTION


FIRST = {Slot.TRANSACTION: TX_FORM, Slot.SAFE_START: SAFE_START_FORM}


def ladder(slot: Slot, own_unit: RateUnit) -> tuple[Form, ...]:
    """Every form worth trying, nearest to the first one first: one change, then two, and so on.

    Standing in with a TxDefaultProfile comes after the single changes, because it outlives its transaction.
    """
    other = RateUnit.W if own_unit is RateUnit.A else RateUnit.A
    first = FIRST[slot]
    if slot is Slot.SAFE_START:
        changes: list[dict[str, Any]] = [{"unit": other}, {"most_periods": 1}, {"id_offset": OTHER_IDS}]
        return tuple(_changed(first, changes, range(len(changes) + 1)))
    changes = [{"stack_level": 0}, {"unit": other}, {"most_periods": 1}, {"kind": Kind.RELATIVE}]
    stand_in = replace(first, purpose=Purpose.TX_DEFAULT, stack_level=0)
    return (
        *_changed(first, changes, range(2)),
        replace(first, id_offset=OTHER_IDS),
        stand_in,
        *_changed(first, changes, range(2, 5)),
        *_changed(stand_in, changes[1:], range(1, 4)),
    )


def _changed(first: Form, changes: list[dict[str, Any]], counts: range) -> Iterator[Form]:
    for count in counts:
        for chosen in combinations(changes, count):
            yield replace(first, **{name: value for change in chosen for name, value in change.items()})


@dataclass(slots=True)
class _Search:
    """Where one station is on the ladder."""

    form: Form
    tried: list[Form] = field(default_factory=list)
    refusals: Counter[int] = field(default_factory=Counter)
    """How often in a row each connector refused."""
    ignoring: bool = False
    """Forms are taken and not acted on, so that taking one proves nothing."""
    taken_periods: int = 0
    """The most periods that the station took in its form; it is not to blame for what is refused with no more."""
    exhausted: bool = False
    has_any: bool = False
    """Whether the station took a profile in any form of this search."""

    def replaces(self, form: Form) -> bool:
        """Whether a profile in `form` takes the place of what the station has, rather than one behind it."""
        same = (form.purpose, form.id_offset) == (self.form.purpose, self.form.id_offset)
        return same or not self.has_any


@dataclass(slots=True)
class FormBook:
    """Which form each kind of station takes, and what it does with limits."""

    known: dict[tuple[Model, Slot], Form] = field(default_factory=dict)
    traits: Traits = field(default_factory=Traits)
    _learned: int = 0
    _searches: dict[tuple[str, Slot], _Search] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """Grows when there is something new to keep."""
        return self._learned + self.traits.version

    def form(self, station_id: str, model: Model, slot: Slot) -> Form:
        """The form in which to send to the station now: what it took last, or what worked for its kind."""
        search = self._searches.get((station_id, slot))
        return search.form if search is not None else self.known.get((model, slot), FIRST[slot])

    def accepted(self, station_id: str, model: Model, slot: Slot, form: Form, periods: int = 1) -> bool:
        """The station took a profile of so many periods in `form`; the answer is whether that is news about its kind."""
        search = self._search(station_id, model, slot)
        if search.form != form:
            return False
        search.refusals.clear()
        search.exhausted = False
        search.taken_periods, search.has_any = max(periods, search.taken_periods), True
        if search.ignoring:
            return False
        search.tried.clear()
        return self._learn(model, slot, search.form)

    def refused(
        self,
        station_id: str,
        model: Model,
        slot: Slot,
        form: Form,
        own_unit: RateUnit,
        *,
        periods: int = 1,
        connector_id: int = 1,
    ) -> Form | None:
        """The station refused a profile in `form`: the next form to try at once; None to leave it at that for now.

        A connector's first refusal changes nothing, and none by a station that took as many periods before. What was sent
        before the form changed goes out again in the new one. When all forms have been refused the search begins anew at the next refusal.
        """
        search = self._search(station_id, model, slot)
        if form != search.form:
            return search.form
        if periods <= search.taken_periods:
            return None
        search.refusals[connector_id] += 1
        if search.refusals[connector_id] < REFUSALS_BEFORE_CHANGE:
            return None
        following = self._next(search, slot, own_unit)
        if following is None:
            search.refusals.clear()
        return following

    def exhausted(self, station_id: str, model: Model, slot: Slot) -> bool:
        """Whether the station refused every form, one after the other, and the search is at its beginning again."""
        return self._search(station_id, model, slot).exhausted

    def ignored(self, station_id: str, model: Model, slot: Slot, own_unit: RateUnit) -> Form | None:
        """The station takes its form but does not act on it: the next form, or None when all have been tried."""
        search = self._search(station_id, model, slot)
        search.ignoring = True
        return self._next(search, slot, own_unit)

    def obeyed(self, station_id: str, model: Model, slot: Slot) -> bool:
        """The station acts on the form after others were ignored; the answer is whether that is news about its kind."""
        search = self._searches.get((station_id, slot))
        if search is None or not search.ignoring:
            return False
        search.ignoring = False
        search.tried.clear()
        return self._learn(model, slot, search.form)

    def prefer_relative(self, station_id: str, model: Model) -> bool:
        """The station's clock is off, so its TxProfiles are counted from the transaction's start; whether that is new.

        It is a fact about this station's clock, not about its kind, and is not kept.
        """
        search = self._search(station_id, model, Slot.TRANSACTION)
        if search.form.kind is Kind.RELATIVE:
            return False
        search.form = replace(search.form, kind=Kind.RELATIVE)
        return True

    def unusual(self) -> Mapping[str, str]:
        """For each kind of station with a form of its own: that form, in words."""
        return {
            f"{model}, {slot.value}": str(form) for (model, slot), form in self.known.items() if form != FIRST[slot]
        }

    def to_json(self) -> str:
        """What is worth keeping, for `from_json`."""
        entries = [
            {**asdict(model), "slot": slot.value, "form": asdict(form)}
            for (model, slot), form in self.known.items()
            if form != FIRST[slot]
        ]
        return json.dumps({"forms": entries, **self.traits.as_json()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> FormBook:
        """The book that was kept; raises ValueError for anything else."""
        book = cls()
        try:
            document = json.loads(text)
            book.traits = Traits.from_json(document)
            for entry in document["forms"]:
                model = Model(*(str(entry[name]) for name in ("vendor", "model", "firmware", "station_id")))
                book.known[model, Slot(entry["slot"])] = _form(entry["form"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is not a book of forms: {error!r}") from None
        return book

    def _search(self, station_id: str, model: Model, slot: Slot) -> _Search:
        return self._searches.setdefault((station_id, slot), _Search(self.form(station_id, model, slot)))

    @staticmethod
    def _next(search: _Search, slot: Slot, own_unit: RateUnit) -> Form | None:
        search.tried.append(search.form)
        following = next(
            (form for form in ladder(slot, own_unit) if form not in search.tried and search.replaces(form)), None
        )
        if following is None:
            search.form, search.exhausted = search.tried[0], True
            search.tried.clear()
            return None
        search.form, search.taken_periods, search.exhausted = following, 0, False
        return following

    def _learn(self, model: Model, slot: Slot, form: Form) -> bool:
        if self.known.get((model, slot), FIRST[slot]) == form:
            return False
        self.known[model, slot] = form
        self._learned += 1
        return True


def _form(entry: Mapping[str, Any]) -> Form:
    unit, periods = entry["unit"], entry["most_periods"]
    return Form(
        Purpose(entry["purpose"]),
        int(entry["stack_level"]),
        Kind(entry["kind"]),
        None if unit is None else RateUnit(unit),
        None if periods is None else int(periods),
        int(entry["id_offset"]),
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """What reshaping needs to know of a connector: its watts per ampere, when its transaction began, what its
    TxDefaultProfile allows in the end (None: nobody knows), and what takes the place of 0 if it takes no 0."""

    volts: float
    started: datetime | None = None
    fallback_kw: float | None = None
    instead_of_zero_kw: float = 0.0


def reshaped(command: PowerCommand, form: Form, setting: Setting) -> PowerCommand:
    """`command` in another form, which at no moment allows more than `command` did, or than what takes the place of 0.

    Only a TxDefaultProfile that stands in for a TxProfile goes on after its transaction: until its safe start is sent
    again, the connector allows what it says.
    """
    if setting.instead_of_zero_kw > 0:
        command = _without_zeros(command, setting)
    if form == FIRST[Slot.of(command)]:
        return command
    profile = command.profile
    schedule = profile.schedule
    standing_in = form.purpose is Purpose.TX_DEFAULT and profile.purpose is Purpose.TX
    if form.unit is not None and form.unit is not schedule.unit:
        schedule = _in_unit(schedule, form.unit, setting.volts)
    fallback_kw = setting.fallback_kw if profile.purpose is Purpose.TX else None
    if standing_in:
        schedule = _endless(schedule, setting)
        fallback_kw = None
    if form.most_periods is not None and len(schedule.periods) > form.most_periods:
        schedule = _folded(schedule, form.most_periods, fallback_kw, setting.volts)
    kind = profile.kind
    if form.kind is Kind.RELATIVE and kind is Kind.ABSOLUTE and setting.started is not None:
        schedule, kind = _from_start(schedule, setting.started), Kind.RELATIVE
    shaped = ChargingProfile(
        profile_id=(profile.profile_id - TX_STACK_LEVEL if standing_in else profile.profile_id) + form.id_offset,
        stack_level=form.stack_level,
        purpose=Purpose.TX_DEFAULT if standing_in else profile.purpose,
        kind=kind,
        schedule=schedule,
        transaction_id=None if standing_in else profile.transaction_id,
        valid_from=profile.valid_from,
        valid_to=profile.valid_to,
    )
    most_kw = max(in_kw(period.limit, schedule.unit, setting.volts) for period in schedule.periods)
    return replace(command, profile=shaped, limit_kw=most_kw)


def _without_zeros(command: PowerCommand, setting: Setting) -> PowerCommand:
    schedule = command.profile.schedule
    least, least_kw = wire_limit(setting.instead_of_zero_kw, schedule.unit, setting.volts)
    if all(period.limit > 0 for period in schedule.periods):
        return command
    periods = tuple(replace(period, limit=max(period.limit, least)) for period in schedule.periods)
    profile = replace(command.profile, schedule=replace(schedule, periods=periods))
    return replace(command, profile=profile, limit_kw=max(command.limit_kw, least_kw))


def in_kw(limit: float, unit: RateUnit, volts: float) -> float:
    """A limit of a period as power."""
    return limit / 1000 if unit is RateUnit.W else limit * volts / 1000


def _in_unit(schedule: Schedule, unit: RateUnit, volts: float) -> Schedule:
    periods = tuple(
        replace(period, limit=wire_limit(in_kw(period.limit, schedule.unit, volts), unit, volts)[0])
        for period in schedule.periods
    )
    return replace(schedule, unit=unit, periods=periods, min_rate=None)


def _endless(schedule: Schedule, setting: Setting) -> Schedule:
    """Nothing is below it, so what would come after its end is put into it."""
    if schedule.duration_s is None or setting.fallback_kw is None:
        return replace(schedule, duration_s=None)
    limit = wire_limit(setting.fallback_kw, schedule.unit, setting.volts)[0]
    if limit >= schedule.periods[-1].limit:
        return replace(schedule, duration_s=None)
    last = Period(schedule.duration_s, limit, schedule.periods[-1].phases)
    return replace(schedule, periods=(*schedule.periods, last), duration_s=None)


def _folded(schedule: Schedule, most: int, fallback_kw: float | None, volts: float) -> Schedule:
    """At most `most` periods: it ends early if the fallback is no more than what is left out, else the rest is one low
    period."""
    kept, left_out = schedule.periods[:most], schedule.periods[most:]
    if fallback_kw is not None and fallback_kw <= min(in_kw(p.limit, schedule.unit, volts) for p in left_out) + 1e-9:
        return replace(schedule, periods=kept, duration_s=left_out[0].start_s)
    lowest = min(period.limit for period in (kept[-1], *left_out))
    return replace(schedule, periods=(*kept[:-1], replace(kept[-1], limit=lowest)))


def _from_start(schedule: Schedule, started: datetime) -> Schedule:
    """The same moments counted from the transaction's start, in whole seconds; no drop is later and no raise earlier.

    A schedule may begin before its transaction: what is over by then is left out.
    """
    offset_s = 0.0 if schedule.start is None else (schedule.start - started).total_seconds()
    first, *later = schedule.periods
    periods = [first]
    for period in later:
        exact_s = period.start_s + offset_s
        start_s = math.ceil(exact_s) if period.limit > periods[-1].limit else math.floor(exact_s)
        if start_s <= 0:
            periods = [replace(period, start_s=0)]
            continue
        if start_s <= periods[-1].start_s:
            start_s = periods[-1].start_s + 1
        periods.append(replace(period, start_s=start_s))
    duration_s = None if schedule.duration_s is None else max(1, math.floor(schedule.duration_s + offset_s))
    return replace(schedule, start=None, periods=tuple(periods), duration_s=duration_s)
