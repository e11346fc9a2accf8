"""Many EVs in arrays draw what each of them draws as a `Vehicle`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.vehicle import Vehicle, VehicleSpec
from simulator.vehicles import Vehicles

STAYS = st.lists(st.tuples(st.floats(0.1, 7200.0), st.floats(0.0, 12.0)), min_size=1, max_size=6)


@st.composite
def specs(draw: st.DrawFn) -> VehicleSpec:
    return VehicleSpec(
        capacity_kwh=draw(st.floats(2.0, 80.0)),
        max_charge_rate_kw=draw(st.sampled_from([3.6, 7.2, 11.0])),
        target_soc=draw(st.sampled_from([0.5, 0.8, 0.9, 1.0])),
        phases=draw(st.sampled_from([1, 3])),
        voltage_v=230.0,
        ramp_down_s=draw(st.sampled_from([0.0, 1.0, 3.0])),
    )


@settings(max_examples=150, deadline=None)
@given(cars=st.lists(st.tuples(specs(), st.floats(0.0, 1.0)), min_size=1, max_size=4), stays=STAYS)
def test_each_of_many_draws_what_it_draws_alone(cars: list[tuple[VehicleSpec, float]], stays: Any) -> None:
    alone = [Vehicle(spec, soc) for spec, soc in cars]
    together = Vehicles([spec for spec, _ in cars], [soc for _, soc in cars])
    rows = np.arange(len(cars))
    for seconds, offered_kw in stays:
        energy = together.advance(rows, seconds, np.full(len(cars), offered_kw))
        drawn = [car.advance(seconds, offered_kw * 1000 / car.spec.watts_per_ampere).energy_kwh for car in alone]
        np.testing.assert_allclose(energy, drawn, atol=2e-4)
        np.testing.assert_allclose(together.soc, [car.soc for car in alone], atol=1e-4)
        for row, car in enumerate(alone):
            if abs(car.soc - car.spec.target_soc) > 1e-4:
                assert together.power_kw[row] == pytest.approx(car.power_kw, abs=2e-3)
                assert together.wants_energy[row] == car.wants_energy


def test_only_the_named_rows_move() -> None:
    cars = Vehicles([VehicleSpec(60.0, 7.2)] * 3, [0.2] * 3)

    energy = cars.advance(np.array([2]), 3600.0, np.array([7.2]))

    assert energy == pytest.approx([7.2], abs=0.01)
    assert cars.soc.tolist()[:2] == [0.2, 0.2]
    assert cars.power_kw.tolist() == [0.0, 0.0, 7.2]


@pytest.mark.parametrize(("to_the_top", "hours"), [(False, 2.0), (True, 5.6)])
def test_evs_built_for_an_energy_take_just_that(to_the_top: bool, hours: float) -> None:
    need = np.array([14.4, 0.0, 100.0])
    cars = Vehicles.that_need(
        need, np.full(3, 7.2), np.full(3, 1.4), np.array([np.nan, 40.0, 40.0]), to_the_top=to_the_top
    )

    assert cars.energy_to_target_kwh == pytest.approx(need)
    first = cars.advance(np.arange(3), hours * 3600 - 60, np.full(3, 7.2))
    assert cars.wants_energy.tolist() == [True, False, True]
    later = cars.advance(np.arange(3), 48 * 3600.0, np.full(3, 7.2))
    assert first + later == pytest.approx(need)
    assert not cars.wants_energy.any()


def test_below_its_minimum_an_ev_draws_nothing() -> None:
    cars = Vehicles.that_need(np.full(2, 10.0), np.full(2, 7.2), np.full(2, 1.4), np.full(2, np.nan), to_the_top=False)

    energy = cars.advance(np.arange(2), 600.0, np.array([1.39, 1.4]))

    assert energy[0] == 0.0
    assert energy[1] == pytest.approx(1.4 / 6, abs=1e-3)


def test_the_time_to_the_target_is_exact_at_constant_power() -> None:
    cars = Vehicles.that_need(np.array([7.2]), np.array([7.2]), np.array([1.4]), np.array([np.nan]), to_the_top=False)
    cars.advance(np.array([0]), 60.0, np.array([7.2]))

    left = cars.seconds_to_target_at_least(np.array([0]), np.array([7.2]))[0]
    cars.advance(np.array([0]), left - 0.5, np.array([7.2]))
    assert cars.wants_energy.all()
    cars.advance(np.array([0]), 1.0, np.array([7.2]))
    assert not cars.wants_energy.any()
    assert cars.power_kw.tolist() == [0.0]
    assert cars.seconds_to_target_at_least(np.array([0]), np.array([7.2])).tolist() == [np.inf]
