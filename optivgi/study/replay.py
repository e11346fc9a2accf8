"""The closed loop: EVs come, draw and leave by the physics; planning sees what a CSMS would tell it, and sets limits.

Planning runs on every arrival, departure, end of charging and change of a limit or price, and every `replan_s` by the
clock, with the optimizer's own problem, grid and ladder. As on a real site, cuts take effect before raises: these wait
`settle_s` after a cut, and the next planning waits for them. A known drop of the limit is acted on `lead_s` ahead.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from optivgi.algorithms import Ladder
from optivgi.model.ev import EV
from optivgi.model.framing import EVState, Price, Tariff, frame
from optivgi.model.horizon import GridSettings
from optivgi.model.limit_series import LimitSeries
from optivgi.model.problem import Bools, Floats, Ints
from optivgi.model.site import Site
from optivgi.model.snapshot import Snapshot
from optivgi.study.session import Session

UNCONTROLLED = "uncontrolled"
"""Instead of an algorithm: every EV may always draw its maximum."""
BILLING_S = 900.0
RAMP_MARKS_S = (0.5, 1.0, 12.0)
"""How long after a change the site's power is looked at: while EVs ramp, and when the last has reached its power."""
NOISE_S = 1e-6
VOLTAGE_V = 240.0
WATT_KW = 0.001


class Cars(Protocol):
    """The physics of many EVs at once; `rows` choose those that are plugged in."""

    power_kw: Floats

    @property
    def wants_energy(self) -> Bools: ...

    def seconds_to_target_at_least(self, rows: Ints, offered_kw: Floats) -> Floats: ...

    def advance(self, rows: Ints, seconds: float | Floats, offered_kw: Floats) -> Floats: ...


class Physics(Protocol):
    """Builds EVs that take the energies [S] when offered enough; capacity nan is not known. Must survive pickling."""

    def __call__(
        self, energy_kwh: Floats, max_kw: Floats, min_kw: Floats, capacity_kwh: Floats, *, to_the_top: bool
    ) -> Cars: ...


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How the loop is closed. `taper`: EVs charge until full, with falling power, which planning does not foresee."""

    replan_s: float = 300.0
    settle_s: float = 5.0
    lead_s: float = 10.0
    assumed_stay_s: float = 8 * 3600.0
    taper: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One stretch of sessions under one algorithm, limit and tariff: what is sent to a worker."""

    sessions: tuple[Session, ...]
    algorithm: str
    limit: LimitSeries
    prices: tuple[Price, ...]
    demand_charge_per_kw: float
    settings: ReplaySettings
    physics: Physics


@dataclass(frozen=True, slots=True)
class Replay:
    """What happened, per EV [S] and per piece of time [J]; pieces are short where anything changes.

    `possible_kwh` is what each EV could have taken in its stay if it had been the only one. `high_kw` is the site's highest
    power in each piece. `degraded` counts the plannings in which another algorithm than the chosen one decided.
    """

    delivered_kwh: Floats
    possible_kwh: Floats
    pauses: Ints
    start_s: Floats
    """[J], seconds since 1970."""
    seconds: Floats
    energy_kwh: Floats
    high_kw: Floats
    limit_kw: Floats
    price_per_kwh: Floats
    cycles: int
    degraded: int
    planning_s: float


def replay(task: Task) -> Replay:
    """Replays the stretch from its first arrival to its last departure."""
    return _Loop(task).run()


def _column(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)


class _Series:
    """A piecewise-constant series over seconds since the origin; the first value also holds before."""

    def __init__(self, steps: Sequence[tuple[datetime, float]], origin: datetime) -> None:
        self.starts_s = _column([(start - origin).total_seconds() for start, _ in steps])
        self._values = _column([value for _, value in steps])

    def at(self, second: float) -> float:
        index = int(np.searchsorted(self.starts_s, second + NOISE_S, side="right")) - 1
        return float(self._values[max(index, 0)])


