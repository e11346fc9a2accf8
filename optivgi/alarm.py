"""What a site manager must be told about connectors and circuits. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from optivgi.account import Key


class AlarmKind(StrEnum):
    """What is wrong."""

    OVERLOAD = "overload"
    OVERDRAW = "overdraw"
    NO_PAUSE = "no pause"
    SPIKES = "spikes"
    ASLEEP = "asleep"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a site manager must know. `text` says what, and what is done about it.

    Of a circuit, `key` is its name with 0, and there is no EV.
    """

    kind: AlarmKind
    key: Key
    ev_id: str
    text: str

    @property
    def about(self) -> str:
        """Whom or what it concerns."""
        return f"EV {self.ev_id} at {self.key[0]}" if self.ev_id else self.key[0]
