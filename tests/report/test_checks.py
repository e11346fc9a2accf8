"""Each check passes on a good run and fails on a history that breaks just what it guards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optivgi.model.charging_profile import RateUnit
from optivgi.model.history import History, ProfilesCleared
from optivgi.report import Report
from optivgi.report.curve import LimitCurve
from tests.report.histories import (
    LIMIT_KW,
    Session,
    at,
    curtailed,
    default_profile,
    history,
    judged,
    sent,
    tx_profile,
    with_session,
)

END_S = 1300


def good(**options: object) -> History:
    return history(*curtailed(), end_s=END_S, **options)  # type: ignore[arg-type]


def failed(report: Report) -> set[int]:
    return {check.number for check in report.checks if not check.passed}


def detail(report: Report, number: int) -> str:
    return report.checks[number - 1].detail


def test_a_good_run_passes_every_check() -> None:
    report = judged(good())

    assert failed(report) == set(), report.text()
    assert report.verdict == "5/5 checks passed -- PASS"
    assert "Found 30 charging profiles (need >= 3): 24 TxProfile, 6 TxDefaultProfile; 30 accepted" in detail(report, 1)
    assert "6 EVs could take 43.2 kW, were allowed 30.0 kW of 30.0 kW" in detail(report, 4)
    assert "used 360 clock-aligned samples every 10 s at 90 of 90 instants, 0 missing" in detail(report, 5)


def test_no_history_at_all_fails_every_check() -> None:
    report = judged(History(None, None, (), ()))

    assert failed(report) == {1, 2, 3, 4, 5}
    assert "Cannot tell: no meter samples" in detail(report, 5)


def test_profiles_that_stations_reject_do_not_count_as_sent() -> None:
    facts = good()
    rejected = tuple(replace(one, status="Rejected") for one in facts.profiles[2:])

    report = judged(replace(facts, profiles=(*facts.profiles[:2], *rejected)))

    assert 1 in failed(report)
    assert "2 accepted, 28 rejected" in detail(report, 1)


def test_sessions_one_after_the_other_are_not_concurrent() -> None:
    report = judged(history(Session(1, 3, 300, [(3.3, 7.2)]), Session(2, 300, 600, [(300.3, 7.2)])))

    assert 2 in failed(report)
    assert "Up to 1 of 2 sessions at once" in detail(report, 2)


def test_two_tenths_of_a_second_over_the_limit_between_cut_and_raise_fails() -> None:
    """All end well within the limit, and no meter sample sees it: only the order of the answers does."""
    facts = good()
    profiles = tuple(
        replace(one, answered_at=at(303.5)) if one.station_id == "STATION-02" and one.sent_at == at(303.1) else one
        for one in facts.profiles
    )

    report = judged(replace(facts, profiles=profiles))

    assert failed(report) == {3}
    assert "Over for 0.2 s in 1 of" in detail(report, 3)
    assert "worst 31.0 kW of 30.0 kW at 08:05:03" in detail(report, 3)


def test_whole_amperes_rounded_up_break_the_limit_by_240_watts() -> None:
    """21 A x 240 V x 6 = 30.24 kW: there is no tolerance for rounding."""
    facts = history(*(Session(n, 3, 900, [(3.3, 5.04)]) for n in range(1, 7)))
    amperes = tuple(sent(f"STATION-{n:02d}", 3.3, tx_profile(21, unit=RateUnit.A)) for n in range(1, 7))

    report = judged(replace(facts, profiles=(*(one for one in facts.profiles if one.sent_at < at(0)), *amperes)))

    assert {3, 5} <= failed(report)
    assert "worst 30.24 kW of 30.0 kW" in detail(report, 3)
    assert "Worst instant 30.24 kW of 30.0 kW" in detail(report, 5)


def test_amperes_without_a_number_of_phases_count_on_three() -> None:
    facts = history(Session(1, 3, 900, [(3.3, 7.2)]), Session(2, 3, 900, [(3.3, 7.2)]))
    profile = tx_profile(30, unit=RateUnit.A)
    unphased = replace(
        profile, schedule=replace(profile.schedule, periods=(replace(profile.schedule.periods[0], phases=None),))
    )

    report = judged(replace(facts, profiles=(*facts.profiles, sent("STATION-01", 400, unphased))), limit_kw=15)

    assert "worst 28.8 kW of 15.0 kW" in detail(report, 3)


def test_a_session_without_any_limit_is_over_whatever_the_limit_is() -> None:
    """What happens on arrival where no default profile is installed: full power until the first profile is accepted."""
    report = judged(good(defaults=False), limit_kw=1000)

    assert 3 in failed(report)
    assert "no limit in force for 1.8 s at STATION-01, STATION-02, STATION-03 and 3 more" in detail(report, 3)


def test_the_default_profile_holds_a_new_session_at_zero_and_then_at_its_share() -> None:
    """Relative: 0 for 60 s, then the share, counted from each transaction's own start."""
    facts = history(*(Session(n, 100.0 * n, 900, []) for n in (1, 2)))

    report = judged(facts)

    steps = report.facts.allocated[1].steps
    assert steps == ((at(200), 0.0), (at(260), 2.5))


