"""What a building takes from the grid connection that it shares with EVs, and what it leaves of the site's limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.site import Circuit, Site

LESS = "less base load"
"""Says of a limit's source that it is what the building leaves."""

Amps = tuple[float, float, float]
"""On L1, L2 and L3."""


class Measures(StrEnum):
    """What flows through the meter."""

    GRID = "grid"
    BUILDING = "building"


class FeedIn(StrEnum):
    """What a base load below 0 means: a fault, nothing, or room above the site's own limit."""

    NONE = "none"
    CAPPED = "capped"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Load:
    """A load's power over all phases, and its current on each; None if the phases are not known. Import is positive."""

    kw: float
    amps: Amps | None = None


@dataclass(frozen=True, slots=True)
class BaseLoadState:
    """What the building is taken to draw, and how that is known.

    `age_s` is the age of the newest believed reading (None: there was none), `doubt` why the configured maximum counts
    instead, or what is wrong with readings; empty if nothing is. `metered_kw` is what the meter showed.
    """

    load: Load
    margin_kw: float
    fresh: bool
    age_s: float | None = None
    metered_kw: float | None = None
    doubt: str = ""


class BaseLoad(Protocol):
    """What else hangs on a grid connection. It never blocks and never fails; in doubt the building draws its maximum."""

    def left(self, group: str, site: Site, now: datetime) -> Site:
        """`site` with the limits of its grid connection as the building leaves them at `now`."""
        ...

    def least(self, group: str, site: Site) -> Site:
        """`site` as the building leaves it at its maximum: what holds while nobody watches."""
        ...

    def state(self, group: str, now: datetime) -> BaseLoadState | None:
        """For whoever looks on; None if nothing else hangs there."""
        ...


class NoBaseLoad:
    """A BaseLoad: nothing but EVs."""

    def left(self, group: str, site: Site, now: datetime) -> Site:  # noqa: ARG002 - always all of it
        return site

    def least(self, group: str, site: Site) -> Site:  # noqa: ARG002
        return site

    def state(self, group: str, now: datetime) -> BaseLoadState | None:  # noqa: ARG002
        return None


def without(site: Site, load: Load, margin_kw: float, voltage_v: float) -> Site:
    """`site` with `load` and a margin off the limits of its grid connection.

    A load of unknown phases counts in full on each. The margin's current is that of a third of it on each phase.
    """
    root = site.root
    limit = None
    if root.limit is not None:
        limit = LimitSeries(tuple(_less(step, load.kw + margin_kw) for step in root.limit.steps))
    taken_a = root.taken_a
    if root.limit_a is not None:
        one_phase_a = load.kw * 1000 / voltage_v
        own = load.amps or (one_phase_a, one_phase_a, one_phase_a)
        margin_a = margin_kw / 3 * 1000 / voltage_v
        taken_a = (own[0] + margin_a, own[1] + margin_a, own[2] + margin_a)
    lowered: Circuit = replace(root, limit=limit, taken_a=taken_a)
    return replace(site, circuits=(lowered, *site.circuits[1:]))


def _less(step: LimitStep, taken_kw: float) -> LimitStep:
    if step.limit_kw is None:
        return step
    return LimitStep(step.start, max(step.limit_kw - taken_kw, 0.0), f"{step.source} {LESS}")
