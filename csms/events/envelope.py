"""Envelopes as the event exchange carries them: string headers and a JSON body, in the names that CitrineOS uses.

CitrineOS writes its own answers to stations with a leading underscore on each name and everything else with plain
names; both kinds are read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from csms.errors import EventMalformed
from csms.ports import Envelope, Json

ROUTER = "router"
"""The event group of everything a station sends and of the CSMS's answers to it."""


def headers_of(envelope: Envelope) -> dict[str, str]:
    """The eight headers of an event; every value is a string, as header bindings compare strings."""
    return {
        "origin": envelope.origin,
        "eventGroup": envelope.event_group,
        "action": envelope.action,
        "state": str(envelope.state),
        "stationId": envelope.station_id,
        "correlationId": envelope.correlation_id,
        "tenantId": str(envelope.tenant_id),
        "timestamp": to_wire_time(envelope.timestamp),
    }


def body_of(envelope: Envelope) -> Json:
    """The JSON body of an event; an answer of the CSMS to a station has underscored names."""
    context = {
        "stationId": envelope.station_id,
        "correlationId": envelope.correlation_id,
        "tenantId": envelope.tenant_id,
        "timestamp": to_wire_time(envelope.timestamp),
    }
    if envelope.origin == "csms" and envelope.state == 2:
        return {
            "_origin": envelope.origin,
            "_eventGroup": envelope.event_group,
            "_action": envelope.action,
            "_state": envelope.state,
            "_context": context,
            "_payload": envelope.payload,
            "_protocol": envelope.protocol,
        }
    return {
        "origin": envelope.origin,
        "eventGroup": envelope.event_group,
        "action": envelope.action,
        "context": context,
        "state": envelope.state,
        "protocol": envelope.protocol,
        "payload": envelope.payload,
    }


def parse(body: Mapping[str, Any]) -> Envelope:
    """The envelope that `body` carries, with plain or underscored names; raises EventMalformed naming the field."""
    context = _member(body, "context", dict)
    return Envelope(
        origin=_origin(_member(body, "origin", str)),
        event_group=_member(body, "eventGroup", str),
        action=_member(body, "action", str),
        state=_state(_member(body, "state", int)),
        station_id=_member(context, "stationId", str),
        correlation_id=_member(context, "correlationId", str),
        timestamp=from_wire_time(_member(context, "timestamp", str)),
        protocol=_member(body, "protocol", str),
        payload=_member(body, "payload", dict),
        tenant_id=_member(context, "tenantId", int),
    )


def to_wire_time(instant: datetime) -> str:
    """`instant` in UTC with milliseconds and a Z, rounded down: "2026-11-20T23:16:24.172Z"."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def from_wire_time(text: str) -> datetime:
    """Aware UTC; raises EventMalformed when `text` is no ISO 8601 instant with an offset."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise EventMalformed(f"timestamp is {text!r}; an ISO 8601 instant is needed") from error
    if instant.tzinfo is None:
        raise EventMalformed(f"timestamp is {text!r}; it needs an offset from UTC, such as Z")
    return instant.astimezone(UTC)


def _member(source: Mapping[str, Any], name: str, kind: type) -> Any:
    value = source[name] if name in source else source.get(f"_{name}")
    if not isinstance(value, kind) or isinstance(value, bool):
        raise EventMalformed(f"{name} of an event is {value!r}; a {kind.__name__} is needed")
    return value


def _origin(text: str) -> Literal["cs", "csms"]:
    match text:
        case "cs":
            return "cs"
        case "csms":
            return "csms"
    raise EventMalformed(f"origin of an event is {text!r}; it is cs or csms")


def _state(number: int) -> Literal[1, 2]:
    match number:
        case 1:
            return 1
        case 2:
            return 2
    raise EventMalformed(f"state of an event is {number}; it is 1 for a request or 2 for an answer")
