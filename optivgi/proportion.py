"""What part of its allowance an EV draws, if it is always the same: an EV on one phase of three, for example. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from optivgi.adherence import exceeds

SPREAD = 0.04
"""So much may the parts differ from sample to sample; meters and rounding are not exact."""
SAMPLES = 6
RANGE = 1.5
"""The highest allowance at which it was seen must be so many times the lowest."""
RISE_KW = 0.4
MARGIN = 1.02
STEADY_KW = 0.01
MOST = 0.9
"""An EV that draws more than this part of its allowance leaves nothing worth giving away."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """What an EV drew at different allowances, each held long enough for it to follow.

    `rose` says that it drew more when it was allowed more, which an EV at a bound of its own does not. `broken` says that
    it drew more than its part once, so that it is never believed again.
    """

    samples: int = 0
    low: float = math.inf
    high: float = 0.0
    least_kw: float = math.inf
    most_kw: float = 0.0
    last_kw: float | None = None
    rose: bool = False
    broken: bool = False

    @property
    def part(self) -> float | None:
        """The most of its allowance that it draws, once that is proven; None as long as it is not."""
        proven = self.rose and self.samples >= SAMPLES and self.most_kw >= RANGE * self.least_kw
        return self.high * MARGIN if proven and not self.broken and self.high <= MOST else None

    def seen(self, allowed_kw: float, measured_kw: float) -> Proportion:
        """After one more sample, at an allowance that it has had for a while. One that does not fit begins the proof anew."""
        if self.broken or allowed_kw <= 0:
            return self
        part = measured_kw / allowed_kw
        low, high = min(self.low, part), max(self.high, part)
        if high - low > SPREAD:
            return Proportion(1, part, part, allowed_kw, allowed_kw, allowed_kw)
        rose = self.last_kw is not None and part * (allowed_kw - self.last_kw) >= RISE_KW
        return replace(
            self,
            samples=self.samples + 1,
            low=low,
            high=high,
            least_kw=min(self.least_kw, allowed_kw),
            most_kw=max(self.most_kw, allowed_kw),
            last_kw=allowed_kw,
            rose=self.rose or rose,
        )


def compared(proportion: Proportion, measured_kw: float, least_kw: float | None, most_kw: float | None) -> Proportion:
    """What a sample says of an EV that was allowed at least `least_kw` as long as it needs to draw more, and at most
    `most_kw` as long as it needs to draw less (None: nobody knows)."""
    if least_kw is None or most_kw is None:
        return proportion
    if proportion.part is not None and exceeds(measured_kw, proportion.part * most_kw):
        return replace(proportion, broken=True)
    return proportion.seen(most_kw, measured_kw) if most_kw - least_kw <= STEADY_KW else proportion
