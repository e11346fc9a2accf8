"""From target energies to powers: least laxity on the targets, or steady powers where those fit."""

from __future__ import annotations

import numpy as np

from optivgi.algorithms.forward import DONE_KWH, Cell, Claim, Policy, forward
from optivgi.algorithms.network import Network
from optivgi.algorithms.repair import repaired
from optivgi.model.problem import Floats, Problem

NOISE_H = 1e-9


def powers_towards(problem: Problem, network: Network, target_kwh: Floats) -> Floats:
    """[S, K] powers that reach the targets as nearly as minimum powers allow, then fill up to the needs.

    Least laxity on targets that a flow can carry carries them: without minimum powers it reaches all of them in every
    instance tried, with arrivals and dips too. What minimum powers spoil, exchanges between EVs put right.
    """
    policy = OnTrack() if _steady_fits(problem, network, target_kwh) else LeastLaxity()
    power = forward(problem, network, policy, target_kwh=target_kwh)
    return repaired(problem, network, power, target_kwh) if network.nested else power


def _steady_fits(problem: Problem, network: Network, target_kwh: Floats) -> bool:
    """Whether all can have the steady power that completes their target at departure, in all cells."""
    stay_h = problem.stay_h.sum(axis=1) + np.maximum(problem.departure_s - problem.edges_s[-1], 0.0) / 3600.0
    steady = target_kwh / np.maximum(stay_h, NOISE_H)
    steady = np.where(target_kwh > DONE_KWH, np.maximum(steady, problem.min_kw), 0.0)
    drawn = network.weight @ (steady[:, None] * (problem.stay_h > 0))
    return bool((drawn <= network.room + NOISE_H).all())


class LeastLaxity(Policy):
    """Raises the least laxity first, all with the same laxity together: the fluid form of least laxity first."""

    def urgency(self, cell: Cell) -> Floats:
        return cell.laxity_h

    def claim(self, cell: Cell, low_kw: Floats, high_kw: Floats) -> Claim:
        del low_kw, high_kw
        level = np.empty((2, len(cell.max_kw)))
        np.divide(cell.max_kw, cell.stay_h, out=level[0])
        np.multiply(level[0], -cell.laxity_h, out=level[1])
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
