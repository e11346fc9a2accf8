"""LIMIT_SCHEDULE_FILE as it changes while the service runs: a grid operator's call is a line in a file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from optivgi.errors import SettingsError
from optivgi.limits.schedule_file import ScheduledLimit
from optivgi.model.clock import Clock
from optivgi.model.limit_series import LimitSeries

log = logging.getLogger("optivgi.limits")

POLL_S = 0.5
"""How long a change may go unnoticed."""

Mark = tuple[int, int, int]
"""What tells two states of a file apart: time of change, size, inode."""


class WatchedSchedule:
    """A LimitSource that reads its file again whenever that changes. A file that makes no sense changes nothing.

    A stricter limit holds from the first reading. A looser one waits for a second look at an unchanged file, because the
    first may have met a file that was still being written.
    """

    def __init__(self, path: Path, zone: ZoneInfo, groups: Collection[str]) -> None:
        """Raises SettingsError with all that is wrong in the file."""
        self._path, self._zone, self._groups = path, zone, groups
        self._mark = _mark(path)
        self._current = ScheduledLimit.load(path, zone, groups)
        self._before: ScheduledLimit | None = None

    def series(self, group: str, now: datetime) -> LimitSeries:
        series = self._current.series(group, now)
        return series if self._before is None else series.tightest_with(self._before.series(group, now))

    async def follow(self, clock: Clock, changed: Callable[[], None]) -> None:
        """Looks at the file for ever; calls `changed` whenever limits are other than before."""
        while True:
            await clock.sleep(POLL_S)
            if await asyncio.to_thread(self.look):
                changed()

    def look(self) -> bool:
        """Takes in what is in the file now; whether that changed a limit, now or at a later time."""
        mark = _mark(self._path)
        if mark == self._mark:
            settled, self._before = self._before is not None, None
            return settled
        self._mark = mark
        try:
            fresh = ScheduledLimit.load(self._path, self._zone, self._groups)
        except SettingsError as error:
            log.warning("Limits stay as they were: %s", error)
            return False
        log.info("%s has changed: its limits hold now", self._path.name)
        self._before, self._current = self._current, fresh
        return True


def _mark(path: Path) -> Mark | None:
    """None if the file cannot be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
