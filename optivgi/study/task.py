"""What is replayed: sessions at a site under an algorithm and a tariff, and the physics that they obey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from optivgi.model.framing import Price
from optivgi.model.problem import Bools, Floats, Ints
from optivgi.model.site import Site
from optivgi.study.session import Session

UNCONTROLLED = "uncontrolled"
"""Instead of an algorithm: every EV may always draw its maximum."""


class Cars(Protocol):
    """The physics of many EVs at once; `rows` [N] choose those that are plugged in."""

    power_kw: Floats

    @property
    def wants_energy(self) -> Bools: ...

    def seconds_to_target_at_least(self, rows: Ints, offered_kw: Floats) -> Floats: ...

    def ramps(self, rows: Ints, offered_kw: Floats) -> tuple[Floats, Floats]:
        """(the power [N] that they are heading for in straight lines, in how many seconds [N])."""
        ...

    def advance(self, rows: Ints, seconds: float | Floats, offered_kw: Floats) -> Floats: ...


class Physics(Protocol):
    """Builds EVs that take the energies [S] when offered enough; capacity nan is not known. Must survive pickling."""

    def __call__(
        self, energy_kwh: Floats, max_kw: Floats, min_kw: Floats, capacity_kwh: Floats, *, to_the_top: bool
    ) -> Cars: ...


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How the loop is closed. `taper`: EVs charge until full, with falling power, which planning does not foresee."""

    replan_s: float = 300.0
    settle_s: float = 5.0
    lead_s: float = 10.0
    assumed_stay_s: float = 8 * 3600.0
    taper: bool = False
    voltage_v: float = 240.0


@dataclass(frozen=True, slots=True)
class Task:
    """One stretch of sessions under one algorithm, site and tariff: what is sent to a worker.

    The limits of the site's circuits and the prices are known for the whole stretch and as far beyond as plans look.
    """

    sessions: tuple[Session, ...]
    algorithm: str
    site: Site
    prices: tuple[Price, ...]
    demand_charge_per_kw: float
    settings: ReplaySettings
    physics: Physics