class _Loop:
    """The state of one replay. Times are seconds since `origin`, the first arrival."""

    def __init__(self, task: Task) -> None:
        self._task, self._settings = task, task.settings
        sessions = task.sessions
        self._origin = min(one.arrival for one in sessions)
        self._arrival_s = _column([(one.arrival - self._origin).total_seconds() for one in sessions])
        self._departure_s = _column([(one.departure - self._origin).total_seconds() for one in sessions])
        self._end_s = float(self._departure_s.max())
        self._max_kw = _column([one.max_kw for one in sessions])
        self._cars = _cars(task)
        self._evs = [_ev(number, one) for number, one in enumerate(sessions, 1)]
        self._need_kwh = _column([one.energy_kwh for one in sessions])
        self._limit = _Series(
            [(step.start, math.inf if step.limit_kw is None else step.limit_kw) for step in task.limit.steps],
            self._origin,
        )
        self._price = _Series([(price.start, price.per_kwh) for price in task.prices], self._origin)
        self._site = Site.single(task.limit)
        self._ladder = None if task.algorithm == UNCONTROLLED else Ladder(task.algorithm, deadline_s=math.inf)
        settings = self._settings
        self._grid = GridSettings(
            replan_s=settings.replan_s, lead_s=settings.lead_s, assumed_stay_s=settings.assumed_stay_s
        )

        count = len(sessions)
        self._present = np.zeros(count, dtype=bool)
        self._wanted = np.ones(count, dtype=bool)
        self._allowed_kw, self._delivered_kwh = np.zeros(count), np.zeros(count)
        self._paused_s, self._running_s = np.full(count, math.nan), np.full(count, math.nan)
        self._pauses = np.zeros(count, dtype=np.int64)
        self._raises: Floats | None = None
        self._raise_at, self._cut_at, self._marks_s = math.inf, -math.inf, tuple[float, ...]()
        self._due = False
        self._pieces: list[tuple[float, float, float, float, float, float]] = []
        self._cycles, self._degraded, self._planning_s = 0, 0, 0.0

    def run(self) -> Replay:
        instants_s, plans = self._instants()
        now_s = 0.0
        for at_s, plan in zip(instants_s.tolist(), plans.tolist(), strict=True):
            while now_s < at_s:
                now_s = self._advance(now_s, at_s)
                if now_s < at_s:
                    self._act(now_s)
            self._due |= plan
            self._act(at_s)
        pieces = np.array(self._pieces, dtype=np.float64).reshape(-1, 6).T
        start_s, seconds, energy_kwh, high_kw, limit_kw, price_per_kwh = pieces
        return Replay(
            delivered_kwh=self._delivered_kwh,
            possible_kwh=_possible_kwh(self._task),
            pauses=self._pauses,
            start_s=self._origin.timestamp() + start_s,
            seconds=seconds,
            energy_kwh=energy_kwh,
            high_kw=high_kw,
            limit_kw=limit_kw,
            price_per_kwh=price_per_kwh,
            cycles=self._cycles,
            degraded=self._degraded,
            planning_s=self._planning_s,
        )

    def _instants(self) -> tuple[Floats, Bools]:
        """(when something is known to happen, whether it calls for planning), in order."""
        clock_s = self._origin.timestamp()
        ticks = _multiples(self._settings.replan_s, clock_s, self._end_s)
        changes = self._limit.starts_s[1:]
        wakes = np.concatenate(
            (
                self._arrival_s, self._departure_s, ticks, changes, changes - self._settings.lead_s,
                self._price.starts_s[1:],
            )
        )  # fmt: skip
        marks = _multiples(BILLING_S, clock_s, self._end_s)
        instants = np.unique(np.concatenate((wakes, marks)))
        instants = instants[(instants >= 0) & (instants <= self._end_s)]
        return instants, np.isin(instants, wakes)

    def _advance(self, now_s: float, until_s: float) -> float:
        """Lets time pass until the next thing happens, at most until `until_s`; says when that is."""
        rows = np.flatnonzero(self._present)
        allowed = self._allowed_kw[rows]
        until_s = min(until_s, *(at for at in (self._raise_at, *self._marks_s, math.inf) if at > now_s))
        if len(rows):
            soonest = float(self._cars.seconds_to_target_at_least(rows, allowed).min())
            until_s = min(until_s, now_s + max(soonest, 1.0))
        seconds = until_s - now_s
        before_kw = float(self._cars.power_kw[rows].sum())
        energy = self._cars.advance(rows, seconds, allowed)
        self._delivered_kwh[rows] += energy
        high_kw = max(before_kw, float(self._cars.power_kw[rows].sum()))
        limit_kw, price = self._limit.at(now_s), self._price.at(now_s)
        self._pieces.append((now_s, seconds, float(energy.sum()), high_kw, limit_kw, price))
        return until_s

    def _act(self, now_s: float) -> None:
        """Whoever comes or goes does so; raises that were waiting take effect; then planning, if anything calls for it."""
        self._come_and_go(now_s)
        wanting = self._cars.wants_energy
        if (self._wanted & ~wanting & self._present).any():
            self._due = True
        self._wanted = wanting
        if self._raises is not None and now_s >= self._raise_at:
            self._set(self._raises, self._present, now_s)
            self._raises, self._raise_at = None, math.inf
        if self._due and self._raises is None:
            self._due = False
            self._plan(now_s)

    def _come_and_go(self, now_s: float) -> None:
        gone = self._present & (self._departure_s <= now_s + NOISE_S)
        self._present[gone], self._allowed_kw[gone] = False, 0.0
        came = ~self._present & (np.abs(self._arrival_s - now_s) <= NOISE_S) & (self._departure_s > now_s + NOISE_S)
        self._present[came], self._paused_s[came] = True, now_s
        if self._ladder is None:
            self._allowed_kw[came] = self._max_kw[came]

    def _plan(self, now_s: float) -> None:
        rows = np.flatnonzero(self._present)
        if self._ladder is None or not self._wanted[rows].any():
            return
        now = self._origin + timedelta(seconds=now_s)
        evs = tuple(self._seen(row) for row in rows.tolist())
        states = {self._evs[row].ev_id: self._state(row, now_s) for row in rows.tolist()}
        snapshot = Snapshot("study", now, evs, ())
        charge = self._task.demand_charge_per_kw
        peak_kw, window_kwh = self._metered(now_s) if charge else (0.0, 0.0)
        tariff = Tariff(self._prices_ahead(now), charge, peak_kw, window_kwh)
        started = time.perf_counter()
        framing = frame(snapshot, self._site, now, states=states, grid=self._grid, tariff=tariff)
        decision = self._ladder.decide(framing.problem)
        self._planning_s += time.perf_counter() - started
        self._cycles += 1
        self._degraded += decision.degraded
        target = np.zeros(len(self._evs))
        watts = np.floor(decision.plan.power_kw[:, 0] / WATT_KW + NOISE_S) * WATT_KW
        target[rows] = np.where(watts < framing.problem.min_kw - NOISE_S, 0.0, watts)
        self._aim(target, now_s)

    def _aim(self, target_kw: Floats, now_s: float) -> None:
        """Cuts at once; raises when the EVs that were cut have had time to follow."""
        cuts = self._present & (target_kw < self._allowed_kw - NOISE_S)
        if cuts.any():
            self._set(target_kw, cuts, now_s)
            self._cut_at = now_s
        if (self._present & (target_kw > self._allowed_kw + NOISE_S)).any():
            if now_s >= self._cut_at + self._settings.settle_s:
                self._set(target_kw, self._present, now_s)
            else:
                self._raises, self._raise_at = target_kw, self._cut_at + self._settings.settle_s

    def _set(self, target_kw: Floats, chosen: Bools, now_s: float) -> None:
        before = self._allowed_kw.copy()
        self._allowed_kw[chosen] = target_kw[chosen]
        self._marks_s = tuple(now_s + mark for mark in RAMP_MARKS_S)
        starts = chosen & (before <= 0) & (self._allowed_kw > 0)
        stops = chosen & (before > 0) & (self._allowed_kw <= 0)
        self._running_s[starts], self._paused_s[stops] = now_s, now_s
        self._pauses[stops & self._wanted] += 1

    def _seen(self, row: int) -> EV:
        """The EV as its charging station tells of it now."""
        delivered = float(self._delivered_kwh[row])
        return replace(
            self._evs[row],
            energy_needed_kwh=max(0.0, float(self._need_kwh[row]) - delivered) if self._wanted[row] else 0.0,
            delivered_kwh=delivered,
            measured_kw=float(self._cars.power_kw[row]),
        )

    def _state(self, row: int, now_s: float) -> EVState:
        allowed = float(self._allowed_kw[row])
        if allowed > 0:
            return EVState(allowed, allowed, running_s=now_s - float(self._running_s[row]))
        waiting_s = now_s - float(self._paused_s[row]) if self._wanted[row] else 0.0
        return EVState(0.0, 0.0, waiting_s=waiting_s, running_s=0.0)

    def _prices_ahead(self, now: datetime) -> tuple[Price, ...]:
        prices = self._task.prices
        current = max((index for index, price in enumerate(prices) if price.start <= now), default=0)
        end = now + timedelta(seconds=self._grid.longest_horizon_s)
        return tuple(price for price in prices[current:] if price.start < end)

    def _metered(self, now_s: float) -> tuple[float, float]:
        """(the highest mean over a billing window until now, kWh in the running window)."""
        if not self._pieces:
            return 0.0, 0.0
        pieces = np.array(self._pieces, dtype=np.float64)
        start_s = self._origin.timestamp() + NOISE_S
        window = np.floor((start_s + np.append(pieces[:, 0], now_s)) / BILLING_S).astype(np.int64)
        energy_kwh = np.bincount(window - window[0], weights=np.append(pieces[:, 2], 0.0))
        return float(energy_kwh.max() * 3600.0 / BILLING_S), float(energy_kwh[-1])


def _ev(number: int, session: Session) -> EV:
    name = f"{number:06d}"
    return EV(
        ev_id=name,
        station_id=name,
        connector_id=1,
        transaction_id=name,
        arrival=session.arrival,
        departure=session.stated_departure,
        energy_needed_kwh=session.energy_kwh,
        delivered_kwh=0.0,
        min_kw=session.min_kw,
        max_kw=session.max_kw,
        voltage_v=VOLTAGE_V,
        phases=session.phases,
    )


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
