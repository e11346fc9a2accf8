"""What a study leaves out of planning changes no decision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.algorithms import Ladder, algorithm, names
from optivgi.model.ev import EV
from optivgi.model.horizon import GridSettings
from optivgi.model.limit_series import LimitSeries
from optivgi.study.bill import Bill
from tests.algorithms.instances import NOW, problem
from tests.algorithms.strategies import cars, limits

MOMENTARY = tuple(name for name in names() if algorithm(name).momentary)
THERE = st.lists(cars(0), min_size=1, max_size=9).map(
    lambda those: [
        replace(one, ev_id=f"{number:02d}", arrival=min(one.arrival, NOW)) for number, one in enumerate(those)
    ]
)


def test_classics_look_at_the_moment_alone_and_those_that_plan_ahead_do_not() -> None:
    assert MOMENTARY == ("edf", "equal", "fcfs", "go", "llf", "round_robin")


@pytest.mark.parametrize("name", MOMENTARY)
@settings(max_examples=25, deadline=None)
@given(evs=THERE, limit_kw=limits)
def test_the_moment_alone_decides_as_the_whole_day_does(name: str, evs: list[EV], limit_kw: LimitSeries) -> None:
    grid = GridSettings(lead_s=10.0)
    day = problem(evs, limit_kw, grid=grid)
    moment = problem(evs, limit_kw, grid=replace(grid, longest_horizon_s=grid.replan_s))

    decided = Ladder(name).decide(moment)

    assert not decided.degraded
    assert decided.plan.power_kw[:, 0] == pytest.approx(Ladder(name)(day).power_kw[:, 0], abs=1e-6)


@pytest.mark.parametrize("name", names())
@settings(max_examples=15, deadline=None)
@given(evs=THERE, limit_kw=limits)
def test_where_all_maxima_fit_every_algorithm_gives_them_or_what_completes_the_need(
    name: str, evs: list[EV], limit_kw: LimitSeries
) -> None:
    fits = sum(one.max_kw for one in evs)
    there = problem(evs, LimitSeries((replace(limit_kw.steps[0], limit_kw=fits), *limit_kw.steps[1:])))

    power_kw = Ladder(name)(there).power_kw[:, 0]

    completes = np.maximum(there.need_kwh / there.hours[0], there.min_kw)
    assert power_kw == pytest.approx(np.where(there.need_kwh > 0, np.minimum(completes, there.max_kw), 0.0), abs=1e-6)


def test_the_bill_knows_the_highest_quarter_hour_and_the_running_one() -> None:
    bill = Bill(clock_s=600.0)
    for at_s, energy_kwh in ((0.0, 1.0), (100.0, 1.0), (300.0, 1.5)):
        bill.add(at_s, energy_kwh)

    assert bill.at(400.0) == (8.0, 1.5)
    assert bill.at(1200.0) == (8.0, 0.0)
