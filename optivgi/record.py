"""What happened in one scheduling cycle, for whoever watches: the log, the metrics, a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from optivgi.account import Key
from optivgi.alarm import Alarm
from optivgi.leadership import Standing
from optivgi.limits.base_load import BaseLoadState
from optivgi.model.ev import EV
from optivgi.model.limit_series import LimitStep
from optivgi.model.plan import Reason
from optivgi.model.snapshot import RefusedEV, Snapshot
from optivgi.outlook import NextChange
from optivgi.reconcile import Finding
from optivgi.translation.base import Event, Outcome


@dataclass(frozen=True, slots=True)
class EVDecision:
    """What one EV is to have now, as it can be sent, and why."""

    ev: EV
    target_kw: float
    reason: Reason
    next_change: NextChange | None = None
    """When the plan changes it, if nothing unforeseen happens."""
    part: float = 1.0
    """The most of it that the EV draws."""


@dataclass(frozen=True, slots=True)
class OutOfControl:
    """An EV whose station takes no commands now; others are planned around `counted_kw`."""

    ev_id: str
    station_id: str
    counted_kw: float
    reason: str


@dataclass(frozen=True, slots=True)
class FallBack:
    """What an EV has without control in the end: `power_kw`, from `at` on by its charger's own clock."""

    at: datetime
    power_kw: float


@dataclass(slots=True)
class CycleRecord:
    """One cycle of one station group. `outcomes` and `fall_backs` change while stations answer; all else is final.

    Records are kept for a while, so they hold what is told of a cycle and no more: not the plan's arrays, and the snapshot
    only in the newest one. `algorithm` is whose plan it is, empty if there is none. `unreadable` says why the facts are not fresh, `undecided` why there is no new plan; both are empty if all is well.
    """

    group: str
    number: int
    at: datetime
    reasons: tuple[str, ...]
    snapshot: Snapshot | None = None
    facts_age_s: float | None = None
    unreadable: str = ""
    undecided: str = ""
    limit: LimitStep | None = None
    algorithm: str = ""
    notes: tuple[str, ...] = ()
    base_load: BaseLoadState | None = None
    """What else hangs on the grid connection; None if nothing does."""
    decisions: tuple[EVDecision, ...] = ()
    refused: tuple[RefusedEV, ...] = ()
    out_of_control: tuple[OutOfControl, ...] = ()
    unprotected: tuple[Key, ...] = ()
    """Connectors of stations that are away, at which a car would start at full power for all that is known."""
    alarms: tuple[Alarm, ...] = ()
    """What meters and stations show to be wrong now."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Kinds of stations that take profiles only in a form of their own, and that form in words."""
    commands: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    fall_backs: Mapping[str, FallBack] = field(default_factory=dict)
    """By EV, where the profile that its station confirmed last ends; without those that are at their share already."""
    hops_ms: dict[str, float] = field(default_factory=dict)
    """Real milliseconds of each hop: read, frame, decide, dispatch; answer is until the last station's answer."""

    @property
    def allocated_kw(self) -> float:
        return sum(decision.target_kw * decision.part for decision in self.decisions)

    @property
    def requested_kw(self) -> float:
        """What the EVs that still need energy would draw without a limit."""
        return sum(
            decision.ev.max_kw * decision.part for decision in self.decisions if decision.ev.energy_needed_kwh > 0
        )


class Observer(Protocol):
    """Is told what happens. It must not block and must not raise."""

    def event(self, event: Event) -> None:
        """A station's event arrived."""
        ...

    def cycle(self, record: CycleRecord) -> None:
        """A cycle planned, and its first commands are on their way."""
        ...

    def outcome(self, group: str, outcome: Outcome) -> None:
        """A station answered a command, or did not."""
        ...

    def protected(self, group: str, connectors: int) -> None:
        """Every connected station of the group has its safe start now."""
        ...

    def read_back(self, group: str, finding: Finding) -> None:
        """A connector was asked what it has installed."""
        ...

    def standing(self, group: str, standing: Standing) -> None:
        """This optimizer leads the group from now on, or waits, or why it does is new. Not called without a lease."""
        ...

    def crashed(self, where: str) -> None:
        """Something went wrong that nobody foresaw; the service goes on."""
        ...


class Bystander:
    """An Observer whom nothing concerns: for those whom one thing does."""

    def event(self, event: Event) -> None:
        """See Observer."""

    def cycle(self, record: CycleRecord) -> None:
        """See Observer."""

    def outcome(self, group: str, outcome: Outcome) -> None:
        """See Observer."""

    def protected(self, group: str, connectors: int) -> None:
        """See Observer."""

    def read_back(self, group: str, finding: Finding) -> None:
        """See Observer."""

    def standing(self, group: str, standing: Standing) -> None:
        """See Observer."""

    def crashed(self, where: str) -> None:
        """See Observer."""
