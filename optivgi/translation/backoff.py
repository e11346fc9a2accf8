"""How long to wait before the next try: longer each time, and never in step with others."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from `first_s` to at most `limit_s`, each shortened by up to half at random."""

    first_s: float = 0.2
    limit_s: float = 10.0
    chance: Callable[[], float] = random.random

    def delay_s(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row (from 1)."""
        full = min(self.limit_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return full * (1 - self.chance() / 2)
