"""What a handler is given beside the message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from csms.handlers.meter_reports import MeterReports
from csms.rules.boot import BootPolicy
from csms.store.database import Database

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """The station that speaks, the moment its message came in, and where to keep what it said."""

    station_id: str
    received: datetime
    db: Database
    meters: MeterReports
    boot_policy: BootPolicy


@dataclass(frozen=True, slots=True)
class Exchange:
    """A CALL of ours and the CALLRESULT that the station gave."""

    correlation_id: str
    request: Json
    response: Json


Handler = Callable[[Json, Context], Awaitable[Json]]
"""Answers a station's request. Raises CallRefused for a CALLERROR, DatabaseUnreachable when nothing could be kept.

A handler never waits for a call to its own station: that station's messages are handled one after the other.
"""

AfterAnswer = Callable[[Exchange, Context], Awaitable[None]]
"""Records what a station's answer has changed."""
