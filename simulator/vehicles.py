"""Many EVs at once, each drawing what a `Vehicle` would: the same physics in arrays, for studies of whole fleets. Pure.

An array per quantity, one place per EV. It differs from `Vehicle` only while an EV ramps towards an acceptance that falls
meanwhile: there it aims at the acceptance of the ramp's beginning, a matter of watts for seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from simulator.vehicle import KNEE_SOC, VehicleSpec

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

TAPER = 1 - KNEE_SOC
SAME_KW = 1e-7
"""Powers that differ by less are the same."""
ROOMY_KWH = 60.0
"""The capacity of a battery of which nobody said how large it is."""
_HOUR = 3600.0
_TINY = 1e-12


class Vehicles:
    """EVs at EVSEs whose phases are all switched on. `soc` is 0..1, `power_kw` what each draws now."""

    def __init__(self, specs: Sequence[VehicleSpec], soc: Sequence[float]) -> None:
        column = {
            one.name: np.array([getattr(spec, one.name) for spec in specs], dtype=np.float64)
            for one in fields(VehicleSpec)
        }
        self._max_kw, self._target = column["max_charge_rate_kw"], column["target_soc"]
        self._min_kw = column["min_current_a"] * column["voltage_v"] * column["phases"] / 1000
        self._kwh_per_soc = column["capacity_kwh"] / column["efficiency"]
        self._cutoff, self._up_kw_per_s = column["cutoff"], column["ramp_up_kw_per_s"]
        with np.errstate(divide="ignore"):
            self._down_kw_per_s = self._max_kw / column["ramp_down_s"]
        self._straight_soc = np.minimum(self._target, KNEE_SOC) - _TINY
        self.soc: Floats = np.array(soc, dtype=np.float64)
        self.power_kw: Floats = np.zeros(len(specs))

    @classmethod
    def that_need(
        cls, energy_kwh: Floats, max_kw: Floats, min_kw: Floats, capacity_kwh: Floats, *, to_the_top: bool
    ) -> Vehicles:
        """Single-phase EVs that take `energy_kwh` from their EVSE until they stop, at most `max_kw`, from `min_kw` on.

        `to_the_top`: they charge until they are full, so that their acceptance falls towards the end; otherwise they stop
        where it would begin to fall. `capacity_kwh` nan is not known; one too small for the energy is made to fit.
        """
        target = 1.0 if to_the_top else KNEE_SOC
        plain = VehicleSpec(capacity_kwh=1.0, max_charge_rate_kw=1.0)
        into_kwh = energy_kwh * plain.efficiency
        capacity = np.maximum(np.where(np.isnan(capacity_kwh), ROOMY_KWH, capacity_kwh), into_kwh / target)
        specs = [
            VehicleSpec(
                capacity_kwh=size,
                max_charge_rate_kw=most,
                target_soc=target,
                min_current_a=least * 1000 / plain.watts_per_ampere,
            )
            for size, most, least in zip(capacity.tolist(), max_kw.tolist(), min_kw.tolist(), strict=True)
        ]
        return cls(specs, np.maximum(target - into_kwh / capacity, 0.0).tolist())

    @property
    def wants_energy(self) -> Bools:
        """[S], whether its target is not reached yet."""
        wants: Bools = self.soc < self._target - _TINY
        return wants

    @property
    def energy_to_target_kwh(self) -> Floats:
        """[S], what the EVSE still has to deliver, losses included."""
        energy: Floats = np.maximum(0.0, self._target - self.soc) * self._kwh_per_soc
        return energy

    def seconds_to_target_at_least(self, rows: Ints, offered_kw: Floats) -> Floats:
        """A time [N] before which the EVs at `rows` [N] cannot reach their target under offers [N]; inf if they draw nothing."""
        missing = self._target[rows] - self.soc[rows]
        power = np.maximum(self.power_kw[rows], self._goal_kw(rows, offered_kw))
        seconds = np.full(len(rows), np.inf)
        np.divide(missing * self._kwh_per_soc[rows] * _HOUR, power, out=seconds, where=(missing > _TINY) & (power > 0))
        return seconds

    def ramps(self, rows: Ints, offered_kw: Floats) -> tuple[Floats, Floats]:
        """(the power [N] that the EVs at `rows` [N] are heading for under offers [N], in how many seconds [N])."""
        goal, before = self._goal_kw(rows, offered_kw), self.power_kw[rows]
        return goal, (goal - before) / np.where(goal > before, self._up_kw_per_s[rows], -self._down_kw_per_s[rows])

    def advance(self, rows: Ints, seconds: float | Floats, offered_kw: Floats) -> Floats:
        """Lets `seconds` pass for the EVs at `rows` [N] under offers [N]; the energy that each drew, in kWh [N]."""
        left = np.broadcast_to(np.asarray(seconds, dtype=np.float64), rows.shape).copy()
        energy, straight = self._straight(rows, left, offered_kw)
        at = np.flatnonzero(~straight & (left > _TINY))
        while len(at):
            took, drawn = self._piece(rows[at], left[at], offered_kw[at])
            energy[at] += drawn
            left[at] -= took
            at = at[left[at] > _TINY]
        return energy

    def _straight(self, rows: Ints, left: Floats, offered_kw: Floats) -> tuple[Floats, Bools]:
        """All of `left` at once for the EVs that reach neither their target nor the knee: (energy [N], for whom [N])."""
        goal, needed = self.ramps(rows, offered_kw)
        before, soc = self.power_kw[rows], self.soc[rows]
        whole = needed <= left
        after = goal
        if not whole.all():
            part = left / np.where(whole, 1.0, needed)
            after = np.where(whole, goal, before + (goal - before) * part)
        energy = (after * left + (before - after) / 2 * np.minimum(needed, left)) / _HOUR
        filled = soc + energy / self._kwh_per_soc[rows]
        straight = (filled < self._straight_soc[rows]) | (energy == 0)
        chosen = rows if straight.all() else rows[straight]
        self.power_kw[chosen], self.soc[chosen] = (
            (after, filled) if chosen is rows else (after[straight], filled[straight])
        )
        return np.where(straight, energy, 0.0), straight

    def _piece(self, rows: Ints, left: Floats, offered_kw: Floats) -> tuple[Floats, Floats]:
        """Follows one piece of each EV's motion: its length in seconds (<= left) and the energy drawn in it."""
        before, wants = self.power_kw[rows], self.wants_energy[rows]
        offer, acceptance = self._usable_kw(rows, offered_kw), self._acceptance_kw(rows)
        goal = np.minimum(offer, acceptance)
        took, drawn = left.copy(), np.zeros(len(rows))
        ramps = np.abs(goal - before) > SAME_KW
        for chosen, follow in (
            (np.flatnonzero(ramps), self._ramp),
            (np.flatnonzero(~ramps & (goal > 0)), self._cruise),
        ):
            if len(chosen):
                took[chosen], drawn[chosen] = follow(
                    rows[chosen], left[chosen], goal[chosen], offer[chosen], acceptance[chosen]
                )
        idle = ~ramps & (goal <= 0)
        self.power_kw[rows[idle]] = 0.0
        self.power_kw[rows[wants & ~self.wants_energy[rows]]] = 0.0
        return took, drawn

    def _usable_kw(self, rows: Ints, offered_kw: Floats) -> Floats:
        charges = (self.soc[rows] < self._target[rows] - _TINY) & (offered_kw >= self._min_kw[rows] - 1e-9)
        usable: Floats = np.where(charges, np.minimum(offered_kw, self._max_kw[rows]), 0.0)
        return usable

    def _acceptance_kw(self, rows: Ints) -> Floats:
        """The most that their batteries take now."""
        share = np.minimum(np.maximum((1 - self.soc[rows]) / TAPER, self._cutoff[rows]), 1.0)
        acceptance: Floats = share * self._max_kw[rows]
        return acceptance

    def _goal_kw(self, rows: Ints, offered_kw: Floats) -> Floats:
        return np.minimum(self._usable_kw(rows, offered_kw), self._acceptance_kw(rows))

    def _ramp(
        self, rows: Ints, left: Floats, goal: Floats, _offer: Floats, _acceptance: Floats
    ) -> tuple[Floats, Floats]:
        """A straight line towards `goal`, cut short where the target is reached."""
        before = self.power_kw[rows]
        rate = np.where(goal > before, self._up_kw_per_s[rows], -self._down_kw_per_s[rows])
        needed = (goal - before) / rate
        took = np.minimum(needed, left)
        after = np.where(took >= needed, goal, before + np.where(took < needed, rate, 0.0) * took)
        energy = (before + after) / 2 * took / _HOUR
        full = self.energy_to_target_kwh[rows]
        stops = (full > 0) & (full <= energy)
        if stops.any():
            slope = (after - before)[stops] / took[stops]
            root = np.sqrt(before[stops] ** 2 + 2 * slope * full[stops] * _HOUR)
            took[stops] = (root - before[stops]) / slope
            energy[stops] = full[stops]
        self.power_kw[rows] = after
        self._fill(rows, energy, stops)
        return took, energy

    def _cruise(
        self, rows: Ints, left: Floats, goal: Floats, offer: Floats, acceptance: Floats
    ) -> tuple[Floats, Floats]:
        """A piece at constant power, or along the battery's falling acceptance, until the next of these begins."""
        missing, end = 1 - self.soc[rows], 1 - self._target[rows]
        cutoff, most = self._cutoff[rows], self._max_kw[rows]
        tail, share = TAPER * cutoff, offer / most
        limited = offer < acceptance - _TINY
        stop = np.where(missing > TAPER + _TINY, TAPER, 0.0)
        stop = np.where(limited, np.where(share > cutoff, TAPER * share, 0.0), stop)
        stop = np.maximum(stop, end)
        falls = ~limited & (missing <= TAPER + _TINY) & (missing > tail + _TINY)

        per_soc = self._kwh_per_soc[rows]
        self.power_kw[rows] = goal
        full = np.maximum(0.0, missing - stop) * per_soc
        took = full / goal * _HOUR
        reaches = took <= left
        energy = np.where(reaches, full, goal * left / _HOUR)
        if falls.any():
            stop = np.where(falls, np.maximum(end, tail), stop)
            slope_per_s = most[falls] / (TAPER * per_soc[falls]) / _HOUR
            whole = np.log(missing[falls] / stop[falls]) / slope_per_s
            took[falls], reaches[falls] = whole, whole <= left[falls]
            reached = np.where(reaches[falls], stop[falls], missing[falls] * np.exp(-slope_per_s * left[falls]))
            energy[falls] = (missing[falls] - reached) * per_soc[falls]
        self._fill(rows, energy, reaches & (stop == end))
        here = reaches & (stop != end)
        self.soc[rows[here]] = 1 - stop[here]
        falling = rows[falls]
        self.power_kw[falling] = self._acceptance_kw(falling)
        return np.minimum(took, left), energy

    def _fill(self, rows: Ints, energy_kwh: Floats, done: Bools) -> None:
        """The charge after `energy_kwh` from the EVSE; exactly the target where that is `done`."""
        filled = np.minimum(1.0, self.soc[rows] + energy_kwh / self._kwh_per_soc[rows])
        self.soc[rows] = np.where(done, self._target[rows], filled)
