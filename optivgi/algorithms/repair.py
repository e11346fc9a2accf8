"""Closing the gap that minimum powers leave between a plan and its targets."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from optivgi.algorithms.flow import FEW, Forest
from optivgi.algorithms.network import Network
from optivgi.model.problem import Bools, Floats, Problem

LARGEST = 1_000_000_000
NOISE = 1e-9


WORTH = 0.002
"""Gaps smaller than this part of an EV's energy are left alone."""
MOST_TRIES = 6
MOST_SWAPS = 24
MANY = 200
"""With so many EVs, turns are so many that exchanging powers is enough."""


def repaired(problem: Problem, network: Network, power_kw: Floats, target_kwh: Floats) -> Floats:
    """Powers [S, K] nearer to the targets than those given: turns swapped between EVs, then powers exchanged.

    The first cell stays as it is. `network` must be nested. With steps or an unbalance limit nothing is moved.
    """
    fixed = (problem.step_kw > 0).any() or np.isfinite(problem.unbalance_kw)
    if fixed or power_kw.shape[1] < 2 or not _worth_it(problem, power_kw, target_kwh):
        return power_kw
    if len(problem.need_kwh) > MANY:
        return exchanged(problem, network, power_kw, target_kwh)
    power = exchanged(problem, network, swapped(problem, network, power_kw, target_kwh), target_kwh)
    if len(problem.need_kwh) > FEW:
        return power
    for _ in range(MOST_TRIES):
        tried = _squeezed_in(problem, network, power, target_kwh)
        if tried is None:
            break
        tried = exchanged(problem, network, tried, target_kwh)
        if _misfit(problem, tried, target_kwh) >= 0.9 * _misfit(problem, power, target_kwh):
            break
        power = tried
    return power


def _gap(problem: Problem, power_kw: Floats, target_kwh: Floats) -> Floats:
    gap: Floats = np.minimum(target_kwh, problem.need_kwh) - problem.energy_kwh(power_kw)
    return gap


def _whole_kwh(problem: Problem) -> Floats:
    return np.maximum(problem.need_kwh + problem.delivered_kwh, 1e-3)


def _worth_it(problem: Problem, power_kw: Floats, target_kwh: Floats) -> bool:
    return bool((_gap(problem, power_kw, target_kwh) > WORTH * _whole_kwh(problem)).any())


def _misfit(problem: Problem, power_kw: Floats, target_kwh: Floats) -> float:
    short = np.maximum(_gap(problem, power_kw, target_kwh), 0.0) / _whole_kwh(problem)
    return float(short @ short)


def _movable(problem: Problem) -> Bools:
    """[S, K], cells after the first in which the EV is all the time."""
    whole = problem.stay_h >= problem.hours - NOISE
    whole[:, 0] = False
    return whole


def swapped(problem: Problem, network: Network, power_kw: Floats, target_kwh: Floats) -> Floats:
    """Powers after EVs short of their target have taken over whole turns of EVs that are less short or above it.

    Swaps bring the squares of the gaps (as parts of the EVs' energies) down; powers stay as they are.
    """
    power, movable = power_kw.copy(), _movable(problem)
    innermost = Forest.of(network.weight > 0).innermost
    gap, scale = _gap(problem, power, target_kwh), _whole_kwh(problem) ** -2.0
    hours = problem.hours
    done = problem.energy_kwh(power) > problem.need_kwh + NOISE
    tried = done.copy()
    for _ in range(min(2 * len(gap), MOST_SWAPS)):
        short = np.where(tried, -np.inf, gap * np.sqrt(scale))
        taker = int(np.argmax(short))
        if short[taker] <= WORTH:
            break
        turns = np.where(movable & ~done[:, None] & (innermost == innermost[taker])[:, None], power, 0.0)
        turns[:, (power[taker] > 0) | ~movable[taker]] = 0.0
        turns[(turns < problem.min_kw[taker]) | (turns > problem.max_kw[taker])] = 0.0
        energy = turns * hours
        gain = 2.0 * energy * (gap[taker] * scale[taker] - (gap * scale)[:, None])
        gain -= energy**2 * (scale[taker] + scale[:, None])
        gain[(energy <= 0) | (energy > problem.need_kwh[taker] - target_kwh[taker] + gap[taker])] = -np.inf
        giver, cell = np.unravel_index(int(np.argmax(gain)), gain.shape)
        if gain[giver, cell] <= NOISE:
            tried[taker] = True
            # A swap that gains nothing by itself still mixes EVs that always ran together, so that they can exchange.
            if energy[giver, cell] <= 0 or gain[giver, cell] < -0.5 * gap[taker] ** 2 * scale[taker]:
                continue
            movable[:, cell] = False
        power[taker, cell], power[giver, cell] = power[giver, cell], 0.0
        gap[taker] -= energy[giver, cell]
        gap[giver] += energy[giver, cell]
    return power


