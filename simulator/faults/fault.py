"""Where a fault may act on a station: each kind overrides what it spoils, and several together act one after the other. Pure."""

# ruff: noqa: ARG002 - a kind of fault needs only a part of what it is told

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from optivgi.model.charging_profile import ChargingProfile
from simulator.connector import Connector
from simulator.outputs import MeterSampled, Output, StatusChanged, TransactionStarted, TransactionStopped
from simulator.profiles import STATION, Refusal

NEVER_S = math.inf
"""The delay of an answer that does not come."""

Memory = Literal["reconnect", "reboot"]
"""What makes a station forget its profiles."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that befalls the station at an instant: its link is cut for a while, or its power is."""

    kind: Literal["cut", "reboot"]
    after_s: float
    for_s: float = 0.0


class Fault:
    """A station without fault. Connector numbers are OCPP's: 0 is the whole station."""

    clock_offset_s: float = 0.0
    """How far the station's clock is ahead of the true time."""
    incidents: tuple[Incident, ...] = ()
    forgets: frozenset[Memory] = frozenset()

    def keys(self) -> Mapping[str, str]:
        """Configuration keys that say something else than they should."""
        return {}

    def refusal(self, profile: ChargingProfile) -> Refusal | None:
        """Why a profile that OCPP allows is rejected."""
        return None

    def changed(self, connector_id: int, profile: ChargingProfile, at: datetime) -> Sequence[datetime]:
        """A profile was accepted; the instants at which what is offered must be worked out again."""
        return ()

    def in_force(
        self, connector_id: int, profiles: tuple[ChargingProfile, ...], at: datetime
    ) -> tuple[ChargingProfile, ...]:
        """The installed profiles that count."""
        return profiles

    def offered_a(self, connector: Connector, offered_a: float, most_a: float, at: datetime) -> float:
        """What is offered instead of `offered_a`; `most_a` is what the connector is built for."""
        return offered_a

    def said(self, output: Output) -> Iterable[Output]:
        """What is said instead of `output`."""
        return (output,)

    def answers_after_s(self, action: str) -> float:
        """How long the answer to a CALL takes; NEVER_S: it does not come."""
        return 0.0


class Faults(Fault):
    """All faults of one station. `given` pairs each with the only connector that it concerns, or None for every one."""

    def __init__(self, given: Iterable[tuple[int | None, Fault]] = ()) -> None:
        self._given = tuple(given)
        self._connector_of: dict[int, int] = {}
        self.clock_offset_s = sum(fault.clock_offset_s for _, fault in self._given)
        self.incidents = tuple(incident for _, fault in self._given for incident in fault.incidents)
        self.forgets = frozenset().union(*(fault.forgets for _, fault in self._given))

    def keys(self) -> Mapping[str, str]:
        return {name: value for _, fault in self._given for name, value in fault.keys().items()}

    def refusal_at(self, connector_id: int, profile: ChargingProfile) -> Refusal | None:
        """Why a profile for this connector is rejected, or None."""
        refusals = (fault.refusal(profile) for fault in self._of(connector_id))
        return next((refusal for refusal in refusals if refusal is not None), None)

    def changed(self, connector_id: int, profile: ChargingProfile, at: datetime) -> Sequence[datetime]:
        return [moment for fault in self._of(connector_id) for moment in fault.changed(connector_id, profile, at)]

    def in_force(
        self, connector_id: int, profiles: tuple[ChargingProfile, ...], at: datetime
    ) -> tuple[ChargingProfile, ...]:
        for fault in self._of(connector_id):
            profiles = fault.in_force(connector_id, profiles, at)
        return profiles

    def offered_a(self, connector: Connector, offered_a: float, most_a: float, at: datetime) -> float:
        for fault in self._of(connector.connector_id):
            offered_a = fault.offered_a(connector, offered_a, most_a, at)
        return offered_a

    def said(self, output: Output) -> Iterable[Output]:
        outputs = [output]
        for fault in self._of(self._place(output)):
            outputs = [said for one in outputs for said in fault.said(one)]
        return outputs

    def answers_after_s(self, action: str) -> float:
        return max((fault.answers_after_s(action) for _, fault in self._given), default=0.0)

    def _of(self, connector_id: int) -> Iterator[Fault]:
        return (fault for place, fault in self._given if place is None or connector_id in (STATION, place))

    def _place(self, output: Output) -> int:
        if isinstance(output, TransactionStarted):
            self._connector_of[output.tx] = output.connector_id
        if isinstance(output, TransactionStopped):
            return self._connector_of.pop(output.tx, STATION)
        return output.connector_id if isinstance(output, TransactionStarted | MeterSampled | StatusChanged) else STATION
