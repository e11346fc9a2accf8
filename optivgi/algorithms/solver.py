"""Linear programs handed to HiGHS, by way of PuLP or directly. The only module that knows either library.

Both are imported when a program is solved, so that a process that never solves one does not pay for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from optivgi.errors import PlanningError
from optivgi.model.problem import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True)
class LinearProgram:
    """Maximise gain @ x over 0 <= x <= high, row_low <= rows @ x <= row_high. np.inf is no bound."""

    gain: Floats
    high: Floats
    rows: csr_array
    row_low: Floats
    row_high: Floats


@dataclass(frozen=True, slots=True)
class Solution:
    """An optimum: the variables and how much one unit more of each row's bound would be worth."""

    x: Floats
    row_price: Floats


class Solve(Protocol):
    """Solves a linear program to proven optimality, or raises PlanningError saying what the solver said."""

    def __call__(self, program: LinearProgram, time_limit_s: float | None = None) -> Solution: ...


def with_pulp(program: LinearProgram, time_limit_s: float | None = None) -> Solution:
    """Solves with PuLP's HiGHS solver."""
    import pulp  # noqa: PLC0415

    model = pulp.LpProblem("plan", pulp.LpMaximize)
    x = [
        model.add_variable(f"x{index}", 0.0, None if np.isinf(high) else high)
        for index, high in enumerate(program.high.tolist())
    ]
    model += pulp.LpAffineExpression([(x[index], float(program.gain[index])) for index in np.flatnonzero(program.gain)])
    rows, start = program.rows, program.rows.indptr
    added: list[tuple[int, str]] = []
    for row, (low, high) in enumerate(zip(program.row_low.tolist(), program.row_high.tolist(), strict=True)):
        span = slice(start[row], start[row + 1])
        terms = zip(rows.indices[span].tolist(), rows.data[span].tolist(), strict=True)
        expression = pulp.LpAffineExpression([(x[index], value) for index, value in terms])
        for bound, sense in ((low, pulp.LpConstraintGE), (high, pulp.LpConstraintLE)):
            if np.isfinite(bound):
                name = f"r{len(added)}"
                model += pulp.LpConstraint(expression, sense, name, bound)
                added.append((row, name))
    model.solve(pulp.HiGHS(msg=False, threads=1, timeLimit=time_limit_s))
    # PuLP calls a solve that ran out of time "optimal"; only its solution status tells the difference.
    if model.status != pulp.LpStatusOptimal or model.sol_status != pulp.LpSolutionOptimal:
        said = f"{pulp.LpStatus[model.status]}, {pulp.LpSolution[model.sol_status]}"
        raise PlanningError(f"the solver found no proven optimum of {len(x)} variables: {said}")
    price = np.zeros(len(program.row_low))
    constraints = {constraint.name: constraint for constraint in model.constraints()}
    for row, name in added:
        price[row] += constraints[name].pi
    return Solution(np.array([variable.varValue for variable in x], dtype=np.float64), np.abs(price))


def with_highs(program: LinearProgram, time_limit_s: float | None = None) -> Solution:
    """Solves with HiGHS itself: the same optimum without the time that modelling takes."""
    import highspy  # noqa: PLC0415

    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    if time_limit_s is not None:
        highs.setOptionValue("time_limit", time_limit_s)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(program.gain), len(program.row_low)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.gain, np.zeros(len(program.gain)), program.high
    lp.row_lower_, lp.row_upper_ = program.row_low, program.row_high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = program.rows.indptr, program.rows.indices
    lp.a_matrix_.value_ = program.rows.data
    highs.passModel(lp)
    highs.run()
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        said = highs.modelStatusToString(status)
        raise PlanningError(f"the solver found no proven optimum of {len(program.gain)} variables: {said}")
    solution = highs.getSolution()
    return Solution(np.array(solution.col_value), np.abs(np.array(solution.row_dual)))
