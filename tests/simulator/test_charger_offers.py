"""A station by itself: what its profiles let an EV have, at exact instants and however late the process wakes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.model.charging_profile import Kind, Purpose, RateUnit
from simulator import commands
from simulator.outputs import (
    MeterSampled,
    Output,
    StatusChanged,
)
from simulator.vehicle import Vehicle, VehicleSpec
from tests.simulator.chargers import ACCEPTED, NOON, after, car, charging, only, profile, station, statuses


def test_without_a_profile_it_offers_its_rating() -> None:
    charger = station(max_current_a=16)
    charging(charger)
    assert charger.connectors[1].offered_a == 16


def test_safe_start_then_a_transaction_profile() -> None:
    charger = station()
    safe = profile(Purpose.TX_DEFAULT, (0, 0.0), (60, 8.0), kind=Kind.RELATIVE)
    commands.set_charging_profile(charger, 1, safe, NOON)
    charger.plug(1, car(), NOON)
    charger.present(1, "TAG-1", after(10))
    charger.authorization(1, "TAG-1", ACCEPTED, after(10))
    assert charger.connectors[1].offered_a == 0
    assert statuses(charger.take_outputs()) == ["Preparing", "SuspendedEVSE"]
    charger.transaction_accepted(1, "7", ACCEPTED, after(11))
    tx = profile(Purpose.TX, (0, 20.0), profile_id=2, level=1, transaction_id="7")
    assert commands.set_charging_profile(charger, 1, tx, after(12)) == "Accepted"
    assert charger.connectors[1].offered_a == 20
    assert statuses(charger.take_outputs()) == ["Charging"]


def test_safe_start_opens_by_itself_at_its_instant() -> None:
    charger = station()
    safe = profile(Purpose.TX_DEFAULT, (0, 0.0), (60, 8.0), kind=Kind.RELATIVE)
    commands.set_charging_profile(charger, 0, safe, NOON)
    charging(charger, at=after(10))
    charger.advance(after(1000))
    opened = [o for o in only(charger.take_outputs(), StatusChanged) if o.status == "Charging"]
    assert [o.at for o in opened] == [after(70)]
    assert charger.connectors[1].energy_wh == pytest.approx(8 * 240 * 930 / 3600)


def test_offer_below_6_amperes_is_no_offer() -> None:
    charger = station()
    commands.set_charging_profile(charger, 1, profile(Purpose.TX_DEFAULT, (0, 5.9)), NOON)
    charging(charger)
    assert charger.connectors[1].status == "SuspendedEVSE"


def test_ev_that_needs_more_than_is_offered_suspends_itself() -> None:
    charger = station()
    commands.set_charging_profile(charger, 1, profile(Purpose.TX_DEFAULT, (0, 7.0)), NOON)
    charging(charger, vehicle=car(min_current_a=8))
    assert charger.connectors[1].status == "SuspendedEV"


def test_watts_limit_all_phases_together() -> None:
    charger = station()
    limit = profile(Purpose.TX_DEFAULT, (0, 7200.0), unit=RateUnit.W)
    commands.set_charging_profile(charger, 1, limit, NOON)
    charging(charger, vehicle=car(phases=3, max_charge_rate_kw=22))
    charger.advance(after(10))
    assert charger.connectors[1].power_kw == pytest.approx(7.2)
    assert charger.connectors[1].offered_a == pytest.approx(10)


def test_one_phase_named_by_a_profile_is_all_that_is_used() -> None:
    charger = station()
    commands.set_charging_profile(charger, 1, profile(Purpose.TX_DEFAULT, (0, 16.0), phases=1), NOON)
    charging(charger, vehicle=car(phases=3, max_charge_rate_kw=22))
    charger.advance(after(10))
    assert charger.connectors[1].power_kw == pytest.approx(16 * 0.24)


@pytest.mark.parametrize(
    ("limit", "unit", "powers_kw"),
    [
        (60.0, RateUnit.A, [7.2, 7.2]),
        (40.0, RateUnit.A, [4.8, 4.8]),
        (11.0, RateUnit.A, [2.64, 0.0]),
        (5.0, RateUnit.A, [0.0, 0.0]),
        (9600.0, RateUnit.W, [4.8, 4.8]),
    ],
)
def test_station_maximum_is_shared_between_connectors(limit: float, unit: RateUnit, powers_kw: list[float]) -> None:
    charger = station()
    charging(charger, 1)
    charging(charger, 2)
    commands.set_charging_profile(charger, 0, profile(Purpose.STATION_MAX, (0, limit), unit=unit), NOON)
    charger.advance(after(10))
    assert [c.power_kw for c in charger.connectors.values()] == pytest.approx(powers_kw)


def test_transaction_profiles_end_with_the_transaction_and_others_stay() -> None:
    charger = station()
    commands.set_charging_profile(charger, 1, profile(Purpose.TX_DEFAULT, (0, 8.0)), NOON)
    charging(charger)
    commands.set_charging_profile(charger, 1, profile(Purpose.TX, (0, 20.0), profile_id=2, transaction_id="101"), NOON)
    charger.unplug(1, after(60))
    assert charger.profiles.profile_ids == {1}


def test_composite_schedule_of_a_connector_and_of_the_station() -> None:
    charger = station(max_current_a=32, phases=1)
    charging(charger)
    commands.set_charging_profile(
        charger, 1, profile(Purpose.TX, (0, 10.0), (60, 20.0), profile_id=2, transaction_id="101"), after(0.5)
    )
    commands.set_charging_profile(charger, 0, profile(Purpose.STATION_MAX, (0, 45.0)), after(0.5))
    one = commands.composite(charger, 1, 120, RateUnit.A, after(0.7))
    assert one is not None
    assert (one.start, [(p.start_s, p.limit) for p in one.periods]) == (NOON, [(0, 10), (60, 20)])
    both = commands.composite(charger, 0, 120, RateUnit.A, after(0.7))
    assert both is not None
    assert [(p.start_s, p.limit) for p in both.periods] == [(0, 42), (60, 45)]
    assert commands.composite(charger, 3, 120, None, after(1)) is None
    assert commands.composite(charger, 1, 0, None, after(1)) is not None


@settings(max_examples=40, deadline=None)
@given(
    limits=st.lists(st.sampled_from([0.0, 5.0, 6.0, 16.0, 40.0]), min_size=1, max_size=4),
    begin_s=st.floats(0, 30),
    cuts=st.lists(st.floats(0, 900), max_size=30),
    soc=st.sampled_from([0.2, 0.79, 0.99]),
)
def test_what_a_station_says_does_not_depend_on_when_it_is_woken(
    limits: list[float], begin_s: float, cuts: list[float], soc: float
) -> None:
    said: list[list[Output]] = []
    energy_wh: list[float] = []
    for wakes in ([], sorted(cuts)):
        charger = station()
        slots = profile(Purpose.TX_DEFAULT, *((120 * n, limit) for n, limit in enumerate(limits)), kind=Kind.RELATIVE)
        commands.set_charging_profile(charger, 0, slots, NOON)
        charging(charger, at=after(begin_s), vehicle=Vehicle(VehicleSpec(5, 7.2), soc))
        for seconds in (*wakes, 900):
            charger.advance(after(seconds))
        said.append(charger.take_outputs())
        energy_wh.append(charger.connectors[1].energy_wh)
    assert energy_wh[0] == pytest.approx(energy_wh[1], abs=0.2)
    once, often = ([(o.status, o.at) for o in only(outputs, StatusChanged)] for outputs in said)
    assert [status for status, _ in once] == [status for status, _ in often]
    for (_, first), (_, second) in zip(once, often, strict=True):
        assert abs(first - second) < timedelta(seconds=0.5)
    assert [s.samples[0].at for s in only(said[0], MeterSampled)] == [
        s.samples[0].at for s in only(said[1], MeterSampled)
    ]


@settings(max_examples=40, deadline=None)
@given(limits=st.lists(st.sampled_from([0.0, 5.0, 6.0, 16.0, 40.0]), min_size=1, max_size=5), begin_s=st.floats(0, 30))
def test_energy_never_exceeds_what_the_composite_schedule_allows(limits: list[float], begin_s: float) -> None:
    charger = station(max_current_a=80)
    slots = profile(Purpose.TX_DEFAULT, *((60 * n, limit) for n, limit in enumerate(limits)), kind=Kind.RELATIVE)
    commands.set_charging_profile(charger, 0, slots, NOON)
    charging(charger, at=after(begin_s), vehicle=car(max_charge_rate_kw=22.0))
    charger.advance(after(begin_s + 60 * len(limits)))
    allowed_wh = sum(limit * 240 / 60 for limit in limits if limit >= 6)
    assert charger.connectors[1].energy_wh == pytest.approx(allowed_wh, rel=1e-6)
