"""The closed loop: EVs come, draw and leave by the physics; planning sees what a CSMS would tell it, and sets limits.

Planning runs on every arrival, departure, end of charging and change of a limit or price, and every `replan_s` by the
clock, with the optimizer's own problem, grid and ladder, unless all can have their maximum anyhow. As on a real site, cuts take effect before raises: these wait `settle_s` after a cut, and the next planning waits for them. A known drop
of the limit is acted on `lead_s` ahead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optivgi.model.problem import Bools, Floats, Ints
from optivgi.study.bill import BILLING_S, Bill
from optivgi.study.crest import NOISE_S, Ramps, Series, Watch
from optivgi.study.planner import NOISE_KW, Planner, Seen, ev_columns
from optivgi.study.task import UNCONTROLLED, Cars, Task


@dataclass(frozen=True, slots=True)
class Replay:
    """What happened, per EV [S] and per piece of time [J]; pieces are short where anything changes.

    `possible_kwh` is what each EV could have taken in its stay if it had been the only one. `high_kw` is the site's highest
    power in each piece, `over_s` for how long of it any limit was exceeded. `degraded` counts the plannings in which another
    algorithm than the chosen one decided.
    """

    delivered_kwh: Floats
    possible_kwh: Floats
    pauses: Ints
    start_s: Floats
    """[J], seconds since 1970."""
    seconds: Floats
    energy_kwh: Floats
    high_kw: Floats
    over_s: Floats
    limit_kw: Floats
    price_per_kwh: Floats
    cycles: int
    degraded: int
    planning_s: float


def replay(task: Task) -> Replay:
    """Replays the stretch from its first arrival to its last departure."""
    return _Loop(task).run()


class _Loop:
    """The state of one replay. Times are seconds since `origin`, the first arrival."""

    def __init__(self, task: Task) -> None:
        self._task, self._settings = task, task.settings
        self._origin = min(one.arrival for one in task.sessions)
        self._evs = ev_columns(task, self._origin)
        self._departure_s = _column([(one.departure - self._origin).total_seconds() for one in task.sessions])
        self._end_s = float(self._departure_s.max())
        self._coming: list[int] = np.argsort(-self._evs.arrival_s, kind="stable").tolist()
        self._cars = _cars(task)
        self._planner = None if task.algorithm == UNCONTROLLED else Planner(task, self._origin, self._evs)
        self._watch = Watch(task.site, self._evs, self._origin)
        self._price = Series([(price.start, price.per_kwh) for price in task.prices], self._origin)

        count = len(task.sessions)
        self._rows: Ints = np.zeros(0, dtype=np.int64)
        """Who is there."""
        self._wanted = np.ones(count, dtype=bool)
        self._allowed_kw, self._delivered_kwh = np.zeros(count), np.zeros(count)
        self._paused_s, self._running_s = np.full(count, math.nan), np.full(count, math.nan)
        self._pauses = np.zeros(count, dtype=np.int64)
        self._raises: Floats | None = None
        self._raise_at, self._cut_at = math.inf, -math.inf
        self._due = False
        self._bill = Bill(self._origin.timestamp())
        self._pieces: list[tuple[float, ...]] = []

    def run(self) -> Replay:
        now_s = 0.0
        for at_s, plans in zip(*(column.tolist() for column in self._instants()), strict=True):
            while now_s < at_s:
                now_s = self._advance(now_s, at_s)
                if now_s < at_s:
                    self._act(now_s)
            self._due |= plans
            self._act(at_s)
        pieces = np.array(self._pieces, dtype=np.float64).reshape(-1, 7).T
        start_s, seconds, energy_kwh, high_kw, over_s, limit_kw, price_per_kwh = pieces
        planner = self._planner
        return Replay(
            delivered_kwh=self._delivered_kwh,
            possible_kwh=_possible_kwh(self._task),
            pauses=self._pauses,
            start_s=self._origin.timestamp() + start_s,
            seconds=seconds,
            energy_kwh=energy_kwh,
            high_kw=high_kw,
            over_s=over_s,
            limit_kw=limit_kw,
            price_per_kwh=price_per_kwh,
            cycles=0 if planner is None else planner.cycles,
            degraded=0 if planner is None else planner.degraded,
            planning_s=0.0 if planner is None else planner.took_s,
        )

    def _instants(self) -> tuple[Floats, Bools]:
        """(when something is known to happen, whether it calls for planning), in order."""
        clock_s = self._origin.timestamp()
        changes = self._watch.changes_s
        wakes = np.concatenate(
            (
                self._evs.arrival_s, self._departure_s, _multiples(self._settings.replan_s, clock_s, self._end_s),
                changes, changes - self._settings.lead_s, self._price.starts_s[1:],
            )
        )  # fmt: skip
        instants = np.unique(np.concatenate((wakes, _multiples(BILLING_S, clock_s, self._end_s))))
        instants = instants[(instants >= 0) & (instants <= self._end_s)]
        return instants, np.isin(instants, wakes)

    def _advance(self, now_s: float, until_s: float) -> float:
        """Lets time pass until the next thing happens, at most until `until_s`; says when that is."""
        rows, allowed = self._rows, self._allowed_kw[self._rows]
        if now_s < self._raise_at < until_s:
            until_s = self._raise_at
        high_kw = over_s = total_kwh = 0.0
        if len(rows):
            soonest = float(self._cars.seconds_to_target_at_least(rows, allowed).min())
            until_s = min(until_s, now_s + max(soonest, 1.0))
            ramps = Ramps(self._cars.power_kw[rows], *self._cars.ramps(rows, allowed))
            high_kw, over_s = self._watch.passed(now_s, until_s - now_s, rows, ramps)
            energy = self._cars.advance(rows, until_s - now_s, allowed)
            self._delivered_kwh[rows] += energy
            total_kwh = float(energy.sum())
            self._bill.add(now_s, total_kwh)
        limit_kw, price = self._watch.limit_kw(now_s), self._price.at(now_s)
        self._pieces.append((now_s, until_s - now_s, total_kwh, high_kw, over_s, limit_kw, price))
        return until_s

    def _act(self, now_s: float) -> None:
        """Whoever comes or goes does so; raises that were waiting take effect; then planning, if anything calls for it."""
        self._come_and_go(now_s)
        rows = self._rows
        wanting = self._cars.wants_energy[rows]
        if (self._wanted[rows] != wanting).any():
            self._due = True
            self._wanted[rows] = wanting
        if self._raises is not None and now_s >= self._raise_at:
            self._set(self._raises, rows, now_s)
            self._raises, self._raise_at = None, math.inf
        if self._planner is not None and self._due and self._raises is None:
            self._due = False
            if wanting.any():
                self._aim(self._target_kw(self._planner, now_s), now_s)

    def _come_and_go(self, now_s: float) -> None:
        gone = self._departure_s[self._rows] <= now_s + NOISE_S
        if gone.any():
            self._allowed_kw[self._rows[gone]] = 0.0
            self._rows = self._rows[~gone]
        came = []
        while self._coming and self._evs.arrival_s[self._coming[-1]] <= now_s + NOISE_S:
            row = self._coming.pop()
            if self._departure_s[row] > now_s + NOISE_S:
                came.append(row)
        if came:
            self._rows = np.sort(np.concatenate((self._rows, np.array(came, dtype=np.int64))))
            self._paused_s[came] = now_s
            if self._planner is None:
                self._allowed_kw[came] = self._evs.max_kw[came]

    def _target_kw(self, planner: Planner, now_s: float) -> Floats:
        """[S], what each EV is to have; 0 for whoever is not there. Where the maxima of all fit there is nothing to plan."""
        rows = self._rows
        wanted, allowed, delivered = self._wanted[rows], self._allowed_kw[rows], self._delivered_kwh[rows]
        target = np.zeros(len(self._allowed_kw))
        most = np.where(wanted, self._evs.max_kw[rows], 0.0)
        if not planner.saves and self._watch.fits(now_s, self._settings.lead_s, rows, most):
            target[rows] = most
            return target
        need = np.maximum(0.0, self._evs.need_kwh[rows] - delivered)
        runs = allowed > 0
        seen = Seen(
            need_kwh=np.where(wanted, need, 0.0),
            delivered_kwh=delivered,
            measured_kw=self._cars.power_kw[rows],
            allowed_kw=allowed,
            waiting_s=np.where(wanted & ~runs, now_s - self._paused_s[rows], 0.0),
            running_s=np.where(runs, now_s - self._running_s[rows], 0.0),
        )
        target[rows] = planner.target_kw(now_s, rows, seen, self._bill)
        return target

    def _aim(self, target_kw: Floats, now_s: float) -> None:
        """Cuts at once; raises when the EVs that were cut have had time to follow."""
        rows = self._rows
        change = target_kw[rows] - self._allowed_kw[rows]
        cuts = rows[change < -NOISE_KW]
        if len(cuts):
            self._set(target_kw, cuts, now_s)
            self._cut_at = now_s
        if (change > NOISE_KW).any():
            if now_s >= self._cut_at + self._settings.settle_s:
                self._set(target_kw, rows, now_s)
            else:
                self._raises, self._raise_at = target_kw, self._cut_at + self._settings.settle_s

    def _set(self, target_kw: Floats, rows: Ints, now_s: float) -> None:
        ran, runs = self._allowed_kw[rows] > 0, target_kw[rows] > 0
        self._allowed_kw[rows] = target_kw[rows]
        stops = rows[ran & ~runs]
        self._running_s[rows[runs & ~ran]], self._paused_s[stops] = now_s, now_s
        self._pauses[stops] += self._wanted[stops]


def _column(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def _cars(task: Task) -> Cars:
    def column(name: str) -> Floats:
        return _column([getattr(one, name) for one in task.sessions])

    unknown = [math.nan if one.capacity_kwh is None else one.capacity_kwh for one in task.sessions]
    return task.physics(
        column("energy_kwh"),
        column("max_kw"),
        column("min_kw"),
        _column(unknown),
        to_the_top=task.settings.taper,
    )


def _possible_kwh(task: Task) -> Floats:
    """[S], what each EV takes in its stay when it is offered its maximum all the time."""
    stays_s = _column([one.stay_s for one in task.sessions])
    max_kw = _column([one.max_kw for one in task.sessions])
    return _cars(task).advance(np.arange(len(stays_s)), stays_s, max_kw)


def _multiples(step_s: float, clock_s: float, end_s: float) -> Floats:
    """The multiples of `step_s` on the clock, as seconds since an origin that the clock shows as `clock_s`."""
    return np.arange(math.ceil(clock_s / step_s) * step_s - clock_s, end_s, step_s)
