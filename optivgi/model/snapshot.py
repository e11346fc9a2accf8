"""Everything one scheduling cycle knows about a station group at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from optivgi.model.ev import EV, Connector


@dataclass(frozen=True, slots=True)
class RefusedEV:
    """An EV whose data make no sense: it is not planned for, is kept at a safe setting, and the reason is said."""

    ev_id: str
    station_id: str
    connector_id: int
    transaction_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent read. `read_at` is when it was read, not when it is used: its age grows while reads fail."""

    group: str
    read_at: datetime
    evs: tuple[EV, ...]
    connectors: tuple[Connector, ...]
    refused: tuple[RefusedEV, ...] = ()
    doubts: tuple[str, ...] = ()
    """Single values that were not believed, each named, for a site manager."""
    expected: tuple[EV, ...] = ()
    """EVs that are announced but not plugged in yet: their arrival is ahead and they have no transaction."""

    def age_s(self, now: datetime) -> float:
        """Seconds since these facts were read."""
        return (now - self.read_at).total_seconds()
