"""Planning in a study: the optimizer's own problem, grid and ladder, fed with what a CSMS would tell."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

import numpy as np

from optivgi.algorithms import Ladder, algorithm
from optivgi.model.framing import Columns, Price, Tariff, phase_columns, problem_of
from optivgi.model.horizon import GridSettings
from optivgi.model.problem import Floats, Ints
from optivgi.study.bill import Bill
from optivgi.study.task import Task

WATT_KW = 0.001
NOISE_KW = 1e-6


@dataclass(frozen=True, slots=True)
class Seen:
    """What charging stations tell of the EVs that are there, and what control remembers of them, all [N]."""

    need_kwh: Floats
    delivered_kwh: Floats
    measured_kw: Floats
    allowed_kw: Floats
    waiting_s: Floats
    running_s: Floats


class Planner:
    """Plans for the EVs of a task; counts how often, how often another algorithm had to decide, and for how long.

    An algorithm that looks at the moment alone is shown no more than the moment, which it decides alike and much sooner.
    """

    def __init__(self, task: Task, origin: datetime, evs: Columns) -> None:
        chosen = algorithm(task.algorithm)
        settings = task.settings
        self._task, self._origin = task, origin
        self._ladder = Ladder(chosen, deadline_s=math.inf)
        self._grid = GridSettings(
            replan_s=settings.replan_s, lead_s=settings.lead_s, assumed_stay_s=settings.assumed_stay_s
        )
        if chosen.momentary:
            self._grid = replace(self._grid, longest_horizon_s=settings.replan_s)
        self.saves = chosen.saves and bool(task.demand_charge_per_kw or len({one.per_kwh for one in task.prices}) > 1)
        """Whether it may leave for later what somebody could use now."""
        self._evs = evs
        self.cycles, self.degraded, self.took_s = 0, 0, 0.0

    def target_kw(self, now_s: float, rows: Ints, seen: Seen, bill: Bill) -> Floats:
        """[N] whole watts, what the EVs at `rows` [N] are to have from `now_s` after the origin on."""
        now = self._origin + timedelta(seconds=now_s)
        tariff = Tariff(self._prices_ahead(now), self._task.demand_charge_per_kw, *bill.at(now_s))
        started = time.perf_counter()
        problem = problem_of(self._there(now_s, rows, seen), self._task.site, now, settings=self._grid, tariff=tariff)
        decision = self._ladder.decide(problem)
        self.took_s += time.perf_counter() - started
        self.cycles += 1
        self.degraded += decision.degraded
        watts: Floats = np.floor(decision.plan.power_kw[:, 0] / WATT_KW + NOISE_KW) * WATT_KW
        return np.where(watts < problem.min_kw - NOISE_KW, 0.0, watts)

    def _there(self, now_s: float, rows: Ints, seen: Seen) -> Columns:
        evs = self._evs
        constant = {name: getattr(evs, name)[rows] for name in _CONSTANT}
        return Columns(
            ev_ids=tuple([evs.ev_ids[row] for row in rows.tolist()]),
            arrival_s=np.round(evs.arrival_s[rows] - now_s, 3),
            stated_s=np.round(evs.stated_s[rows] - now_s, 3),
            need_kwh=seen.need_kwh,
            delivered_kwh=seen.delivered_kwh,
            measured_kw=seen.measured_kw,
            current_kw=seen.allowed_kw,
            waiting_s=seen.waiting_s,
            running_s=seen.running_s,
            **constant,
        )

    def _prices_ahead(self, now: datetime) -> tuple[Price, ...]:
        prices = self._task.prices
        if len(prices) == 1:
            return prices
        current = max((index for index, price in enumerate(prices) if price.start <= now), default=0)
        end = now + timedelta(seconds=self._grid.longest_horizon_s)
        return tuple(price for price in prices[current:] if price.start < end)


_VARIABLE = {
    "ev_ids", "arrival_s", "stated_s", "need_kwh", "delivered_kwh", "measured_kw", "current_kw", "waiting_s", "running_s",
}  # fmt: skip
_CONSTANT = tuple(one.name for one in fields(Columns) if one.name not in _VARIABLE)


def ev_columns(task: Task, origin: datetime) -> Columns:
    """All EVs of the task [S] as they are before they come, times in seconds after the origin."""
    sessions, positions = task.sessions, task.site.index()
    count = len(sessions)

    def column(values: list[float]) -> Floats:
        return np.array(values, dtype=np.float64)

    on_phase, lines = phase_columns([one.phases for one in sessions])
    need_kwh = column([one.energy_kwh for one in sessions])
    nothing = np.zeros(count)
    return Columns(
        ev_ids=tuple(f"{number:06d}" for number in range(1, count + 1)),
        arrival_s=column([(one.arrival - origin).total_seconds() for one in sessions]),
        stated_s=column(
            [
                math.nan if one.stated_departure is None else (one.stated_departure - origin).total_seconds()
                for one in sessions
            ]
        ),
        need_kwh=need_kwh,
        delivered_kwh=nothing,
        measured_kw=nothing,
        min_kw=column([one.min_kw for one in sessions]),
        max_kw=column([one.max_kw for one in sessions]),
        volts=np.full(count, task.settings.voltage_v),
        on_phase=on_phase,
        lines=lines,
        circuit=np.array([positions[one.circuit] for one in sessions], dtype=np.int64),
        priority=column([one.priority for one in sessions]),
        step_kw=nothing,
        current_kw=nothing,
        waiting_s=nothing,
        running_s=nothing,
        pausable=np.ones(count, dtype=bool),
    )
