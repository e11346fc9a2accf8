"""`cost`: the cheapest way to deliver the fair energies."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from optivgi.algorithms.base import Algorithm, register
from optivgi.algorithms.energies import EnergyModel
from optivgi.algorithms.explain import explained
from optivgi.algorithms.fair import Fair, targets
from optivgi.algorithms.forward import forward
from optivgi.algorithms.laxity import LeastLaxity
from optivgi.algorithms.network import Network
from optivgi.algorithms.repair import repaired
from optivgi.algorithms.solver import LinearProgram, Solve, with_highs
from optivgi.model.plan import Plan
from optivgi.model.problem import Floats, Problem

WINDOW_S = 900.0
TIE = 1e-6
"""Price of one hour's delay per kWh, so that equal prices are used from the front."""


@register("cost")
class Cost(Algorithm):
    """Least cost for the price of each cell and a demand charge, while every EV still gets its fair energy.

    One linear program: minimise sum(price_k * x_ik) + charge * (peak - peak so far)+ over energies x, with the limits, each
    EV's fair energy as a floor, and peak >= the mean over every 15-minute billing window, the running one with what was
    drawn in it already. Its total per cell becomes a budget; within the budget EVs are served by least laxity on their fair
    targets.

    Deferring is safe only while departures can be trusted: if an EV has none, or its stated one is past, `fair` decides.
    Without prices and demand charge there is nothing to save, and `fair` decides too.
    """

    saves = True

    def __init__(self, solve: Solve = with_highs, time_limit_s: float | None = 20.0) -> None:
        self._solve, self._time_limit_s = solve, time_limit_s

    def plan(self, problem: Problem) -> Plan:
        wanting = problem.need_kwh > 0
        if not wanting.any() or not (np.ptp(problem.price_per_kwh) > 0 or problem.demand_charge_per_kw > 0):
            return self._fair(problem, "prices do not differ and there is no demand charge")
        unknown = [problem.ev_ids[row] for row in np.flatnonzero(wanting & ~problem.departure_known)]
        if unknown:
            return self._fair(problem, f"departure unknown for EV {', '.join(unknown[:5])}")
        network = Network.of(problem)
        return self.towards(problem, network, targets(problem, network), self.name)

    def towards(self, problem: Problem, network: Network, target_kwh: Floats, name: str) -> Plan:
        """The cheapest plan that delivers `target_kwh`."""
        budget_kw = self._budget(problem, network, target_kwh)
        within = network.within(budget_kw)
        power = forward(problem, within, LeastLaxity(), target_kwh=target_kwh)
        if within.nested:
            power = repaired(problem, within, power, target_kwh)
        return explained(problem, name, power, budget_kw=budget_kw)

    def _fair(self, problem: Problem, why: str) -> Plan:
        plan = Fair().plan(problem)
        return explained(problem, self.name, plan.power_kw, notes=(f"planned by fair: {why}",))

    def _budget(self, problem: Problem, network: Network, target_kwh: Floats) -> Floats:
        """[K] kW. Raised to the largest minimum where anything is to be charged, so that rounding finds room."""
        model = EnergyModel(problem, network)
        program = model.total_program(target_kwh)
        hours, middle_h = problem.hours, (problem.edges_s[:-1] + problem.edges_s[1:]) / 7200.0
        gain = np.zeros(model.shape[1])
        gain[:-1] = -(problem.price_per_kwh + TIE * middle_h)[model.cell]
        gain[-1] = -problem.demand_charge_per_kw
        high = program.high.copy()
        high[-1] = np.inf
        windows = _windows(problem)
        shares = (windows / hours)[:, model.cell]
        row, column = np.nonzero(shares)
        peaks = len(windows)
        rows = csr_array(
            coo_array(
                (
                    np.concatenate((shares[row, column], np.full(peaks, -1.0))),
                    (
                        np.concatenate((row, np.arange(peaks))),
                        np.concatenate((column, np.full(peaks, model.shape[1] - 1))),
                    ),
                ),
                shape=(peaks, model.shape[1]),
            )
        )
        free = np.full(peaks, problem.peak_so_far_kw)
        free[0] -= problem.window_so_far_kwh * 3600.0 / WINDOW_S
        solution = self._solve(
            LinearProgram(
                gain,
                high,
                csr_array(vstack((program.rows, rows))),
                np.concatenate((program.row_low, np.full(peaks, -np.inf))),
                np.concatenate((program.row_high, free)),
            ),
            self._time_limit_s,
        )
        used_kw = np.bincount(model.cell, weights=solution.x[:-1], minlength=len(hours)) / hours
        return np.where(used_kw > 1e-6, np.maximum(used_kw, problem.least_kw.max()), 0.0)


def saves_anything(problem: Problem) -> bool:
    """Whether some cells are cheaper than others, and all departures are known so that deferring is safe."""
    differ = bool(np.ptp(problem.price_per_kwh) > 0 or problem.demand_charge_per_kw > 0)
    wanting = problem.need_kwh > 0
    return differ and bool(wanting.any()) and bool(problem.departure_known[wanting].all())


def _windows(problem: Problem) -> Floats:
    """[W, K], which part of each billing window (quarter hours of the clock) each cell fills, as hours / window hours."""
    edges = problem.edges_s
    into_s = problem.now.timestamp() % WINDOW_S
    starts = np.arange(-into_s, edges[-1], WINDOW_S)
    overlap = np.minimum(edges[1:], starts[:, None] + WINDOW_S) - np.maximum(edges[:-1], starts[:, None])
    return np.asarray(np.maximum(overlap, 0.0) / WINDOW_S)
