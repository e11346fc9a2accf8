"""When each EV's power changes next according to a plan, and why then. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from optivgi.model.checks import below
from optivgi.model.plan import Plan
from optivgi.model.problem import Bools, Floats, Problem

CHANGE_KW = 0.05
ON_KW = 1e-6
NEAR_KWH = 1e-3
MOST_NAMED = 3
COMPLETE = "its energy is complete"


@dataclass(frozen=True, slots=True)
class NextChange:
    """From `at` on the EV is to have `power_kw`, if nothing unforeseen happens; `why` is for a site manager."""

    at: datetime
    power_kw: float
    why: str


def next_changes(problem: Problem, plan: Plan) -> tuple[NextChange | None, ...]:
    """[S], the first change of more than 0.05 kW that something explains; None if there is none in sight.

    A plan looks far ahead in long cells, in which an EV has its mean power. A change without a cause is only that: the next
    plan puts it off. So what counts is what happens at a boundary, pauses, and the end of its energy at the power of now.
    """
    if not plan.power_kw.size:
        return (None,) * len(problem.ev_ids)
    return _Outlook(problem, plan.power_kw).all()


def announced(problem: Problem, plan: Plan, lead_s: float) -> dict[str, tuple[tuple[datetime, float], ...]]:
    """By EV, what it has from each drop of a limit above it on, as (moment, kW), `lead_s` ahead of the drop."""
    dropped = np.zeros(problem.limit_kw.shape, dtype=bool)
    dropped[:, 1:] = problem.limit_kw[:, 1:] < problem.limit_kw[:, :-1] - ON_KW
    concerned = ((below(problem) > 0).T.astype(float) @ dropped) > 0
    moments = [problem.now + timedelta(seconds=float(edge) - lead_s) for edge in problem.edges_s[:-1]]
    return {
        ev_id: tuple(
            (moments[cell], float(plan.power_kw[row, cell])) for cell in np.flatnonzero(concerned[row]).tolist()
        )
        for row, ev_id in enumerate(problem.ev_ids)
    }


class _Outlook:
    def __init__(self, problem: Problem, power_kw: Floats) -> None:
        self._problem, self._power = problem, power_kw
        self._present = problem.present
        self._below = below(problem) > 0
        self._limits_change = _changed(problem.limit_kw)
        """[C, K]"""
        self._price_changes = _changed(problem.price_per_kwh[None, :])[0]
        self._shared: dict[tuple[int, int], str] = {}

    def all(self) -> tuple[NextChange | None, ...]:
        problem, power = self._problem, self._power
        first = np.argmax(self._explained(), axis=1)
        change_s = np.where(first > 0, problem.edges_s[first], np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            full_s = np.where(power[:, 0] > ON_KW, problem.need_kwh / power[:, 0] * 3600.0, np.inf)
        full_s[full_s >= problem.departure_s] = np.inf
        return tuple(
            NextChange(self._at(full), 0.0, COMPLETE)
            if full < change
            else (NextChange(self._at(change), float(power[row, cell]), self._why(row, cell)) if cell else None)
            for row, (cell, change, full) in enumerate(
                zip(first.tolist(), change_s.tolist(), full_s.tolist(), strict=True)
            )
        )

    def _explained(self) -> Bools:
        """[S, K], where the power is not that of now, and something happens at the cell's beginning."""
        problem, power = self._problem, self._power
        served = np.cumsum(power * problem.stay_h, axis=1) >= problem.need_kwh[:, None] - NEAR_KWH
        unserved_before = np.ones_like(served)
        unserved_before[:, 1:] = ~served[:, :-1]
        turned = _changed((power > ON_KW).astype(float)) & unserved_before
        moved = _changed(self._present.astype(float))
        limits = (self._below.T.astype(float) @ self._limits_change) > 0
        for_all = moved.any(axis=0) | self._price_changes
        explained: Bools = (np.abs(power - power[:, :1]) > CHANGE_KW) & (turned | limits | for_all[None, :])
        return explained

    def _at(self, seconds: float) -> datetime:
        return self._problem.now + timedelta(seconds=round(seconds))

    def _why(self, row: int, cell: int) -> str:
        problem = self._problem
        if self._present[row, cell - 1] != self._present[row, cell]:
            return "it arrives" if self._present[row, cell] else "it leaves"
        key = int(problem.circuit[row]), cell
        if key not in self._shared:
            self._shared[key] = ", ".join(self._around(row, cell)) or "EVs take turns"
        return self._shared[key]

    def _around(self, row: int, cell: int) -> Iterator[str]:
        """What else happens then on the circuits that the EV hangs on."""
        problem = self._problem
        for circuit in np.flatnonzero(self._below[:, row] & self._limits_change[:, cell]).tolist():
            before, after = problem.limit_kw[circuit, cell - 1], problem.limit_kw[circuit, cell]
            yield f"{problem.limit_source[circuit]} goes from {_kw(before)} to {_kw(after)}"
        there, staying = self._present[:, cell - 1], self._present[:, cell]
        yield from self._who(there & ~staying, "leaves", "leave")
        yield from self._who(~there & staying, "arrives", "arrive")
        if self._price_changes[cell]:
            yield "the price changes"

    def _who(self, rows: Bools, one: str, several: str) -> Iterator[str]:
        names = [self._problem.ev_ids[row] for row in np.flatnonzero(rows)[: MOST_NAMED + 1].tolist()]
        if len(names) == 1:
            yield f"EV {names[0]} {one}"
        elif len(names) > MOST_NAMED:
            yield f"{int(rows.sum())} EVs {several}"
        elif names:
            yield f"EVs {', '.join(names)} {several}"


def _changed(values: Floats) -> Bools:
    """[N, K], whether a value is another than in the cell before; never in the first cell."""
    changed = np.zeros(values.shape, dtype=bool)
    changed[:, 1:] = values[:, 1:] != values[:, :-1]
    return changed


def _kw(limit: float) -> str:
    return f"{limit:.1f} kW" if np.isfinite(limit) else "none"
