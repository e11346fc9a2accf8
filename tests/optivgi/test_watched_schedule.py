"""Limits from a file that changes while the service runs."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from optivgi.clock import ManualClock, settle
from optivgi.errors import SettingsError
from optivgi.limits.watched_schedule import POLL_S, WatchedSchedule

NOW = datetime(2026, 3, 3, 8, tzinfo=UTC)
HEADER = "from,to,kw\n"


def window(kw: float) -> str:
    return f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%MZ},{NOW + timedelta(hours=1):%Y-%m-%dT%H:%MZ},{kw}\n"


class Site:
    """A schedule file and what is read from it."""

    def __init__(self, folder: Path, kw: float) -> None:
        self.path = folder / "limits.csv"
        self.writes = 0
        self.write(HEADER + window(kw))
        self.schedule = WatchedSchedule(self.path, ZoneInfo("UTC"), ("default",))

    def write(self, text: str) -> None:
        """Every version has a size of its own, so that no two look the same within one tick of the file system."""
        self.writes += 1
        self.path.write_text(text + "\n" * self.writes)

    @property
    def limit_kw(self) -> float | None:
        return self.schedule.series("default", NOW).at(NOW).limit_kw


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, kw=30)


def test_a_file_that_did_not_change_changes_nothing(site: Site) -> None:
    assert not site.schedule.look()
    assert site.limit_kw == 30


def test_a_stricter_limit_holds_from_the_first_look(site: Site) -> None:
    site.write(HEADER + window(12))
    assert site.schedule.look()
    assert site.limit_kw == 12


def test_a_looser_limit_holds_from_the_second_look(site: Site) -> None:
    site.write(HEADER + window(40))
    assert site.schedule.look()
    assert site.limit_kw == 30
    assert site.schedule.look()
    assert site.limit_kw == 40


def test_a_file_caught_half_written_never_loosens(site: Site) -> None:
    site.write(HEADER)
    assert site.schedule.look()
    assert site.limit_kw == 30
    site.write(HEADER + window(20))
    assert site.schedule.look()
    assert site.limit_kw == 20


@pytest.mark.parametrize("text", ["", "from,to\n", HEADER + "17:00,18:00,-1\n", "\0\0"])
def test_a_bad_file_keeps_the_old_limit_and_is_told_once(
    site: Site, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.write(text)
    with caplog.at_level(logging.WARNING):
        assert not site.schedule.look()
        assert not site.schedule.look()
    assert site.limit_kw == 30
    assert [record.getMessage()[:28] for record in caplog.records] == ["Limits stay as they were: li"]


def test_a_file_that_vanishes_keeps_the_old_limit_until_it_is_back(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.path.unlink()
    assert not site.schedule.look()
    assert site.limit_kw == 30
    assert "cannot be read" in caplog.text
    site.write(HEADER + window(12))
    assert site.schedule.look()
    assert site.limit_kw == 12


def test_a_file_that_is_wrong_at_the_start_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "limits.csv").write_text("kw\n")
    with pytest.raises(SettingsError, match="has no column from, to"):
        WatchedSchedule(tmp_path / "limits.csv", ZoneInfo("UTC"), ("default",))


async def test_whoever_follows_is_told_at_the_next_look(site: Site) -> None:
    clock, told = ManualClock(NOW), asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        following = tasks.create_task(site.schedule.follow(clock, told.set))
        await settle()
        site.write(HEADER + window(12))
        await clock.advance(POLL_S)
        await told.wait()
        following.cancel()
    assert site.limit_kw == 12
