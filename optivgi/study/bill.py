"""What the site's meter has recorded for the bill."""

from __future__ import annotations

import math

BILLING_S = 900.0
NOISE_S = 1e-6


class Bill:
    """Energy by billing window, the quarter hours of the clock. `clock_s` is when 0 was, in seconds since 1970."""

    def __init__(self, clock_s: float) -> None:
        self._clock_s, self._window, self._kwh, self._most_kwh = clock_s, 0, 0.0, 0.0

    def add(self, at_s: float, energy_kwh: float) -> None:
        """`energy_kwh` was drawn from `at_s` on, all of it in one window."""
        window = self._number(at_s)
        self._kwh = energy_kwh + (self._kwh if window == self._window else 0.0)
        self._window, self._most_kwh = window, max(self._most_kwh, self._kwh)

    def at(self, now_s: float) -> tuple[float, float]:
        """(the highest mean in kW over a window until now, kWh in the running window)."""
        running_kwh = self._kwh if self._number(now_s) == self._window else 0.0
        return self._most_kwh * 3600.0 / BILLING_S, running_kwh

    def _number(self, at_s: float) -> int:
        return math.floor((self._clock_s + at_s + NOISE_S) / BILLING_S)
