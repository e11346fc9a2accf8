"""Names, groups and windows of a site."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.errors import SettingsError
from optivgi.model.ev_config import EVConfig, SiteView, departure_of, parse_when

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NEED = EVConfig(energy_needed_kwh=20.0, max_kw=7.2, min_kw=1.44)


def a_window(arrival: str, departure: str) -> EVConfig:
    return replace(NEED, arrival=parse_when(arrival), departure=parse_when(departure))


@pytest.mark.parametrize(
    ("arrival", "departure", "session_start", "expected"),
    [
        pytest.param("08:00", "14:00", "2026-01-20T09:00+01:00", "2026-01-20T14:00+01:00", id="in its window"),
        pytest.param("08:00", "14:00", "2026-01-20T07:30+01:00", "2026-01-20T14:00+01:00", id="before its window"),
        pytest.param(
            "08:00", "14:00", "2026-01-20T13:59:59+01:00", "2026-01-20T14:00+01:00", id="a second before the end"
        ),
        pytest.param(
            "08:00", "14:00", "2026-01-20T14:00+01:00", "2026-01-21T14:00+01:00", id="at the end: the next one"
        ),
        pytest.param("08:00", "14:00", "2026-01-20T18:00+01:00", "2026-01-21T14:00+01:00", id="after the window"),
        pytest.param("22:00", "06:00", "2026-01-20T23:00+01:00", "2026-01-21T06:00+01:00", id="overnight"),
        pytest.param(
            "22:00", "06:00", "2026-01-21T01:00+01:00", "2026-01-21T06:00+01:00", id="overnight, past midnight"
        ),
        pytest.param("22:00", "06:00", "2026-01-21T10:00+01:00", "2026-01-22T06:00+01:00", id="overnight, by day"),
        pytest.param("08:00", "08:00", "2026-01-20T09:00+01:00", "2026-01-21T08:00+01:00", id="the whole day round"),
        pytest.param("", "14:00", "2026-01-20T09:00+01:00", "2026-01-20T14:00+01:00", id="no arrival said"),
        pytest.param(
            "22:00", "02:30", "2026-03-28T23:00+01:00", "2026-03-29T03:30+02:00", id="an hour that is skipped"
        ),
        pytest.param("22:00", "06:00", "2026-03-28T23:00+01:00", "2026-03-29T06:00+02:00", id="a short night"),
        pytest.param(
            "22:00", "02:30", "2026-10-24T23:00+02:00", "2026-10-25T02:30+02:00", id="an hour that comes twice"
        ),
        pytest.param("22:00", "06:00", "2026-10-24T23:00+02:00", "2026-10-25T06:00+01:00", id="a long night"),
        pytest.param(
            "2026-01-20T08:00+01:00",
            "2026-01-20T14:00+01:00",
            "2026-01-20T09:00+01:00",
            "2026-01-20T14:00+01:00",
            id="once",
        ),
        pytest.param("", "2026-01-20T14:00+01:00", "2026-01-20T15:00+01:00", None, id="once, before this session"),
        pytest.param("08:00", "", "2026-01-20T15:00+01:00", None, id="nobody said"),
    ],
)
def test_a_window_binds_the_session_that_starts(
    arrival: str, departure: str, session_start: str, expected: str | None
) -> None:
    start = datetime.fromisoformat(session_start).astimezone(UTC)
    assert departure_of(a_window(arrival, departure), start, AMSTERDAM) == (
        datetime.fromisoformat(expected) if expected else None
    )


@given(
    start=st.integers(1_577_836_800, 1_893_456_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    departure=st.times(timezones=st.none()),
    zone=st.sampled_from(["UTC", "Europe/Amsterdam", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"]),
)
def test_a_daily_departure_is_less_than_a_day_and_a_clock_change_ahead(
    start: datetime, departure: time, zone: str
) -> None:
    leaves = departure_of(replace(NEED, departure=departure), start, ZoneInfo(zone))
    assert leaves is not None
    assert timedelta() < leaves - start <= timedelta(hours=25)
    assert leaves.tzinfo is UTC


@pytest.mark.parametrize("text", ["25:00", "8", "soon", "2026-03-03", "08:00+01:00", "2026-03-03T99:00:00Z"])
def test_what_is_neither_a_time_nor_a_moment_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match="neither a time"):
        parse_when(text)


def test_a_moment_without_offset_is_refused_with_the_remedy() -> None:
    with pytest.raises(SettingsError, match="has no offset: add the one that is meant"):
        parse_when("2026-03-03T14:00:00")


def a_site(**more: object) -> SiteView:
    return replace(SiteView(station_ids=("ST-A", "ST-B"), default_ev=NEED, voltage_v=240.0), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("station_id", "connector_id", "ev_id"),
    [("ST-A", 1, "1"), ("ST-B", 1, "2"), ("ST-B", 2, "2.2"), ("ST-X", 1, "ST-X/1")],
)
def test_an_ev_is_named_by_its_station_and_connector(station_id: str, connector_id: int, ev_id: str) -> None:
    assert a_site().ev_id(station_id, connector_id) == ev_id


def test_a_group_is_a_list_of_stations_or_everything() -> None:
    site = a_site(groups={"north": ("ST-A",), "rest": None})
    assert (site.stations("north"), site.stations("rest")) == (("ST-A",), None)
    assert (site.group_of("ST-A"), site.group_of("ST-B")) == ("north", "rest")
    with pytest.raises(SettingsError, match="'south' does not exist; known are north, rest"):
        site.stations("south")
    assert a_site(groups={"north": ("ST-A",)}).group_of("ST-B") is None


def test_a_station_without_words_of_its_own_has_the_default() -> None:
    own = replace(NEED, max_kw=3.6)
    site = a_site(evs={"ST-B": own})
    assert (site.ev("ST-A"), site.ev("ST-B")) == (NEED, own)
