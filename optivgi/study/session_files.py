"""Sessions from files: a CSV table, or ACN-Data JSON. A broken file is refused with everything that is wrong in it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from optivgi.errors import SettingsError
from optivgi.model.problem import PHASES
from optivgi.study.session import MIN_KW_PER_PHASE, Session, in_order

MUST = ("arrival", "departure", "energy_kwh")
MAY = ("max_kw", "min_kw", "stated_departure", "phases", "capacity_kwh", "station_id", "connector_id")
MOST_KWH, MOST_KW = 2000.0, 1000.0
MOST_SHOWN = 20
EXAMPLE = "2026-03-02T08:10:00+01:00"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for a session of which the file does not say it. `min_kw` None is 1.4 kW for each phase."""

    max_kw: float = 7.2
    min_kw: float | None = None


def load_sessions(path: Path, defaults: Defaults) -> tuple[Session, ...]:
    """The sessions of a .csv file, or of a .json file in the form of ACN-Data. Raises SettingsError with all problems."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"{path}: cannot be read ({reason}): name a .csv or .json file of sessions") from None
    return parse_acn(text, path.name, defaults) if path.suffix == ".json" else parse_csv(text, path.name, defaults)


def parse_csv(text: str, name: str, defaults: Defaults) -> tuple[Session, ...]:
    """The sessions of a table whose first line names the columns: MUST, and any of MAY."""
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    columns = list(reader.fieldnames or ())
    problems = [
        f"{name} line 1: column {column!r} is missing: the first line must name {', '.join(MUST)} and may name {', '.join(MAY)}"
        for column in MUST
        if column not in columns
    ]
    problems += [
        f"{name} line 1: column {column!r} is not known: known are {', '.join(MUST + MAY)}"
        for column in columns
        if column not in MUST + MAY
    ]
    if problems:
        raise SettingsError(*problems)
    reading = _Reading(problems, defaults)
    for row in reader:
        place = f"{name} line {reader.line_num}"
        if None in row or None in row.values():
            problems.append(
                f"{place}: does not have {len(columns)} values, as the first line has: add or remove commas"
            )
            continue
        reading.take(place, row, _iso)
    return reading.sessions(name)


def parse_acn(text: str, name: str, defaults: Defaults) -> tuple[Session, ...]:
    """The sessions of an ACN-Data answer: `_items`, each with connectionTime, disconnectTime and kWhDelivered.

    The energy delivered counts as what the EV would take; the newest userInputs' requestedDeparture is what was stated.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{name}: is not JSON: {error}") from None
    items = document.get("_items") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise SettingsError(f"{name}: has no list _items: give the answer of ACN-Data's sessions as it is")
    problems: list[str] = []
    reading = _Reading(problems, defaults, _ACN_NAMES)
    for number, item in enumerate(items):
        place = f"{name} _items[{number}]"
        if not isinstance(item, dict):
            problems.append(f"{place}: is {item!r}; it must be an object with connectionTime and so on")
            continue
        reading.take(place, _acn_row(item), _rfc)
    return reading.sessions(name)


_ACN_NAMES = {
    "arrival": "connectionTime",
    "departure": "disconnectTime",
    "energy_kwh": "kWhDelivered",
    "stated_departure": "userInputs requestedDeparture",
    "station_id": "stationID",
}


def _acn_row(item: Mapping[str, Any]) -> dict[str, Any]:
    row = {ours: item.get(theirs) for ours, theirs in _ACN_NAMES.items() if theirs in item}
    inputs = item.get("userInputs")
    stated = [one for one in inputs if isinstance(one, dict)] if isinstance(inputs, list) else []
    if stated:
        row["stated_departure"] = stated[-1].get("requestedDeparture")
    return row


