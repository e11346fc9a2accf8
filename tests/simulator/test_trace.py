"""The truth as a file: who draws what, ten times a second."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.authorization import TagInfo
from simulator.charger import Charger, ChargerSpec
from simulator.errors import TraceError
from simulator.trace import HEADER, TraceFile
from simulator.truth import Trace
from simulator.vehicle import Vehicle, VehicleSpec

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
ACCEPTED = TagInfo("Accepted")
Rows = list[tuple[float, str, int, float]]


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def rows(path: Path) -> Rows:
    """The rows of a trace, `t` counted from noon."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    assert header == HEADER
    split = [line.split(",") for line in lines]
    return [
        (round(float(t) - NOON.timestamp(), 3), station, int(number), float(kw)) for t, station, number, kw in split
    ]


def charging(trace: Trace, **spec: Any) -> Charger:
    charger = Charger(ChargerSpec("ST-01"), NOON, trace)
    charger.online = True
    charger.plug(1, Vehicle(VehicleSpec(60, 7.2, **spec), 0.2), NOON)
    charger.present(1, "TAG", NOON)
    charger.authorization(1, "TAG", ACCEPTED, NOON)
    return charger


def test_a_ramp_has_a_row_for_every_tenth_and_constant_power_has_none(tmp_path: Path) -> None:
    with TraceFile(tmp_path / "t.csv") as file:
        charging(file.take).advance(after(60))
    mine = [(t, kw) for t, _, number, kw in rows(tmp_path / "t.csv") if number == 1]
    assert mine[:3] == [(0.1, 0.2), (0.2, 0.4), (0.3, 0.6)]
    assert mine[35:] == [(3.6, 7.2), (60.0, 7.2)]


def test_each_connector_ends_with_how_far_it_was_watched(tmp_path: Path) -> None:
    with TraceFile(tmp_path / "t.csv") as file:
        charging(file.take).advance(after(5.05))
    assert rows(tmp_path / "t.csv")[-2:] == [(5.0, "ST-01", 1, 7.2), (5.0, "ST-01", 2, 0.0)]


def test_power_that_is_cut_off_is_seen_to_be_without_waiting_for_the_next_sample(tmp_path: Path) -> None:
    with TraceFile(tmp_path / "t.csv") as file:
        charger = charging(file.take, ramp_up_kw_per_s=math.inf)
        charger.unplug(1, after(20.02))
        assert charger.next_due == after(20.1)
        charger.advance(charger.next_due)
        assert charger.next_due > after(3600)
    assert (20.1, "ST-01", 1, 0.0) in rows(tmp_path / "t.csv")


def test_an_idle_day_costs_a_handful_of_looks() -> None:
    seen: list[datetime] = []
    charger = Charger(ChargerSpec("ST-01"), NOON, lambda at, *_: seen.append(at))
    charger.advance(after(86_400.05))
    assert seen == [after(86_400), after(86_400)]


def test_a_run_that_resumes_goes_on_after_the_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with TraceFile(path) as file:
        file.take(after(1), "ST-01", 1, 1.0)
    with path.open("a", encoding="utf-8") as torn:
        torn.write("17725")
    with TraceFile(path, resume=True) as file:
        file.take(after(9), "ST-01", 1, 2.0)
    assert rows(path) == [(1.0, "ST-01", 1, 1.0), (9.0, "ST-01", 1, 2.0)]


def test_a_new_run_replaces_the_file_and_one_that_has_nothing_to_resume_begins_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for resume in (True, False):
        with TraceFile(path, resume=resume) as file:
            file.take(after(1), "ST-01", 1, 1.0)
        assert rows(path) == [(1.0, "ST-01", 1, 1.0)]


def test_what_a_killed_process_had_seen_a_second_ago_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    file = TraceFile(path)
    file.take(after(1), "ST-01", 1, 1.0)
    file.take(after(1.5), "ST-01", 1, 1.5)
    file.take(after(2.5), "ST-01", 1, 2.0)
    assert [kw for *_, kw in rows(path)] == [1.0, 1.5, 2.0]
    file.close()


def test_nothing_is_written_as_nothing_whatever_its_sign(tmp_path: Path) -> None:
    with TraceFile(tmp_path / "t.csv") as file:
        file.take(after(1), "ST-01", 1, -1e-17)
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[1].endswith(",0.0000")


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"nowhere.*t\.csv: the trace cannot be written .* name a file in a folder"):
        TraceFile(tmp_path / "nowhere" / "t.csv")
