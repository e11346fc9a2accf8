"""The two ports through which the optimizer meets a CSMS: facts and commands here, wake-ups in EventSource."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from optivgi.model.charging_profile import ChargingProfile, RateUnit, Schedule
from optivgi.model.limit_series import LimitSeries
from optivgi.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class PowerCommand:
    """Install `profile` at a connector. `limit_kw` is the most that any of its periods allows, for logs and accounts.

    `expires` is when a TxProfile that nobody replaces goes over to the connector's safe share.
    """

    station_id: str
    connector_id: int
    profile: ChargingProfile
    limit_kw: float
    ev_id: str | None = None
    expires: datetime | None = None


class OutcomeStatus(StrEnum):
    """What became of a command. Only ACCEPTED says that the station has it; UNKNOWN may or may not have arrived."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    NOT_SUPPORTED = "NotSupported"
    OFFLINE = "Offline"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The station's answer to one command, or why there is none. `reason` is for a site manager."""

    command: PowerCommand
    status: OutcomeStatus
    reason: str = ""


class Wish(StrEnum):
    """What a station may be asked for besides profiles."""

    METER = "a meter sample now"
    STOP = "the end of its transaction"
    INOPERATIVE = "no further transaction at the connector"


@dataclass(frozen=True, slots=True)
class StationRequest:
    """A wish, where it is to be fulfilled, and for STOP the transaction that is to end."""

    wish: Wish
    station_id: str
    connector_id: int
    transaction_id: str = ""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What a station says that it allows at a connector from now on, or why that is not known.

    `schedule` comes with ACCEPTED alone. UNKNOWN says that the station was asked and kept silent; when it is not known
    whether it was asked, the status is FAILED. `reason` is for a site manager.
    """

    status: OutcomeStatus
    schedule: Schedule | None = None
    reason: str = ""


class Translation(Protocol):
    """A CSMS as the optimizer sees it. Every method raises TranslationError, never answers with an empty guess."""

    async def get_evs(self, group: str) -> Snapshot:
        """Every EV and connector of a station group, in one read."""
        ...

    async def get_peak_power_demand(self, group: str) -> LimitSeries | None:
        """The limit that the CSMS's side knows for the group, over time; None if it leaves that to the optimizer."""
        ...

    async def send_power_to_evs(self, commands: Sequence[PowerCommand]) -> tuple[Outcome, ...]:
        """Sends all commands at once and waits for each station's answer; one Outcome per command, in their order."""
        ...

    async def ask(self, requests: Sequence[StationRequest]) -> None:
        """Passes wishes on. Nothing is promised and no answer awaited: later reads show what has come of them."""
        ...

    async def read_back(self, station_id: str, connector_id: int, duration_s: int, unit: RateUnit) -> ReadBack:
        """What the station makes of all its profiles at a connector, over the next `duration_s` seconds, in `unit`."""
        ...

    async def aclose(self) -> None:
        """Releases connections."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened at a station. `action` is the OCPP action ("StartTransaction"), or "resync" after a gap."""

    action: str
    station_id: str
    at: datetime
    connector_id: int | None = None


class EventSource(Protocol):
    """Session events as they happen. After a lost connection it yields one "resync" event, then goes on."""

    def events(self) -> AsyncIterator[Event]:
        """Endless; reconnects by itself; ends only when closed."""
        ...

    async def aclose(self) -> None:
        """Stops `events`."""
        ...
