"""Fair energies by linear programs, for limits that are no flow (phases) and to check those that are."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array

from optivgi.algorithms.forward import DONE_KWH
from optivgi.algorithms.network import Network
from optivgi.algorithms.solver import LinearProgram, Solve
from optivgi.model.problem import Floats, Problem

BINDING = 1e-7


def fair_energies(problem: Problem, network: Network, solve: Solve, time_limit_s: float | None = None) -> Floats:
    """[S] kWh, lexicographic max-min fair: the worst-served fraction is as large as possible, then the next, and so on.

    The fraction counts what was already delivered, and is divided by the priority. Each round finds the largest common
    level and fixes the EVs whose row has a price: they cannot get more in any optimum.
    """
    model = EnergyModel(problem, network)
    total = problem.need_kwh + problem.delivered_kwh
    energy = np.zeros(len(total))
    free = (problem.need_kwh > DONE_KWH) & (problem.stay_h > 0).any(axis=1)
    while free.any():
        ceiling = float((1.0 / problem.priority[free]).min())
        slope = np.where(free, problem.priority * total, 0.0)
        base = np.where(free, -problem.delivered_kwh, energy)
        solution = solve(model.level_program(slope, base, ceiling), time_limit_s)
        level = float(solution.x[-1])
        reached = np.clip(slope * level + base, 0.0, problem.need_kwh)
        held = free & (solution.row_price[model.floor_rows] > BINDING)
        if level >= ceiling - BINDING:
            held = held | (free & (problem.priority >= 1.0 / ceiling - BINDING))
        if not held.any():
            held = free
        energy[held] = reached[held]
        free &= ~held
    if not network.nested:
        energy = model.energies(solve(model.total_program(energy), time_limit_s).x)
    return np.minimum(energy, problem.need_kwh)


class EnergyModel:
    """Variables: the energy of each EV in each cell where it is, then the level. Rows: limits, needs, floors."""

    def __init__(self, problem: Problem, network: Network) -> None:
        self.ev, self.cell = np.nonzero(problem.present & (problem.need_kwh > DONE_KWH)[:, None])
        self.evs, cells = problem.stay_h.shape
        hours = problem.hours
        stay_h = problem.stay_h[self.ev, self.cell]
        pairs = len(self.ev)
        self.high = np.concatenate((problem.max_kw[self.ev] * stay_h, [np.inf]))
        bounded = np.isfinite(network.room)
        number = np.cumsum(bounded.ravel()).reshape(bounded.shape) - 1
        parts = []
        for row in range(len(network.room)):
            used = (network.weight[row, self.ev] > 0) & bounded[row, self.cell]
            at = np.flatnonzero(used)
            parts.append((number[row, self.cell[at]], at, network.weight[row, self.ev[at]]))
        limits = int(bounded.sum())
        self.floor_rows = slice(limits + self.evs, limits + 2 * self.evs)
        every = np.arange(pairs)
        parts += [(limits + self.ev, every, np.ones(pairs)), (limits + self.evs + self.ev, every, np.ones(pairs))]
        self.row, self.column, self.value = (np.concatenate([part[axis] for part in parts]) for axis in range(3))
        self.shape = (limits + 2 * self.evs, pairs + 1)
        self.room_kwh = np.broadcast_to(network.room * hours, bounded.shape)[bounded]
        self.need_kwh = problem.need_kwh
        self.cells = cells

    def level_program(self, slope: Floats, base: Floats, ceiling: float) -> LinearProgram:
        """Maximises the level, at most `ceiling`, with each EV's energy >= slope * level + base."""
        high = self.high.copy()
        high[-1] = ceiling
        gain = np.zeros(self.shape[1])
        gain[-1] = 1.0
        return self._program(gain, high, slope, base)

    def total_program(self, floor_kwh: Floats) -> LinearProgram:
        """Maximises the total energy with each EV's energy >= floor."""
        gain = np.ones(self.shape[1])
        gain[-1] = 0.0
        high = self.high.copy()
        high[-1] = 0.0
        return self._program(gain, high, np.zeros(self.evs), floor_kwh)

    def largest_total(self, solve: Solve) -> float:
        """The largest total energy in kWh, however shared."""
        return float(solve(self.total_program(np.zeros(self.evs))).x[:-1].sum())

    def energies(self, x: Floats) -> Floats:
        """[S] kWh of a solution."""
        return np.bincount(self.ev, weights=x[:-1], minlength=self.evs).astype(np.float64)

    def _program(self, gain: Floats, high: Floats, slope: Floats, base: Floats) -> LinearProgram:
        floors = np.flatnonzero(slope)
        row = np.concatenate((self.row, self.floor_rows.start + floors))
        column = np.concatenate((self.column, np.full(len(floors), self.shape[1] - 1)))
        value = np.concatenate((self.value, -slope[floors]))
        rows = csr_array(coo_array((value, (row, column)), shape=self.shape))
        slack = DONE_KWH * 1e-2
        low = np.concatenate((np.full(self.floor_rows.start, -np.inf), base - slack))
        top = np.concatenate((self.room_kwh, self.need_kwh, np.full(self.evs, np.inf)))
        return LinearProgram(gain, high, rows, low, top)
