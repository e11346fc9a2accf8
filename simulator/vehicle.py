"""An EV's battery and on-board charger: what it draws from what it is offered. Pure; exact piece by piece, without steps.

Below 80 % state of charge it takes what it is offered up to its maximum (constant current); above, what it accepts falls
in proportion to the charge that is missing (constant voltage), which makes the charge approach its end exponentially. It
rises and falls towards its power in straight lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

KNEE_SOC = 0.8
"""Where the acceptance of the battery starts to fall."""
RAMP_STEP_S = 0.05
"""A ramp is followed in steps this long while the power that it heads for moves itself."""
_HOUR = 3600.0
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class VehicleSpec:
    """An EV as it is built. Powers are drawn from the EVSE, before the losses of the on-board charger.

    `cutoff` is the smallest acceptance as a share of the maximum, so that a full charge is reached in finite time.
    `share` is what it takes of what it could take.
    """

    capacity_kwh: float
    max_charge_rate_kw: float
    target_soc: float = 1.0
    phases: int = 1
    voltage_v: float = 240.0
    min_current_a: float = 6.0
    efficiency: float = 0.92
    cutoff: float = 0.05
    ramp_up_kw_per_s: float = 2.0
    ramp_down_s: float = 1.0
    share: float = 1.0

    @property
    def watts_per_ampere(self) -> float:
        """Watts that one ampere per phase stands for."""
        return self.voltage_v * self.phases


@dataclass(frozen=True, slots=True)
class Drawn:
    """What happened while time passed: energy from the EVSE and, if it stopped by itself, after how many seconds."""

    energy_kwh: float
    stopped_after_s: float | None = None


class Vehicle:
    """One EV at one EVSE. `soc` is 0..1, `power_kw` what it draws now, `phases` those that the EVSE has switched on."""

    def __init__(self, spec: VehicleSpec, soc: float) -> None:
        self.spec = spec
        self.soc = soc
        self.power_kw = 0.0
        self.phases = spec.phases

    @property
    def wants_energy(self) -> bool:
        """Whether its target is not reached yet."""
        return self.soc < self.spec.target_soc - _TINY

    @property
    def current_a(self) -> float:
        """Amperes on each phase in use."""
        return self.power_kw * 1000 / (self.spec.voltage_v * self.phases)

    @property
    def max_current_a(self) -> float:
        """The most it takes on each phase."""
        return self.spec.max_charge_rate_kw * 1000 / self.spec.watts_per_ampere

    @property
    def energy_to_target_kwh(self) -> float:
        """What the EVSE still has to deliver, losses included."""
        return max(0.0, self.spec.target_soc - self.soc) * self.spec.capacity_kwh / self.spec.efficiency

    def charges_at(self, offered_a: float) -> bool:
        """Whether it draws, or heads for drawing, anything at this offer."""
        return self.wants_energy and offered_a >= self.spec.min_current_a - 1e-9

    def begin(self) -> None:
        """A transaction begins at its EVSE."""

    def acceptance_kw(self, soc: float | None = None) -> float:
        """The most that its battery takes at a state of charge."""
        missing = 1 - (self.soc if soc is None else soc)
        share = min(1.0, max(self.spec.cutoff, missing / (1 - KNEE_SOC)))
        return share * self.spec.max_charge_rate_kw

    def seconds_to_target_at_least(self) -> float:
        """A time before which it cannot reach its target, whatever it is offered; inf when it is reached."""
        if not self.wants_energy:
            return math.inf
        return self.energy_to_target_kwh / self.acceptance_kw() * _HOUR

    def advance(self, seconds: float, offered_a: float) -> Drawn:
        """Lets `seconds` pass under an offer of `offered_a` amperes on each phase in use."""
        left, energy_kwh, stopped = seconds, 0.0, None
        while left > _TINY:
            wanted = self.wants_energy
            took, drawn = self._piece(left, offered_a)
            energy_kwh += drawn
            left -= took
            if wanted and not self.wants_energy:
                stopped = seconds - left
                self.power_kw = 0.0
        return Drawn(energy_kwh, stopped)

    def _piece(self, left: float, offered_a: float) -> tuple[float, float]:
        """Follows one piece of the motion: its length in seconds (<= left) and the energy drawn in it."""
        usable_a = min(offered_a, self.max_current_a) * self.spec.share if self.charges_at(offered_a) else 0.0
        offered_kw = usable_a * self.spec.voltage_v * self.phases / 1000
        goal_kw = min(offered_kw, self.acceptance_kw())
        if abs(goal_kw - self.power_kw) > 1e-9:
            return self._ramp(left, goal_kw)
        self.power_kw = goal_kw
        return self._cruise(left, offered_kw) if goal_kw > 0 else (left, 0.0)

    def _ramp(self, left: float, goal_kw: float) -> tuple[float, float]:
        """A straight line towards `goal_kw`, cut short where the target is reached or the goal itself may move."""
        spec, before = self.spec, self.power_kw
        rising = goal_kw > before
        rate = spec.ramp_up_kw_per_s if rising else _rate(spec.max_charge_rate_kw, spec.ramp_down_s)
        needed = abs(goal_kw - before) / rate
        took = min(needed, left)
        most_soc = self.soc + spec.efficiency * spec.max_charge_rate_kw * took / _HOUR / spec.capacity_kwh
        if most_soc > KNEE_SOC:
            took = min(took, RAMP_STEP_S)
        after = goal_kw if took >= needed else before + math.copysign(rate * took, goal_kw - before)
        energy = (before + after) / 2 * took / _HOUR
        full = self.energy_to_target_kwh
        if 0 < full <= energy:
            slope = (after - before) / took
            took = (math.sqrt(before * before + 2 * slope * full * _HOUR) - before) / slope
            self.power_kw, self.soc = before + slope * took, spec.target_soc
            return took, full
        self.power_kw = after
        self.soc = min(1.0, self.soc + energy * spec.efficiency / spec.capacity_kwh)
        return took, energy

    def _cruise(self, left: float, offered_kw: float) -> tuple[float, float]:
        """A piece at constant power, or along the battery's falling acceptance, until the next of these begins."""
        spec, missing, end = self.spec, 1 - self.soc, 1 - self.spec.target_soc
        taper, tail = 1 - KNEE_SOC, (1 - KNEE_SOC) * spec.cutoff
        if offered_kw < self.acceptance_kw() - _TINY:
            share = offered_kw / spec.max_charge_rate_kw
            return self._steady(left, max(end, taper * share if share > spec.cutoff else 0.0))
        if missing > taper + _TINY:
            return self._steady(left, max(end, taper))
        if missing <= tail + _TINY:
            return self._steady(left, end)
        stop = max(end, tail)
        slope_per_s = spec.efficiency * spec.max_charge_rate_kw / (taper * spec.capacity_kwh) / _HOUR
        whole = math.log(missing / stop) / slope_per_s
        reached = stop if whole <= left else missing * math.exp(-slope_per_s * left)
        self.soc = spec.target_soc if reached == end else 1 - reached
        self.power_kw = self.acceptance_kw()
        return min(whole, left), (missing - reached) * spec.capacity_kwh / spec.efficiency

    def _steady(self, left: float, stop: float) -> tuple[float, float]:
        """Constant power until `left` is over or only `stop` of the charge is missing."""
        spec, end = self.spec, 1 - self.spec.target_soc
        full = (1 - self.soc - stop) * spec.capacity_kwh / spec.efficiency
        took = max(0.0, full) / self.power_kw * _HOUR
        if took <= left:
            self.soc = spec.target_soc if stop == end else 1 - stop
            return took, max(0.0, full)
        energy = self.power_kw * left / _HOUR
        self.soc += energy * spec.efficiency / spec.capacity_kwh
        return left, energy


def _rate(full_kw: float, seconds: float) -> float:
    return full_kw / seconds if seconds > 0 else math.inf
