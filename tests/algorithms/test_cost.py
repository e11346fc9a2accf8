"""Least cost: energy moves to cheap hours and below the month's peak, and nobody loses any."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from optivgi.algorithms import algorithm
from optivgi.model.checks import violations
from optivgi.model.framing import Price, Tariff, frame
from optivgi.model.plan import Binding, Plan
from optivgi.model.problem import Problem
from optivgi.model.site import Site
from tests.algorithms.instances import NOW, ev, evs, hours, limit, snapshot

CHEAP_LATER = Tariff((Price(NOW, 0.40), Price(NOW + hours(2), 0.10)))


def priced(those: list[object], tariff: Tariff, limit_kw: float = 30.0) -> Problem:
    return frame(snapshot(*those), Site.single(limit((0, limit_kw))), NOW, tariff=tariff).problem  # type: ignore[arg-type]


def bill(case: Problem, plan: Plan) -> float:
    return float((plan.power_kw * case.stay_h).sum(axis=0) @ case.price_per_kwh)


@pytest.mark.parametrize("name", ["cost", "pulp"])
def test_charging_waits_for_the_cheap_hours_when_they_suffice(name: str) -> None:
    case = priced(list(evs(3, energy_needed_kwh=10.0)), CHEAP_LATER)
    plan = algorithm(name)(case)
    assert violations(case, plan) == ()
    assert plan.energy_kwh == pytest.approx(10.0)
    assert bill(case, plan) == pytest.approx(3.0)
    assert plan.reasons[0].binding is Binding.PRICE
    assert "cheaper later" in plan.reasons[0].text


def test_nobody_loses_energy_for_a_cheaper_price() -> None:
    case = priced(
        [*evs(3, energy_needed_kwh=20.0), ev("short", departure=NOW + hours(1), energy_needed_kwh=6.0)], CHEAP_LATER
    )
    cheap, fair = algorithm("cost")(case), algorithm("fair")(case)
    assert violations(case, cheap) == ()
    assert cheap.energy_kwh == pytest.approx(fair.energy_kwh, rel=0.01)
    assert bill(case, cheap) < bill(case, fair)


def test_a_demand_charge_flattens_the_site() -> None:
    case = priced(list(evs(4, energy_needed_kwh=6.0)), Tariff(demand_charge_per_kw=10.0))
    plan = algorithm("cost")(case)
    assert plan.energy_kwh == pytest.approx(6.0)
    assert plan.power_kw.sum(axis=0).max() == pytest.approx(6.0, rel=0.02)


def test_below_the_peak_of_the_month_nothing_is_flattened() -> None:
    case = priced(list(evs(4, energy_needed_kwh=6.0)), Tariff(demand_charge_per_kw=10.0, peak_so_far_kw=28.8))
    assert algorithm("cost")(case).power_kw[:, 0].sum() == pytest.approx(28.8)


@pytest.mark.parametrize(("drawn_kwh", "left_kw"), [(0.0, 28.8), (2.0, 12.0), (3.0, 0.0), (4.0, 0.0)])
def test_what_the_running_quarter_hour_has_drawn_counts(drawn_kwh: float, left_kw: float) -> None:
    """Five minutes are left of it, and 12 kW is the peak of the month: 3 kWh in a quarter hour."""
    tariff = Tariff(demand_charge_per_kw=10.0, peak_so_far_kw=12.0, window_so_far_kwh=drawn_kwh)
    now = NOW + timedelta(minutes=10)
    site = Site.single(limit((0, 30.0)))
    case = frame(snapshot(*evs(4, energy_needed_kwh=6.0)), site, now, tariff=tariff).problem
    assert case.edges_s[1] == 300.0
    assert algorithm("cost")(case).power_kw[:, 0].sum() == pytest.approx(left_kw)


def test_without_a_trusted_departure_fair_decides_and_it_is_said() -> None:
    case = priced([ev("1", departure=None), ev("2")], CHEAP_LATER)
    plan = algorithm("cost")(case)
    assert np.array_equal(plan.power_kw, algorithm("fair")(case).power_kw)
    assert plan.notes[0] == "planned by fair: departure unknown for EV 1"


def test_equal_prices_leave_it_to_fair() -> None:
    case = priced([ev()], Tariff((Price(NOW - timedelta(hours=1), 0.3),)))
    assert algorithm("cost")(case).notes == ("planned by fair: prices do not differ and there is no demand charge",)
