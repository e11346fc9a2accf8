"""The composite schedule: OCPP 1.6 smart charging, OCPP 2.0.1 K01 and K08."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Recurrency, Schedule
from optivgi.model.composite import (
    ConnectorProfiles,
    Supply,
    Transaction,
    composite_schedule,
    limit_at,
    next_change_after,
    station_schedule,
)

S = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
TX = Transaction("7", S)


def profile(
    purpose: Purpose = Purpose.TX_DEFAULT,
    *periods: tuple[int, float] | Period,
    level: int = 0,
    unit: RateUnit = RateUnit.A,
    kind: Kind = Kind.ABSOLUTE,
    start: datetime | None = S,
    duration_s: int | None = None,
    **fields: Any,
) -> ChargingProfile:
    steps = tuple(p if isinstance(p, Period) else Period(*p) for p in periods)
    schedule = Schedule(unit, steps, None if kind is Kind.RELATIVE else start, duration_s)
    return ChargingProfile(fields.pop("profile_id", 1), level, purpose, kind, schedule, **fields)


def after(seconds: float) -> datetime:
    return S + timedelta(seconds=seconds)


def amperes(*profiles: ChargingProfile, at: datetime = S, tx: Transaction | None = TX) -> float | None:
    limit = limit_at(profiles, (), at, tx, unit=RateUnit.A)
    return limit.value if limit else None


def test_golden_case_of_three_layers() -> None:
    maximum = profile(Purpose.STATION_MAX, (0, 10))
    default = profile(Purpose.TX_DEFAULT, (0, 6), (60, 10), (120, 8), (180, 15), (260, 8), duration_s=304)
    tx = profile(Purpose.TX, (0, 8), (50, 11), (140, 16), (200, 6), (240, 12), duration_s=264, transaction_id="7")

    schedule = composite_schedule([default, tx], [maximum], after(4), 400, TX, unit=RateUnit.A)

    assert [(p.start_s, p.limit) for p in schedule.periods] == [
        (0, 8),
        (46, 10),
        (196, 6),
        (236, 10),
        (260, 8),
        (300, 10),
    ]
    assert (schedule.start, schedule.duration_s) == (after(4), 400)


def test_no_profile_is_no_limit() -> None:
    assert amperes() is None


def test_highest_stack_level_speaks_even_when_it_allows_more() -> None:
    assert amperes(profile(Purpose.TX_DEFAULT, (0, 6)), profile(Purpose.TX_DEFAULT, (0, 20), level=3)) == 20


def test_lower_stack_level_speaks_again_when_the_higher_is_over() -> None:
    low, high = profile(Purpose.TX_DEFAULT, (0, 6)), profile(Purpose.TX_DEFAULT, (0, 20), level=3, duration_s=60)
    assert amperes(low, high, at=after(59)) == 20
    assert amperes(low, high, at=after(60)) == 6


def test_of_one_stack_level_the_stricter_counts() -> None:
    assert amperes(profile(Purpose.TX_DEFAULT, (0, 16)), profile(Purpose.TX_DEFAULT, (0, 9))) == 9


def test_tx_profile_overrules_default_even_upwards() -> None:
    default, tx = profile(Purpose.TX_DEFAULT, (0, 6), level=8), profile(Purpose.TX, (0, 20), transaction_id="7")
    assert amperes(default, tx) == 20


def test_tx_profile_of_another_transaction_is_ignored() -> None:
    assert amperes(profile(Purpose.TX, (0, 20), transaction_id="8")) is None
    assert amperes(profile(Purpose.TX, (0, 20), transaction_id="7"), tx=None) is None


def test_default_profile_counts_without_a_transaction_as_if_one_started_now() -> None:
    default = profile(Purpose.TX_DEFAULT, (0, 0), (60, 8), kind=Kind.RELATIVE)
    assert amperes(default, tx=None, at=after(1000)) == 0


@pytest.mark.parametrize(("seconds", "limit"), [(-1, None), (0, 0), (59.9, 0), (60, 8), (1e6, 8)])
def test_relative_profile_counts_from_the_start_of_the_transaction(seconds: float, limit: float | None) -> None:
    default = profile(Purpose.TX_DEFAULT, (0, 0), (60, 8), kind=Kind.RELATIVE)
    assert amperes(default, at=after(seconds)) == limit


def test_absolute_profile_without_start_counts_from_the_start_of_the_transaction() -> None:
    default = profile(Purpose.TX_DEFAULT, (0, 1), (60, 8), start=None)
    assert amperes(default, at=after(61)) == 8


@pytest.mark.parametrize(("hours", "limit"), [(0, 10), (12, 20), (23.99, 20), (24, 10), (-1, 20), (240, 10)])
def test_daily_profile_repeats_and_yesterdays_occurrence_holds_until_todays(hours: float, limit: float) -> None:
    daily = profile(Purpose.TX_DEFAULT, (0, 10), (3600 * 8, 20), kind=Kind.RECURRING, recurrency=Recurrency.DAILY)
    assert amperes(daily, at=after(hours * 3600)) == limit


def test_weekly_profile_with_duration_is_silent_outside_it() -> None:
    weekly = profile(
        Purpose.TX_DEFAULT, (0, 10), kind=Kind.RECURRING, recurrency=Recurrency.WEEKLY, duration_s=24 * 3600
    )
    assert amperes(weekly, at=after(7 * 86400 + 3600)) == 10
    assert amperes(weekly, at=after(8 * 86400)) is None


def test_duration_longer_than_the_recurrence_is_cut_to_it() -> None:
    daily = profile(
        Purpose.TX_DEFAULT,
        (0, 10),
        (86400, 99),
        kind=Kind.RECURRING,
        recurrency=Recurrency.DAILY,
        duration_s=2 * 86400,
    )
    assert amperes(daily, at=after(86400)) == 10


@pytest.mark.parametrize(("seconds", "limit"), [(9, None), (10, 6), (19, 6), (20, None)])
def test_validity_clips_a_profile(seconds: int, limit: float | None) -> None:
    clipped = profile(Purpose.TX_DEFAULT, (0, 6), valid_from=after(10), valid_to=after(20))
    assert amperes(clipped, at=after(seconds)) == limit


def test_station_maximum_and_external_constraints_cap_what_the_transaction_may() -> None:
    tx = profile(Purpose.TX, (0, 20), transaction_id="7")
    maximum, external = profile(Purpose.STATION_MAX, (0, 18)), profile(Purpose.EXTERNAL_CONSTRAINTS, (0, 12))
    limit = limit_at([tx], [maximum, external], S, TX, unit=RateUnit.A)
    assert limit is not None
    assert (limit.value, limit.profile) == (12, external)


def test_default_of_connector_0_applies_to_every_connector() -> None:
    limit = limit_at([], [profile(Purpose.TX_DEFAULT, (0, 7))], S, None, unit=RateUnit.A)
    assert limit is not None
    assert limit.value == 7


def test_mixed_units_are_compared_with_the_fewest_phases_named() -> None:
    watts = profile(Purpose.STATION_MAX, (0, 3680), unit=RateUnit.W)
    tx = profile(Purpose.TX, Period(0, 20, 1), transaction_id="7")
    limit = limit_at([tx], [watts], S, TX, unit=RateUnit.A, supply=Supply(230, 3))
    assert limit is not None
    assert (limit.value, limit.phases) == (16, 1)


def test_amperes_become_watts_over_the_phases_of_the_supply() -> None:
    tx = profile(Purpose.TX, (0, 16), transaction_id="7")
    three = limit_at([tx], [], S, TX, unit=RateUnit.W, supply=Supply(230, 3))
    one = limit_at([tx], [], S, TX, unit=RateUnit.W, supply=Supply(240, 1))
    assert three is not None
    assert one is not None
    assert (three.value, one.value) == (11040, 3840)


def test_schedule_never_lacks_a_period() -> None:
    schedule = composite_schedule([], [], S, 0, None, unit=RateUnit.W, supply=Supply(240, 1, 30))
    assert [(p.start_s, p.limit) for p in schedule.periods] == [(0, 7200)]


def test_equal_neighbours_are_merged() -> None:
    flat = profile(Purpose.TX_DEFAULT, (0, 6), (60, 6), (120, 7))
    schedule = composite_schedule([flat], [], S, 600, TX, unit=RateUnit.A)
    assert [(p.start_s, p.limit) for p in schedule.periods] == [(0, 6), (120, 7)]


def test_change_at_the_end_of_the_window_is_outside_it() -> None:
    flat = profile(Purpose.TX_DEFAULT, (0, 6), (60, 7))
    assert len(composite_schedule([flat], [], S, 60, TX, unit=RateUnit.A).periods) == 1


def test_station_schedule_adds_connectors_within_the_station_maximum() -> None:
    first = ConnectorProfiles((profile(Purpose.TX, (0, 10), (30, 30), transaction_id="7"),), TX)
    second = ConnectorProfiles((), None)
    maximum = profile(Purpose.STATION_MAX, (0, 45), unit=RateUnit.A)
    schedule = station_schedule(
        [first, second], [maximum], S, 60, unit=RateUnit.A, supply=Supply(240, 1, max_current_a=32)
    )
    assert [(p.start_s, p.limit) for p in schedule.periods] == [(0, 42), (30, 45)]


def test_next_change_is_none_when_nothing_changes_any_more() -> None:
    assert next_change_after([profile(Purpose.TX_DEFAULT, (0, 6))], S, TX) is None


def test_next_change_of_a_daily_profile_is_its_next_occurrence() -> None:
    daily = profile(Purpose.TX_DEFAULT, (0, 10), kind=Kind.RECURRING, recurrency=Recurrency.DAILY)
    assert next_change_after([daily], after(60), TX) == after(86400)


def test_what_lies_after_the_end_of_the_calendar_never_happens() -> None:
    endless = profile(Purpose.TX_DEFAULT, (0, 6), (10**40, 9), duration_s=10**40)
    late = profile(Purpose.TX_DEFAULT, (0, 6), (60, 9), start=datetime.max.replace(tzinfo=UTC))
    assert amperes(endless) == 6
    assert next_change_after([endless], S, TX) is None
    assert next_change_after([late], S, TX) == datetime.max.replace(tzinfo=UTC)


UNITS = st.sampled_from(RateUnit)
SECONDS = st.integers(-40, 120)


@st.composite
def profiles(draw: st.DrawFn) -> ChargingProfile:
    purpose, kind = draw(st.sampled_from(Purpose)), draw(st.sampled_from(Kind))
    offsets = sorted({0, *draw(st.lists(st.integers(1, 90), max_size=3))})
    unit = draw(UNITS)
    scale = 10 if unit is RateUnit.A else 4000
    periods = [Period(s, scale * draw(st.integers(0, 30)) / 10, draw(st.none() | st.integers(1, 3))) for s in offsets]
    valid = draw(st.none() | SECONDS)
    return profile(
        purpose,
        *periods,
        level=draw(st.integers(0, 2)),
        unit=unit,
        kind=kind,
        start=after(draw(SECONDS)),
        duration_s=draw(st.none() | st.integers(0, 100)),
        transaction_id=draw(st.sampled_from(["7", "8"])) if purpose is Purpose.TX else None,
        recurrency=draw(st.sampled_from(Recurrency)) if kind is Kind.RECURRING else None,
        valid_from=None if valid is None else after(valid),
        valid_to=draw(st.none() | st.just(after((valid or 0) + 30))),
    )


def split(stack: list[ChargingProfile]) -> tuple[list[ChargingProfile], list[ChargingProfile]]:
    station = [p for p in stack if p.purpose in (Purpose.STATION_MAX, Purpose.EXTERNAL_CONSTRAINTS)]
    return [p for p in stack if p not in station], station


@settings(max_examples=60, deadline=None)
@given(st.lists(profiles(), max_size=6), UNITS, SECONDS)
def test_schedule_equals_evaluating_every_second(stack: list[ChargingProfile], unit: RateUnit, begin: int) -> None:
    own, station = split(stack)
    supply = Supply(240, 3)
    schedule = composite_schedule(own, station, after(begin), 130, TX, unit=unit, supply=supply)
    for second in range(130):
        period = [p for p in schedule.periods if p.start_s <= second][-1]
        limit = limit_at(own, station, after(begin + second), TX, unit=unit, supply=supply)
        assert period.limit == (limit.value if limit else supply.rating(unit))


@settings(max_examples=60, deadline=None)
@given(st.lists(profiles(), max_size=6), SECONDS)
def test_composite_is_never_above_a_layer_that_applies(stack: list[ChargingProfile], second: int) -> None:
    own, station = split(stack)
    at = after(second)
    limit = limit_at(own, station, at, TX, supply=Supply(240, 3))
    for purpose in Purpose:
        if purpose is Purpose.TX_DEFAULT and limit_at([p for p in own if p.purpose is Purpose.TX], [], at, TX):
            continue
        layer = [p for p in stack if p.purpose is purpose]
        alone = limit_at(layer, [], at, TX, supply=Supply(240, limit.phases if limit else 3))
        assert alone is None or (limit is not None and limit.value <= alone.value * (1 + 1e-12))


@settings(max_examples=60, deadline=None)
@given(st.lists(profiles(), max_size=6), SECONDS)
def test_nothing_changes_before_the_next_change(stack: list[ChargingProfile], second: int) -> None:
    own, station = split(stack)
    begin = after(second)
    change = next_change_after(stack, begin, TX)
    until = change or after(400)
    values = {
        limit.value if (limit := limit_at(own, station, at, TX)) else None
        for at in (begin + timedelta(seconds=s) for s in range(240))
        if at < until
    }
    assert len(values) <= 1
