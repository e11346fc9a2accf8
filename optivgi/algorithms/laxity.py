"""From target energies to powers: least laxity on the targets, or steady powers where those fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optivgi.algorithms.few_rotas import has_rota
from optivgi.algorithms.forward import DONE_KWH, Cell, Claim, LevelPolicy, forward
from optivgi.algorithms.network import Network
from optivgi.algorithms.plain import in_time_h
from optivgi.algorithms.repair import mean_gap, repaired, worst_gap
from optivgi.model.problem import Floats, Problem

Targets = Callable[[bool], Floats]
"""[S] kWh; proven, or such that powers that reach them are the proof."""

NOISE_H = 1e-9
EARLY_H = (1.0, 0.5, 0.25, 0.0)
"""Steady powers complete targets this much before departures, as far as they fit, because people leave early as often as late."""
EVEN_OUT_H = 1.0
"""In the cell that is acted on, differences of laxity are evened out over this time: in less, every new meter reading would
turn powers upside down.
"""
AMBITIONS = (1.0, 0.995, 0.99, 0.985, 0.98)
"""Parts of the targets that are tried one after the other: with less to do, turns fall otherwise."""
REACHED = 0.006
"""A plan in which no EV (or, with many, the mean EV) is further from its target, as a part of its energy, is good enough."""
FEW = 30
"""With more EVs, two tries are enough."""
SOME = 200
"""With more EVs, turns are so many that one way is as good as another."""


def powers_towards(problem: Problem, network: Network, targets: Targets) -> Floats:
    """[S, K] powers that reach the targets as nearly as minimum powers allow, then fill up to the needs.

    Least laxity on targets that a flow can carry carries them: without minimum powers it reaches all of them in every
    instance tried, with arrivals and dips too. What minimum powers spoil, exchanges between EVs put right; of few EVs under
    one limit it is known how well that can be done, so that one try is enough.
    """
    rota = has_rota(problem, network)
    proven, target_kwh = rota, targets(rota)
    many = len(problem.need_kwh) > SOME
    best, least = None, np.inf
    for ambition in AMBITIONS if len(problem.need_kwh) <= FEW else AMBITIONS[:2]:
        policy = _policy(problem, network, target_kwh)
        power = forward(problem, network, policy, target_kwh=ambition * target_kwh)
        if not network.nested:
            return power
        power = repaired(problem, network, power, target_kwh)
        if rota:
            return power
        gap = worst_gap(problem, power, target_kwh)
        reached = gap <= REACHED or (many and mean_gap(problem, power, target_kwh) <= REACHED)
        enough = reached or many
        if not reached and not proven:
            proven, likely_kwh = True, target_kwh
            target_kwh = targets(True)
            gap = worst_gap(problem, power, target_kwh)
            enough = enough and np.array_equal(target_kwh, likely_kwh)
        if best is None or gap < least:
            best, least = power, gap
        if enough:
            break
    assert best is not None
    return best


def _policy(problem: Problem, network: Network, target_kwh: Floats) -> LevelPolicy:
    if not _steady_fits(problem, network, target_kwh, EARLY_H[-1]):
        return LeastLaxity()
    return OnTrack(next(early_h for early_h in EARLY_H if _steady_fits(problem, network, target_kwh, early_h)))


def _steady_fits(problem: Problem, network: Network, target_kwh: Floats, early_h: float) -> bool:
    """Whether all can have the steady power that completes their target `early_h` before departure, in all cells."""
    stay_h = problem.stay_h.sum(axis=1) + np.maximum(problem.departure_s - problem.edges_s[-1], 0.0) / 3600.0
    steady = np.minimum(target_kwh / np.maximum(in_time_h(stay_h, early_h), NOISE_H), problem.max_kw)
    steady = np.where(target_kwh > DONE_KWH, np.maximum(steady, problem.min_kw), 0.0)
    drawn = network.drawn(steady[:, None] * (problem.stay_h > 0))
    return bool((drawn <= network.room + NOISE_H).all())


class LeastLaxity(LevelPolicy):
    """Raises the least laxity first, all with the same laxity together: the fluid form of least laxity first."""

    def urgency(self, cell: Cell) -> Floats:
        return cell.laxity_h

    def claim(self, cell: Cell, low_kw: Floats, high_kw: Floats) -> Claim:
        del low_kw, high_kw
        level = np.empty((2, len(cell.max_kw)))
        window_h = cell.stay_h if cell.index else np.maximum(cell.stay_h, EVEN_OUT_H)
        np.divide(cell.max_kw, window_h, out=level[0])
        np.multiply(level[0], -cell.laxity_h, out=level[1])
        return Claim(level, everyone=False)


class OnTrack(LeastLaxity):
    """The steady power that completes each target `early_h` before departure, then the rest in proportion to need. Only for
    targets whose steady powers fit at all times.
    """

    early_h: float

    def __init__(self, early_h: float) -> None:
        self.early_h = early_h

    def claim(self, cell: Cell, low_kw: Floats, high_kw: Floats) -> Claim:
        steady = cell.target_kwh / in_time_h(cell.hours_after + cell.stay_h, self.early_h)
        weight = cell.priority * np.maximum(cell.target_kwh, DONE_KWH)
        first = np.minimum(np.maximum(steady, low_kw), high_kw)
        return Claim(np.stack((weight, np.zeros(len(weight)))), first_kw=first)
