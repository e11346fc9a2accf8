"""Fair energies of few EVs under one limit: by looking at every set of them."""

from __future__ import annotations

from itertools import product

import numpy as np

from optivgi.model.problem import Floats

FEW = 8
NOISE = 1e-9
SETS = {count: np.array(list(product((0.0, 1.0), repeat=count))) for count in range(1, FEW + 1)}
"""By number of EVs, every set of them [2^N, N]."""


def fair_among_few(
    pairs_kwh: Floats, room_kwh: Floats, claim: Floats, most_kwh: Floats, sure_kwh: Floats
) -> Floats | None:
    """[N] kWh, lexicographic max-min fair; None if some EV gets more than the common level anyhow.

    `pairs_kwh` [N, J] is what each can take in a cell, `room_kwh` [J] what all can, `claim` [2, N] slope and offset: what
    an EV gets at a level, up to `most_kwh` [N]. `sure_kwh` [N] is what each gets besides, wherever.

    What a set can get is the sum over cells of the lesser of both. The set that this holds at the lowest level is fixed
    there, and so is an EV that gets all it wants below that level; what is fixed is taken from what the sets of the others
    can get (a contraction of the polymatroid).
    """
    count = len(most_kwh)
    able = np.minimum(SETS[count] @ pairs_kwh, room_kwh).sum(axis=1) + SETS[count] @ sure_kwh
    able = able.reshape((2,) * count)
    energy, left = np.zeros(count), list(range(count))
    while left:
        slope, offset = claim[:, left]
        sets = SETS[len(left)]
        levels = (able.ravel()[1:] - sets[1:] @ offset) / (sets[1:] @ slope)
        own = (most_kwh[left] - offset) / slope
        held, first = int(np.argmin(levels)), int(np.argmin(own))
        level = min(levels[held], own[first])
        given = slope * level + offset
        if (given < sure_kwh[left] - NOISE).any():
            return None
        fixed = [first] if own[first] <= levels[held] else np.flatnonzero(sets[held + 1]).tolist()
        for position in reversed(fixed):
            energy[left.pop(position)] = given[position]
            able = np.minimum(able.take(0, axis=position), able.take(1, axis=position) - given[position])
    return np.maximum(energy, sure_kwh)
