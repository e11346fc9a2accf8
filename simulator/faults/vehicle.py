"""EVs that do not take what they are offered. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from simulator.vehicle import Drawn, Vehicle, VehicleSpec

WakesBy = Literal["toggle", "restart", "never"]
TOGGLE_S = 1.0
"""How long an offer has to be gone before its return wakes an EV."""


@dataclass(frozen=True, slots=True)
class DrawsLess:
    """Takes `share` of what it could."""

    share: float = 0.5


@dataclass(frozen=True, slots=True)
class SleepsAfterPause:
    """Falls asleep when it is offered nothing for `after_s`, and then takes no offer, until it is woken.

    "toggle" wakes it when an offer that it slept through is withdrawn and comes again; "restart" when a transaction begins.
    """

    after_s: float = 30.0
    wakes_by: WakesBy = "toggle"


EVFault = DrawsLess | SleepsAfterPause


class SleepyVehicle(Vehicle):
    """An EV that sleeps after a pause."""

    def __init__(self, spec: VehicleSpec, soc: float, habit: SleepsAfterPause) -> None:
        super().__init__(spec, soc)
        self.asleep = False
        self._habit = habit
        self._paused_s = 0.0
        self._slept_through = False

    def begin(self) -> None:
        self._paused_s = 0.0
        if self._habit.wakes_by == "restart":
            self._wake()

    def charges_at(self, offered_a: float) -> bool:
        return not self.asleep and super().charges_at(offered_a)

    def advance(self, seconds: float, offered_a: float) -> Drawn:
        self._feel(seconds, offered_a)
        return super().advance(seconds, offered_a)

    def _feel(self, seconds: float, offered_a: float) -> None:
        """Takes in that it was offered this for `seconds`."""
        if super().charges_at(offered_a):
            self._paused_s = 0.0
            self._slept_through |= self.asleep and seconds > 0
            return
        self._paused_s += seconds
        if self._slept_through and self._habit.wakes_by == "toggle" and self._paused_s >= TOGGLE_S:
            self._wake()
        elif self.wants_energy and self._paused_s >= self._habit.after_s:
            self.asleep = True

    def _wake(self) -> None:
        self.asleep = self._slept_through = False
        self._paused_s = 0.0


def vehicle_with(faults: Iterable[EVFault], spec: VehicleSpec, soc: float) -> Vehicle:
    """An EV with these faults."""
    habit: SleepsAfterPause | None = None
    for fault in faults:
        if isinstance(fault, DrawsLess):
            spec = replace(spec, share=spec.share * fault.share)
        else:
            habit = fault
    return Vehicle(spec, soc) if habit is None else SleepyVehicle(spec, soc, habit)