def _squeezed_in(problem: Problem, network: Network, power_kw: Floats, target_kwh: Floats) -> Floats | None:
    """Powers with the EV that is shortest running at its minimum in one more cell, others there giving way; None if
    nobody is short or nothing fits.
    """
    if not network.single:
        return None
    gap = _gap(problem, power_kw, target_kwh) / _whole_kwh(problem)
    taker = int(np.argmax(gap))
    if gap[taker] <= WORTH:
        return None
    least = problem.min_kw[taker]
    spare = np.where(power_kw > 0, np.maximum(power_kw - problem.min_kw[:, None], 0.0), 0.0)
    free = np.maximum(network.room[0] - power_kw.sum(axis=0), 0.0)
    fits = _movable(problem)[taker] & (power_kw[taker] <= 0) & (free + spare.sum(axis=0) >= least)
    fits &= least * problem.hours <= problem.need_kwh[taker] - problem.energy_kwh(power_kw)[taker]
    if not fits.any():
        return None
    cost = np.maximum(least - free, 0.0) * problem.hours
    cell = int(np.flatnonzero(fits)[np.argmin(cost[fits])])
    power = power_kw.copy()
    missing = max(least - free[cell], 0.0)
    if missing > 0:
        power[:, cell] -= spare[:, cell] * (missing / spare[:, cell].sum())
    power[taker, cell] = least
    return power


def exchanged(problem: Problem, network: Network, power_kw: Floats, target_kwh: Floats) -> Floats:
    """Powers [S, K] after EVs above their target have given to those below it, as much as can be given.

    Who runs when stays as it is, and so does the first cell: powers move only between minimum and maximum, along chains
    of EVs that share a cell (a maximum flow in the residual network). `network` must be nested.
    """
    gap = _gap(problem, power_kw, target_kwh)
    if not (gap > NOISE).any():
        return power_kw
    given = problem.energy_kwh(power_kw)
    moves = (power_kw > NOISE) & _movable(problem) & (given <= problem.need_kwh + NOISE)[:, None]
    ev, cell = np.nonzero(moves)
    if len(ev) == 0:
        return power_kw
    evs, hours = len(gap), problem.hours
    unit = max(float(problem.need_kwh.sum()), 1.0) / LARGEST
    forest = Forest.of(network.weight > 0)
    limits, cells = network.room.shape
    node = evs + np.arange(limits * cells).reshape(limits, cells)
    source, sink = evs + limits * cells, evs + limits * cells + 1

    energy = power_kw[ev, cell] * hours[cell]
    up = problem.max_kw[ev] * hours[cell] - energy
    down = energy - problem.min_kw[ev] * hours[cell]
    entry = np.where(forest.innermost[ev] >= 0, node[forest.innermost[ev], cell], sink)
    carried = np.minimum(network.weight @ power_kw, network.room) * hours
    outlet = np.where((forest.parent >= 0)[:, None], node[forest.parent], sink)
    inner = entry != sink
    back = (forest.parent >= 0)[:, None] & np.ones(cells, dtype=bool)

    tails = (ev, entry[inner], node.ravel(), outlet[back], np.full(evs, source), np.arange(evs))
    heads = (entry, ev[inner], outlet.ravel(), node[back], np.arange(evs), np.full(evs, sink))
    spare = np.minimum(network.room * hours - carried, problem.need_kwh.sum())
    sizes = (up, down[inner], spare.ravel(), carried[back], np.maximum(gap, 0.0), np.maximum(-gap, 0.0))
    graph = csr_array(
        (
            np.floor(np.clip(np.concatenate(sizes) / unit, 0.0, LARGEST)).astype(np.int32),
            (np.concatenate(tails), np.concatenate(heads)),
        ),
        shape=(sink + 1, sink + 1),
    )
    result = maximum_flow(graph, source, sink).flow
    moved = np.asarray(result[ev, entry]).ravel() * unit
    exchanged_kw = power_kw.copy()
    exchanged_kw[ev, cell] = np.clip(
        power_kw[ev, cell] + moved / hours[cell], np.minimum(problem.min_kw[ev], power_kw[ev, cell]), problem.max_kw[ev]
    )
    return exchanged_kw