@dataclass
class _Reading:
    """Collects sessions and problems. `names` says what the file calls our columns."""

    problems: list[str]
    defaults: Defaults
    names: Mapping[str, str] = field(default_factory=dict)
    found: list[Session] = field(default_factory=list)

    def take(self, place: str, row: Mapping[str, Any], read_time: Callable[[str], datetime]) -> None:
        """Reads one session; whatever is wrong with it is added to the problems."""
        known = len(self.problems)
        arrival, departure, stated = (
            self._moment(place, row, name, read_time, must=name in MUST)
            for name in ("arrival", "departure", "stated_departure")
        )
        energy_kwh = self._number(place, row, "energy_kwh", (0.0, MOST_KWH), None)
        max_kw = self._number(place, row, "max_kw", (0.1, MOST_KW), self.defaults.max_kw)
        phases = self._phases(place, row)
        least_kw = self.defaults.min_kw
        if least_kw is None:
            least_kw = min(MIN_KW_PER_PHASE * len(phases), max_kw)
        min_kw = self._number(place, row, "min_kw", (0.0, max_kw), least_kw)
        capacity = row.get("capacity_kwh") not in (None, "")
        capacity_kwh = self._number(place, row, "capacity_kwh", (0.1, MOST_KWH), None) if capacity else None
        connector = self._number(place, row, "connector_id", (1.0, 1000.0), 1.0)
        if connector != int(connector):
            self._wrong(place, "connector_id", row, "a whole number from 1 to 1000")
        if arrival is not None:
            for name, moment in (("departure", departure), ("stated_departure", stated)):
                if moment is not None and moment <= arrival:
                    self._wrong(
                        place, name, row, f"later than the arrival ({arrival.isoformat()}): correct one of them"
                    )
        if len(self.problems) == known and arrival is not None and departure is not None:
            station = str(row.get("station_id") or "").strip(), int(connector)
            self.found.append(
                Session(arrival, departure, energy_kwh, max_kw, min_kw, stated, phases, capacity_kwh, *station)
            )

    def sessions(self, name: str) -> tuple[Session, ...]:
        """All that were read; SettingsError if anything was wrong or there are none."""
        more = len(self.problems) - MOST_SHOWN
        if more > 0:
            raise SettingsError(*self.problems[:MOST_SHOWN], f"{name}: and {more} more problems")
        if self.problems:
            raise SettingsError(*self.problems)
        if not self.found:
            raise SettingsError(f"{name}: has 0 sessions; a study needs at least 1: give one line or item for each")
        return in_order(self.found)

    def _moment(
        self, place: str, row: Mapping[str, Any], name: str, read_time: Callable[[str], datetime], *, must: bool
    ) -> datetime | None:
        value = row.get(name)
        if value in (None, "") and not must:
            return None
        try:
            moment = read_time(value) if isinstance(value, str) else None
        except (ValueError, TypeError):
            moment = None
        if moment is None or moment.tzinfo is None:
            self._wrong(place, name, row, f"a date and time with its offset from UTC, such as {EXAMPLE}")
            return None
        return moment.astimezone(UTC)

    def _number(
        self, place: str, row: Mapping[str, Any], name: str, bounds: tuple[float, float], default: float | None
    ) -> float:
        low, high = bounds
        value = row.get(name)
        if value in (None, "") and default is not None:
            return default
        try:
            number = math.nan if isinstance(value, bool) or value is None else float(value)
        except (ValueError, TypeError):
            number = math.nan
        if not low <= number <= high:
            unit = {"kwh": " of kWh", "_kw": " of kW"}.get(name[-3:], "")
            self._wrong(place, name, row, f"a number{unit} from {low:g} to {high:g}")
            return low
        return number

    def _phases(self, place: str, row: Mapping[str, Any]) -> tuple[str, ...]:
        """1, 2 or 3 of them, or their names: "L1", "L2L3"."""
        value = str(row.get("phases") or "1").strip().upper()
        if value in {"1", "2", "3"}:
            return PHASES[: int(value)]
        named = tuple(phase for phase in PHASES if phase in value)
        if not named or len(value) != 2 * len(named):
            self._wrong(place, "phases", row, "1, 2 or 3, or names such as L1 or L1L2L3")
            return PHASES[:1]
        return named

    def _wrong(self, place: str, name: str, row: Mapping[str, Any], must: str) -> None:
        self.problems.append(f"{place}: {self.names.get(name, name)} is {row.get(name)!r}; it must be {must}")


def _iso(text: str) -> datetime:
    return datetime.fromisoformat(text.strip())


def _rfc(text: str) -> datetime:
    """ACN-Data writes "Wed, 25 Apr 2018 11:08:04 GMT"; ISO 8601 is understood too."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)
