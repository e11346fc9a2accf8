"""Stations whose link, memory, clock or word is bad. Pure."""

# ruff: noqa: ARG002 - a kind of fault needs only a part of what it is told

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from optivgi.model.charging_profile import ChargingProfile
from simulator.faults.fault import NEVER_S, Fault, Incident, Memory
from simulator.outputs import Output, StatusChanged
from simulator.profiles import STATION

ABSURD_CONNECTOR = 1_634_030_126
"""A number of connectors that a station in the field reported."""
LATE_ACTIONS = frozenset({"SetChargingProfile"})


class Forgets(Fault):
    """Loses every charging profile when this happens."""

    def __init__(self, when: Memory) -> None:
        self.forgets = frozenset({when})


class AnswersLate(Fault):
    """Does what SetChargingProfile says at once, and answers `for_s` later."""

    def __init__(self, for_s: float) -> None:
        self._for_s = for_s

    def answers_after_s(self, action: str) -> float:
        return self._for_s if action in LATE_ACTIONS else 0.0


class NeverAnswers(Fault):
    """Never answers SetChargingProfile; whether it does what that says is `applies`."""

    def __init__(self, *, applies: bool) -> None:
        self._applies = applies

    def answers_after_s(self, action: str) -> float:
        return NEVER_S if action in LATE_ACTIONS else 0.0

    def in_force(
        self, connector_id: int, profiles: tuple[ChargingProfile, ...], at: datetime
    ) -> tuple[ChargingProfile, ...]:
        return profiles if self._applies else ()


class Disconnects(Fault):
    """Its link is gone for `for_s`; it charges on."""

    def __init__(self, after_s: float, for_s: float) -> None:
        self.incidents = (Incident("cut", after_s, for_s),)


class Reboots(Fault):
    """Its power fails for a moment: it boots, and its transactions go on without their TxProfiles."""

    def __init__(self, after_s: float) -> None:
        self.incidents = (Incident("reboot", after_s),)


class ClockOff(Fault):
    """Its clock is wrong by `by_s`, in what it says and in when it follows a schedule; it does not take the CSMS's time."""

    def __init__(self, by_s: float) -> None:
        self.clock_offset_s = by_s


class ConnectorCountAbsurd(Fault):
    """Counts 1634030126 connectors, and tells the last one's status."""

    def keys(self) -> Mapping[str, str]:
        return {"NumberOfConnectors": str(ABSURD_CONNECTOR)}

    def said(self, output: Output) -> Iterable[Output]:
        yield output
        if isinstance(output, StatusChanged) and output.connector_id == STATION:
            yield StatusChanged(ABSURD_CONNECTOR, output.status, output.error_code, output.at)
