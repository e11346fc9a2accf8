"""Exchanging energy among few EVs under one limit, from hand to hand: the same as a flow, without its set-up."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from optivgi.model.problem import Floats

NOISE = 1e-9
FEW = 8
MOST_HANDINGS = 40


def exchange_among_few(up: Floats, down: Floats, gap: Floats, room: Floats) -> Floats:
    """[N, J] kWh, by how much each EV's energy in each cell grows (or falls, negative).

    EVs with a `gap` [N] above 0 get it from the `room` [J] of cells and from those with a gap below 0, directly or by way of
    others; each changes by at most `up` and `down` [N, J] in a cell.
    """
    moved, gap = np.zeros_like(up), gap.copy()
    up, down, room = up.copy(), down.copy(), room.copy()
    for _ in range(MOST_HANDINGS):
        if gap.max() <= NOISE:
            break
        direct = np.minimum(up[:, None, :], down[None, :, :]).sum(axis=2)
        chain = _chain(direct, np.minimum(up, room).sum(axis=1), gap)
        if chain is None:
            break
        taker, giver = chain[0], chain[-1]
        free = np.minimum(up[giver], room)
        last_kwh = -gap[giver] if gap[giver] < 0 else float(free.sum())
        energy = min(gap[taker], last_kwh, *(direct[a, b] for a, b in pairwise(chain)))
        if gap[giver] >= 0:
            part = free * (energy / free.sum())
            room -= part
            moved[giver] += part
            up[giver] -= part
            down[giver] += part
        else:
            gap[giver] += energy
        for to, of in pairwise(chain):
            shared = np.minimum(up[to], down[of])
            part = shared * (energy / shared.sum())
            for ev, sign in ((to, 1.0), (of, -1.0)):
                moved[ev] += sign * part
                up[ev] -= sign * part
                down[ev] += sign * part
        gap[taker] -= energy
    return moved


def _chain(direct: Floats, free: Floats, gap: Floats) -> list[int] | None:
    """The shortest way from an EV that is short to room or to an EV with energy to spare; None if there is none."""
    shares, free, gaps = (direct > NOISE).tolist(), (free > NOISE).tolist(), gap.tolist()
    before: dict[int, int | None] = {ev: None for ev in range(len(gaps)) if gaps[ev] > NOISE}
    queue = sorted(before, key=lambda ev: -gaps[ev])
    for ev in queue:
        if free[ev] or gaps[ev] < -NOISE:
            chain = [ev]
            while (previous := before[chain[0]]) is not None:
                chain.insert(0, previous)
            return chain
        for other, joined in enumerate(shares[ev]):
            if joined and other not in before:
                before[other] = ev
                queue.append(other)
    return None
