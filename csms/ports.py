"""The seams inside the CSMS: what the HTTP side, the OCPP side and the event side know of each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallResult:
    """The station's CALLRESULT payload, already checked against its schema."""

    payload: Json


@dataclass(frozen=True, slots=True)
class CallError:
    """The station answered CALLERROR."""

    code: str
    description: str
    details: Json


@dataclass(frozen=True, slots=True)
class NoReply:
    """No answer in time, or the connection went away while waiting."""

    reason: str


Reply = CallResult | CallError | NoReply


class Stations(Protocol):
    """The stations that are connected now, and ordered CALLs to them (one outstanding per station, the rest queue)."""

    def protocol_of(self, station_id: str) -> str | None:
        """ "ocpp1.6" for a connected station, None for one that is not."""
        ...

    async def call(self, station_id: str, action: str, payload: Json, correlation_id: str) -> Reply:
        """Sends one CALL with `correlation_id` as its message id and waits for the answer; never raises for a station's sake."""
        ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message of the event exchange. state 1 is a request, 2 an answer; origin is who sent it."""

    origin: Literal["cs", "csms"]
    event_group: str
    action: str
    state: Literal[1, 2]
    station_id: str
    correlation_id: str
    timestamp: datetime
    protocol: str
    payload: Json
    tenant_id: int = 1


class Bus(Protocol):
    """Where events go. Publishing never blocks on, nor fails for, a broker that is away; it is counted and resumes."""

    def publish(self, envelope: Envelope) -> None:
        """Hands over one event; order per station is kept."""
        ...

    def healthy(self) -> bool:
        """Whether events reach their broker now."""
        ...

    async def aclose(self) -> None:
        """Sends what is queued (bounded in time) and disconnects."""
        ...


Subscriber = Callable[[Mapping[str, str], Json], Awaitable[None] | None]
"""Takes the headers and the body of one event, exactly as a broker's consumer would."""
