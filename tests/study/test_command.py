"""`optivgi study` prints a table, writes what is asked for, and refuses wrong options before it starts."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from optivgi.errors import SettingsError
from optivgi.plot import study as pictures
from optivgi.study.command import StudyOptions, run
from optivgi.study.recorded import Recorded
from optivgi.study.task import Physics
from simulator.vehicles import Vehicles
from tests.study.days import session

FEW = StudyOptions(generate="workplace:4", algorithm="llf,uncontrolled", limit="10,20")


def nothing_recorded(url: str) -> Recorded:
    raise AssertionError(url)


def ran(options: StudyOptions) -> int:
    return run(options, Vehicles.that_need, read_csms=nothing_recorded, draw=pictures.save)


def with_options(**changes: object) -> StudyOptions:
    return StudyOptions(**{"generate": "workplace:4", "algorithm": "llf", "limit": "10", **changes})  # type: ignore[arg-type]


def interrupted_after(builds: int) -> Physics:
    built: list[int] = []

    def physics(*columns: Any, **named: Any) -> Vehicles:
        built.append(1)
        if len(built) > builds:
            raise KeyboardInterrupt
        return Vehicles.that_need(*columns, **named)

    return physics


def test_the_table_has_a_line_for_each_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(FEW) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 sessions")
    assert lines[1].split()[:4] == ["algorithm", "limit", "tariff", "energy"]
    assert [line.split()[0] for line in lines[2:]] == ["llf", "uncontrolled", "llf", "uncontrolled"]


@pytest.mark.parametrize(
    ("builds", "said", "lines"),
    [
        (1, "before any algorithm was through", []),
        (5, "are about the 4 of 8 sessions", ["llf", "edf"]),
    ],
)
def test_an_interrupt_leaves_the_table_of_what_is_done(
    capsys: pytest.CaptureFixture[str], builds: int, said: str, lines: list[str]
) -> None:
    """Each replay builds its EVs twice; there are two days and two algorithms."""
    options = with_options(days=2, algorithm="llf,edf")

    assert run(options, interrupted_after(builds), read_csms=nothing_recorded, draw=pictures.save) == 130
    out = capsys.readouterr().out.splitlines()
    assert said in out[0]
    assert [line.split()[0] for line in out[3:]] == lines


def test_one_day_interrupted_shows_the_algorithms_that_are_through(capsys: pytest.CaptureFixture[str]) -> None:
    options = with_options(algorithm="llf,edf")

    assert run(options, interrupted_after(3), read_csms=nothing_recorded, draw=pictures.save) == 130
    assert "1 of 2 lines are done" in capsys.readouterr().out


def test_json_on_standard_output_is_alone_there(capsys: pytest.CaptureFixture[str]) -> None:
    ran(with_options(json="-"))

    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["sessions"]["count"] == 4
    assert told["outcomes"][0]["algorithm"] == "llf"
    assert "worst EV" in err


def test_csv_holds_every_measure(tmp_path: Path) -> None:
    ran(with_options(csv=str(tmp_path / "t.csv"), json=str(tmp_path / "t.json")))

    (row,) = csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text()))
    (outcome,) = json.loads((tmp_path / "t.json").read_text())["outcomes"]
    assert row == {name: str(value) for name, value in outcome.items()}


def test_the_same_seed_prints_the_same_but_for_the_time_taken(tmp_path: Path) -> None:
    for name in ("a", "b"):
        ran(with_options(json=str(tmp_path / name), departure_error_min=45.0, seed=4))

    first, second = (json.loads((tmp_path / name).read_text()) for name in ("a", "b"))
    for told in (first, second):
        del told["outcomes"][0]["ms_per_cycle"]
    assert first == second


@pytest.mark.parametrize("limits", ["10,20", "10,evening.csv"])
def test_pictures_are_the_same_bytes_each_time(tmp_path: Path, limits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evening.csv").write_text("from,to,kw\n09:00,19:00,8\n")
    for folder in ("a", "b"):
        ran(with_options(limit=limits, plot=tmp_path / folder))

    for name in (pictures.ENERGY_FILE, pictures.DAY_FILE):
        first = (tmp_path / "a" / name).read_bytes()
        assert first.startswith(b"\x89PNG")
        assert first == (tmp_path / "b" / name).read_bytes()


def test_what_a_csms_recorded_is_replayed_and_what_is_left_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def read(url: str) -> Recorded:
        asked.append(url)
        return Recorded((session(), session(1, 3)), ("transaction 7 of ST-1: it has not ended",))

    assert run(with_options(generate="", csms="http://c"), Vehicles.that_need, read_csms=read, draw=pictures.save) == 0
    assert asked == ["http://c"]
    assert "Left out: transaction 7 of ST-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (StudyOptions(), "nothing says where sessions come from"),
        (with_options(csms="http://c"), "generate and csms says"),
        (with_options(jobs=0), "--jobs is 0; it must be from 1 to 1024"),
        (with_options(departure_error_min=-1.0), "--departure-error-min is -1"),
        (with_options(min_kw=9.0), "--min-kw is 9; it must be from 0 to 7.2"),
        (with_options(replan_min=0.0), "--replan-min is 0"),
        (with_options(timezone="Mars"), "--timezone is 'Mars'"),
    ],
)
def test_options_out_of_bounds_are_refused(options: StudyOptions, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ran(options)
