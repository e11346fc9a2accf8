"""Faults in taking and keeping charging profiles, each by itself: the charger without a network."""

from __future__ import annotations

import pytest

from optivgi.model.charging_profile import ChargingProfile, RateUnit
from simulator import commands
from simulator.authorization import TagInfo
from simulator.outputs import MeterSampled, StatusChanged, TransactionStarted, TransactionStopped
from tests.simulator.chargers import ACCEPTED, NOON, after, only
from tests.simulator.faulty_chargers import (
    charging,
    power_kw,
    session,
    station,
    told,
    tx,
    tx_default,
)


def test_ignores_zero_charges_on_at_its_last_limit() -> None:
    charger = charging(station("ignores_zero"))
    assert told(charger, tx((0, 10.0)), 1) == "Accepted"
    assert told(charger, tx((0, 0.0)), 5) == "Accepted"
    assert power_kw(charger, 6) == 2.4
    assert told(charger, tx((0, 6.0)), 7) == "Accepted"
    assert power_kw(charger, 8) == 1.44


def test_ignores_zero_offers_everything_to_an_ev_that_never_had_a_limit() -> None:
    charger = station("ignores_zero")
    assert told(charger, tx_default((0, 0.0)), 0, 0) == "Accepted"
    assert power_kw(charging(charger), 1) == 7.2


def test_ignores_zero_gives_what_it_is_said_to_give() -> None:
    charger = charging(station({"name": "ignores_zero", "gives_a": 6}))
    told(charger, tx((0, 0.0)), 1)
    assert power_kw(charger, 2) == 1.44


def test_a_fault_does_not_feed_an_ev_whose_driver_may_not_charge() -> None:
    charger = station("ignores_zero", "accepts_and_ignores")
    charger.configuration.set("StopTransactionOnInvalidId", "false")
    charger.plug(1, session().arriving(240), NOON)
    charger.present(1, "TAG", NOON)
    charger.authorization(1, "TAG", ACCEPTED, NOON)
    charger.transaction_accepted(1, "101", TagInfo("Invalid"), NOON)
    assert power_kw(charger, 2) == 0


@pytest.mark.parametrize(
    ("fault", "rejected", "accepted"),
    [
        ("rejects_zero", tx((0, 10.0), (60, 0.0)), tx((0, 6.0))),
        ("watts_only", tx((0, 10.0)), tx((0, 2400.0), unit=RateUnit.W)),
        ("amps_only", tx((0, 2400.0), unit=RateUnit.W), tx((0, 10.0))),
        ("stack_level_0_only", tx((0, 10.0)), tx((0, 10.0), level=0)),
        ("one_period_only", tx((0, 10.0), (60, 6.0)), tx((0, 10.0))),
        ("rejects_tx_profile", tx((0, 10.0)), tx_default((0, 10.0))),
    ],
)
def test_what_it_rejects_changes_nothing_and_the_rest_is_followed(
    fault: str, rejected: ChargingProfile, accepted: ChargingProfile
) -> None:
    charger = charging(station(fault))
    assert told(charger, rejected, 1) == "Rejected"
    assert charger.last_refusal
    assert power_kw(charger, 2) == 7.2
    assert told(charger, accepted, 3) == "Accepted"
    assert power_kw(charger, 4) < 7.2


@pytest.mark.parametrize(
    ("fault", "key", "lie", "truth"),
    [
        ("watts_only", "ChargingScheduleAllowedChargingRateUnit", "Current,Power", "Power"),
        ("amps_only", "ChargingScheduleAllowedChargingRateUnit", "Current,Power", "Current"),
        ("stack_level_0_only", "ChargeProfileMaxStackLevel", "8", "0"),
        ("one_period_only", "ChargingScheduleMaxPeriods", "24", "1"),
    ],
)
def test_it_tells_of_its_weakness_only_if_it_admits_it(fault: str, key: str, lie: str, truth: str) -> None:
    assert station(fault).configuration.text(key) == lie
    assert station({"name": fault, "admits": True}).configuration.text(key) == truth


