"""How fast one station may speak."""

from __future__ import annotations

from optivgi.model.clock import Clock


class TokenBucket:
    """Lets `burst` messages pass at once and `per_s` a second after that; more have to wait."""

    def __init__(self, clock: Clock, per_s: float, burst: float) -> None:
        self._clock, self._per_s, self._burst = clock, per_s, burst
        self._tokens = burst
        self._filled_s = clock.monotonic()

    async def take(self) -> None:
        """Returns when the next message may be read."""
        while not self._take_now():
            await self._clock.sleep((1 - self._tokens) / self._per_s)

    def _take_now(self) -> bool:
        now_s = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now_s - self._filled_s) * self._per_s)
        self._filled_s = now_s
        # A sleep that ends a rounding error early must not sleep again for nothing.
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True
