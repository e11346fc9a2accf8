"""What an EV draws from what it is offered."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.vehicle import KNEE_SOC, Vehicle, VehicleSpec

CAR = VehicleSpec(capacity_kwh=60, max_charge_rate_kw=7.2, ramp_up_kw_per_s=math.inf, ramp_down_s=0)
OFFERED = st.sampled_from([0.0, 5.9, 6.0, 8.0, 16.0, 20.8, 32.0, 80.0])


def test_it_takes_what_it_is_offered_up_to_its_maximum() -> None:
    car = Vehicle(CAR, 0.2)
    car.advance(1, 20)
    assert car.power_kw == pytest.approx(4.8)
    car.advance(1, 80)
    assert car.power_kw == 7.2
    assert car.current_a == pytest.approx(30)


@pytest.mark.parametrize(("offered_a", "power_kw"), [(0, 0), (5.9, 0), (6, 1.44)])
def test_below_its_minimum_current_it_does_not_charge(offered_a: float, power_kw: float) -> None:
    car = Vehicle(CAR, 0.2)
    car.advance(10, offered_a)
    assert car.power_kw == pytest.approx(power_kw)


def test_three_phase_car_draws_the_offer_on_each_phase() -> None:
    car = Vehicle(replace(CAR, phases=3, max_charge_rate_kw=11.04, voltage_v=230), 0.2)
    car.advance(10, 16)
    assert car.power_kw == pytest.approx(11.04)
    assert car.current_a == pytest.approx(16)


def test_three_phase_car_on_one_phase_draws_no_more_on_it() -> None:
    car = Vehicle(replace(CAR, phases=3, max_charge_rate_kw=11.04, voltage_v=230), 0.2)
    car.phases = 1
    car.advance(10, 32)
    assert car.power_kw == pytest.approx(3.68)
    assert car.current_a == pytest.approx(16)


def test_losses_stay_in_the_onboard_charger() -> None:
    car = Vehicle(CAR, 0.2)
    drawn = car.advance(3600, 30)
    assert drawn.energy_kwh == pytest.approx(7.2)
    assert (car.soc - 0.2) * 60 == pytest.approx(7.2 * 0.92)


def test_it_ramps_up_slowly_and_down_within_a_second() -> None:
    car = Vehicle(VehicleSpec(60, 7.2), 0.2)
    car.advance(1, 30)
    assert car.power_kw == pytest.approx(2.0)
    car.advance(3, 30)
    assert car.power_kw == pytest.approx(7.2)
    car.advance(0.5, 0)
    assert car.power_kw == pytest.approx(3.6)
    car.advance(0.5, 0)
    assert car.power_kw == 0


@pytest.mark.parametrize(("soc", "share"), [(0.2, 1.0), (0.8, 1.0), (0.9, 0.5), (0.95, 0.25), (0.999, 0.05)])
def test_acceptance_falls_above_the_knee(soc: float, share: float) -> None:
    assert Vehicle(CAR, soc).acceptance_kw() == pytest.approx(share * 7.2)


def test_it_stops_at_its_target_and_says_when() -> None:
    car = Vehicle(replace(CAR, target_soc=0.5), 0.49)
    drawn = car.advance(3600, 30)
    assert car.soc == 0.5
    assert (car.wants_energy, car.power_kw) == (False, 0)
    assert drawn.stopped_after_s == pytest.approx(0.6 / 0.92 / 7.2 * 3600)
    assert drawn.energy_kwh == pytest.approx(0.6 / 0.92)
    assert car.advance(3600, 30).energy_kwh == 0


def test_a_full_charge_ends_in_finite_time() -> None:
    car = Vehicle(CAR, 0.2)
    drawn = car.advance(48 * 3600, 30)
    assert car.soc == 1.0
    assert drawn.energy_kwh == pytest.approx(48 / 0.92)
    assert 48 / 0.92 / 7.2 * 3600 < (drawn.stopped_after_s or 0) < 13 * 3600


def test_a_full_car_never_starts() -> None:
    car = Vehicle(CAR, 1.0)
    assert car.advance(10, 30).energy_kwh == 0
    assert car.power_kw == 0
    assert car.seconds_to_target_at_least() == math.inf


specs = st.builds(
    VehicleSpec,
    capacity_kwh=st.sampled_from([1.0, 20.0, 60.0]),
    max_charge_rate_kw=st.sampled_from([2.0, 7.2, 22.0]),
    target_soc=st.sampled_from([0.79, 0.8, 0.95, 1.0]),
    phases=st.sampled_from([1, 3]),
    ramp_up_kw_per_s=st.sampled_from([0.5, 2.0, math.inf]),
    ramp_down_s=st.sampled_from([0.0, 0.5, 1.0]),
)
offers = st.lists(st.tuples(st.floats(0.01, 4000), OFFERED), min_size=1, max_size=6)
starts = st.floats(0.0, 0.79)


@settings(max_examples=100, deadline=None)
@given(specs, starts, offers)
def test_energy_never_decreases_and_matches_the_state_of_charge(
    spec: VehicleSpec, soc: float, steps: list[tuple[float, float]]
) -> None:
    car, total = Vehicle(spec, soc), 0.0
    for seconds, offered_a in steps:
        drawn = car.advance(seconds, offered_a)
        assert drawn.energy_kwh >= 0
        total += drawn.energy_kwh
        assert soc <= car.soc <= spec.target_soc
    assert total * spec.efficiency == pytest.approx((car.soc - soc) * spec.capacity_kwh, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(specs, starts, offers)
def test_power_settles_within_the_offer_and_its_own_maximum(
    spec: VehicleSpec, soc: float, steps: list[tuple[float, float]]
) -> None:
    car = Vehicle(spec, soc)
    for seconds, offered_a in steps:
        before = car.power_kw
        car.advance(seconds, offered_a)
        offered_kw = offered_a * spec.watts_per_ampere / 1000
        assert car.power_kw <= spec.max_charge_rate_kw + 1e-9
        assert car.power_kw <= max(offered_kw, before) + 1e-9
        if seconds >= spec.ramp_down_s:
            assert car.power_kw <= offered_kw + 1e-9


@settings(max_examples=40, deadline=None)
@given(specs, starts, OFFERED, st.floats(1, 60))
def test_energy_is_the_integral_of_power(spec: VehicleSpec, soc: float, offered_a: float, seconds: float) -> None:
    car, parts, energy_ws, integral_ws = Vehicle(spec, soc), 400, 0.0, 0.0
    car.advance(seconds / 2, 16.0)
    jumps = spec.max_charge_rate_kw * seconds / parts * 2
    for _ in range(parts):
        before = car.power_kw
        energy_ws += car.advance(seconds / parts, offered_a).energy_kwh * 3600
        integral_ws += (before + car.power_kw) / 2 * seconds / parts
    assert energy_ws == pytest.approx(integral_ws, rel=0.002, abs=jumps)


@settings(max_examples=60, deadline=None)
@given(specs, starts, OFFERED, st.floats(0, 20_000), st.floats(0, 20_000))
def test_how_time_is_cut_changes_nothing(
    spec: VehicleSpec, soc: float, offered_a: float, first: float, second: float
) -> None:
    once, twice = Vehicle(spec, soc), Vehicle(spec, soc)
    whole = once.advance(first + second, offered_a).energy_kwh
    parts = twice.advance(first, offered_a).energy_kwh + twice.advance(second, offered_a).energy_kwh
    assert parts == pytest.approx(whole, rel=1e-4, abs=1e-4)
    assert twice.soc == pytest.approx(once.soc, rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(specs, starts, offers)
def test_it_never_reaches_its_target_before_it_can(
    spec: VehicleSpec, soc: float, steps: list[tuple[float, float]]
) -> None:
    car = Vehicle(spec, soc)
    for seconds, offered_a in steps:
        soonest = car.seconds_to_target_at_least()
        stopped = car.advance(seconds, offered_a).stopped_after_s
        assert stopped is None or stopped >= soonest * (1 - 1e-9)


def test_knee_is_where_constant_voltage_begins() -> None:
    car = Vehicle(CAR, KNEE_SOC)
    car.advance(600, 80)
    assert 0.8 < car.soc < 0.9
    assert car.power_kw == pytest.approx(7.2 * (1 - car.soc) / 0.2)


def test_ramp_that_meets_the_knee_follows_the_battery() -> None:
    car = Vehicle(VehicleSpec(capacity_kwh=1, max_charge_rate_kw=22, ramp_up_kw_per_s=0.5), 0.75)
    for _ in range(45):
        car.advance(1, 100)
        assert car.power_kw <= car.acceptance_kw() * 1.001
    whole = Vehicle(car.spec, 0.75)
    whole.advance(45, 100)
    assert whole.soc == pytest.approx(car.soc, rel=1e-5)
    assert whole.power_kw <= whole.acceptance_kw() * 1.001
    part = Vehicle(car.spec, 0.75)
    part.advance(30, 100)
    assert part.power_kw <= part.acceptance_kw() * 1.001
