"""Closing the gap that minimum powers leave between a plan and its targets."""

from __future__ import annotations

import numpy as np

from optivgi.algorithms.few_rotas import LOST, Rota, has_rota
from optivgi.algorithms.handing import FEW, exchange_among_few
from optivgi.algorithms.letting_in import NOISE, let_in, movable
from optivgi.algorithms.maxflow import LARGEST, Wholes, exchange, exchange_in_tree
from optivgi.algorithms.network import Forest, Network
from optivgi.model.problem import Bools, Floats, Problem

WORTH = 0.005
"""Gaps smaller than this part of an EV's energy are left alone."""
GIVEN = 0.004
"""This part of their energy EVs give to those that are shorter of their target than that."""
MOST_ROUNDS = 3
LITTLE_KWH = 1e-3
MANY = 200
"""With so many EVs, turns are so many that exchanging powers is enough."""
WORTH_GIVING = 0.01
MOST_GIVING = 2000
"""With so many EVs, a second exchange is for larger gaps only, and with more, not at all: it costs a fifth of the whole plan."""


def worst_gap(problem: Problem, power_kw: Floats, target_kwh: Floats) -> float:
    """How far the EV that is shortest of its target is below it, as a part of its energy; 0 if none is."""
    whole = np.maximum(problem.need_kwh + problem.delivered_kwh, 1e-3)
    return float((_gap(problem, power_kw, target_kwh) / whole).max(initial=0.0))


def mean_gap(problem: Problem, power_kw: Floats, target_kwh: Floats) -> float:
    """What EVs are short of their targets in all, as a part of all targets."""
    return float(np.maximum(_gap(problem, power_kw, target_kwh), 0.0).sum() / max(target_kwh.sum(), NOISE))


def repaired(problem: Problem, network: Network, power_kw: Floats, target_kwh: Floats) -> Floats:
    """Powers [S, K] nearer to the targets than those given: more turns for some EVs, then powers exchanged.

    The first cell stays as it is. `network` must be nested. With steps or an unbalance limit nothing is moved.
    """
    if has_rota(problem, network):
        return _by_rota(problem, network, power_kw, target_kwh)
    fixed = (problem.step_kw > 0).any() or np.isfinite(problem.unbalance_kw)
    gap = worst_gap(problem, power_kw, target_kwh)
    if fixed or power_kw.shape[1] < 2 or gap <= WORTH:
        return power_kw
    if len(problem.need_kwh) > MANY:
        power = exchanged(problem, network, power_kw, target_kwh)
        few_enough = network.single and len(problem.need_kwh) <= MOST_GIVING
        if few_enough and worst_gap(problem, power, target_kwh) > WORTH_GIVING:
            power = exchanged(problem, network, power, target_kwh, given=GIVEN)
        return power
    power, best, least = power_kw, power_kw.copy(), gap
    for _ in range(MOST_ROUNDS):
        for given in (0.0, GIVEN):
            power = exchanged(problem, network, power, target_kwh, given=given)
            gap = worst_gap(problem, power, target_kwh)
            if gap < least:
                best, least = power, gap
            if gap <= WORTH:
                return filled_up(problem, network, best)
        turned = let_in(problem, network, power, target_kwh, worth=WORTH)
        if turned is None:
            break
        power = turned
    return filled_up(problem, network, best)


def _by_rota(problem: Problem, network: Network, power_kw: Floats, target_kwh: Floats) -> Floats:
    """`repaired` for few EVs: powers exchanged, and if that is not enough, others run when they are."""
    if _near(problem, power_kw, target_kwh):
        return power_kw
    power = exchanged(problem, network, power_kw, target_kwh)
    if _near(problem, power, target_kwh):
        return power
    rota = Rota(problem, network.room[0], power, target_kwh)
    rota.improve()
    power = rota.powers(power)
    return _trimmed(problem, power, (power > NOISE) & movable(problem))


def _near(problem: Problem, power_kw: Floats, target_kwh: Floats) -> bool:
    """Whether nobody is short of much of its target, and hardly anything of all of them is missed."""
    short = np.maximum(_gap(problem, power_kw, target_kwh), 0.0)
    return bool((short <= WORTH * target_kwh).all() and short.sum() <= LOST * target_kwh.sum())


