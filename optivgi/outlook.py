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


@dataclass(frozen=True, slots=True)
class NextChange:
    """From `at` on the EV is to have `power_kw`, if nothing unforeseen happens; `why` is for a site manager."""

    at: datetime
    power_kw: float
    why: str


def next_changes(problem: Problem, plan: Plan) -> tuple[NextChange | None, ...]:
    """[S], the first change of more than 0.05 kW from the first cell's power; None if there is none."""
    power = plan.power_kw
    if not power.size:
        return (None,) * len(problem.ev_ids)
    differs = np.abs(power - power[:, :1]) > CHANGE_KW
    first = np.argmax(differs, axis=1)
    causes = _Causes(problem, power)
    return tuple(
        NextChange(_at(problem, cell), float(power[row, cell]), causes.why(row, cell)) if cell else None
        for row, cell in enumerate(first.tolist())
    )


def _at(problem: Problem, cell: int) -> datetime:
    return problem.now + timedelta(seconds=float(problem.edges_s[cell]))


class _Causes:
    """What happens at each boundary of the grid."""

    def __init__(self, problem: Problem, power_kw: Floats) -> None:
        self._problem, self._power = problem, power_kw
        self._served = np.cumsum(power_kw * problem.stay_h, axis=1) >= problem.need_kwh[:, None] - NEAR_KWH
        self._below = below(problem) > 0
        self._shared: dict[tuple[int, int], str] = {}

    def why(self, row: int, cell: int) -> str:
        problem = self._problem
        if problem.present[row, cell - 1] and not problem.present[row, cell]:
            return "it leaves"
        if not problem.present[row, cell - 1] and problem.present[row, cell]:
            return "it arrives"
        if self._served[row, cell - 1]:
            return "its energy is complete"
        circuit = int(problem.circuit[row])
        if (circuit, cell) not in self._shared:
            self._shared[circuit, cell] = ", ".join(self._around(row, cell)) or self._shift(cell)
        return self._shared[circuit, cell]

    def _around(self, row: int, cell: int) -> Iterator[str]:
        """What else happens then on the circuits that the EV hangs on."""
        problem = self._problem
        for circuit in np.flatnonzero(self._below[:, row]).tolist():
            before, after = problem.limit_kw[circuit, cell - 1], problem.limit_kw[circuit, cell]
            if before != after:
                yield f"{problem.limit_source[circuit]} goes from {_kw(before)} to {_kw(after)}"
        there, staying = problem.present[:, cell - 1], problem.present[:, cell]
        complete = self._served[:, cell - 1] & (self._power[:, cell - 1] > ON_KW) & staying
        yield from self._who(there & ~staying, "leaves", "leave")
        yield from self._who(~there & staying, "arrives", "arrive")
        yield from self._who(complete, "has its energy", "have their energy")
        if problem.price_per_kwh[cell] != problem.price_per_kwh[cell - 1]:
            yield "the price changes"

    def _who(self, rows: Bools, one: str, several: str) -> Iterator[str]:
        names = [self._problem.ev_ids[row] for row in np.flatnonzero(rows)[: MOST_NAMED + 1].tolist()]
        if len(names) == 1:
            yield f"EV {names[0]} {one}"
        elif len(names) > MOST_NAMED:
            yield f"{int(rows.sum())} EVs {several}"
        elif names:
            yield f"EVs {', '.join(names)} {several}"

    def _shift(self, cell: int) -> str:
        on = self._power > ON_KW
        turned = bool((on[:, cell - 1] != on[:, cell]).any())
        return "EVs take turns" if turned else "others need it more by then, or less"


def _kw(limit: float) -> str:
    return f"{limit:.1f} kW" if np.isfinite(limit) else "none"
