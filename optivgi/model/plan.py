"""What a planning algorithm decided, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from optivgi.model.problem import Floats


class Binding(StrEnum):
    """What holds an EV's power where it is in the current cell."""

    OWN_MAXIMUM = "own maximum"
    ENERGY_COMPLETE = "energy complete"
    CIRCUIT = "circuit"
    PAUSED = "paused"
    STEP = "step"
    UNBALANCE = "unbalance"
    PRIORITY = "priority"
    PRICE = "price"
    REFUSED = "refused"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an EV has the power that it has now; `text` is for a site manager."""

    binding: Binding
    text: str
    circuit_id: str | None = None
    phase: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Powers for every EV and cell of a Problem, in the Problem's order. `shortfall_kwh` is what it cannot deliver."""

    algorithm: str
    power_kw: Floats
    """[S, K]."""
    energy_kwh: Floats
    """[S], delivered by this plan."""
    shortfall_kwh: Floats
    """[S]."""
    reasons: tuple[Reason, ...]
    """[S], for the first cell."""
    notes: tuple[str, ...] = ()
    """What a site manager should know: who is paused and why, which rung of the ladder was used."""