def test_a_rejected_raise_changes_nothing_and_an_unanswered_one_counts_as_if_it_came() -> None:
    facts = good()
    for status, verdict in (("Rejected", set()), ("CALLERROR InternalError", set()), (None, {3})):
        raised = sent("STATION-01", 590, tx_profile(7200), status=status)
        assert failed(judged(replace(facts, profiles=(*facts.profiles, raised)))) == verdict, status


def test_a_cleared_profile_no_longer_limits() -> None:
    facts = good()
    cleared = ProfilesCleared("STATION-01", at(400), profile_id=2)

    report = judged(replace(facts, cleared=(cleared,)))

    assert report.facts.allocated[0].at(at(401)) == 2.5
    assert (
        judged(replace(facts, cleared=(ProfilesCleared("STATION-01", at(400)),))).facts.allocated[0].at(at(401)) is None
    )


def test_a_profile_that_cannot_be_read_leaves_the_aggregate_undecided() -> None:
    report = judged(replace(good(), unreadable=("SetChargingProfile to STATION-01: KeyError('chargingSchedule')",)))

    assert failed(report) == {3}
    assert "Cannot tell" in detail(report, 3)


def test_evs_that_never_want_more_than_the_limit_show_no_curtailment() -> None:
    report = judged(history(*(Session(n, 3, 900, [(3.3, 5.0)], drawn=[(3.3, 3.0)]) for n in (1, 2, 3))))

    assert failed(report) == {4}
    assert "by their meters 9.0 kW of 30.0 kW" in detail(report, 4)


def test_evs_that_may_all_take_what_they_can_are_not_curtailed() -> None:
    report = judged(history(*(Session(n, 3, 900, [(3.3, 7.2)]) for n in range(1, 7))))

    assert {3, 4, 5} <= failed(report)
    assert "held within the limit for 0 of 897 s" in detail(report, 4)


def test_evs_that_were_always_held_count_with_the_power_that_they_are_known_to_take() -> None:
    """Six at once get 5 kW from the first second: their meters cannot show that they could take 7.2 kW."""
    facts = history(*(Session(n, 3, 900, [(3.3, 5.0)]) for n in range(1, 7)))

    assert failed(judged(facts)) == {4}
    assert failed(judged(facts, stated_max_kw=7.2)) == set()


def test_a_charger_that_ignores_its_limit_fails_on_metered_power_alone() -> None:
    sessions = with_session(curtailed(), 3, drawn=[(123.3, 7.2)])

    report = judged(history(*sessions, end_s=END_S))

    assert failed(report) == {5}
    assert "Worst instant 32.2 kW of 30.0 kW" in detail(report, 5)
    assert "420 s over by power" in detail(report, 5)


def test_a_spike_between_two_samples_shows_in_the_energy_registers() -> None:
    """Four seconds at 22 kW between two samples: no power sample sees it, the energy of its window does."""
    sessions = with_session(curtailed(), 1, drawn=[(3.3, 7.2), (243.1, 6.0), (303.1, 5.0), (402, 22.0), (406, 5.0)])

    report = judged(history(*sessions, end_s=END_S))

    assert failed(report) == {5}
    assert "0 s over by power, 10 s over by energy" in detail(report, 5)


def test_a_small_excess_that_lasts_is_proven_through_coarse_registers() -> None:
    """240 W over the limit, meters that print whole watt-hours and no power: one step proves nothing, a minute or ten does."""
    facts = history(*(Session(n, 3, 900, [(3.3, 5.04)]) for n in range(1, 7)), resolution_wh=1)
    silent = tuple(replace(one, power_kw=None) for one in facts.samples)

    report = judged(replace(facts, samples=silent))

    assert 5 in failed(report)
    worst = report.facts.metering.windows.worst(LimitCurve.constant(LIMIT_KW))
    assert worst is not None
    assert worst.lowest_kw > LIMIT_KW
    assert worst.seconds > 60


@pytest.mark.parametrize("resolution_wh", [1, 0.001])
def test_unaligned_samples_are_never_summed_and_said_to_be_unaligned(resolution_wh: float) -> None:
    sessions = [replace(session, unaligned_s=1.3 * session.number) for session in curtailed()]

    report = judged(history(*sessions, resolution_wh=resolution_wh, end_s=END_S))

    assert failed(report) == {5}
    assert "Cannot tell: the samples are not clock-aligned" in detail(report, 5)
    assert "360 samples, none clock-aligned: judged by energy registers alone" in detail(report, 5)


