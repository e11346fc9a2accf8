"""Limits by the clock, from a file: a lower limit every evening, or once on a stated day."""

from __future__ import annotations

import csv
import io
import math
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from optivgi.errors import SettingsError
from optivgi.limits.env import ALWAYS
from optivgi.model.ev_config import When, parse_when
from optivgi.model.limit_series import LimitSeries, LimitStep

SOURCE = "scheduled limit"
DAYS_AHEAD = 3
FIELDS = ("from", "to", "kw", "group", "days")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` until before `end`, each day (two times, site time) or once (two moments), at most `limit_kw`.

    `days` are the weekdays (0 is Monday) on which a daily window begins; one over midnight ends on the next day.
    """

    start: When
    end: When
    limit_kw: float
    group: str | None = None
    days: frozenset[int] = frozenset(range(7))

    def holds(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Whether it is in force at `moment`. A daily window whose end is not after its start goes over midnight."""
        if isinstance(self.start, datetime) and isinstance(self.end, datetime):
            return self.start <= moment < self.end
        if isinstance(self.start, datetime) or isinstance(self.end, datetime):
            return False
        there = moment.astimezone(zone)
        local, today = there.time(), there.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= local < self.end
        return (today in self.days and local >= self.start) or ((today - 1) % 7 in self.days and local < self.end)

    def changes(self, now: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """When it begins and ends, from yesterday to DAYS_AHEAD days after `now`."""
        today = now.astimezone(zone).date()
        for when in (self.start, self.end):
            if isinstance(when, datetime):
                yield when
                continue
            for ahead in range(-1, DAYS_AHEAD + 1):
                yield datetime.combine(today + timedelta(days=ahead), when, zone).astimezone(now.tzinfo)


class ScheduledLimit:
    """A LimitSource that follows windows; where they overlap, the strictest holds, and outside them none."""

    def __init__(self, windows: Iterable[Window], zone: ZoneInfo, source: str = SOURCE) -> None:
        self._windows, self._zone, self._source = tuple(windows), zone, source

    @classmethod
    def load(cls, path: Path, zone: ZoneInfo, groups: Collection[str]) -> ScheduledLimit:
        """The windows of a .csv file (columns from, to, kw, perhaps days, group) or a .toml file (tables [[limit]]).

        A window without a group is for all `groups`. Raises SettingsError with all that is wrong in it.
        """
        return cls(load_windows(path, groups, "LIMIT_SCHEDULE_FILE"), zone)

    def series(self, group: str, now: datetime) -> LimitSeries:
        windows = [window for window in self._windows if window.group in (None, group)]
        changes = {ALWAYS, *(at for window in windows for at in window.changes(now, self._zone))}
        steps: list[LimitStep] = []
        for at in sorted(changes):
            held = [window.limit_kw for window in windows if at != ALWAYS and window.holds(at, self._zone)]
            limit_kw = min(held, default=None)
            if not steps or steps[-1].limit_kw != limit_kw:
                steps.append(LimitStep(at, limit_kw, self._source))
        return LimitSeries(tuple(steps))


def load_windows(path: Path, groups: Collection[str], named_by: str) -> tuple[Window, ...]:
    """The windows of a file; `named_by` is the setting or field that names it. Raises SettingsError with all problems."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{named_by} is {str(path)!r}, which cannot be read ({error}): name a readable .csv or .toml file"
        ) from error
    problems: list[str] = []
    windows = [
        window
        for where, row in _rows(path, text)
        if (window := read_window(f"{path.name} {where}", row, groups, problems)) is not None
    ]
    if problems:
        raise SettingsError(*problems)
    return tuple(windows)


def _rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every window's raw fields, with where it stands in the file."""
    if path.suffix.lower() == ".toml":
        try:
            tables = tomllib.loads(text).get("limit", [])
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path.name} is not TOML: {error}") from error
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise SettingsError(f"{path.name}: write each window as a table [[limit]] with from, to and kw")
        yield from ((f"limit {number}", table) for number, table in enumerate(tables, 1))
        return
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    missing = [name for name in FIELDS[:3] if name not in (reader.fieldnames or ())]
    if missing:
        raise SettingsError(f"{path.name} has no column {', '.join(missing)}: its first line must be from,to,kw")
    for row in reader:
        yield f"line {reader.line_num}", row


def read_window(where: str, row: Mapping[str, Any], groups: Collection[str], problems: list[str]) -> Window | None:
    """The window of one row; None, and what is wrong in `problems`, if it makes no sense."""
    known = len(problems)
    unknown = [name for name in row if name not in FIELDS]
    if unknown:
        problems.append(f"{where}: {', '.join(map(str, unknown))} is not known; known are {', '.join(FIELDS)}")
    start, end = (_when(where, name, row.get(name), problems) for name in ("from", "to"))
    limit_kw = _limit_kw(where, row.get("kw"), problems)
    if start is not None and end is not None:
        if isinstance(start, datetime) != isinstance(end, datetime):
            problems.append(f"{where}: from and to must both be times of day, or both dates with times")
        elif isinstance(start, datetime) and isinstance(end, datetime) and end <= start:
            problems.append(f"{where}: to {end.isoformat()} is not after from {start.isoformat()}")
    group = str(row.get("group") or "").strip() or None
    if group is not None and group not in groups:
        problems.append(f"{where}: station group {group!r} does not exist; known are {', '.join(sorted(groups))}")
    days = _days(where, row.get("days"), problems)
    if isinstance(start, datetime) and len(days) < len(WEEKDAYS):
        problems.append(f"{where}: days are for times of day; from is a date: leave days out")
    if start is None or end is None or limit_kw is None or len(problems) > known:
        return None
    return Window(start, end, limit_kw, group, days)


def _days(where: str, value: object, problems: list[str]) -> frozenset[int]:
    """Weekdays as in "Mon-Fri", "Sat Sun", "Fri-Mon, Wed"; nothing is every day."""
    every = frozenset(range(len(WEEKDAYS)))
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    days: set[int] = set()
    for part in re.sub(r"\s*-\s*", "-", text).replace(",", " ").replace(";", " ").split():
        ends = [WEEKDAYS.index(name) for one in part.split("-") if (name := one[:3].capitalize()) in WEEKDAYS]
        if len(ends) != part.count("-") + 1 or len(ends) > 2:
            problems.append(f'{where}: days is {value!r}: {part!r} is no weekday; write e.g. "Mon-Fri" or "Sat Sun"')
            return every
        days.update((ends[0] + ahead) % 7 for ahead in range((ends[-1] - ends[0]) % 7 + 1))
    return frozenset(days) or every


def _when(where: str, name: str, value: object, problems: list[str]) -> When | None:
    text = value.isoformat() if isinstance(value, datetime | time) else str(value or "")
    try:
        when = parse_when(text)
    except SettingsError as error:
        problems.append(f"{where}: {name} {error}")
        return None
    if when is None:
        problems.append(f'{where}: {name} is missing: give a time such as "17:00" or a date and time with offset')
    return when


def _limit_kw(where: str, value: object, problems: list[str]) -> float | None:
    try:
        limit_kw = float(value) if isinstance(value, int | float | str) else math.nan
    except ValueError:
        limit_kw = math.nan
    if math.isfinite(limit_kw) and limit_kw >= 0:
        return limit_kw
    problems.append(f"{where}: kw is {value!r}; it must be a number of kW, 0 or more")
    return None
