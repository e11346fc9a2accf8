"""What really flowed: read as it was written, summed exactly, and held against the limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.report import Report
from optivgi.report.truth import TraceError, parse_trace, read_trace
from tests.report.histories import Session, at, curtailed, history, judged, with_session
from tests.report.traces import truth_of, write_trace

END_S = 1300
HEAD = "t,station_id,connector_id,kw\n"


def failed(report: Report) -> set[int]:
    return {check.number for check in report.checks if not check.passed}


def detail(report: Report) -> str:
    (truth,) = (check for check in report.checks if check.name == "Truth within limit")
    return truth.detail


def test_a_good_run_with_its_trace_passes_six_checks() -> None:
    report = judged(history(*curtailed(), end_s=END_S), truth=truth_of(curtailed(), END_S))

    assert report.verdict == "6/6 checks passed -- PASS"
    assert "Highest 30.0 kW of 30.0 kW at 08:04:03.3; 0.0 s over" in detail(report)


def test_three_tenths_of_a_second_too_much_fail_though_no_meter_sees_them() -> None:
    """13 Wh less elsewhere would hide it from every register; the truth has it at ten hertz."""
    spike = [(3.3, 7.2), (243.1, 6.0), (303.1, 5.0), (402.2, 18.2), (402.5, 5.0)]
    watched = truth_of(with_session(curtailed(), 1, drawn=spike), END_S)

    report = judged(history(*curtailed(), end_s=END_S), truth=watched)

    assert failed(report) == {6}
    assert detail(report).startswith(
        "Over for 0.3 s in 1 stretch, overshoot 13.2 kW for 0.3 s (4.0 kW*s) from 08:06:42"
    )


def test_the_worst_overshoot_is_told_by_meter_and_by_trace() -> None:
    drawn = with_session(curtailed(), 3, drawn=[(123.3, 7.2)])
    facts = judged(history(*drawn, end_s=END_S), truth=truth_of(drawn, END_S)).facts

    metered, true = facts.whole.over_metered, facts.whole.over_truth
    assert true is not None
    assert metered.worst is not None
    assert true.worst is not None
    assert metered.seconds == 420
    assert metered.worst.excess == pytest.approx(2.2)
    assert true.seconds == pytest.approx(420, abs=1)
    assert true.worst.excess == pytest.approx(2.2, abs=1e-3)
    assert true.worst.area == pytest.approx(metered.worst.area, rel=0.6)


def test_a_trace_of_another_site_or_another_time_proves_nothing() -> None:
    facts = history(*curtailed(), end_s=END_S)
    partial = truth_of(curtailed()[:5], END_S)
    early = replace(truth_of(curtailed(), END_S), end=at(100).timestamp())
    late = truth_of([replace(one, start_s=one.start_s) for one in curtailed()], END_S, begin_s=200)

    assert failed(judged(facts, truth=partial)) == {6}
    assert "Cannot tell: the trace does not show STATION-06" in detail(judged(facts, truth=partial))
    assert "Cannot tell: the trace ends at 08:01:40, before the session" in detail(judged(facts, truth=early))
    assert "the trace does not show STATION-01, STATION-02, STATION-03 and 1 more" in detail(judged(facts, truth=late))


def test_what_is_cut_off_at_the_end_means_nothing_and_rows_hold_until_the_next() -> None:
    truth = parse_trace(
        f"{HEAD}100.0,ST,1,5.0000\n100.0,ST,2,0.0000\n103.0,ST,2,1.5000\n110.0,ST,1,0.0000\n111.0,ST,1,9", "x"
    )

    signal = truth.signal(95, 120)
    assert list(zip(signal.begin.tolist(), signal.end.tolist(), signal.level.tolist(), strict=True)) == [
        (100, 103, 5),
        (103, 110, 6.5),
        (110, 120, 1.5),
    ]
    assert truth.curves["ST", 1].energy_kwh(100, 200) == pytest.approx(5 * 10 / 3600)


def test_values_round_in_favour_of_the_site_but_no_further_than_they_were_rounded() -> None:
    """Three times 10.00004 is written as 30.0000, so up to 0.00015 kW above the limit may be rounding."""
    for kw, passes in (("10.0000", True), ("10.0001", False)):
        text = HEAD + "".join(f"{at(0).timestamp():.1f},STATION-0{n},1,{kw}\n" for n in (1, 2, 3))
        text += f"{at(901).timestamp():.1f},STATION-01,1,0.0000\n"
        facts = history(*(Session(n, 0.5, 900, [(0.6, 10.0)]) for n in (1, 2, 3)))

        assert (6 not in failed(judged(facts, truth=parse_trace(text, "x")))) is passes


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 3), st.integers(0, 220_000)),
        min_size=1,
        max_size=40,
        unique_by=lambda row: row[:2],
    )
)
def test_the_sum_at_every_tenth_is_the_sum_of_the_newest_row_of_each_connector(
    rows: list[tuple[int, int, int]],
) -> None:
    truth = parse_trace(HEAD + "".join(f"{t / 10:.1f},ST,{n},{kw / 10_000:.4f}\n" for t, n, kw in rows), "x")
    signal = truth.signal(0, 5)

    for tenth in range(50):
        newest = {n: kw for t, n, kw in sorted(rows) if t <= tenth}
        here = (signal.begin <= tenth / 10 + 1e-9) & (signal.end > tenth / 10 + 1e-9)
        assert np.sum(signal.level[here]) == pytest.approx(sum(newest.values()) / 10_000)


def test_a_simulator_that_went_on_in_the_same_file_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    write_trace(path, [Session(1, 3, None, [(3, 5.0)])], 50)
    write_trace(path, [Session(1, 3, None, [(3, 6.0)])], 90, begin_s=60, resume=True)

    curve = read_trace(path).curves["STATION-01", 1]
    assert [round(second - at(0).timestamp(), 1) for second in curve.at.tolist()] == [-10, 3, 50, 60, 90]
    assert curve.kw.tolist() == [0, 5, 5, 6, 6]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no CSV"),
        ("t,station,kw\n1,2,3\n", "t,station_id,connector_id,kw are needed"),
        (f"{HEAD}soon,ST,1,5\n", "makes no sense"),
        (f"{HEAD}1.0,ST,one,5\n", "makes no sense"),
        (f"{HEAD}1.0,ST,1,\n", "makes no sense"),
        (f"{HEAD}nan,ST,1,5\n", "without a time or a power"),
    ],
)
def test_a_file_that_is_no_trace_is_named(text: str, said: str) -> None:
    with pytest.raises(TraceError, match=said):
        parse_trace(text, "trace.csv")


def test_a_trace_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"missing\.csv"):
        read_trace(tmp_path / "missing.csv")


def test_json_tells_truth_and_each_evs_true_energy() -> None:
    told = judged(history(*curtailed(), end_s=END_S), truth=truth_of(curtailed(), END_S)).as_json()

    assert told["site"]["overshoot"]["truth"] == {"seconds": 0.0, "stretches": 0, "area": 0, "worst": None}
    assert told["evs"][0]["true_kwh"] == pytest.approx(told["evs"][0]["metered"]["energy_kwh"], rel=1e-2)
