"""Faults of EVs, each by itself."""

from __future__ import annotations

import math

from simulator import commands
from simulator.charger import Charger
from simulator.faults.catalogue import specs
from simulator.vehicle import Vehicle, VehicleSpec
from tests.simulator.chargers import after
from tests.simulator.faulty_chargers import (
    charging,
    power_kw,
    session,
    station,
    told,
    tx,
)


def test_draws_half_takes_half_of_its_offer_and_half_of_its_most() -> None:
    charger = charging(station(), vehicle=session("draws_half").arriving(240))
    assert power_kw(charger, 1) == 3.6
    told(charger, tx((0, 6.0)), 2)
    assert power_kw(charger, 3) == 0.72
    assert charger.connectors[1].status == "Charging"


def test_a_station_gives_its_ev_faults_to_every_ev() -> None:
    assert session().arriving(240, specs(["draws_half"])).spec.share == 0.5
    assert session("draws_half").arriving(240, specs(["rejects_zero"])).spec.share == 0.5


def asleep(wakes_by: str) -> Charger:
    """An EV that slept through an offer: paused at 10 s, offered 10 A again at 50 s."""
    ev = session({"name": "sleeps_after_pause", "wakes_by": wakes_by}).arriving(240)
    charger = charging(station(), vehicle=ev)
    told(charger, tx((0, 0.0)), 10)
    told(charger, tx((0, 10.0)), 50)
    assert power_kw(charger, 70) == 0
    assert charger.connectors[1].status == "SuspendedEV"
    return charger


def test_sleeps_after_pause_only_when_the_pause_is_long() -> None:
    charger = charging(station(), vehicle=session("sleeps_after_pause").arriving(240))
    told(charger, tx((0, 0.0)), 10)
    told(charger, tx((0, 10.0)), 39)
    assert power_kw(charger, 40) == 2.4


def test_a_toggled_limit_wakes_it() -> None:
    charger = asleep("toggle")
    told(charger, tx((0, 0.0)), 80)
    told(charger, tx((0, 10.0)), 83)
    assert power_kw(charger, 84) == 2.4
    assert charger.connectors[1].status == "Charging"


def test_a_change_of_limit_that_leaves_an_offer_does_not_wake_it() -> None:
    charger = asleep("toggle")
    told(charger, tx((0, 6.0)), 80)
    told(charger, tx((0, 10.0)), 83)
    assert power_kw(charger, 84) == 0


def test_a_new_transaction_wakes_it_and_a_toggle_does_not() -> None:
    charger = asleep("restart")
    told(charger, tx((0, 0.0)), 80)
    told(charger, tx((0, 10.0)), 83)
    assert power_kw(charger, 84) == 0
    assert commands.remote_stop(charger, 101, after(90)) == "Accepted"
    assert commands.remote_start(charger, "TAG", 1, None, after(95)) == "Accepted"
    assert power_kw(charger, 96) == 7.2


def test_one_that_never_wakes_never_does() -> None:
    charger = asleep("never")
    told(charger, tx((0, 0.0)), 80)
    told(charger, tx((0, 10.0)), 120)
    commands.remote_stop(charger, 101, after(130))
    commands.remote_start(charger, "TAG", 1, None, after(135))
    assert power_kw(charger, 140) == 0


def test_an_ev_that_is_full_does_not_sleep() -> None:
    ev = session("sleeps_after_pause", arrival_soc=1.0).arriving(240)
    charger = charging(station(), vehicle=ev)
    charger.advance(after(100))
    assert charger.connectors[1].status == "SuspendedEV"
    assert not ev.charges_at(10)


def test_vehicles_differ_only_by_what_is_wrong_with_them() -> None:
    assert type(session().arriving(240)) is Vehicle
    assert session().arriving(240).spec == VehicleSpec(60, 7.2, ramp_up_kw_per_s=math.inf, ramp_down_s=0)
