"""Circuits and station groups have checks of their own, and each fails on a history that overloads just it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from optivgi.report import Limits, Report
from optivgi.report.bounds import limits_of
from optivgi.settings import OptimizerSettings
from optivgi.site_setup import site_setup
from tests.report.histories import Session, at, history, judged
from tests.report.traces import truth_of

STATIONS = tuple(f"STATION-{number:02d}" for number in range(1, 5))
SITE = """
[[circuit]]
id = "main"
limit_kw = 30

[[circuit]]
id = "panel-a"
parent = "main"
limit_kw = 12

[[circuit]]
id = "panel-b"
parent = "main"
limit_a = 32

[[evse]]
station_id = "STATION-01"
circuit = "panel-a"

[[evse]]
station_id = "STATION-02"
circuit = "panel-a"

[[evse]]
station_id = "STATION-03"
circuit = "panel-b"
rotation = "L1L2L3"
phases = 3

[[evse]]
station_id = "STATION-04"
circuit = "panel-b"
rotation = "L2"
"""


def settings(**values: object) -> OptimizerSettings:
    return OptimizerSettings(_env_file=None, station_ids=STATIONS, **values)  # type: ignore[call-arg, arg-type]


def limits(folder: Path, site: str = SITE, **values: object) -> Limits:
    path = folder / "site.toml"
    path.write_text(site)
    return of(settings(site_file=path, **values))


def of(chosen: OptimizerSettings) -> Limits:
    return limits_of(site_setup(chosen), {(station_id, 1) for station_id in STATIONS}, at(-10), at(900))


def run(limits: Limits, powers_kw: Mapping[int, float], drawn_kw: Mapping[int, float] | None = None) -> Report:
    """Each EV at so many kW for a quarter of an hour."""
    drawn = drawn_kw or {}
    sessions = [Session(n, 3, None, [(3.3, kw)], drawn=[(3.3, drawn.get(n, kw))]) for n, kw in powers_kw.items()]
    return judged(history(*sessions, end_s=900), limits=limits, stated_max_kw=11, truth=truth_of(sessions))


def verdicts(report: Report) -> dict[str, bool]:
    return {check.name: check.passed for check in report.checks[5:]}


GOOD = {1: 6.0, 2: 6.0, 3: 12.0, 4: 3.8}
"""panel-a 12.0 kW; panel-b 12 / 3 = 4.0 kW on each phase, with 3.8 more on L2: 32.5 A at 240 V."""


def test_each_circuit_is_a_check_after_the_truth(tmp_path: Path) -> None:
    report = run(limits(tmp_path), GOOD | {4: 3.6})

    assert verdicts(report) == {
        "Truth within limit": True,
        "Circuit panel-a within limit": True,
        "Circuit panel-b within limit": True,
    }
    assert report.verdict == "8/8 checks passed -- PASS"
    panel_a, panel_b = report.checks[6].detail, report.checks[7].detail
    assert panel_a.startswith("highest allocation 12.0 kW of 12.0 kW at 08:00:03; metered: Worst instant 12.0 kW")
    assert "L2: highest allocation 31.666667 A of 32.0 A" in panel_b


def test_a_panel_that_is_told_too_much_fails_alone(tmp_path: Path) -> None:
    report = run(limits(tmp_path), {1: 6.0, 2: 6.001, 3: 9.0, 4: 3.0})

    assert verdicts(report)["Circuit panel-a within limit"] is False
    assert verdicts(report)["Circuit panel-b within limit"] is True
    assert report.checks[2].passed
    assert "allocations over for 886.7 s, overshoot 0.001 kW" in report.checks[6].detail


def test_a_panel_whose_chargers_draw_too_much_fails_by_meter_and_truth(tmp_path: Path) -> None:
    report = run(limits(tmp_path), {1: 6.0, 2: 6.0, 3: 9.0, 4: 3.0}, drawn_kw={2: 7.2})

    assert [name for name, passed in verdicts(report).items() if not passed] == ["Circuit panel-a within limit"]
    assert "890 s over by power" in report.checks[6].detail
    assert "truth: Over for 886.7 s in 1 stretch, overshoot 1.2 kW" in report.checks[6].detail


def test_a_panel_that_is_told_too_much_fails_even_if_its_evs_draw_less(tmp_path: Path) -> None:
    report = run(limits(tmp_path), {1: 6.0, 2: 6.001, 3: 9.0, 4: 3.0}, drawn_kw={1: 3.0, 2: 3.0})

    assert [name for name, passed in verdicts(report).items() if not passed] == ["Circuit panel-a within limit"]
    assert "0 s over by power, 0 s over by energy" in report.checks[6].detail
    assert "0.0 s over" in report.checks[6].detail


def test_a_tenth_of_a_second_too_much_in_a_panel_fails_by_the_truth_alone(tmp_path: Path) -> None:
    sessions = [Session(n, 3, None, [(3.3, kw)]) for n, kw in {1: 6.0, 2: 6.0, 3: 9.0, 4: 3.0}.items()]
    spike = replace(sessions[0], drawn=[(3.3, 6.0), (402.2, 7.5), (402.3, 6.0)])
    watched = truth_of([spike, *sessions[1:]])

    report = judged(history(*sessions), limits=limits(tmp_path), stated_max_kw=11, truth=watched)

    assert [name for name, passed in verdicts(report).items() if not passed] == ["Circuit panel-a within limit"]
    assert "truth: Over for 0.1 s in 1 stretch, overshoot 1.5 kW for 0.1 s" in report.checks[6].detail


def test_one_phase_too_high_fails_though_the_others_have_room(tmp_path: Path) -> None:
    report = run(limits(tmp_path), GOOD)

    assert [name for name, passed in verdicts(report).items() if not passed] == ["Circuit panel-b within limit"]
    detail = report.checks[7].detail
    assert detail.startswith("L2: allocations over for 886.7 s, overshoot 0.5 A")
    assert "L1:" not in detail


def test_a_circuit_with_a_schedule_is_judged_by_what_held_at_each_instant(tmp_path: Path) -> None:
    scheduled = SITE.replace(
        "limit_kw = 12\n", 'limit_kw = 12\nschedule = [{ from = "08:05", to = "08:10", kw = 6 }]\n'
    )
    steady = {1: 6.0, 2: 6.0, 3: 9.0, 4: 3.0}

    assert "allocations over for 300.0 s, overshoot 6.0 kW for 300.0 s (1800.0 kW*s) from 08:05:00" in (
        run(limits(tmp_path, scheduled), steady).checks[6].detail
    )
    lower = {1: 3.0, 2: 3.0, 3: 9.0, 4: 3.0}
    assert verdicts(run(limits(tmp_path, scheduled), lower))["Circuit panel-a within limit"] is True


def test_a_meter_that_is_silent_leaves_its_circuit_undecided(tmp_path: Path) -> None:
    sessions = [Session(n, 3, None, [(3.3, kw)]) for n, kw in {1: 6.0, 2: 6.0, 3: 9.0, 4: 3.0}.items()]
    sessions[1] = replace(sessions[1], silent=(0, 1000))
    report = judged(history(*sessions, end_s=900), limits=limits(tmp_path), stated_max_kw=11)

    panel_a, panel_b = report.checks[5], report.checks[6]
    assert not panel_a.passed
    assert "Cannot tell: only 0% of the instants" in panel_a.detail
    assert panel_b.passed


def test_a_circuit_nobody_charged_at_passes_and_says_so(tmp_path: Path) -> None:
    report = run(limits(tmp_path), {1: 6.0, 2: 6.0})

    assert report.checks[7].passed
    assert "no session there" in report.checks[7].detail


def test_station_groups_are_checked_each_and_the_site_is_their_sum() -> None:
    groups = settings(
        station_groups="north=STATION-01,STATION-02;south=STATION-03,STATION-04",
        site_power_limit_kw="north=12;south=10",
    )
    found = of(groups)

    assert found.site.highest == 22
    report = run(found, {1: 6.0, 2: 6.0, 3: 6.0, 4: 4.0})
    assert verdicts(report) == {
        "Truth within limit": True,
        "Group north within limit": True,
        "Group south within limit": True,
    }
    tilted = run(found, {1: 4.0, 2: 6.0, 3: 6.0, 4: 5.0})
    assert [name for name, passed in verdicts(tilted).items() if not passed] == ["Group south within limit"]
    assert tilted.checks[2].passed


def test_a_schedule_file_lowers_the_site_and_names_no_circuit(tmp_path: Path) -> None:
    path = tmp_path / "limits.csv"
    path.write_text("from,to,kw\n08:05,08:10,12\n")

    found = of(settings(limit_schedule_file=path))

    assert found.circuits == ()
    assert [found.site.level(at(second).timestamp()) for second in (0, 300, 599, 600)] == [30, 12, 12, 30]


@pytest.mark.parametrize("limit_a", [0, 16])
def test_an_ampere_limit_of_the_grid_connection_is_a_check_too(tmp_path: Path, limit_a: int) -> None:
    site = f'[[circuit]]\nid = "main"\nlimit_kw = 30\nlimit_a = {limit_a}\n'
    report = run(limits(tmp_path, site), {1: 3.0})

    assert verdicts(report)["Circuit main within limit"] is (limit_a > 0)


BALANCED = """
[[circuit]]
id = "main"
limit_kw = 30
unbalance_kw = 4.6

