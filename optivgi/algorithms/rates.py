"""Sharing power out: pure functions on arrays, the part that every algorithm has in common.

Letters for shapes: N EVs at hand, M rows. A row is one limit: it weighs each EV's power with `weight[m, n]` (1 kW per kW, or
amperes per kW on one phase) and the sum must stay within `room[m]`. A claim [2, N] is slope (> 0) and offset: what an EV
gets at a level, slope * level + offset.
"""

from __future__ import annotations

import numpy as np

from optivgi.model.problem import Bools, Floats, Ints

ROUNDING = 1e-9

Tiers = tuple[Ints, ...]


def water_levels(weight: Floats, room: Floats, claim: Floats, low_kw: Floats, high_kw: Floats) -> Floats:
    """[M], for each row the level at which sum(weight * clip(slope * level + offset, low, high)) fills its room.

    Exact, by sorting the levels at which an EV leaves its lower bound or reaches its upper one. Rows must have
    sum(weight * low) <= room < sum(weight * high).
    """
    slope, offset = claim
    leaves = (low_kw - offset) / slope
    full = (high_kw - offset) / slope
    at = np.concatenate((leaves, full))
    order = np.argsort(at, kind="stable")
    at = at[order]
    rise = weight * slope
    rate = np.cumsum(np.concatenate((rise, -rise), axis=1)[:, order], axis=1)
    filled = np.zeros_like(rate)
    np.cumsum(rate[:, :-1] * np.diff(at), axis=1, out=filled[:, 1:])
    filled += (weight @ low_kw)[:, None]
    rows = np.arange(len(room))
    reached = np.argmax(filled >= room[:, None], axis=1)
    before = np.maximum(reached - 1, 0)
    speed = rate[rows, before]
    step = (room - filled[rows, before]) / np.where(speed > 0, speed, np.inf)
    # Rates that cancel leave noise behind: the level is between the two bounds, whatever the division says.
    levels: Floats = np.where(reached > 0, np.minimum(at[before] + np.maximum(step, 0.0), at[reached]), at[0])
    return levels


def fill_one(room: float, claim: Floats, low_kw: Floats, high_kw: Floats) -> Floats:
    """[N], `fill` for a single row that weighs everybody by 1."""
    if np.add.reduce(high_kw) <= room + ROUNDING:
        return high_kw
    return filled_to(room, claim, low_kw, high_kw)[1]


def filled_to(room: float, claim: Floats, low: Floats, high: Floats) -> tuple[float, Floats]:
    """(the level at which sum(clip(slope * level + offset, low, high)) fills the room, those [N])."""
    slope, offset = claim
    count = len(slope)
    bounds = np.empty(2 * count)
    bounds[:count] = low
    bounds[count:] = high
    rates = np.empty((2, 2, count))
    rates[0], rates[1, 0], rates[1, 1] = slope, offset, offset
    at = (bounds - rates[1].ravel()) / rates[0].ravel()
    np.negative(slope, out=rates[0, 1])
    order = at.argsort()
    at = at[order]
    rate = np.add.accumulate(rates[0].ravel()[order])
    filled = np.add.accumulate(rate[:-1] * (at[1:] - at[:-1]))
    missing = room - np.add.reduce(low)
    position = int(filled.searchsorted(missing))
    if position >= len(filled):
        return np.inf, high
    before = filled[position - 1] if position else 0.0
    level = float(min(at[position] + max(missing - before, 0.0) / max(rate[position], 1e-300), at[position + 1]))
    return level, np.minimum(np.maximum(slope * level + offset, low), high)


def fill(weight: Floats, room: Floats, claim: Floats, low_kw: Floats, high_kw: Floats) -> Floats:
    """[N], the max-min fair powers: everyone rises with one level, clip(slope * level + offset, low, high), until a row
    is full; those in it stop there and the others rise on.

    `low_kw` must fit. With equal slope and offset everybody gets the same power as far as bounds and rows allow.
    """
    excess = weight @ high_kw - room
    if (excess <= ROUNDING).all():
        return high_kw
    slope, offset = claim
    low, high = low_kw.copy(), high_kw.copy()
    for _ in range(len(room)):
        over = np.flatnonzero(excess > ROUNDING)
        if len(over) == 0:
            return high
        levels = water_levels(weight[over], room[over], claim, low, high)
        first = int(np.argmin(levels))
        inside = weight[over[first]] > 0
        high[inside] = np.clip(slope[inside] * levels[first] + offset[inside], low[inside], high[inside])
        low[inside] = high[inside]
        excess = weight @ high - room
        excess[over[first]] = 0.0
    return high


