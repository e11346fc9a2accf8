"""The way from energies to powers: through the cells in order of time, sharing each one out by a policy.

Whatever the policy, the result keeps every limit, gives each EV 0 or at least its minimum, and not more energy than it needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from optivgi.algorithms import rates
from optivgi.algorithms.network import Network
from optivgi.algorithms.plain import is_plain
from optivgi.algorithms.plain_few import cells_of
from optivgi.model.problem import Bools, Floats, Ints, Problem

DONE_KWH = 1e-6
MOST_BALANCING = 100
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


class Cell:
    """What a policy sees of one cell: the N EVs that are there, and what limits them."""

    __slots__ = ("_here", "_laxity_h", "_walk", "hours_after", "index", "limits", "max_kw", "min_kw", "need_kwh", "stay_h", "target_kwh")  # fmt: skip

    def __init__(self, walk: _Walk, index: int, here: Ints | slice) -> None:
        self._walk, self.index, self._here = walk, index, here
        self.limits = walk.network.at(index, here)
        self.stay_h: Floats = walk.stay[index, here]
        """[N], how long it is there in this cell."""
        self.need_kwh: Floats = walk.need[here]
        """[N], what is left of its need; 0 for whoever is not there."""
        self.target_kwh: Floats = self.need_kwh if walk.target is walk.need else walk.target[here]
        """[N], what is left of what it is meant to get."""
        if walk.masks:
            there = self.stay_h > 0
            self.stay_h = np.where(there, self.stay_h, 1.0)
            self.need_kwh = self.need_kwh * there
            self.target_kwh = self.need_kwh if walk.target is walk.need else self.target_kwh * there
        self.hours_after: Floats = walk.after[index, here]
        """[N], how long it is still there after this cell."""
        self.min_kw: Floats = walk.least[here]
        self.max_kw: Floats = walk.most[here]
        self._laxity_h: Floats | None = None

    @property
    def laxity_h(self) -> Floats:
        """[N], how long it could still wait and yet get its target at its maximum power."""
        if self._laxity_h is None:
            self._laxity_h = self.hours_after + self.stay_h - self.target_kwh / self.max_kw
        return self._laxity_h

    @property
    def priority(self) -> Floats:
        return self._walk.problem.priority[self._here]

    @property
    def arrival_s(self) -> Floats:
        return self._walk.problem.arrival_s[self._here]

    @property
    def departure_s(self) -> Floats:
        return self._walk.problem.departure_s[self._here]

    @property
    def waited_s(self) -> Floats:
        """[N], how long it has been paused against its need."""
        return self._walk.waited[self._here]


@dataclass(frozen=True, slots=True)
class Claim:
    """How the EVs of a cell rise: `level` [2, N] is slope and offset of what each gets at the common level, `first_kw` [N]
    is served before that. With `everyone`, all run at their minimum at least, as far as that fits; otherwise those whom the
    level gives less are paused or raised to it one by one.
    """

    level: Floats
    first_kw: Floats | None = None
    everyone: bool = True


class Policy(ABC):
    """How one cell is shared out. `strict` serves in the order of urgency instead of raising all together."""

    strict = False

    @abstractmethod
    def urgency(self, cell: Cell) -> Floats:
        """[N], who runs when not all can: smaller first."""

    def claim(self, cell: Cell, low_kw: Floats, high_kw: Floats) -> Claim:
        """The claims of EVs that could have between `low_kw` (their minimum) and `high_kw` [N]."""
        del low_kw, high_kw
        return Claim(np.stack((cell.priority, np.zeros(len(cell.priority)))))


class LevelPolicy(Policy):
    """A policy that `plain` knows: least laxity, or steady powers first."""

    early_h: float | None = None
    """Steady powers complete targets this much before departure; None is least laxity."""


def forward(
    problem: Problem,
    network: Network,
    policy: Policy,
    *,
    target_kwh: Floats | None = None,
    turns: Turns | None = None,
) -> Floats:
    """[S, K] powers. EVs are served up to `target_kwh` first (their need if None); what is then free goes to the rest."""
    turns = turns or Turns()
    if network.single:
        return _Walk(problem, network, policy, target_kwh, turns).run()
    order = np.argsort(-problem.departure_s, kind="stable")
    target_kwh = None if target_kwh is None else target_kwh[order]
    power = np.empty(problem.stay_h.shape)
    power[order] = _Walk(problem.take(order), network.take(order), policy, target_kwh, turns).run()
    return power


class _Walk:
    def __init__(
        self, problem: Problem, network: Network, policy: Policy, target_kwh: Floats | None, turns: Turns
    ) -> None:
        self.problem, self.network, self.policy, self.turns = problem, network, policy, turns
        self.need = problem.need_kwh.copy()
        self.target = self.need if target_kwh is None else np.minimum(target_kwh, self.need)
        self.waited = problem.waiting_s.copy()
        self.ran = np.where(problem.current_kw > TINY_KW, problem.running_s, 0.0)
        self.lengths_s = np.diff(problem.edges_s).tolist()
        self.steady = bool(problem.pausable.all() and problem.departure_known.all())
        self.masks = not network.single
        """Whether cells contain all EVs until the last one of them has left, with those that are not there masked out: if EVs
        are in the order of leaving, last ones first, these are few, and selecting the others costs nothing."""
        self.stay = np.ascontiguousarray(problem.stay_h.T)
        beyond = np.maximum(problem.departure_s - problem.edges_s[-1], 0.0) / 3600.0
        self.after = np.cumsum(self.stay[::-1], axis=0)[::-1] - self.stay + beyond
        self.power = np.zeros(self.stay.shape)
        self.least = problem.least_kw
        whole = rates.stepped_down(problem.max_kw, problem.step_kw, self.least)
        self.need[whole <= 0] = 0.0
        self.most = np.where(whole > 0, whole, problem.max_kw)
        self.stepped = bool((problem.step_kw > 0).any())
        self.balances = bool(np.isfinite(problem.unbalance_kw))

    def run(self) -> Floats:
        policy = self.policy
        if isinstance(policy, LevelPolicy) and self.network.single and is_plain(self.problem):
            return self._plainly(policy.early_h)
        there = self.stay > 0
        for index, length_s in enumerate(self.lengths_s):
            rows = np.flatnonzero(there[index])
            if len(rows):
                whole = self.masks or len(rows) == rows[-1] + 1
                self._share(index, length_s, slice(int(rows[-1]) + 1) if whole else rows)
        return np.ascontiguousarray(self.power.T)

    def _plainly(self, early_h: float | None) -> Floats:
        rows = np.flatnonzero(self.stay[0] > 0)
        if len(rows):
            self._share(0, self.lengths_s[0], rows)
        target = np.minimum(self.target, self.need)
        cells = cells_of(self.problem, self.network.room[0], self.need, target)
        return np.concatenate((self.power[:1].T, cells.powers(early_h)), axis=1)

    def _share(self, index: int, length_s: float, here: Ints | slice) -> None:
        cell = Cell(self, index, here)
        need, stay, target = cell.need_kwh, cell.stay_h, cell.target_kwh
        wanted = _capped(target, stay, cell.min_kw, cell.max_kw)
        power = self._shared(cell, here, wanted)
        if target is not need and (cell.limits.left(power) > TINY_KW).all():
            high = _capped(need, stay, cell.min_kw, cell.max_kw)
            if (high > wanted).any():
                power = self._topped_up(cell, here, power, high)
        if self.stepped:
            power = self._in_steps(cell, here, power)
        if self.balances:
            power = self._balanced(cell, here, power)
        running = power > TINY_KW
        power = power * running
        self.power[index, here] = power
        energy = np.minimum(power * stay, need)
        self.need[here] -= energy
        if target is not need:
            self.target[here] -= energy
        self.waited[here] = np.where(running, 0.0, cell.waited_s + length_s * (need > 0))
        self.ran[here] = np.where(running, self.ran[here] + length_s, 0.0)

    def _shared(self, cell: Cell, here: Ints | slice, wanted: Floats) -> Floats:
        limits = cell.limits
        if limits.fit(wanted):
            return wanted
        floor = np.minimum(cell.min_kw, wanted)
        if self.policy.strict:
            order = self._order(cell, here)
            return limits.in_sequence(order[wanted[order] > 0], cell.min_kw, wanted)
        claim = self.policy.claim(cell, floor, wanted)
        if not claim.everyone:
            return self._levelled(cell, here, claim, floor, wanted)
        runs = None if limits.fit(floor) else limits.admitted(self._order(cell, here), floor)
        if runs is not None:
            floor = np.where(runs, floor, 0.0)
            wanted = np.where(runs, wanted, 0.0)
        if claim.first_kw is not None:
            floor = limits.fill(claim.level, floor, np.minimum(np.maximum(claim.first_kw, floor), wanted))
        return limits.fill(claim.level, floor, wanted)

    def _levelled(self, cell: Cell, here: Ints | slice, claim: Claim, floor: Floats, wanted: Floats) -> Floats:
        """[N] powers when the level alone decides who runs: those it gives their minimum, then others by urgency.

        An EV that must run at some power now to reach its target keeps that; otherwise those at higher powers give way to
        one more at its minimum, so that no power is left over.
        """
        limits = cell.limits
        required = (cell.target_kwh - cell.max_kw * cell.hours_after) / cell.stay_h
        urgent = np.minimum(np.maximum(required, 0.0), wanted)
        fluid = limits.fill(claim.level, urgent if limits.fit(urgent) else np.zeros(len(floor)), wanted)
        runs = fluid >= floor - TINY_KW
        kept = self._kept(cell, here)
        if kept is None and (runs | (fluid <= TINY_KW)).all():
            return fluid
        rank = np.where(runs, 3, 4)
        asked = fluid > TINY_KW
        if kept is not None:
            rank[kept] = 2
            asked |= kept
        rank[required > 0.5 * floor] = 1
        rank[required > floor] = 0
        asking = np.flatnonzero(asked & (wanted > 0))
        order = asking[
            np.lexsort((-cell.waited_s[asking], np.round(self.policy.urgency(cell)[asking], 9), rank[asking]))
        ]
        runs = limits.admitted(order, np.where(runs, np.minimum(np.maximum(required, floor), fluid), floor))
        return limits.fill(claim.level, np.where(runs, floor, 0.0), np.where(runs, wanted, 0.0))

    def _kept(self, cell: Cell, here: Ints | slice) -> Bools | None:
        """[N], who is to run in its turn: not pausable, just let in, or (departure unknown) waiting for too long."""
        if self.steady and cell.index and self.lengths_s[cell.index - 1] >= self.turns.shortest_run_s:
            return None
        turns, ran = self.turns, self.ran[here]
        kept = ((ran > 0) & (ran < turns.shortest_run_s)) | ~self.problem.pausable[here]
        kept |= (cell.waited_s >= turns.longest_wait_s) & ~self.problem.departure_known[here]
        return kept if kept.any() else None

    def _topped_up(self, cell: Cell, here: Ints | slice, power: Floats, high: Floats) -> Floats:
        """`power` with what is still free given to whoever still needs energy, those that run already before others."""
        limits = cell.limits
        idle = (power <= TINY_KW) & (high > 0)
        floor = power
        if idle.any():
            order = self._order(cell, here)
            floor = np.where(idle, cell.min_kw, power)
            ranked = np.concatenate((order[~idle[order]], order[idle[order]]))
            floor = np.where(limits.admitted(ranked, floor), floor, 0.0)
            high = np.where(floor > TINY_KW, high, 0.0)
        level = self.policy.claim(cell, floor, high).level
        return limits.fill(level, floor, np.maximum(high, floor))

    def _in_steps(self, cell: Cell, here: Ints | slice, power: Floats) -> Floats:
        """`power` in whole steps; what rounding down sets free raises the least lax by one step each."""
        step = self.problem.step_kw[here]
        lower = rates.stepped_down(power, step, cell.min_kw)
        high = _capped(cell.need_kwh, cell.stay_h, cell.min_kw, cell.max_kw)
        may = (step > 0) & (lower > 0) & (lower + step <= high + rates.ROUNDING)
        order = self._order(cell, here)
        raised = cell.limits.more(lower).admitted(order[may[order]], step)
        return np.where(raised, lower + step, lower)

    def _balanced(self, cell: Cell, here: Ints | slice, power: Floats) -> Floats:
        problem = self.problem
        lines, on_phase = problem.lines[here], problem.on_phase[here]
        known = on_phase.sum(axis=1) == lines
        share = (on_phase & known[:, None]).T / lines
        doubt = np.where(known, 0.0, 1.0 / lines)
        for _ in range(MOST_BALANCING):
            lower = rates.balanced(power, share, doubt, problem.unbalance_kw, cell.min_kw)
            if not self.stepped:
                return lower
            # A step down on the weak phase tips the balance again: both only lower, so they come to rest.
            power = rates.stepped_down(lower, problem.step_kw[here], cell.min_kw)
            if np.array_equal(power, lower):
                return power
        return np.zeros(len(power))

    def _order(self, cell: Cell, here: Ints | slice) -> Ints:
        """Positions in the order in which they are let in."""
        turns, waited, ran = self.turns, cell.waited_s, self.ran[here]
        overdue = np.where(waited >= turns.longest_wait_s, -waited, 0.0)
        fresh = (ran > 0) & (ran < turns.shortest_run_s)
        shut = (waited > 0) & (waited < turns.shortest_wait_s)
        rank = np.where(self.problem.pausable[here], np.where(fresh, 1, np.where(shut, 3, 2)), 0)
        return np.lexsort((-waited, np.round(self.policy.urgency(cell), 9), overdue, rank))


def _capped(energy_kwh: Floats, stay_h: Floats, min_kw: Floats, max_kw: Floats) -> Floats:
    """[N], the power that delivers the energy within the stay, between minimum and maximum; 0 if there is none left."""
    power = energy_kwh / stay_h
    np.maximum(power, min_kw, out=power)
    np.minimum(power, max_kw, out=power)
    power *= energy_kwh > DONE_KWH
    return power
