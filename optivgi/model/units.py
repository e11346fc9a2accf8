"""Conversions between amperes and kilowatts, and rounding that never goes up."""

from __future__ import annotations

import math
from datetime import datetime

SLACK = 1e-9


def kw_from_amps(current_a: float, voltage_v: float, phases: int = 1) -> float:
    """Power of `current_a` on each of `phases` phases at phase voltage `voltage_v`."""
    return current_a * voltage_v * phases / 1000.0


def amps_from_kw(power_kw: float, voltage_v: float, phases: int = 1) -> float:
    """Current on each of `phases` phases: an 11 kW three-phase EV at 230 V draws 16 A, not 48 A."""
    return power_kw * 1000.0 / (voltage_v * phases)


def round_down(value: float, step: float) -> float:
    """The largest multiple of `step` that is not above `value`; a value within rounding noise of a multiple keeps it."""
    return math.floor(value / step + SLACK) * step if step > 0 else value


def seconds_after(moment: datetime, now: datetime) -> float:
    """Seconds from `now` to `moment`, negative if it is past. Both must be aware."""
    return (moment - now).total_seconds()


def is_aware(moment: datetime) -> bool:
    """Whether `moment` says which time zone it is in."""
    return moment.tzinfo is not None and moment.utcoffset() is not None
