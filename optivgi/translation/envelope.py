"""The event exchange's messages, whoever delivers them: which ones matter, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from optivgi.translation.base import Event

Headers = Mapping[str, Any]
Body = Mapping[str, Any]
Sink = Callable[[Headers, Body], None]
"""Takes messages about what the CSMS asks of stations (COMMANDS): its requests and the stations' answers."""

WAKING_ACTIONS = ("BootNotification", "StatusNotification", "StartTransaction", "StopTransaction")
METERING_ACTION = "MeterValues"
COMMANDS = ("SetChargingProfile", "GetCompositeSchedule")
SENT = tuple({"action": action, "state": "1", "origin": "csms"} for action in COMMANDS)
ANSWERED = tuple({"action": action, "state": "2", "origin": "cs"} for action in COMMANDS)


def waking(meter_values: bool) -> tuple[dict[str, str], ...]:
    """The headers of session events. Each station message is published twice, request and answer: state 1 takes it once."""
    actions = (*WAKING_ACTIONS, METERING_ACTION) if meter_values else WAKING_ACTIONS
    return tuple({"action": action, "state": "1", "origin": "cs"} for action in actions)


def bindings(meter_values: bool) -> tuple[dict[str, str], ...]:
    """The headers to bind on, for events and for what concerns commands."""
    return (*waking(meter_values), *SENT, *ANSWERED)


def is_sent(headers: Headers) -> bool:
    """Whether the message is the CSMS's request to a station."""
    return any(matches(headers, binding) for binding in SENT)


def is_answered(headers: Headers) -> bool:
    """Whether the message is a station's answer to such a request."""
    return any(matches(headers, binding) for binding in ANSWERED)


def matches(headers: Headers, binding: Mapping[str, str]) -> bool:
    """Whether a broker would route a message with these headers to this binding."""
    return all(headers.get(name) == value for name, value in binding.items())


def member(body: Body, name: str) -> Any:
    """A member of a body; the CSMS's own answers spell each name with an underscore before it."""
    return body[name] if name in body else body.get(f"_{name}")


def event_of(headers: Headers, body: Body, now: datetime) -> Event | None:
    """The event that a station's message tells of; `now` where it has no readable time; None if it names no station."""
    action, station_id = headers.get("action"), headers.get("stationId")
    if not isinstance(action, str) or not isinstance(station_id, str) or not station_id:
        return None
    payload = member(body, "payload")
    connector_id = payload.get("connectorId") if isinstance(payload, Mapping) else None
    return Event(
        action=action,
        station_id=station_id,
        at=_moment(headers.get("timestamp"), now),
        connector_id=connector_id if isinstance(connector_id, int) else None,
    )


def _moment(value: object, otherwise: datetime) -> datetime:
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return otherwise
    return parsed.astimezone(UTC) if parsed is not None and parsed.tzinfo is not None else otherwise