def test_unaligned_samples_still_prove_a_site_that_stays_well_below_its_limit() -> None:
    sessions = [replace(session, unaligned_s=1.3 * session.number) for session in curtailed()]

    assert 5 not in failed(judged(history(*sessions, end_s=END_S), limit_kw=40))


def test_unaligned_samples_still_prove_an_excess() -> None:
    sessions = [replace(session, unaligned_s=1.3 * session.number) for session in curtailed(limit_kw=36)]

    report = judged(history(*sessions, end_s=END_S))

    assert 5 in failed(report)
    assert "Cannot tell" not in detail(report, 5)
    assert "420 s over by energy" in detail(report, 5)


def test_a_meter_that_says_nothing_is_not_a_meter_that_says_zero() -> None:
    sessions = with_session(curtailed(), 2, silent=(0.0, 2000.0))

    report = judged(history(*sessions, end_s=END_S))

    assert failed(report) == {5}
    assert "60 missing" in detail(report, 5)
    assert "have a sample of every session (need 90%)" in detail(report, 5)


def test_a_few_missing_samples_are_counted_and_said_and_their_instants_not_judged() -> None:
    sessions = with_session(curtailed(), 2, silent=(300.0, 340.0))

    report = judged(history(*sessions, end_s=END_S))

    assert failed(report) == set()
    assert "at 86 of 90 instants, 4 missing" in detail(report, 5)


def test_an_instant_with_a_missing_sample_still_fails_if_the_others_alone_are_over() -> None:
    sessions = with_session(curtailed(limit_kw=40), 2, silent=(310.0, 320.0))

    assert 5 in failed(judged(history(*sessions, end_s=END_S)))


def test_sessions_that_still_run_are_judged_up_to_now() -> None:
    sessions = [replace(session, end_s=None) for session in curtailed()]

    report = judged(history(*sessions, end_s=500))

    assert failed(report) == set()
    assert "at 49 of 49 instants, 0 missing" in detail(report, 5)


def test_a_window_judges_only_what_lies_in_it() -> None:
    """The spike on arrival is over when the window begins."""
    sessions = [Session(n, 3, 900, [(10.0, 7.2), (60.0, 5.0)]) for n in range(1, 7)]
    facts = history(*sessions)
    inside = tuple(sample for sample in facts.samples if at(120) <= sample.at <= at(600))

    assert {3, 5} <= failed(judged(facts))
    report = judged(replace(facts, since=at(120), until=at(600), samples=inside), stated_max_kw=7.2)
    assert failed(report) == {1}, report.text()
    assert "of 49 instants" in detail(report, 5)


def test_text_has_one_line_per_check_between_title_and_result() -> None:
    lines = judged(good()).text().splitlines()

    assert lines[0] == "=== Opti-VGI Curtailment Verification ==="
    assert lines[1] == "Config: url=http://localhost:8090, site_limit=30.0 kW, voltage=240.0 V"
    assert [line.split(" -- ")[0] for line in lines[2:]] == [
        "[PASS] Check 1: Charging profiles sent",
        "[PASS] Check 2: Concurrent sessions",
        "[PASS] Check 3: Aggregate within limit",
        "[PASS] Check 4: Curtailment occurred",
        "[PASS] Check 5: Metered power within limit",
        "Result: 5/5 checks passed",
    ]


def test_json_tells_allocated_and_metered_power_of_site_and_evs() -> None:
    told = judged(good()).as_json()

    assert told["config"] == {"url": "http://localhost:8090", "site_limit_kw": 30.0, "voltage_v": 240.0}
    assert told["passed"] is True
    assert [check["passed"] for check in told["checks"]] == [True] * 5
    assert len(told["evs"]) == 6
    assert told["evs"][0]["allocated"][1] == {"at": "2026-03-03T08:00:03.300000+00:00", "kw": 7.2}
    assert told["evs"][0]["metered"]["samples"] == 60
    assert told["site"]["metered"][0] == {"at": "2026-03-03T08:00:10+00:00", "kw": 7.2, "samples": 1, "of": 1}


def test_json_gives_no_number_where_a_sample_is_missing_and_none_where_nothing_limits() -> None:
    told = judged(history(*with_session(curtailed(), 2, silent=(300.0, 340.0)), end_s=END_S, defaults=False)).as_json()

    gap = next(one for one in told["site"]["metered"] if one["at"] == "2026-03-03T08:05:10+00:00")
    assert gap == {"at": "2026-03-03T08:05:10+00:00", "kw": None, "samples": 5, "of": 6}
    assert told["site"]["allocated"][0]["kw"] is None


def test_a_default_profile_replaced_by_its_id_is_gone() -> None:
    facts = history(Session(1, 100, 900, []))

    report = judged(replace(facts, profiles=(*facts.profiles, sent("STATION-01", 0, default_profile(share_w=1500)))))

    assert report.facts.allocated[0].at(at(500)) == 1.5