def test_accepts_and_ignores_keeps_the_profile_and_offers_everything() -> None:
    charger = charging(station("accepts_and_ignores"))
    assert told(charger, tx((0, 0.0)), 1) == "Accepted"
    assert power_kw(charger, 2) == 7.2
    schedule = commands.composite(charger, 1, 60, RateUnit.A, after(2))
    assert schedule is not None
    assert schedule.periods[0].limit == 0


def test_spikes_on_change_offers_everything_for_five_seconds_after_each_profile() -> None:
    charger = charging(station("spikes_on_change"))
    told(charger, tx((0, 6.0)), 10)
    assert [power_kw(charger, at) for at in (10.1, 14.9, 15.1)] == [7.2, 7.2, 1.44]
    assert power_kw(charger, 60) == 1.44
    told(charger, tx((0, 0.0)), 60)
    assert [power_kw(charger, at) for at in (64.9, 65.1)] == [7.2, 0]


def test_clears_before_set_falls_back_on_what_is_left_for_two_seconds() -> None:
    charger = charging(station("clears_before_set"))
    told(charger, tx_default((0, 8.0)), 0, 0)
    assert power_kw(charger, 3) == 1.92
    told(charger, tx((0, 6.0)), 10)
    assert [power_kw(charger, at) for at in (11.9, 12.1)] == [1.92, 1.44]
    told(charger, tx((0, 20.0)), 20)
    assert [power_kw(charger, at) for at in (20.1, 21.9, 22.1)] == [1.92, 1.92, 4.8]


def test_a_fault_of_a_session_concerns_its_connector_alone() -> None:
    charger = charging(charging(station("accepts_and_ignores", connector_id=2), 1), 2)
    told(charger, tx_default((0, 0.0)), 1, 0)
    assert power_kw(charger, 2, 1) == 0
    assert power_kw(charger, 2, 2) == 7.2


def test_faults_add_up() -> None:
    charger = charging(station("rejects_tx_profile", "one_period_only", "meter_doubled"))
    assert told(charger, tx((0, 6.0)), 1) == "Rejected"
    assert told(charger, tx_default((0, 6.0), (60, 8.0)), 1) == "Rejected"
    assert told(charger, tx_default((0, 6.0)), 1) == "Accepted"
    charger.take_outputs()
    charger.advance(after(10))
    assert len(only(charger.take_outputs(), MeterSampled)) == 2


def test_loses_profiles_at_reboot_but_not_on_reconnect() -> None:
    charger = charging(station("loses_profiles_at_reboot"))
    told(charger, tx_default((0, 6.0)), 1, 0)
    charger.forget_profiles("reconnect")
    assert power_kw(charger, 2) == 1.44
    charger.booted(after(3))
    charger.report_everything(after(3))
    assert power_kw(charger, 4) == 7.2


def test_drops_profiles_on_reconnect_but_not_at_reboot() -> None:
    charger = charging(station("drops_profiles_on_reconnect"))
    told(charger, tx((0, 6.0)), 1)
    charger.booted(after(2))
    charger.report_everything(after(2))
    assert power_kw(charger, 3) == 1.44
    charger.forget_profiles("reconnect")
    assert power_kw(charger, 4) == 7.2


def test_a_sound_station_keeps_its_transaction_and_its_defaults_through_a_loss_of_power() -> None:
    charger = charging(station())
    told(charger, tx_default((0, 8.0)), 1, 0)
    told(charger, tx((0, 20.0)), 2)
    charger.advance(after(15))
    charger.take_outputs()
    charger.lose_power(after(15))
    before_wh = charger.connectors[1].energy_wh
    assert power_kw(charger, 24) == 0
    assert charger.connectors[1].energy_wh == before_wh
    charger.booted(after(24))
    charger.report_everything(after(24))
    outputs = charger.take_outputs()
    assert not only(outputs, TransactionStarted | TransactionStopped)  # type: ignore[arg-type]
    assert not only(outputs, MeterSampled)
    assert StatusChanged(1, "Charging", "NoError", after(24)) in outputs
    assert power_kw(charger, 25) == 1.92
    charger.advance(after(30))
    (sampled,) = only(charger.take_outputs(), MeterSampled)
    assert sampled.tx == 1
