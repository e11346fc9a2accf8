"""The site's limit over time from a file that a run was made with: what `--limit-file` names."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from optivgi.errors import SettingsError
from optivgi.limits.schedule_file import ScheduledLimit, load_windows
from optivgi.report.bounds import curve_between
from optivgi.report.curve import NO_LIMIT, LimitCurve

OPTION = "--limit-file"
STEPS = ("at", "kw")
NONE = ("", "none")


def load_limit(path: Path, base: LimitCurve, zone: ZoneInfo, begin: datetime, end: datetime) -> LimitCurve:
    """The limit that a file says was in force from `begin` to `end`.

    A CSV with the columns at,kw gives each limit with the moment from which it held (ISO 8601 with offset, or seconds
    since 1970; an empty kw is no limit) and replaces `base`, which still holds before the first. Any other file has
    windows as LIMIT_SCHEDULE_FILE does, in which less than `base` was allowed. Raises SettingsError with all problems.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{OPTION} is {str(path)!r}, which cannot be read ({error})") from error
    rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    if path.suffix.lower() != ".toml" and tuple(rows.fieldnames or ()) == STEPS:
        problems: list[str] = []
        steps = [step for row in rows if (step := _step(path, rows.line_num, row, problems)) is not None]
        if problems:
            raise SettingsError(*problems)
        if not steps:
            raise SettingsError(f"{path.name} gives no limit: write lines such as 2026-03-03T08:00:00Z,30")
        first = min(second for second, _ in steps)
        return LimitCurve.of([(-math.inf, base.level(first)), *steps])
    windows = ScheduledLimit(load_windows(path, (), OPTION), zone)
    return base.tightest_with(curve_between(lambda moment: windows.series("", moment), begin, end))


def _step(path: Path, line: int, row: Mapping[str, str], problems: list[str]) -> tuple[float, float] | None:
    known = len(problems)
    at, kw = (row.get("at") or "").strip(), (row.get("kw") or "").strip()
    second = level = math.nan
    try:
        second = float(at) if at.replace(".", "", 1).isdigit() else _moment(at).timestamp()
    except ValueError:
        problems.append(f"{path.name} line {line}: at is {at!r}; it must be a time such as 2026-03-03T08:00:00Z")
    try:
        level = NO_LIMIT if kw.lower() in NONE else float(kw)
    except ValueError:
        level = math.nan
    if math.isnan(level) or level < 0:
        problems.append(
            f"{path.name} line {line}: kw is {kw!r}; it must be a number of kW, 0 or more, or empty for no limit"
        )
    return None if len(problems) > known else (second, level)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
