"""A run beside a building: EVs are judged by what the building left of the limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from optivgi.report.curve import LimitCurve
from optivgi.report.truth import read_trace
from optivgi.settings import load_settings
from optivgi.site_setup import site_setup
from optivgi.verifier import Question
from simulator.trace import TraceFile
from tests.report.histories import at, curtailed, history, judged
from tests.report.traces import write_trace

END_S = 1300


def traced(folder: Path, *building: tuple[float, float]) -> Path:
    """The trace of a good run under 30 kW, and of a building."""
    path = folder / "trace.csv"
    write_trace(path, curtailed(), END_S)
    with TraceFile(path, resume=True) as file:
        for second, kw in building:
            file.take(at(second), "METER-01", 0, kw)
    return path


@pytest.mark.parametrize(
    ("building", "limit_kw", "passed"),
    [([(-10, 4.0)], 34.0, True), ([(-10, 4.1)], 34.0, False), ([(-10, 4.0), (500, 4.5)], 34.0, False)],
)
def test_what_the_building_leaves_is_the_limit(
    tmp_path: Path, building: list[tuple[float, float]], limit_kw: float, passed: bool
) -> None:
    trace = traced(tmp_path, *building)
    facts, truth = history(*curtailed(), end_s=END_S), read_trace(trace)
    question = Question(site_setup(load_settings(None)), limit_kw=limit_kw, trace_file=trace)
    limits = question.limits(facts, truth)
    assert limits.sources == ("--limit", "the building in trace.csv")
    report = judged(facts, limits=limits, truth=truth)
    assert report.passed is passed
    assert all(key[1] != 0 for key in truth.curves)


def test_after_a_jump_of_the_building_there_is_the_time_to_respond() -> None:
    left = LimitCurve.constant(30.0).less(LimitCurve.of([(0.0, 4.0), (100.0, 16.0), (200.0, 40.0), (300.0, -5.0)]))
    assert left.levels.tolist() == [26.0, 14.0, 0.0, 35.0]
    assert left.held(5.0).level(104.0) == 26.0
    assert left.held(5.0).level(106.0) == 14.0
