"""The planning problem as arrays: pure data, shapes and units stated, nothing about OCPP or where it came from.

Letters for shapes: S EVs, K cells of the time grid, C circuits, 3 phases L1 L2 L3.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

PHASES = ("L1", "L2", "L3")
_PER_EV = (
    "stay_h",
    "need_kwh",
    "min_kw",
    "max_kw",
    "volts",
    "on_phase",
    "lines",
    "circuit",
    "priority",
    "delivered_kwh",
    "measured_kw",
    "current_kw",
    "waiting_s",
    "running_s",
    "pausable",
    "step_kw",
    "arrival_s",
    "departure_s",
    "departure_known",
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be planned. Cell k lasts from `edges_s[k]` to `edges_s[k + 1]` seconds after `now`.

    Every EV's power in a cell where it is present is 0 or between its minimum and maximum; where it is absent it is 0. Limits
    hold at every instant of a cell, so a power counts against them in the whole cell even if its EV comes late or leaves early.
    In each cell and circuit the EVs below it stay within `limit_kw` and, on each phase, within `limit_a`.
    `np.inf` is no limit; `np.nan` is not known. Circuit 0 is the root; `parent[0]` is -1 and parents come before children.
    """

    now: datetime
    edges_s: Floats
    """[K+1], first 0, strictly increasing."""
    ev_ids: tuple[str, ...]
    """[S], unique."""
    stay_h: Floats
    """[S, K], how long in the cell it is plugged in (or expected): its power holds, and counts, for that long."""
    need_kwh: Floats
    """[S], still to deliver, >= 0."""
    min_kw: Floats
    """[S], least power other than 0."""
    max_kw: Floats
    """[S], >= min_kw."""
    volts: Floats
    """[S], watts per ampere of one phase (phase voltage)."""
    on_phase: Bools
    """[S, 3], the phases it may draw from."""
    lines: Ints
    """[S], over how many phases its power is split evenly; fewer than it has in `on_phase` if nobody knows which."""
    circuit: Ints
    """[S], the circuit its EVSE hangs on."""
    priority: Floats
    """[S], weight of its claim, > 0; 1 is normal."""
    delivered_kwh: Floats
    """[S], already delivered in this transaction."""
    measured_kw: Floats
    """[S], newest metered power; nan if never metered."""
    current_kw: Floats
    """[S], power its installed profile allows now; nan if it has none."""
    waiting_s: Floats
    """[S], how long it has been paused at 0 against its need; 0 if it is not."""
    running_s: Floats
    """[S], how long it has been allowed to charge without a pause; 0 if it is not, np.inf if nobody knows."""
    pausable: Bools
    """[S], whether 0 is allowed (pause); False means at least min_kw whenever present with need."""
    step_kw: Floats
    """[S], its power is a whole multiple of this; 0 means any value."""
    arrival_s: Floats
    """[S], when it came (negative) or is expected, in seconds after `now`."""
    departure_s: Floats
    """[S], when it leaves, in seconds after `now`; may lie beyond the last edge."""
    departure_known: Bools
    """[S], whether somebody stated the departure, and it is not past."""
    circuit_ids: tuple[str, ...]
    """[C]."""
    parent: Ints
    """[C], index of the circuit above, -1 for the root."""
    limit_kw: Floats
    """[C, K]."""
    limit_a: Floats
    """[C, K], per phase."""
    limit_source: tuple[str, ...]
    """[C], who set the limit of the first cell, in words ("site limit", "demand response", "panel A fuse")."""
    price_per_kwh: Floats
    """[K]; zeros when prices play no part."""
    unbalance_kw: float = np.inf
    """Largest allowed difference of power between two phases at the root."""
    demand_charge_per_kw: float = 0.0
    """Cost of the month's highest mean over a billing window, per kW."""
    peak_so_far_kw: float = 0.0
    """The month's highest mean over a billing window until now."""
    window_so_far_kwh: float = 0.0
    """What the site has drawn since the running billing window began."""
    taken_a: Floats = field(default_factory=lambda: np.zeros((1, len(PHASES))))
    """[C, 3] or [1, 3], amperes of `limit_a` that others than EVs draw on each phase, in every cell."""

    def room_a(self, phase: int) -> Floats:
        """[C, K], what EVs may draw on a phase, in amperes."""
        room: Floats = np.maximum(self.limit_a - self.taken_a[:, phase, None], 0.0)
        return room

    def coarser(self, most_cells: int) -> Problem:
        """The same problem with neighbouring cells merged to at most `most_cells`, the first one kept: limits and prices are
        means over the merged cells. For energies, not for powers: within a cell, limits may be exceeded for a while.
        """
        cells = len(self.edges_s) - 1
        if cells <= most_cells:
            return self
        first = np.concatenate(([0], np.unique(np.linspace(1, cells, most_cells, dtype=np.int64)[:-1])))
        hours = np.add.reduceat(self.hours, first)
        return replace(
            self,
            edges_s=np.concatenate((self.edges_s[first], self.edges_s[-1:])),
            stay_h=np.add.reduceat(self.stay_h, first, axis=1),
            limit_kw=np.add.reduceat(self.limit_kw * self.hours, first, axis=1) / hours,
            limit_a=np.add.reduceat(self.limit_a * self.hours, first, axis=1) / hours,
            price_per_kwh=np.add.reduceat(self.price_per_kwh * self.hours, first) / hours,
        )

    @property
    def amps_per_kw(self) -> Floats:
        """[S, 3], current on each phase for 1 kW; an EV of unknown phases counts in full on each that it may use."""
        amps: Floats = self.on_phase * (1000.0 / (self.volts * self.lines))[:, None]
        return amps

    def take(self, order: Ints) -> Problem:
        """The same problem with the EVs at positions `order`, in that order."""
        per_ev = {name: getattr(self, name)[order] for name in _PER_EV}
        return replace(self, ev_ids=tuple(self.ev_ids[position] for position in order), **per_ev)

    @property
    def present(self) -> Bools:
        """[S, K], whether it is there in the cell."""
        return self.stay_h > 0

    def energy_kwh(self, power_kw: Floats) -> Floats:
        """[S], what powers [S, K] amount to while the EVs are there."""
        energy: Floats = np.einsum("sk,sk->s", power_kw, self.stay_h)
        return energy

    @property
    def least_kw(self) -> Floats:
        """[S], the least power other than 0 that is a whole step."""
        whole = np.where(self.step_kw > 0, self.step_kw, 1.0)
        least: Floats = np.where(
            self.step_kw > 0, np.maximum(np.ceil(self.min_kw / whole - 1e-9), 1.0) * whole, self.min_kw
        )
        return least

    @property
    def hours(self) -> Floats:
        """[K], length of each cell."""
        return np.diff(self.edges_s) / 3600.0
