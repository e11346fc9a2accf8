"""The way from energies to powers: through the cells in order of time, sharing each one out by a policy.

Whatever the policy, the result keeps every limit, gives each EV 0 or at least its minimum, and not more energy than it needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from optivgi.algorithms.network import Network
from optivgi.model.problem import Bools, Floats, Ints, Problem

DONE_KWH = 1e-6
TINY_KW = 1e-9


@dataclass(frozen=True, slots=True)
class Turns:
    """How EVs take turns when the minimum powers do not all fit.

    Whoever has waited `longest_wait_s` goes first; whoever has just been let in stays for `shortest_run_s`, and whoever has
    just been paused stays out for `shortest_wait_s` as long as others can use the power: so nobody flaps.
    """

    longest_wait_s: float = 1800.0
    shortest_run_s: float = 600.0
    shortest_wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Cell:
    """What a policy sees of one cell: the N EVs that are there and want energy."""

    index: int
    hours: float
    need_kwh: Floats
    """[N], what is left of its need."""
    target_kwh: Floats
    """[N], what is left of what it is meant to get; at most its need."""
    hours_after: Floats
    """[N], how long it is still there after this cell, beyond the grid's end too."""
    min_kw: Floats
    max_kw: Floats
    priority: Floats
    arrival_rank: Floats
    """[N], smaller is earlier; equal for EVs that cannot be told apart."""
    waited_s: Floats


@dataclass(frozen=True, slots=True)
class Claim:
    """What a policy wants for the N EVs of a cell.

    `urgency` decides who runs when not all can (smaller first). `first_kw` is served before anything else, then everyone
    rises by `rise` [2, N] (slope and offset of the common level). `strict` serves in order of urgency instead.
    """

    urgency: Floats
    rise: Floats
    first_kw: Floats | None = None
    strict: bool = False


class Policy(ABC):
    """How one cell is shared out."""

    @abstractmethod
    def claim(self, cell: Cell) -> Claim:
        """The claims of the EVs in `cell`."""


def forward(
    problem: Problem,
    network: Network,
    policy: Policy,
    *,
    target_kwh: Floats | None = None,
    turns: Turns | None = None,
) -> Floats:
    """[S, K] powers. EVs are served up to `target_kwh` first (their need if None); what is then free goes to the rest."""
    return _Walk(
        problem, network, policy, problem.need_kwh if target_kwh is None else target_kwh, turns or Turns()
    ).run()


class _Walk:
    def __init__(self, problem: Problem, network: Network, policy: Policy, target_kwh: Floats, turns: Turns) -> None:
        self.problem, self.network, self.policy, self.turns = problem, network, policy, turns
        self.need = problem.need_kwh.copy()
        self.target = np.minimum(target_kwh, problem.need_kwh)
        self.waited = problem.waiting_s.copy()
        self.ran = np.where(problem.current_kw > TINY_KW, problem.running_s, 0.0)
        hours = problem.hours
        beyond = np.maximum(problem.departure_s - problem.edges_s[-1], 0.0) / 3600.0
        ahead = np.cumsum((problem.present * hours)[:, ::-1], axis=1)[:, ::-1]
        self.hours_after = np.concatenate((ahead[:, 1:], np.zeros((len(self.need), 1))), axis=1) + beyond[:, None]
        self.power = np.zeros(problem.present.shape)
        self.arrival_rank = np.argmax(problem.present, axis=1).astype(float)

    def run(self) -> Floats:
        hours = self.problem.hours
        for index in range(len(hours)):
            rows = np.flatnonzero(self.problem.present[:, index] & (self.need > DONE_KWH))
            if len(rows):
                self._share(index, float(hours[index]), rows)
        return self.power

    def _share(self, index: int, hours: float, rows: Ints) -> None:
        problem = self.problem
        need, target = self.need[rows], self.target[rows]
        low, most = problem.min_kw[rows], problem.max_kw[rows]
        cell = Cell(
            index=index,
            hours=hours,
            need_kwh=need,
            target_kwh=np.maximum(target, 0.0),
            hours_after=self.hours_after[rows, index],
            min_kw=low,
            max_kw=most,
            priority=problem.priority[rows],
            arrival_rank=self.arrival_rank[rows],
            waited_s=self.waited[rows],
        )
        claim = self.policy.claim(cell)
        high = np.minimum(most, np.maximum(need / hours, low))
        wanted = np.where(target > DONE_KWH, np.minimum(high, np.maximum(target / hours, low)), 0.0)
        power = self._shared(index, rows, claim, low, wanted)
        if (wanted < high).any():
            power = self._topped_up(index, rows, claim, power, high)
        self.power[rows, index] = power
        energy = np.minimum(power * hours, need)
        self.need[rows] = need - energy
        self.target[rows] = target - energy
        running = power > TINY_KW
        self.waited[rows] = np.where(running, 0.0, self.waited[rows] + hours * 3600.0)
        self.ran[rows] = np.where(running, self.ran[rows] + hours * 3600.0, 0.0)

    def _shared(self, index: int, rows: Ints, claim: Claim, low: Floats, wanted: Floats) -> Floats:
        asking = wanted > 0
        if claim.strict:
            order = self._order(rows, claim.urgency)
            return self.network.in_sequence(index, rows, order[asking[order]], low, wanted)
        floor = np.where(asking, low, 0.0)
        runs = self._admitted(index, rows, claim, floor)
        floor = np.where(runs, floor, 0.0)
        wanted = np.where(runs, wanted, 0.0)
        if claim.first_kw is not None:
            first = np.clip(claim.first_kw, floor, wanted)
            if (first > floor).any():
                floor = self.network.fill(index, rows, claim.rise, floor, first)
        return self.network.fill(index, rows, claim.rise, floor, wanted)

    def _topped_up(self, index: int, rows: Ints, claim: Claim, power: Floats, high: Floats) -> Floats:
        """`power` with what is still free given to whoever still needs energy, those that run already before others."""
        network, problem = self.network, self.problem
        if not (network.room_left(index, rows, power) > TINY_KW).all():
            return power
        idle = np.flatnonzero(power <= TINY_KW)
        floor = power.copy()
        if len(idle):
            floor[idle] = problem.min_kw[rows[idle]]
            order = self._order(rows, claim.urgency)
            ranked = np.concatenate((order[power[order] > TINY_KW], order[power[order] <= TINY_KW]))
            floor = np.where(network.admitted(index, rows, ranked, floor), floor, 0.0)
        high = np.where(floor > TINY_KW, high, 0.0)
        return network.fill(index, rows, claim.rise, floor, np.maximum(high, floor))

    def _admitted(self, index: int, rows: Ints, claim: Claim, floor: Floats) -> Bools:
        network = self.network
        if (network.room_left(index, rows, floor) >= -TINY_KW).all():
            return np.ones(len(rows), dtype=bool)
        return network.admitted(index, rows, self._order(rows, claim.urgency), floor)

    def _order(self, rows: Ints, urgency: Floats) -> Ints:
        """Positions in the order in which they are let in."""
        turns = self.turns
        waited, ran = self.waited[rows], self.ran[rows]
        overdue = np.where(waited >= turns.longest_wait_s, -waited, 0.0)
        fresh = (ran > 0) & (ran < turns.shortest_run_s)
        shut = (waited > 0) & (waited < turns.shortest_wait_s)
        rank = np.where(self.problem.pausable[rows], np.where(fresh, 1, np.where(shut, 3, 2)), 0)
        return np.lexsort((rows, -waited, np.round(urgency, 9), overdue, rank))
