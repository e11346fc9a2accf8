"""What a charger may claim. Beyond these bounds its word is kept for the record and never used as truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_CONNECTOR_ID = 256
MAX_AHEAD = timedelta(minutes=5)
MAX_BEHIND = timedelta(days=366)
MAX_INT32 = 2**31 - 1
MAX_NUMBER = 1e15

_UPPER_BOUNDS = {
    "Power": 10e6,
    "Current": 20e3,
    "Voltage": 5e3,
    "SoC": 100.0,
}
"""By the first word of the measurand, in W, A, V and percent: above any charger built."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A reported time: `used` is what the CSMS works with, `reported` what was said, `trusted` whether they agree."""

    reported: datetime
    used: datetime

    @property
    def trusted(self) -> bool:
        """False when the report was set aside."""
        return self.reported == self.used


def judge_instant(reported: datetime, now: datetime) -> Instant:
    """The reported time, or `now` in its place when it lies over 5 minutes ahead or over a year behind.

    Late reports are ordinary (a charger was offline); early ones would pass for the newest value until they come true.
    """
    plausible = now - MAX_BEHIND <= reported <= now + MAX_AHEAD
    return Instant(reported, reported if plausible else now)


def connector_objection(connector_id: int, *, station_allowed: bool) -> str | None:
    """Why no charger has such a connector, or None. Connector 0 stands for the station where that is allowed."""
    first = 0 if station_allowed else 1
    if first <= connector_id <= MAX_CONNECTOR_ID:
        return None
    return f"connectorId is {connector_id}; it must be {first} to {MAX_CONNECTOR_ID}"


def fits_counter(value: int) -> bool:
    """Whether `value` is a meter reading in Wh that an energy register can show."""
    return 0 <= value <= MAX_INT32


def fits_int32(value: int) -> bool:
    """Whether `value` fits an integer column."""
    return -MAX_INT32 - 1 <= value <= MAX_INT32


def number_of(text: str) -> int | float | None:
    """The finite number that `text` spells, an int when it is whole, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    if "_" in text or not math.isfinite(value) or abs(value) > MAX_NUMBER:
        return None
    return int(value) if value == int(value) else value


def measurement_objection(measurand: str, unit: str, value: float) -> str | None:
    """Why no charger can have measured this, or None."""
    word = measurand.split(".", 1)[0]
    bound = _UPPER_BOUNDS.get(word)
    scale = 1000 if unit.startswith("k") else 1
    if bound is not None and abs(value) * scale > bound:
        return f"{measurand} of {value} {unit} is out of range"
    if measurand == "Energy.Active.Import.Register" and value < 0:
        return f"{measurand} of {value} {unit} is negative"
    return None
