"""What others may want to hear of the stations' connections: webhooks, metrics, a user interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """One OCPP frame as it travelled: `origin` cs from the station, csms to it; `action` is "" when unreadable."""

    station_id: str
    origin: Literal["cs", "csms"]
    text: str
    action: str
    correlation_id: str
    timestamp: datetime
    protocol: str


def _ignore_station(station_id: str) -> None:
    del station_id


def _ignore_frame(frame: SeenFrame) -> None:
    del frame


@dataclass(frozen=True, slots=True)
class Observer:
    """Called in the order of events, for each station; must neither block nor raise."""

    on_connect: Callable[[str], None] = _ignore_station
    on_close: Callable[[str], None] = _ignore_station
    on_frame: Callable[[SeenFrame], None] = _ignore_frame
