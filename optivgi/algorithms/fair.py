"""`fair`: the fairest energies that the site can deliver, then powers that get there."""

from __future__ import annotations

import numpy as np

from optivgi.algorithms import flow, lp
from optivgi.algorithms.base import Algorithm, register
from optivgi.algorithms.explain import explained
from optivgi.algorithms.forward import Cell, Claim, Policy, forward
from optivgi.algorithms.go import laxity_h
from optivgi.algorithms.network import Network
from optivgi.algorithms.solver import with_highs
from optivgi.model.plan import Plan
from optivgi.model.problem import Floats, Problem


class LeastLaxity(Policy):
    """Raises the least laxity first, all with the same laxity together: the fluid form of least laxity first."""

    def urgency(self, cell: Cell) -> Floats:
        return laxity_h(cell)

    def claim(self, cell: Cell, low_kw: Floats, high_kw: Floats) -> Claim:
        del low_kw, high_kw
        slope = cell.max_kw / cell.stay_h
        offset = cell.target_kwh / cell.stay_h - slope * (cell.hours_after + cell.stay_h)
        return Claim(np.stack((slope, offset)), everyone=False)


class OnTrack(LeastLaxity):
    """While everybody can have the steady power that completes its target just at departure: that, and the rest in
    proportion to need. Where that does not fit any more: least laxity first.
    """

    def claim(self, cell: Cell, low_kw: Floats, high_kw: Floats) -> Claim:
        steady = cell.target_kwh / (cell.hours_after + cell.stay_h)
        first = np.minimum(np.maximum(steady, low_kw), high_kw)
        if not cell.limits.fit(first):
            return super().claim(cell, low_kw, high_kw)
        weight = cell.priority * np.maximum(cell.target_kwh, 1e-6)
        return Claim(np.stack((weight, np.zeros(len(weight)))), first_kw=first)


@register("fair")
class Fair(Algorithm):
    """Lexicographic max-min fair energy, then dispatch on those targets.

    1. Targets: the worst-served fraction (delivered + planned) / (delivered + need), divided by the priority, is as large
       as possible; then the next worst, and so on. By flows where limits are nested (any tree of kW limits, and amperes
       where each circuit has either single-phase or three-phase EVs); by linear programs where phases mix. With nested
       limits the same targets also have the largest total energy.
    2. Powers: who needs it now to reach its target comes first, the rest is shared by need; equal needs get equal power.

    Use it unless there is a reason not to. It needs an idea of needs and departures: where both are guesses, `equal` is
    easier to explain to drivers.
    """

    def plan(self, problem: Problem) -> Plan:
        network = Network.of(problem)
        target = targets(problem, network)
        return explained(problem, self.name, forward(problem, network, OnTrack(), target_kwh=target))


def targets(problem: Problem, network: Network) -> Floats:
    """[S] kWh, the fair energies."""
    if network.nested:
        return flow.fair_energies(problem, network)
    return lp.fair_energies(problem, network, with_highs)