def _gap(problem: Problem, power_kw: Floats, target_kwh: Floats) -> Floats:
    gap: Floats = np.minimum(target_kwh, problem.need_kwh) - problem.energy_kwh(power_kw)
    return gap


def exchanged(
    problem: Problem, network: Network, power_kw: Floats, target_kwh: Floats, *, given: float = 0.0
) -> Floats:
    """Powers [S, K] after EVs above their target have given to those below it, as much as can be given. EVs that are short of
    theirs by more than the part `given` of their energy get so much of the others, too, who come to be short by that.

    Who runs when stays as it is, and so does the first cell: powers move only between minimum and maximum, along chains
    of EVs that share a cell (a maximum flow in the residual network). `network` must be nested.
    """
    energy = problem.energy_kwh(power_kw)
    gap = np.minimum(target_kwh, problem.need_kwh) - energy
    moves = (power_kw > NOISE) & movable(problem)
    if not (gap > NOISE).any() or not moves.any():
        return _trimmed(problem, power_kw, moves)
    hours, drawn = problem.hours, network.drawn(power_kw)
    least = np.minimum(problem.min_kw[:, None], power_kw)
    given_kwh = given * np.maximum(problem.need_kwh + problem.delivered_kwh, 1e-3)
    gap = np.where(gap > given_kwh, gap, gap - given_kwh)
    needy = energy <= problem.need_kwh + NOISE
    up = np.maximum(problem.max_kw[:, None] - power_kw, 0.0) * (moves & needy[:, None]) * hours
    down = (power_kw - least) * moves * hours
    room = np.maximum(network.room - drawn, 0.0) * hours
    if network.single and len(gap) <= FEW:
        return _trimmed(problem, power_kw + exchange_among_few(up, down, gap, room[0]) / hours, moves)
    unit = max(float(problem.need_kwh.sum()), 1.0) / LARGEST

    def units(kwh: Floats) -> Wholes:
        return np.minimum(np.maximum(kwh, 0.0) / unit, LARGEST).astype(np.int64)

    if network.single:
        moved = exchange(units(up), units(down), units(gap), units(-gap), units(room[0]))
    else:
        forest, carried = Forest.of(network), np.minimum(drawn, network.room) * hours
        limits, chain = (units(room), units(carried)), (forest.parent, forest.innermost)
        moved = exchange_in_tree(units(up), units(down), units(gap), units(-gap), limits, chain)
    power = np.clip(power_kw + moved * unit / hours, least, np.maximum(problem.max_kw[:, None], power_kw))
    return _trimmed(problem, power, moves)


def filled_up(problem: Problem, network: Network, power_kw: Floats) -> Floats:
    """Powers with what is left of the limits given to EVs that run and need it, cell by cell."""
    left = problem.need_kwh - problem.energy_kwh(power_kw)
    moves = (power_kw > NOISE) & movable(problem) & (left > LITTLE_KWH)[:, None]
    up = np.where(moves, problem.max_kw[:, None] - power_kw, 0.0)
    free = np.maximum(network.room - network.drawn(power_kw), 0.0)
    for cell in np.flatnonzero((up > NOISE).any(axis=0) & (free > NOISE).all(axis=0)):
        hours = problem.hours[cell]
        more = np.minimum(up[:, cell], np.maximum(left, 0.0) / hours)
        asked = network.drawn(more[:, None])[:, 0]
        more *= float(np.minimum(1.0, free[:, cell] / np.maximum(asked, NOISE)).min(initial=1.0))
        power_kw[:, cell] += more
        left -= more * hours
    return power_kw


def _trimmed(problem: Problem, power_kw: Floats, moves: Bools) -> Floats:
    """Powers without what EVs get above their need, as far as their minimum allows, where they `moves` [S, K]."""
    above = problem.energy_kwh(power_kw) - problem.need_kwh
    if not (above > NOISE).any():
        return power_kw
    spare = np.where(moves, power_kw - np.minimum(problem.min_kw[:, None], power_kw), 0.0)
    part = np.clip(above, 0.0, None) / np.maximum(np.add.reduce(spare * problem.hours, axis=1), NOISE)
    trimmed: Floats = power_kw - spare * np.minimum(part, 1.0)[:, None]
    return trimmed