def in_sequence(weight: Floats, room: Floats, order: Ints, low_kw: Floats, high_kw: Floats) -> Floats:
    """[N], powers when EVs are served to their maximum one after the other in `order`; 0 for whom `low_kw` is too much."""
    power = np.zeros_like(high_kw)
    left = room.copy()
    waiting = order
    while len(waiting):
        used = np.cumsum(weight[:, waiting] * high_kw[waiting], axis=1)
        fits = (used <= left[:, None] + ROUNDING).all(axis=0)
        whole = len(waiting) if fits.all() else int(np.argmin(fits))
        power[waiting[:whole]] = high_kw[waiting[:whole]]
        left = np.maximum(left - (used[:, whole - 1] if whole else 0.0), 0.0)
        if whole == len(waiting):
            break
        partly = waiting[whole]
        touched = weight[:, partly] > 0
        most = float((left[touched] / weight[touched, partly]).min(initial=high_kw[partly]))
        if most >= low_kw[partly] - ROUNDING and most > ROUNDING:
            power[partly] = max(most, low_kw[partly])
            left = np.maximum(left - weight[:, partly] * power[partly], 0.0)
        waiting = waiting[whole + 1 :]
        waiting = waiting[fitting(weight[:, waiting], left, np.maximum(low_kw[waiting], ROUNDING))]
    return power


def fill_groups(group: Ints, room: Floats, claim: Floats, low_kw: Floats, high_kw: Floats) -> Floats:
    """[N], `fill_one` for many groups at once: EV n is in `group[n]` only, which has `room[group[n]]`.

    Every group must have sum(low) <= room < sum(high).
    """
    slope, offset = claim
    at = np.concatenate((low_kw - offset, high_kw - offset)) / np.concatenate((slope, slope))
    twice = np.concatenate((group, group)).astype(np.int16)
    order = at.argsort()
    order = order[twice[order].argsort(kind="stable")]
    at, twice = at[order], twice[order]
    rate = np.cumsum(np.concatenate((slope, -slope))[order])
    filled = np.concatenate(([0.0], np.cumsum(rate[:-1] * (at[1:] - at[:-1]) * (twice[1:] == twice[:-1]))))
    starts = np.searchsorted(twice, np.arange(len(room) + 1))
    wanted = filled[starts[:-1]] + room - np.bincount(group, weights=low_kw, minlength=len(room))
    after = np.clip(np.searchsorted(filled, wanted), starts[:-1] + 1, starts[1:] - 1)
    step = np.maximum(wanted - filled[after - 1], 0.0) / np.maximum(rate[after - 1], 1e-300)
    level = np.minimum(at[after - 1] + step, at[after])[group]
    power: Floats = np.minimum(np.maximum(slope * level + offset, low_kw), high_kw)
    return power


def drawn(tiers: Tiers, power_kw: Floats, rows: int) -> Floats:
    """[M], what powers take of nested rows that weigh by 1."""
    taken = np.zeros(rows + 1)
    for tier in tiers:
        taken += np.bincount(tier + 1, weights=power_kw, minlength=rows + 1)
    return taken[1:]


def fill_nested(tiers: Tiers, room: Floats, claim: Floats, bounds_kw: Floats) -> Floats:
    """[N], `fill` between `bounds_kw` [2, N] for rows that weigh by 1 and are disjoint or one inside the other.

    `tiers` are sets of disjoint rows, inner ones first: (row of each EV or -1 [N]). An inner row caps its EVs at its own
    level; an outer one then finds its level under those caps, which is the same as raising all together.
    """
    low: Floats = bounds_kw[0]
    high: Floats = bounds_kw[1]
    over = drawn(tiers, high, len(room)) > room + ROUNDING
    if not over.any():
        return high
    high = high.copy()
    for row in tiers:
        asked = np.bincount(row + 1, weights=high, minlength=len(room) + 1)[1:]
        full = np.flatnonzero(over & (asked > room + ROUNDING))
        if len(full) == 0:
            continue
        number = np.full(len(room) + 1, -1)
        number[full] = np.arange(len(full))
        group = number[row]
        inside = np.flatnonzero(group >= 0)
        some = (claim[:, inside], low[inside], high[inside])
        one = len(full) == 1
        high[inside] = fill_one(float(room[full[0]]), *some) if one else fill_groups(group[inside], room[full], *some)
    return high


