"""Where a site's limit comes from, and that the strictest source holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from optivgi.errors import SettingsError
from optivgi.limits.base import Tightest
from optivgi.limits.env import ConstantLimit
from optivgi.limits.schedule_file import ScheduledLimit

BERLIN = ZoneInfo("Europe/Berlin")
GROUPS = ("default", "north", "south")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


NOW = moment("2026-03-03T08:00+00:00")


def a_file(folder: Path, text: str, name: str = "limits.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_constant_limit_never_changes() -> None:
    series = ConstantLimit({"north": 20.0, "south": 10.0}).series("south", NOW)
    assert (series.at(NOW).limit_kw, series.at(NOW).source, series.changes_after(NOW)) == (10.0, "site limit", ())


@pytest.mark.parametrize(
    ("at", "limit_kw"),
    [
        ("2026-03-03T15:59:59+00:00", None),
        ("2026-03-03T16:00:00+00:00", 12.0),
        ("2026-03-03T18:59:59+00:00", 12.0),
        ("2026-03-03T19:00:00+00:00", None),
        ("2026-03-04T16:30:00+00:00", 12.0),
        ("2026-03-03T22:00:00+00:00", 5.0),
        ("2026-03-04T04:59:59+00:00", 5.0),
        ("2026-03-04T05:00:00+00:00", None),
        ("2026-03-05T12:30:00+00:00", 0.0),
        ("2026-03-05T13:00:00+00:00", None),
    ],
)
def test_daily_windows_are_in_site_time_and_may_go_over_midnight(
    tmp_path: Path, at: str, limit_kw: float | None
) -> None:
    path = a_file(
        tmp_path,
        "from,to,kw\n17:00,20:00,12\n22:00, 06:00, 5\n18:00,19:00,20\n2026-03-05T12:00Z,2026-03-05T13:00Z,0\n",
    )
    assert ScheduledLimit.load(path, BERLIN, GROUPS).series("default", NOW).at(moment(at)).limit_kw == limit_kw


@pytest.mark.parametrize(
    ("at", "limit_kw"),
    [
        ("2026-03-06T17:00+01:00", 12.0),  # a Friday
        ("2026-03-07T17:00+01:00", None),
        ("2026-03-07T22:30+01:00", 5.0),
        ("2026-03-08T05:59+01:00", 5.0),
        ("2026-03-06T22:30+01:00", None),
        ("2026-03-09T05:59+01:00", 5.0),
        ("2026-03-09T22:30+01:00", None),
        ("2026-03-09T17:00+01:00", 12.0),
    ],
)
def test_a_window_of_weekdays_belongs_to_the_day_on_which_it_begins(
    tmp_path: Path, at: str, limit_kw: float | None
) -> None:
    path = a_file(tmp_path, "from,to,kw,days\n17:00,20:00,12,Mon-Fri\n22:00,06:00,5,sat Sunday\n")
    source = ScheduledLimit.load(path, BERLIN, GROUPS)
    assert source.series("default", moment(at)).at(moment(at)).limit_kw == limit_kw


@pytest.mark.parametrize(
    ("days", "held"), [("Fri-Mon", "Fri Sat Sun Mon"), ("Tue", "Tue"), ("Mon - Wed; Sat", "Mon Tue Wed Sat")]
)
def test_weekdays_may_be_written_as_ranges(tmp_path: Path, days: str, held: str) -> None:
    source = ScheduledLimit.load(a_file(tmp_path, f"from,to,kw,days\n10:00,11:00,1,{days}\n"), BERLIN, GROUPS)
    week = [moment(f"2026-03-{day:02d}T10:30+01:00") for day in range(2, 9)]
    assert [f"{at:%a}" for at in week if source.series("default", at).at(at).limit_kw] == sorted(
        held.split(), key=[f"{at:%a}" for at in week].index
    )


def test_a_day_that_is_none_is_named(tmp_path: Path) -> None:
    path = a_file(tmp_path, "from,to,kw,days\n10:00,11:00,1,Mo-Fri\n2026-03-05T12:00Z,2026-03-05T13:00Z,1,Mon\n")
    with pytest.raises(SettingsError) as caught:
        ScheduledLimit.load(path, BERLIN, GROUPS)
    assert caught.value.problems == (
        "limits.csv line 2: days is 'Mo-Fri': 'Mo-Fri' is no weekday; write e.g. \"Mon-Fri\" or \"Sat Sun\"",
        "limits.csv line 3: days are for times of day; from is a date: leave days out",
    )


def test_a_window_may_be_for_one_group_and_written_in_toml(tmp_path: Path) -> None:
    text = '[[limit]]\nfrom = 17:00:00\nto = "20:00"\nkw = 12.5\ngroup = "north"\n'
    source = ScheduledLimit.load(a_file(tmp_path, text, "limits.toml"), ZoneInfo("UTC"), GROUPS)
    evening = moment("2026-03-03T18:00+00:00")
    assert source.series("north", NOW).at(evening).limit_kw == 12.5
    assert source.series("south", NOW).at(evening).limit_kw is None


def test_the_strictest_source_holds_and_says_so(tmp_path: Path) -> None:
    scheduled = ScheduledLimit.load(a_file(tmp_path, "from,to,kw\n17:00,20:00,12\n"), ZoneInfo("UTC"), GROUPS)
    series = Tightest([ConstantLimit({"default": 30.0}), scheduled]).series("default", NOW)
    steps = [series.at(moment(f"2026-03-03T{hour}:00+00:00")) for hour in ("16", "18", "21")]
    assert [(step.limit_kw, step.source) for step in steps] == [
        (30.0, "site limit"),
        (12.0, "scheduled limit"),
        (30.0, "site limit"),
    ]
    assert moment("2026-03-03T17:00+00:00") in series.changes_after(NOW)


def test_everything_wrong_in_a_file_is_named_at_once(tmp_path: Path) -> None:
    path = a_file(
        tmp_path,
        "from,to,kw\n25:00,20:00,12\n17:00,,x\n17:00,2026-03-05T12:00Z,-1\n2026-03-05T12:00Z,2026-03-05T11:00Z,inf\n",
    )
    with pytest.raises(SettingsError) as caught:
        ScheduledLimit.load(path, BERLIN, GROUPS)
    found = [problem.partition(";")[0].partition(" is neither")[0] for problem in caught.value.problems]
    assert found == [
        "limits.csv line 2: from '25:00'",
        'limits.csv line 3: to is missing: give a time such as "17:00" or a date and time with offset',
        "limits.csv line 3: kw is 'x'",
        "limits.csv line 4: kw is '-1'",
        "limits.csv line 4: from and to must both be times of day, or both dates with times",
        "limits.csv line 5: kw is 'inf'",
        "limits.csv line 5: to 2026-03-05T11:00:00+00:00 is not after from 2026-03-05T12:00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("limits.csv", "start,end\n", "limits.csv has no column from, to, kw: its first line must be from,to,kw"),
        ("limits.toml", "[[limit]\n", "limits.toml is not TOML"),
        ("limits.toml", "limit = 3\n", "limits.toml: write each window as a table [[limit]] with from, to and kw"),
        (
            "limits.toml",
            '[[limit]]\nfrom="01:00"\nto="02:00"\nkw=1\nkilowatt=2\n',
            "limits.toml limit 1: kilowatt is not known",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, name: str, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ScheduledLimit.load(a_file(tmp_path, text, name), BERLIN, GROUPS)
    assert caught.value.problems[0].startswith(problem)


def test_a_missing_file_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"LIMIT_SCHEDULE_FILE is .*nothing.csv.* cannot be read"):
        ScheduledLimit.load(tmp_path / "nothing.csv", BERLIN, GROUPS)
