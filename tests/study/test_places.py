"""A site file gives sessions their place, and its circuits, schedules and phases hold in the closed loop."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from optivgi.errors import SettingsError
from optivgi.study.places import Places, load_places
from optivgi.study.task import UNCONTROLLED
from tests.study.days import EIGHT, after, replayed, session

UTC_ZONE = ZoneInfo("UTC")
THREE = ("L1", "L2", "L3")
DEPOT = """
[[circuit]]
id = "main"
limit_kw = 40
schedule = [ { from = "09:00", to = "10:00", kw = 12 } ]
[[circuit]]
id = "panel"
parent = "main"
limit_a = 32
[[evse]]
station_id = "A"
circuit = "panel"
rotation = "L2L3L1"
phases = 1
priority = 2
[[evse]]
station_id = "B"
circuit = "panel"
rotation = "L1L2L3"
"""


def places(tmp_path: Path, text: str = DEPOT) -> Places:
    (tmp_path / "site.toml").write_text(text)
    return load_places(tmp_path / "site.toml", UTC_ZONE, 240.0)


def test_a_session_is_wired_as_its_evse_is(tmp_path: Path) -> None:
    at_a, at_b, elsewhere = places(tmp_path).placed(
        [
            session(station_id="A", phases=THREE, max_kw=11.1, min_kw=4.2),
            session(station_id="B", phases=THREE, max_kw=11.1, min_kw=4.2),
            session(station_id="?"),
        ]
    )

    assert (at_a.circuit, at_a.phases, at_a.priority) == ("panel", ("L2",), 2.0)
    assert (at_a.max_kw, at_a.min_kw) == pytest.approx((3.7, 1.4))
    assert (at_b.circuit, at_b.phases, at_b.max_kw) == ("panel", THREE, 11.1)
    assert (elsewhere.circuit, elsewhere.phases) == ("main", ("?",))


def test_sessions_without_a_station_take_the_evse_that_is_free_for_the_longest(tmp_path: Path) -> None:
    stays = [session(0, 3), session(0.5, 1), session(1.5, 2), session(4, 5)]

    assert [one.station_id for one in places(tmp_path).placed(stays)] == ["A", "B", "B", "B"]


def test_schedules_are_known_for_every_day_of_a_stretch(tmp_path: Path) -> None:
    main = places(tmp_path).site(EIGHT, after(24 * 9)).root.limit

    assert main is not None
    assert [main.at(after(24 * day + 1.5)).limit_kw for day in range(10)] == [12.0] * 10
    assert [main.at(after(24 * day + 3)).limit_kw for day in range(10)] == [40.0] * 10


@pytest.mark.parametrize("algorithm", ["fair", "llf", "equal"])
def test_amperes_of_a_panel_hold_in_the_closed_loop(tmp_path: Path, algorithm: str) -> None:
    """Without control both EVs load L2: 15.4 A and 30.8 A."""
    there = places(tmp_path)
    sessions = there.placed(
        [session(station_id="A", energy_kwh=8.0, max_kw=3.7), session(station_id="B", phases=THREE, max_kw=22.2)]
    )
    site = there.site(EIGHT, after(4))

    free, kept = replayed(sessions, site, UNCONTROLLED), replayed(sessions, site, algorithm)

    assert free.over_s.sum() > 600.0
    assert kept.over_s.sum() == 0.0
    assert kept.degraded == 0
    assert kept.delivered_kwh == pytest.approx(kept.possible_kwh, abs=0.02)
    evening = (kept.start_s >= after(1).timestamp()) & (kept.start_s < after(2).timestamp())
    assert np.unique(kept.limit_kw[evening]) == 12.0


def test_what_is_wrong_in_a_site_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"site\.toml line 9: circuit\[1\]\.limit_amps is not a field"):
        places(tmp_path, DEPOT.replace("limit_a", "limit_amps", 1))
    with pytest.raises(SettingsError, match="the station groups a, b; a study is about one"):
        places(tmp_path, '[[circuit]]\nid="x"\ngroup="a"\n[[circuit]]\nid="y"\ngroup="b"\n')
    with pytest.raises(SettingsError, match="is not TOML"):
        places(tmp_path, "[[circuit]")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_places(tmp_path / "nowhere.toml", UTC_ZONE, 240.0)
