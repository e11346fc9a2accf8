"""What each EV was allowed: profiles of several periods that end, fallbacks, maxima and doubt, exact at every breakpoint."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.history import History, MeterSample, ProfileSent, Transaction
from optivgi.report import Report
from tests.report.histories import at, default_profile, judged, sent

SHARE_W = 5000
LAST_S = 330


def running(number: int, start_s: float, end_s: float | None, connector_id: int = 1) -> Transaction:
    """Transaction "1" at STATION-0<number>."""
    end = None if end_s is None else at(end_s)
    return Transaction(number, f"STATION-{number:02d}", connector_id, "1", at(start_s), end)


def finite(begin_s: float, duration_s: int, *periods: tuple[int, float], level: int = 1) -> ChargingProfile:
    """An absolute TxProfile of (second, W)."""
    schedule = Schedule(
        RateUnit.W, tuple(Period(s, w, 1) for s, w in periods), start=at(begin_s), duration_s=duration_s
    )
    return ChargingProfile(2, level, Purpose.TX, Kind.ABSOLUTE, schedule, "1")


def station_max(limit_w: float, profile_id: int = 9) -> ChargingProfile:
    schedule = Schedule(RateUnit.W, (Period(0, limit_w),), start=at(-3600))
    return ChargingProfile(profile_id, 0, Purpose.STATION_MAX, Kind.ABSOLUTE, schedule)


def record(transactions: list[Transaction], *profiles: ProfileSent, end_s: float = 600) -> History:
    """A history in which the last that is known is a sample at `end_s`."""
    samples = (MeterSample(1, at(end_s), clock_aligned=True, power_kw=0.0),)
    return History(at(-10), at(end_s), tuple(transactions), profiles, samples=samples)


def steps(report: Report, index: int = 0) -> list[tuple[float, float | None]]:
    """(second, kW) of one allocation."""
    return [((moment - at(0)).total_seconds(), kw) for moment, kw in report.facts.allocated[index].steps]


def aggregate(report: Report) -> tuple[bool, str]:
    return report.checks[2].passed, report.checks[2].detail


def test_a_txprofile_of_several_periods_steps_at_each_and_falls_back_to_the_default_when_it_ends() -> None:
    report = judged(
        record(
            [running(1, 3, 500)],
            sent("STATION-01", -5, default_profile(60, SHARE_W)),
            sent("STATION-01", 4, finite(4, 180, (0, 7200), (60, 3000), (120, 1500))),
        )
    )

    assert steps(report) == [(3, 0), (4, 7.2), (64, 3), (124, 1.5), (184, 5)]
    assert [purpose for _, purpose in report.facts.allocated[0].spoke] == [
        Purpose.TX_DEFAULT,
        Purpose.TX,
        Purpose.TX_DEFAULT,
    ]


def test_the_default_that_takes_over_is_counted_from_the_transactions_start_not_from_the_end_of_the_profile() -> None:
    """A TxProfile that ends within the default's hold falls to 0 first."""
    report = judged(
        record(
            [running(1, 0, 500)],
            sent("STATION-01", -5, default_profile(300, SHARE_W)),
            sent("STATION-01", 1, finite(1, 100, (0, 7200))),
        )
    )

    assert steps(report) == [(0, 0), (1, 7.2), (101, 0), (300, 5)]


def test_profiles_that_end_at_different_times_break_the_limit_between_their_ends() -> None:
    """The paused EV falls back to its share while the other still runs high: 10 kW limit, 9 + 0 becomes 9 + 5."""
    profiles = [
        *(sent(f"STATION-0{n}", -5, default_profile(30, SHARE_W)) for n in (1, 2)),
        sent("STATION-01", 1, finite(1, 200, (0, 9000))),
        sent("STATION-02", 1, finite(1, 180, (0, 0))),
    ]
    transactions = [running(1, 0, 400), running(2, 0, 400)]

    passed, detail = aggregate(judged(record(transactions, *profiles), limit_kw=10))

    assert not passed
    assert "Over for 20.0 s in 1 of" in detail
    assert "overshoot 4.0 kW for 20.0 s (80.0 kW*s) from 08:03:01" in detail
    aligned = [*profiles[:2], sent("STATION-01", 1, finite(1, 180, (0, 9000))), profiles[3]]
    assert aggregate(judged(record(transactions, *aligned), limit_kw=10))[0]


