"""`fair`: the fairest energies that the site can deliver, then powers that get there."""

from __future__ import annotations

import numpy as np

from optivgi.algorithms import flow, lp
from optivgi.algorithms.base import Algorithm, register
from optivgi.algorithms.explain import explained
from optivgi.algorithms.forward import DONE_KWH, Cell, Claim, Policy, forward
from optivgi.algorithms.go import laxity_h
from optivgi.algorithms.network import Network
from optivgi.algorithms.repair import exchanged
from optivgi.algorithms.solver import with_highs
from optivgi.model.plan import Plan
from optivgi.model.problem import Floats, Problem

NOISE_H = 1e-9


class LeastLaxity(Policy):
    """Raises the least laxity first, all with the same laxity together: the fluid form of least laxity first."""

    def urgency(self, cell: Cell) -> Floats:
        return laxity_h(cell)

    def claim(self, cell: Cell, low_kw: Floats, high_kw: Floats) -> Claim:
        del low_kw, high_kw
        level = np.empty((2, len(cell.max_kw)))
        np.divide(cell.max_kw, cell.stay_h, out=level[0])
        np.multiply(level[0], -laxity_h(cell), out=level[1])
        return Claim(level, everyone=False)


class OnTrack(LeastLaxity):
    """The steady power that completes each target just at departure, then the rest in proportion to need. Only for targets
    whose steady powers fit at all times.
    """

    def claim(self, cell: Cell, low_kw: Floats, high_kw: Floats) -> Claim:
        steady = cell.target_kwh / (cell.hours_after + cell.stay_h)
        weight = cell.priority * np.maximum(cell.target_kwh, DONE_KWH)
        first = np.minimum(np.maximum(steady, low_kw), high_kw)
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
        policy = OnTrack() if _steady_fits(problem, network, target) else LeastLaxity()
        power = forward(problem, network, policy, target_kwh=target)
        if network.nested:
            power = exchanged(problem, network, power, target)
        return explained(problem, self.name, power)


def _steady_fits(problem: Problem, network: Network, target_kwh: Floats) -> bool:
    """Whether all can have the steady power that completes their target at departure, in all cells."""
    stay_h = problem.stay_h.sum(axis=1) + np.maximum(problem.departure_s - problem.edges_s[-1], 0.0) / 3600.0
    steady = target_kwh / np.maximum(stay_h, NOISE_H)
    steady = np.where(target_kwh > DONE_KWH, np.maximum(steady, problem.min_kw), 0.0)
    drawn = network.weight @ (steady[:, None] * (problem.stay_h > 0))
    return bool((drawn <= network.room + NOISE_H).all())


def targets(problem: Problem, network: Network) -> Floats:
    """[S] kWh, the fair energies."""
    if network.nested:
        return flow.fair_energies(problem, network)
    return lp.fair_energies(problem, network, with_highs)