def fitting(weight: Floats, room: Floats, power_kw: Floats) -> Bools:
    """[N], whose `power_kw` would fit if it came alone."""
    return np.asarray((weight * power_kw <= room[:, None] + ROUNDING).all(axis=0))


def admitted(weight: Floats, room: Floats, order: Ints, min_kw: Floats) -> Bools:
    """[N], who of those in `order` may run at least at its minimum: the first as far as they fit, passing over others.

    Never admits more than fits, so that a limit below the sum of the minimums pauses some and is not exceeded.
    """
    runs = np.zeros(len(min_kw), dtype=bool)
    left = room.copy()
    waiting = order
    while len(waiting):
        used = np.cumsum(weight[:, waiting] * min_kw[waiting], axis=1)
        fits = (used <= left[:, None] + ROUNDING).all(axis=0)
        runs[waiting[fits]] = True
        if fits.all():
            break
        left = left - weight[:, waiting[fits]] @ min_kw[waiting[fits]]
        waiting = waiting[~fits]
        waiting = waiting[fitting(weight[:, waiting], left, min_kw[waiting])]
    return runs


def admitted_one(room: float, order: Ints, min_kw: Floats) -> Bools:
    """[N], `admitted` for a single row that weighs everybody by 1."""
    runs = np.zeros(len(min_kw), dtype=bool)
    waiting, left = order, room + ROUNDING
    while len(waiting):
        least = min_kw[waiting]
        used = np.add.accumulate(least)
        first_out = int(used.searchsorted(left, side="right"))
        runs[waiting[:first_out]] = True
        if first_out == len(waiting):
            break
        left -= used[first_out - 1] if first_out else 0.0
        waiting, least = waiting[first_out + 1 :], least[first_out + 1 :]
        waiting = waiting[least <= left]
    return runs


def stepped_down(power_kw: Floats, step_kw: Floats, least_kw: Floats) -> Floats:
    """Powers rounded down to whole steps (0 is any value), or to 0 where that falls below the least power."""
    whole = np.where(step_kw > 0, step_kw, 1.0)
    lower = np.where(step_kw > 0, np.floor(power_kw / whole + ROUNDING) * whole, power_kw)
    rounded: Floats = np.where(lower >= least_kw - ROUNDING, lower, 0.0)
    return rounded


def balanced(power_kw: Floats, share: Floats, doubt: Floats, limit_kw: float, least_kw: Floats) -> Floats:
    """Powers lowered, first to the minimum and then to 0, until no two phases can differ by more than `limit_kw`.

    `share` [3, N] is the part of each EV's power on each phase, `doubt` [N] the part that may be on any phase.
    """
    power = power_kw.copy()
    for _ in range(4 * len(power) + 4):
        phases = share @ power
        high, low = int(np.argmax(phases)), int(np.argmin(phases))
        excess = phases[high] - phases[low] + doubt @ power - limit_kw
        if excess <= ROUNDING:
            return power
        weight = share[high] - share[low] + doubt
        heavy = (weight > 0) & (power > 0)
        spare = np.where(heavy, np.maximum(power - least_kw, 0.0) * weight, 0.0)
        if spare.sum() > excess:
            power -= np.where(heavy, np.maximum(power - least_kw, 0.0) * (excess / spare.sum()) * (1 + ROUNDING), 0.0)
            continue
        power = np.where(heavy, np.minimum(power, least_kw), power)
        if spare.sum() <= ROUNDING:
            power[np.flatnonzero(heavy)[-1]] = 0.0
    return np.zeros(len(power))


def worth_sending(current_kw: Floats, planned_kw: Floats, dead_band_kw: float) -> Bools:
    """[N], which changes to send: every cut, every start and stop, and raises by at least the dead band.

    `current_kw` nan is not known, which is always worth sending.
    """
    rise = planned_kw - current_kw
    turns = (planned_kw > ROUNDING) != (current_kw > ROUNDING)
    return np.asarray(np.isnan(current_kw) | turns | (rise < -ROUNDING) | (rise >= max(dead_band_kw, ROUNDING)))
