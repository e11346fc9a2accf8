"""What a site meter's source hands over: readings, and doubts about what it could not believe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from optivgi.limits.base_load import Amps


class Doubtful(ValueError):
    """Something that cannot be believed; its text says what, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter showed at `at`, the earlier of its own time and the arrival. Import is positive, feed-in negative.

    `amps` is None where the phases are not metered. `mark` is the meter's own time or sequence number: a reading whose
    mark is that of the one before is that one again. None: the meter tells neither.
    """

    at: datetime
    kw: float
    amps: Amps | None = None
    mark: object = None


class Listener(Protocol):
    """Takes what a source finds. Neither method blocks or fails."""

    def reading(self, reading: Reading) -> None:
        """A reading that makes sense by itself."""
        ...

    def doubt(self, text: str) -> None:
        """No reading, and why."""
        ...


class MeterSource(Protocol):
    """A connection to one meter."""

    async def follow(self, listener: Listener) -> None:
        """Hands over readings for ever; connects again by itself; never raises but when cancelled."""
        ...
