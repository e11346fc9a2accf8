"""How EVs and stations are watched."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from optivgi.adherence import AdherenceSettings
from optivgi.usage import UsageSettings
from optivgi.wake import WakeSettings


class PausePolicy(StrEnum):
    """What may be done where a station does not pause: give the EV its minimum, or keep asking for 0.

    Besides the minimum: let no further EV charge at the connector until somebody has looked at it, or end the transaction
    where not even the minimum has room.
    """

    MINIMUM = "minimum"
    ZERO = "zero"
    INOPERATIVE = "inoperative"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class OversightSettings:
    """How EVs and stations are watched."""

    adherence: AdherenceSettings = field(default_factory=AdherenceSettings)
    usage: UsageSettings = field(default_factory=UsageSettings)
    wake: WakeSettings = field(default_factory=WakeSettings)
    pause: PausePolicy = PausePolicy.MINIMUM
    overbook: bool = False
    """Whether an EV that draws the same part of whatever it is allowed counts at that part."""
    asks: bool = True
    """Whether meters are asked when there is doubt, instead of waiting for what they tell by themselves."""

    @property
    def keep_s(self) -> float:
        """How far back it matters what was allowed."""
        return self.adherence.fresh_s + max(self.usage.ramp_s, self.adherence.settle_s)
