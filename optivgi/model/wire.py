"""The one rounding between a planned power and the limit that is sent: always down, always a value that passes."""

from __future__ import annotations

import math

from optivgi.model.charging_profile import RateUnit

ROUNDING_NOISE = 1e-9
"""A limit this close below a sendable step is that step: 7.2 kW at 240 V is 30.0 A, whatever the last bit says."""

LEAST_PILOT_A = 6.0
"""The least current that a control pilot can offer an EV (IEC 61851-1)."""


def wire_limit(power_kw: float, unit: RateUnit, volts: float) -> tuple[float, float]:
    """The largest sendable limit that does not exceed `power_kw`, in `unit`, and the power in kW that it stands for.

    `volts` is watts per ampere of the limit: phase voltage times phases. Watts are whole; amperes have one decimal and
    pass a `multipleOf 0.1` that is computed in doubles, as ajv does (5.8 does not, so it becomes 5.7).
    """
    if not (math.isfinite(power_kw) and power_kw >= 0 and volts > 0):
        raise ValueError(
            f"cannot send {power_kw} kW at {volts} V: the power must be finite and >= 0, the voltage above 0"
        )
    if unit is RateUnit.W:
        watts = math.floor(power_kw * 1000 + ROUNDING_NOISE)
        return float(watts), watts / 1000
    tenths = math.floor(power_kw * 10_000 / volts + ROUNDING_NOISE)
    while not is_multiple_of_tenth(tenths / 10):
        tenths -= 1
    return tenths / 10, tenths * volts / 10_000


def wire_minimum(min_kw: float, unit: RateUnit, volts: float, pilot_a: float = LEAST_PILOT_A) -> float:
    """The smallest sendable power in kW that is at least `min_kw` and that a control pilot can signal.

    It is what "0 or at least the minimum" means on the wire: below `pilot_a` per phase an EV draws nothing.
    """
    least_kw = max(min_kw, pilot_a * volts / 1000)
    if unit is RateUnit.W:
        return math.ceil(least_kw * 1000 - ROUNDING_NOISE) / 1000
    tenths = math.ceil(least_kw * 10_000 / volts - ROUNDING_NOISE)
    while not is_multiple_of_tenth(tenths / 10):
        tenths += 1
    return tenths * volts / 10_000


def is_multiple_of_tenth(limit: float) -> bool:
    """Whether `limit / 0.1` is a whole number when divided in doubles."""
    return (limit / 0.1).is_integer()
