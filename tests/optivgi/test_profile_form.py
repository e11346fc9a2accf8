"""Profiles in every form: never more than was meant, the next form after refusals, and what worked remembered."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.wire import wire_limit
from optivgi.profile_form import TX_FORM, Form, FormBook, Setting, Slot, in_kw, ladder, reshaped
from optivgi.station_model import Model
from optivgi.testing import MOMENT
from optivgi.translation.base import PowerCommand

VOLTS = 240.0
ACME = Model.of("ST-1", "Acme", "One", "2.4")
TX = Slot.TRANSACTION


def a_command(
    *limits_kw: float, every_s: int = 60, duration_s: int | None = None, start: datetime = MOMENT
) -> PowerCommand:
    """A TxProfile in amperes with one period after the other."""
    periods = tuple(Period(i * every_s, wire_limit(kw, RateUnit.A, VOLTS)[0], 1) for i, kw in enumerate(limits_kw))
    schedule = Schedule(RateUnit.A, periods, start=start, duration_s=duration_s)
    profile = ChargingProfile(12, 1, Purpose.TX, Kind.ABSOLUTE, schedule, transaction_id="1")
    return PowerCommand("ST-1", 1, profile, max(limits_kw), "1")


def allowed_kw(command: PowerCommand, at: datetime, started: datetime, fallback_kw: float) -> float:
    """What a charger with this profile allows; below it is the TxDefaultProfile."""
    schedule = command.profile.schedule
    begin = started if command.profile.kind is Kind.RELATIVE else schedule.start
    assert begin is not None
    passed_s = (at - begin).total_seconds()
    if schedule.duration_s is not None and passed_s >= schedule.duration_s:
        return fallback_kw
    limit = [period.limit for period in schedule.periods if period.start_s <= passed_s][-1]
    return in_kw(limit, schedule.unit, VOLTS)


forms = st.sampled_from(ladder(TX, RateUnit.A))
powers_kw = st.lists(st.floats(0, 22).map(lambda kw: wire_limit(kw, RateUnit.A, VOLTS)[1]), min_size=1, max_size=4)


@given(
    form=forms,
    limits_kw=powers_kw,
    fallback_kw=st.sampled_from([0.0, 1.44, 2.4]),
    ages_s=st.tuples(st.floats(1, 300) | st.floats(1, 5000), st.floats(0, 300)),
    after_s=st.floats(0, 600),
)
def test_no_form_ever_allows_more_than_was_meant(
    form: Form, limits_kw: list[float], fallback_kw: float, ages_s: tuple[float, float], after_s: float
) -> None:
    ran_s, begun_s = ages_s
    start = MOMENT - timedelta(seconds=begun_s)
    command = a_command(*limits_kw, duration_s=60 * len(limits_kw), start=start)
    started = MOMENT - timedelta(seconds=ran_s)
    shaped = reshaped(command, form, Setting(VOLTS, started, fallback_kw))
    meant_kw = max(
        allowed_kw(command, MOMENT + timedelta(seconds=after_s + late_s), started, fallback_kw) for late_s in (0, 1)
    )
    got_kw = allowed_kw(shaped, MOMENT + timedelta(seconds=after_s), started, fallback_kw)
    ends_late = form.kind is Kind.RELATIVE and fallback_kw > meant_kw
    assert got_kw <= meant_kw + 1e-9 or ends_late, "an end that is up to 1 s early shows the fallback up to 1 s early"
    assert shaped.limit_kw <= command.limit_kw + 1e-9


def test_counted_from_the_start_of_a_young_transaction_a_schedule_that_began_before_it_drops_in_time() -> None:
    command = a_command(7.2, 4.8, 2.4, duration_s=180, start=MOMENT)
    started = MOMENT + timedelta(seconds=70.5)
    schedule = reshaped(command, Form(kind=Kind.RELATIVE), Setting(VOLTS, started)).profile.schedule
    assert schedule.periods == (Period(0, 20.0, 1), Period(49, 10.0, 1))
    assert (schedule.start, schedule.duration_s) == (None, 109)


@given(form=forms, limits_kw=powers_kw)
def test_every_form_is_what_it_says(form: Form, limits_kw: list[float]) -> None:
    profile = reshaped(a_command(*limits_kw), form, Setting(VOLTS, MOMENT - timedelta(hours=1), 1.44)).profile
    assert (profile.purpose, profile.kind, profile.stack_level) == (form.purpose, form.kind, form.stack_level)
    assert form.unit in (None, profile.schedule.unit)
    assert form.most_periods is None or len(profile.schedule.periods) <= form.most_periods
    assert profile.schedule.periods[0].start_s == 0
    starts = [period.start_s for period in profile.schedule.periods]
    assert starts == sorted(set(starts))
    assert (profile.transaction_id is None) == (form.purpose is Purpose.TX_DEFAULT)
    assert (profile.schedule.start is None) == (form.kind is Kind.RELATIVE)


def test_the_usual_form_changes_nothing() -> None:
    command = a_command(7.2, 1.44)
    assert reshaped(command, TX_FORM, Setting(VOLTS)) is command


def test_a_station_that_takes_no_0_gets_what_takes_its_place() -> None:
    periods = reshaped(
        a_command(0.0, 7.2, 0.0), TX_FORM, Setting(VOLTS, instead_of_zero_kw=1.44)
    ).profile.schedule.periods
    assert [period.limit for period in periods] == [6.0, 30.0, 6.0]


def test_one_period_ends_where_the_next_would_begin_if_the_fallback_is_no_more() -> None:
    form = Form(most_periods=1)
    schedule = reshaped(a_command(7.2, 2.4, duration_s=120), form, Setting(VOLTS, fallback_kw=2.4)).profile.schedule
    assert (schedule.periods, schedule.duration_s) == ((Period(0, 30.0, 1),), 60)
    schedule = reshaped(a_command(7.2, 2.4, duration_s=120), form, Setting(VOLTS, fallback_kw=None)).profile.schedule
    assert (schedule.periods, schedule.duration_s) == ((Period(0, 10.0, 1),), 120)


def test_a_stand_in_says_itself_what_comes_after_its_end() -> None:
    form = Form(purpose=Purpose.TX_DEFAULT, stack_level=0)
    profile = reshaped(a_command(7.2, duration_s=180), form, Setting(VOLTS, fallback_kw=2.4)).profile
    assert profile.schedule.periods == (Period(0, 30.0, 1), Period(180, 10.0, 1))
    assert (profile.schedule.duration_s, profile.profile_id, profile.transaction_id) == (None, 11, None)


@pytest.mark.parametrize("slot", Slot)
def test_a_ladder_has_every_form_once(slot: Slot) -> None:
    rungs = ladder(slot, RateUnit.A)
    assert len(set(rungs)) == len(rungs)


def refused(book: FormBook, station_id: str = "ST-1", model: Model = ACME, **more: int) -> Form | None:
    """The station refuses what it gets now."""
    return book.refused(station_id, model, TX, book.form(station_id, model, TX), RateUnit.A, **more)


def climbed(book: FormBook, wanted: Form, model: Model = ACME, station_id: str = "ST-1") -> int:
    """How many refusals it takes until the station gets the form that it takes."""
    for refusals in range(100):
        if book.form(station_id, model, TX) == wanted:
            book.accepted(station_id, model, TX, wanted)
            return refusals
        refused(book, station_id, model)
    raise AssertionError(f"{wanted} is not on the ladder")


@given(wanted=forms)
def test_every_form_is_reached_and_then_known_for_all_of_that_kind(wanted: Form) -> None:
    book = FormBook()
    climbed(book, wanted)
    assert book.form("ST-2", ACME, TX) == wanted
    assert book.form("ST-3", Model.of("ST-3", "Acme", "One", "2.5"), TX) == TX_FORM


def test_one_refusal_may_be_a_race_and_changes_nothing() -> None:
    book = FormBook()
    assert refused(book) is None
    assert book.form("ST-1", ACME, TX) == TX_FORM
    assert refused(book) is not None


def test_a_station_that_took_such_a_profile_before_refuses_something_else_than_its_form() -> None:
    book = FormBook()
    book.accepted("ST-1", ACME, TX, TX_FORM, periods=1)
    assert all(refused(book, periods=1) is None for _ in range(5))
    answers = [refused(book, periods=2) for _ in range(2)]
    assert answers[1] is not None, "more periods than it ever took are another matter"


def test_two_connectors_that_refuse_at_once_are_one_step_and_not_two() -> None:
    book = FormBook()
    for connector_id in (1, 2):
        assert refused(book, connector_id=connector_id) is None
    second = [book.refused("ST-1", ACME, TX, TX_FORM, RateUnit.A, connector_id=number) for number in (1, 2)]
    assert second == [ladder(TX, RateUnit.A)[1]] * 2


def test_a_search_that_found_nothing_begins_anew() -> None:
    book = FormBook()
    forms_tried = [refused(book) for _ in range(len(ladder(TX, RateUnit.A)) + 1)]
    assert forms_tried[0] is None
    assert forms_tried[-1] is None
    assert book.exhausted("ST-1", ACME, TX)
    assert book.form("ST-1", ACME, TX) == TX_FORM


def test_a_form_that_is_taken_and_ignored_is_not_worth_knowing_until_it_is_obeyed() -> None:
    book = FormBook()
    form = book.ignored("ST-1", ACME, TX, RateUnit.A)
    assert form is not None
    assert not book.accepted("ST-1", ACME, TX, form)
    assert book.unusual() == {}
    assert book.obeyed("ST-1", ACME, TX)
    assert book.form("ST-2", ACME, TX) == form


def test_stations_that_say_nothing_of_themselves_learn_for_themselves_only() -> None:
    book = FormBook()
    wanted = Form(stack_level=0)
    climbed(book, wanted, Model.of("ST-1", "", "", ""))
    assert book.form("ST-2", Model.of("ST-2", "", "", ""), TX) == TX_FORM


def test_what_worked_is_kept_and_read_again() -> None:
    book = FormBook()
    climbed(book, Form(stack_level=0, unit=RateUnit.W, most_periods=1))
    again = FormBook.from_json(book.to_json())
    assert again.known == book.known
    assert list(again.unusual()) == ["Acme One 2.4, transaction"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"forms": [{}]}', '{"forms": 3}'])
def test_a_broken_book_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        FormBook.from_json(text)
