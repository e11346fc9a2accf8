"""Limits that change: each check fails on a history that does not follow, and says how long it took."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from optivgi.errors import SettingsError
from optivgi.report import Limits, Report
from optivgi.report.curve import LimitCurve
from optivgi.report.limit_file import load_limit
from tests.report.histories import Session, at, history, judged
from tests.report.traces import truth_of

FALL_S, RISE_S, LOW_KW, END_S = 300, 500, 12.0, 900


def limits(grace_s: float = 0.0) -> Limits:
    """30 kW, from 08:05:00 to 08:08:20 only 12 kW."""
    steps = [(0.0, 30.0), (at(FALL_S).timestamp(), LOW_KW), (at(RISE_S).timestamp(), 30.0)]
    return Limits(LimitCurve.of(steps), sources=("a test",)).with_grace(grace_s)


def followed(allowed_at_s: float, drawn_at_s: float | None = None) -> list[Session]:
    """Six EVs at 5 kW that are told 2 kW at one moment, follow at another, and get 5 kW back after the limit rose."""
    drawn_at_s = allowed_at_s if drawn_at_s is None else drawn_at_s
    return [
        Session(
            number,
            3,
            None,
            [(3.3, 5.0), (allowed_at_s, 2.0), (RISE_S + 1, 5.0)],
            drawn=[(3.3, 5.0), (drawn_at_s, 2.0), (RISE_S + 1, 5.0)],
        )
        for number in range(1, 7)
    ]


def run(allowed_at_s: float, drawn_at_s: float | None = None, grace_s: float = 0.0, truth: bool = True) -> Report:
    sessions = followed(allowed_at_s, drawn_at_s)
    return judged(
        history(*sessions, end_s=END_S),
        limits=limits(grace_s),
        stated_max_kw=7.2,
        truth=truth_of(sessions, END_S) if truth else None,
    )


def failed(report: Report) -> set[int]:
    return {check.number for check in report.checks if not check.passed}


def test_a_fall_that_was_prepared_passes_every_check() -> None:
    report = run(FALL_S - 1)

    assert failed(report) == set(), report.text()
    assert "site_limit=12.0 to 30.0 kW (2 changes), " in report.text()
    (response,) = report.facts.responses
    assert (response.before_kw, response.after_kw) == (30, 12)
    assert (response.allocated_s, response.metered_s, response.truth_s) == (0, 0, 0)


def test_a_fall_that_is_followed_too_late_fails_by_profiles_and_truth_and_the_delay_is_told() -> None:
    report = run(FALL_S + 1.6, FALL_S + 1.9)

    assert failed(report) == {3, 5, 6}
    (response,) = report.facts.responses
    assert (response.allocated_s, response.metered_s, response.truth_s) == (1.6, 10, 1.9)
    truth = report.checks[5].detail
    assert truth.startswith("Over for 1.9 s in 1 stretch, overshoot 18.0 kW for 1.9 s (34.2 kW*s) from 08:05:00")


def test_energy_alone_proves_a_late_response_that_no_sample_saw() -> None:
    """Over from second 0.5 to 9.5 after the fall: samples at 0 (just in time) and 10 see nothing."""
    sessions = [
        Session(
            n,
            3,
            None,
            [(3.3, 5.0), (FALL_S - 1, 2.0)],
            drawn=[(3.3, 5.0), (FALL_S - 1, 2.0), (FALL_S + 1, 5.0), (FALL_S + 9, 2.0)],
        )
        for n in range(1, 7)
    ]

    report = judged(history(*sessions, end_s=480), limits=limits(), stated_max_kw=7.2)

    assert failed(report) == {5}
    assert "0 s over by power, 10 s over by energy" in report.checks[4].detail


def test_a_charger_that_ignores_the_fall_is_never_back_under() -> None:
    report = run(FALL_S - 1, END_S)

    assert failed(report) == {5, 6}
    (response,) = report.facts.responses
    assert (response.allocated_s, response.metered_s, response.truth_s) == (0, None, None)


def test_a_grace_allows_what_nobody_announced_and_not_a_tenth_more() -> None:
    assert failed(run(FALL_S + 1.6, FALL_S + 1.9, grace_s=2.0)) == set()
    assert failed(run(FALL_S + 1.6, FALL_S + 2.1, grace_s=2.0)) == {5, 6}
    assert failed(run(FALL_S + 2.1, FALL_S + 1.9, grace_s=2.0)) == {3}
    report = run(FALL_S + 1.6, FALL_S + 1.9, grace_s=2.0)
    assert "2 s to respond" in report.text()
    assert report.facts.responses[0].truth_s == 1.9


def test_the_limit_that_counts_for_curtailment_is_the_one_in_force() -> None:
    """The EVs could take 18 kW: more than 12, never more than 30."""
    sessions = [Session(n, 3, None, [(3.3, 3.0), (FALL_S - 1, 2.0), (RISE_S + 1, 3.0)]) for n in range(1, 7)]
    report = judged(history(*sessions, end_s=END_S), limits=limits())

    assert failed(report) == set()
    assert "6 EVs could take 18.0 kW, were allowed 12.0 kW of 12.0 kW at 08:05:00" in report.checks[3].detail
    assert failed(judged(history(*sessions, end_s=END_S))) == {4}


def test_json_tells_the_limit_and_the_responses() -> None:
    told = run(FALL_S + 1.6).as_json()

    assert told["config"]["site_limit_kw"] is None
    assert [step["limit"] for step in told["site"]["limit"]] == [30, 12, 30]
    assert told["responses"][0]["truth_s"] == 1.6


def load(path: Path, text: str, base_kw: float = 30.0) -> LimitCurve:
    path.write_text(text)
    return load_limit(path, LimitCurve.constant(base_kw), ZoneInfo("UTC"), at(0), at(3600))


def test_a_limit_file_of_steps_replaces_the_limit_from_its_first_step_on(tmp_path: Path) -> None:
    file = tmp_path / "limit.csv"
    text = f"at,kw\n2026-03-03T08:05:00Z,12\n{at(500).timestamp():.1f},24.5\n2026-03-03T08:20:00+00:00,\n"

    found = load(file, text)

    assert [found.level(at(s).timestamp()) for s in (0, 299, 300, 500, 1200)] == [30, 30, 12, 24.5, float("inf")]


def test_a_limit_file_of_windows_tightens_the_limit(tmp_path: Path) -> None:
    windows = load(tmp_path / "limit.csv", "from,to,kw\n08:05,08:10,12\n08:20,08:30,99\n")

    assert [windows.level(at(s).timestamp()) for s in (299, 300, 599, 600, 1300)] == [30, 12, 12, 30, 30]
    assert load(tmp_path / "limit.toml", '[[limit]]\nfrom = "08:05"\nto = "08:10"\nkw = 12\n').lowest == 12


def test_windows_of_many_days_are_all_found(tmp_path: Path) -> None:
    path = tmp_path / "limit.csv"
    path.write_text("from,to,kw\n17:00,18:00,12\n")

    found = load_limit(path, LimitCurve.constant(30), ZoneInfo("UTC"), at(0), at(0) + timedelta(days=9))

    assert len(found.changes(at(0).timestamp(), (at(0) + timedelta(days=9)).timestamp())) == 18


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at,kw\n2026-03-03T08:05:00,12\n", "line 2: at is '2026-03-03T08:05:00'"),
        ("at,kw\nsoon,12\n2026-03-03T08:05:00Z,-1\n", "line 3: kw is '-1'"),
        ("at,kw\n2026-03-03T08:05:00Z,nan\n", "line 2: kw is 'nan'"),
        ("at,kw\n", "gives no limit"),
        ("when,power\n1,2\n", "from,to,kw"),
    ],
)
def test_a_limit_file_that_makes_no_sense_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(tmp_path / "limit.csv", text)
