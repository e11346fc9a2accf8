"""The instants in OCPP 1.6 payloads, as a station with a wrong clock writes and reads them. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from simulator.errors import PayloadError
from simulator.payloads16 import moment_from_wire, timestamp

INSTANTS = frozenset(
    {
        "timestamp",
        "startSchedule",
        "scheduleStart",
        "validFrom",
        "validTo",
        "expiryDate",
        "retrieveDate",
        "startTime",
        "stopTime",
    }
)


def shifted(payload: Any, seconds: float) -> Any:
    """The same payload with every instant in it `seconds` later; what is no instant is left to the schema."""
    if isinstance(payload, dict):
        return {
            name: _later(name, value, seconds)
            if name in INSTANTS and isinstance(value, str)
            else shifted(value, seconds)
            for name, value in payload.items()
        }
    if isinstance(payload, list):
        return [shifted(one, seconds) for one in payload]
    return payload


def _later(name: str, text: str, seconds: float) -> str:
    try:
        return timestamp(moment_from_wire(name, text) + timedelta(seconds=seconds))
    except (PayloadError, OverflowError):
        return text