[[evse]]
station_id = "STATION-01"
rotation = "L1"

[[evse]]
station_id = "STATION-02"
rotation = "L2"

[[evse]]
station_id = "STATION-03"
rotation = "L1L2L3"
phases = 3
"""


@pytest.mark.parametrize(
    ("powers_kw", "passed"),
    [
        ({1: 4.6, 3: 11.0}, True),
        ({1: 7.0, 2: 2.5, 3: 11.0}, False),
        ({1: 7.0, 2: 7.0}, False),
        ({2: 2.0, 4: 2.6}, True),
        ({2: 2.0, 4: 2.7}, False),
    ],
    ids=[
        "one phase at the bound",
        "L1 and L2 near, L3 far",
        "L3 without anything",
        "on any phase",
        "perhaps on L2 too",
    ],
)
def test_the_phases_of_the_grid_connection_are_held_in_balance(
    tmp_path: Path, powers_kw: dict[int, float], passed: bool
) -> None:
    report = run(limits(tmp_path, BALANCED), powers_kw)
    assert verdicts(report)["Balance of phases"] is passed


def test_an_ev_that_leaves_may_unbalance_the_phases_for_a_moment(tmp_path: Path) -> None:
    one_each = BALANCED.replace('rotation = "L1L2L3"\nphases = 3', 'rotation = "L3"')
    for follows_s, passed in ((310, True), (340, False)):
        sessions = [
            Session(1, 3, None, [(3.3, 7.0), (follows_s, 4.0)]),
            Session(2, 3, None, [(3.3, 7.0), (follows_s, 4.0)]),
            Session(3, 3, 300, [(3.3, 7.0)]),
        ]
        report = judged(
            history(*sessions, end_s=900), limits=limits(tmp_path, one_each), stated_max_kw=11, truth=truth_of(sessions)
        )
        found = next(check for check in report.checks if check.name == "Balance of phases")
        assert found.passed is passed, found.detail
