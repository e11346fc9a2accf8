"""Whether a station was ever seen to follow a cut: until it was, what it drew before counts. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from optivgi.adherence import exceeds

PROOFS = 2
"""A station that was seen to follow so many cuts is taken at its word, until its meter says otherwise."""
ASK_AFTER_S = 2.0
"""EVs follow a cut within a second or two: that is when a meter can first tell."""
ASK_AGAIN_S = 10.0
"""A meter that has not told by the end of the settling time is asked again this often."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A confirmed cut to `limit_kw` of an EV that drew `drawn_kw`, of which no meter has told yet."""

    drawn_kw: float
    limit_kw: float
    confirmed_at: datetime

    def is_followed(self, measured_kw: float, measured_at: datetime) -> bool:
        """Whether a sample proves that it is obeyed."""
        return measured_at > self.confirmed_at and not exceeds(measured_kw, self.limit_kw)

    def is_over(self, measured_at: datetime | None, now: datetime, settle_s: float, patience_s: float) -> bool:
        """Whether there is no use in waiting: a meter has spoken after the EV had time to follow, or will not speak."""
        spoken = measured_at is not None and measured_at >= self.confirmed_at + timedelta(seconds=settle_s)
        return spoken or now >= self.confirmed_at + timedelta(seconds=patience_s)


@dataclass(slots=True)
class Trust:
    """Which stations have proven that they follow."""

    _proofs: Counter[str] = field(default_factory=Counter)

    def has(self, station_id: str) -> bool:
        return self._proofs[station_id] >= PROOFS

    def earned(self, station_id: str) -> None:
        """It was seen to follow a cut."""
        self._proofs[station_id] += 1

    def lost(self, station_id: str) -> None:
        """It was seen not to."""
        del self._proofs[station_id]