def test_a_car_that_comes_after_control_died_breaks_the_limit_if_its_hold_is_shorter_than_what_still_runs() -> None:
    profiles = [
        sent("STATION-01", -5, default_profile(30, SHARE_W)),
        sent("STATION-02", -5, default_profile(60, SHARE_W)),
        sent("STATION-01", 1, finite(1, 300, (0, 9000))),
    ]
    transactions = [running(1, 0, 500), running(2, 100, 500)]

    passed, detail = aggregate(judged(record(transactions, *profiles), limit_kw=10))

    assert not passed
    assert "Over for 141.0 s" in detail
    patient = [profiles[0], sent("STATION-02", -5, default_profile(201, SHARE_W)), profiles[2]]
    assert aggregate(judged(record(transactions, *patient), limit_kw=10))[0]


def test_an_end_that_lies_beyond_the_window_is_not_held_against_it() -> None:
    profiles = (
        sent("STATION-01", -5, default_profile(30, 20_000)),
        sent("STATION-01", 1, finite(1, 300, (0, 9000))),
    )
    transactions = [running(1, 0, None)]

    assert aggregate(judged(record(transactions, *profiles, end_s=301), limit_kw=10))[0]
    assert not aggregate(judged(record(transactions, *profiles, end_s=302), limit_kw=10))[0]


def test_a_refreshed_profile_never_shows_the_fallback_in_between() -> None:
    refreshed = [sent("STATION-01", s, finite(s, 180, (0, 7200))) for s in (1, 61, 121, 181)]
    report = judged(record([running(1, 0, 300)], sent("STATION-01", -5, default_profile(30, SHARE_W)), *refreshed))

    assert steps(report) == [(0, 0), (1, 7.2)]


def test_a_higher_level_speaks_while_it_lasts_and_the_one_below_it_after() -> None:
    above = replace(finite(50, 100, (0, 2000), level=2), profile_id=3)
    report = judged(
        record(
            [running(1, 0, 300)],
            sent("STATION-01", -5, default_profile(30, SHARE_W)),
            sent("STATION-01", 1, finite(1, 200, (0, 7200))),
            sent("STATION-01", 40, above),
        )
    )

    assert steps(report) == [(0, 0), (1, 7.2), (50, 2), (150, 7.2), (201, 5)]


def test_a_station_maximum_caps_an_ev_and_two_at_one_station_together() -> None:
    cap = replace(sent("STATION-01", -5, station_max(11_000)), connector_id=0)
    profiles = [
        sent("STATION-01", 1, replace(finite(1, 900, (0, 7200)), profile_id=2)),
        replace(sent("STATION-01", 1, replace(finite(1, 900, (0, 7200)), profile_id=12)), connector_id=2),
    ]
    transactions = [running(1, 1, 300), replace(running(1, 1, 300, connector_id=2), row_id=2)]

    capped = judged(record(transactions, *profiles, cap), limit_kw=12)
    lower = replace(sent("STATION-01", 100, station_max(6000)), connector_id=0)

    assert aggregate(capped)[0]
    assert "Highest allocation 11.0 kW of 12.0 kW" in aggregate(capped)[1]
    assert not aggregate(judged(record(transactions, *profiles), limit_kw=12))[0]
    assert steps(judged(record(transactions, *profiles, cap, lower), limit_kw=12)) == [(1, 7.2), (100, 6)]


