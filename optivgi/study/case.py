"""What a study compares: limits and tariffs by name, crossed with algorithms."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from optivgi.algorithms import names
from optivgi.errors import SettingsError
from optivgi.limits.base import LimitSource
from optivgi.limits.env import ConstantLimit
from optivgi.limits.schedule_file import ScheduledLimit
from optivgi.model.ev_config import When, parse_when
from optivgi.model.framing import Price
from optivgi.model.limit_series import LimitSeries
from optivgi.study.places import AHEAD, series_over
from optivgi.study.task import UNCONTROLLED

GROUP = "study"
FLAT = "flat"
FLAT_PER_KWH = 0.30
MOST_KW = 100_000.0
NO_LIMIT = "none"


@dataclass(frozen=True, slots=True)
class NamedLimit:
    """A limit of the site under the name that the table shows."""

    name: str
    source: LimitSource

    def series(self, start: datetime, end: datetime) -> LimitSeries:
        """The limit from `start` until AHEAD after `end`."""
        return series_over(lambda now: self.source.series(GROUP, now), start, end)


@dataclass(frozen=True, slots=True)
class NamedTariff:
    """Prices by the clock (each day) or once, and a charge per kW of each month's highest 15-minute mean."""

    name: str
    steps: tuple[tuple[When, float], ...]
    demand_charge_per_kw: float
    zone: ZoneInfo

    def prices(self, start: datetime, end: datetime) -> tuple[Price, ...]:
        """The prices from `start` until AHEAD after `end`; the first one holds at `start`."""
        found: dict[datetime, float] = {}
        first = start.astimezone(self.zone).date() - timedelta(days=1)
        for when, per_kwh in self.steps:
            if isinstance(when, datetime):
                found[when] = per_kwh
                continue
            for day in range((end + AHEAD - start) // timedelta(days=1) + 3):
                found[datetime.combine(first + timedelta(days=day), when, self.zone).astimezone(UTC)] = per_kwh
        ordered = sorted(found.items())
        current = max((index for index, (at, _) in enumerate(ordered) if at <= start), default=0)
        prices: list[Price] = []
        for at, per_kwh in ordered[current:]:
            if not prices or (at <= end + AHEAD and per_kwh != prices[-1].per_kwh):
                prices.append(Price(at, per_kwh))
        return tuple(prices)


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the study's table."""

    algorithm: str
    limit: NamedLimit
    tariff: NamedTariff


def cross(algorithms: Sequence[str], limits: Sequence[NamedLimit], tariffs: Sequence[NamedTariff]) -> tuple[Case, ...]:
    """Every algorithm under every limit and tariff."""
    return tuple(Case(one, limit, tariff) for tariff in tariffs for limit in limits for one in algorithms)


def parse_algorithms(text: str) -> tuple[str, ...]:
    """The algorithms named in "fair,llf"; `all` is every one. Raises SettingsError naming those that there are."""
    known = (*names(), UNCONTROLLED)
    chosen = known if text.strip() == "all" else _listed(text)
    wrong = [one for one in chosen if one not in known]
    if wrong or not chosen:
        raise SettingsError(
            *(f"--algorithm names {one!r}: choose from {', '.join(known)}, or all" for one in wrong or [text])
        )
    return tuple(dict.fromkeys(chosen))


def parse_limits(text: str, zone: ZoneInfo) -> tuple[NamedLimit, ...]:
    """The limits in "150,300,night.csv,none": kW, or files of windows as for LIMIT_SCHEDULE_FILE; none is no limit."""
    limits: list[NamedLimit] = []
    problems: list[str] = []
    for one in _listed(text):
        try:
            limits.append(_limit(one, zone))
        except SettingsError as error:
            problems.extend(error.problems)
    if problems or not limits:
        raise SettingsError(*(problems or [f"--limit is {text!r}; it must name at least one limit: write 150,300"]))
    return tuple(limits)


def parse_tariffs(text: str, zone: ZoneInfo) -> tuple[NamedTariff, ...]:
    """The tariffs in "flat,prices.toml"; "flat:0.25" is another flat price per kWh."""
    tariffs: list[NamedTariff] = []
    problems: list[str] = []
    for one in _listed(text):
        try:
            tariffs.append(_flat(one, zone) if one.partition(":")[0] == FLAT else load_tariff(Path(one), zone))
        except SettingsError as error:
            problems.extend(error.problems)
    if problems or not tariffs:
        raise SettingsError(*(problems or [f"--tariff is {text!r}; it must name at least one tariff: write {FLAT}"]))
    return tuple(tariffs)


def load_tariff(path: Path, zone: ZoneInfo) -> NamedTariff:
    """A TOML file: [[price]] tables with from and per_kwh, and perhaps demand_charge_per_kw."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"--tariff: {path} cannot be read ({reason}): write {FLAT}, or name a .toml file") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name} is not TOML: {error}") from None
    problems = [
        f"{path.name}: {key} is not known; known are demand_charge_per_kw and [[price]]"
        for key in document
        if key not in ("demand_charge_per_kw", "price")
    ]
    charge = _amount(path.name, "demand_charge_per_kw", document.get("demand_charge_per_kw", 0.0), 0.0, problems)
    tables = document.get("price")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        problems.append(f"{path.name}: has no [[price]]: write at least one, with from and per_kwh")
        raise SettingsError(*problems)
    steps = [_step(f"{path.name} price {number}", table, problems) for number, table in enumerate(tables, 1)]
    if problems:
        raise SettingsError(*problems)
    return NamedTariff(path.stem, tuple(step for step in steps if step is not None), charge, zone)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _limit(text: str, zone: ZoneInfo) -> NamedLimit:
    if text == NO_LIMIT:
        return NamedLimit(NO_LIMIT, ConstantLimit({GROUP: None}))
    if text.endswith((".csv", ".toml")):
        return NamedLimit(Path(text).stem, ScheduledLimit.load(Path(text), zone, (GROUP,)))
    try:
        limit_kw = float(text)
    except ValueError:
        limit_kw = math.nan
    if not 0 <= limit_kw <= MOST_KW:
        raise SettingsError(
            f"--limit has {text!r}; each must be a number of kW from 0 to {MOST_KW:g}, a .csv or .toml file, or {NO_LIMIT}: write 150,300"
        )
    return NamedLimit(f"{limit_kw:g} kW", ConstantLimit({GROUP: limit_kw}))


def _flat(text: str, zone: ZoneInfo) -> NamedTariff:
    problems: list[str] = []
    price = text.partition(":")[2]
    per_kwh = (
        _amount("--tariff", text, float(price) if _is_number(price) else price, -10.0, problems)
        if price
        else FLAT_PER_KWH
    )
    if problems:
        raise SettingsError(*problems)
    return NamedTariff(text, ((time(), per_kwh),), 0.0, zone)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _step(place: str, table: dict[str, Any], problems: list[str]) -> tuple[When, float] | None:
    problems += [
        f"{place}: {key} is not known; known are from and per_kwh" for key in table if key not in ("from", "per_kwh")
    ]
    value = table.get("from")
    when: When | None = None
    try:
        when = parse_when(value.isoformat() if isinstance(value, datetime | time) else str(value or ""))
    except SettingsError as error:
        problems.append(f"{place}: from {error}")
    else:
        if when is None:
            problems.append(f'{place}: from is missing: give a time such as "17:00" or a date and time with offset')
    per_kwh = _amount(place, "per_kwh", table.get("per_kwh"), -10.0, problems)
    return None if when is None else (when, per_kwh)


def _amount(place: str, name: str, value: object, low: float, problems: list[str]) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= 10_000.0:
        return float(value)
    problems.append(f"{place}: {name} is {value!r}; it must be a number from {low:g} to 10000")
    return 0.0