def test_unanswered_profiles_count_in_whatever_combination_allows_most() -> None:
    """Neither the higher share nor the higher maximum alone allows more than 3 kW, but both may have arrived."""
    low, high = station_max(3000), station_max(20_000)
    report = judged(
        record(
            [running(1, 0, 300)],
            sent("STATION-01", -5, default_profile(0, 2000)),
            replace(sent("STATION-01", -5, low), connector_id=0),
            sent("STATION-01", 50, default_profile(0, 7000), status=None),
            replace(sent("STATION-01", 60, high, status=None), connector_id=0),
        )
    )

    assert steps(report) == [(0, 2), (50, 3), (60, 7)]


def test_many_unanswered_refreshes_are_still_judged() -> None:
    unanswered = [sent("STATION-01", s, finite(s, 180, (0, 100 + s)), status=None) for s in range(1, 300)]
    unanswered += [sent("STATION-01", s, default_profile(0, 2000 + s), status=None) for s in range(1, 300)]

    report = judged(record([running(1, 0, 400)], sent("STATION-01", -5, default_profile(0, 2000)), *unanswered))

    assert report.facts.allocated[0].at(at(350)) == pytest.approx(2.299)


def test_of_a_default_for_one_connector_and_one_for_all_the_higher_counts() -> None:
    """Some stations keep both, some let the later one replace the other."""
    everywhere = replace(sent("STATION-01", -4, replace(default_profile(0, 6000), profile_id=5)), connector_id=0)
    own = sent("STATION-01", -5, default_profile(0, 2000))

    assert steps(judged(record([running(1, 0, 300)], own, everywhere))) == [(0, 6)]


PROFILES = st.lists(
    st.tuples(
        st.integers(1, 200),
        st.integers(10, 120),
        st.lists(st.tuples(st.integers(1, 100), st.integers(0, 9)), max_size=3, unique_by=lambda one: one[0]),
        st.integers(0, 9),
    ),
    max_size=6,
)


def allowed_by_hand(moment: datetime, start: datetime, profiles: list[ProfileSent], default: ProfileSent) -> float:
    """The newest TxProfile if it is running, else the default counted from the transaction's start."""
    installed = [one for one in profiles if one.sent_at <= moment]
    for one, anchor in ((installed[-1], None), (default, start)) if installed else ((default, start),):
        schedule = one.profile.schedule
        elapsed = (moment - (anchor or schedule.start or start)).total_seconds()
        if 0 <= elapsed < (schedule.duration_s or 1e9):
            return [period.limit for period in schedule.periods if period.start_s <= elapsed][-1] / 1000
    raise AssertionError("the default always speaks")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 150), PROFILES), min_size=1, max_size=3), st.integers(1, 25))
def test_check_3_agrees_with_looking_at_every_second_of_any_finite_profiles(
    evs: list[tuple[int, list[tuple[int, int, list[tuple[int, int]], int]]]], limit_kw: int
) -> None:
    transactions, told = [], {}
    defaults = {}
    for number, (start, listed) in enumerate(evs, 1):
        tx = running(number, start, LAST_S)
        transactions.append(tx)
        defaults[number] = sent(tx.station_id, -5, default_profile(40, 3000))
        told[number] = [
            sent(
                tx.station_id,
                begin,
                finite(begin, duration, (0, 1000 * first), *sorted((s, 1000 * kw) for s, kw in later)),
            )
            for begin, duration, later, first in sorted(listed, key=lambda one: one[0])
        ]
    everything = [*defaults.values(), *(one for profiles in told.values() for one in profiles)]

    report = judged(record(transactions, *everything), limit_kw=limit_kw)

    over_s = 0
    for second in range(LAST_S):
        total = sum(
            allowed_by_hand(at(second), tx.start, told[number], defaults[number])
            for number, tx in enumerate(transactions, 1)
            if tx.start <= at(second)
        )
        over_s += total > limit_kw
    assert report.facts.whole.over_allocated.seconds == over_s
    assert report.checks[2].passed is (over_s == 0)
