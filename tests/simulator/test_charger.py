"""A station by itself: transactions, offers, samples and statuses at their exact instants."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from simulator import commands
from simulator.authorization import ListEntry, TagInfo
from simulator.charger import Charger, ChargerSpec
from simulator.connector import TRANSITIONS, Reservation
from simulator.outputs import (
    AuthorizationWanted,
    CableAwaited,
    MeterSampled,
    Output,
    StatusChanged,
    TransactionStarted,
    TransactionStopped,
)
from simulator.vehicle import Vehicle, VehicleSpec

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
ACCEPTED = TagInfo("Accepted")


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def car(soc: float = 0.2, **spec: Any) -> Vehicle:
    ramps = {"ramp_up_kw_per_s": math.inf, "ramp_down_s": 0.0}
    return Vehicle(VehicleSpec(**({"capacity_kwh": 60.0, "max_charge_rate_kw": 7.2} | ramps | spec)), soc)


def station(online: bool = True, **spec: Any) -> Charger:
    charger = Charger(ChargerSpec("ST-01", **spec), NOON)
    charger.online = online
    charger.report_everything(NOON)
    charger.take_outputs()
    return charger


def charging(charger: Charger, connector_id: int = 1, at: datetime = NOON, vehicle: Vehicle | None = None) -> int:
    """A transaction with the id 100 + tx on a connector; returns tx."""
    charger.plug(connector_id, vehicle or car(), at)
    charger.present(connector_id, f"TAG-{connector_id}", at)
    charger.authorization(connector_id, f"TAG-{connector_id}", ACCEPTED, at)
    transaction = charger.connectors[connector_id].transaction
    assert transaction is not None
    charger.transaction_accepted(transaction.tx, str(100 + transaction.tx), ACCEPTED, at)
    charger.take_outputs()
    return transaction.tx


def profile(
    purpose: Purpose, *periods: tuple[int, float], profile_id: int = 1, level: int = 0, **fields: Any
) -> ChargingProfile:
    kind = fields.pop("kind", Kind.ABSOLUTE)
    unit = fields.pop("unit", RateUnit.A)
    start = None if kind is Kind.RELATIVE else NOON
    phases = fields.pop("phases", None)
    schedule = Schedule(unit, tuple(Period(s, limit, phases) for s, limit in periods), start)
    return ChargingProfile(profile_id, level, purpose, kind, schedule, **fields)


def statuses(outputs: list[Output], connector_id: int = 1) -> list[str]:
    return [o.status for o in outputs if isinstance(o, StatusChanged) and o.connector_id == connector_id]


def only(outputs: list[Output], kind: type[Any]) -> list[Any]:
    return [output for output in outputs if isinstance(output, kind)]


# A session


def test_a_session_from_plug_to_unplug() -> None:
    charger = station()
    charger.plug(1, car(), NOON)
    charger.present(1, "TAG-1", after(5))
    assert charger.take_outputs() == [
        StatusChanged(1, "Preparing", "NoError", NOON),
        AuthorizationWanted(1, "TAG-1"),
    ]
    charger.authorization(1, "TAG-1", ACCEPTED, after(6))
    started, status = charger.take_outputs()
    assert started == TransactionStarted(1, 1, "TAG-1", 0, after(6), None)
    assert status == StatusChanged(1, "Charging", "NoError", after(6))
    charger.unplug(1, after(606))
    outputs = charger.take_outputs()
    assert only(outputs, TransactionStopped) == [TransactionStopped(1, 1200, after(606), "EVDisconnected")]
    assert outputs[-1] == StatusChanged(1, "Available", "NoError", after(606))


def test_authorized_before_the_cable_comes() -> None:
    charger = station()
    charger.present(1, "TAG-1", NOON)
    charger.authorization(1, "TAG-1", ACCEPTED, NOON)
    assert only(charger.take_outputs(), CableAwaited) == [CableAwaited(1)]
    charger.plug(1, car(), after(20))
    assert statuses(charger.take_outputs()) == ["Charging"]


def test_driver_who_never_plugs_in_is_forgotten_after_the_time_out() -> None:
    charger = station()
    charger.present(1, "TAG-1", NOON)
    charger.authorization(1, "TAG-1", ACCEPTED, NOON)
    charger.take_outputs()
    charger.advance(after(100))
    assert charger.take_outputs() == [StatusChanged(1, "Available", "NoError", after(60))]
    charger.plug(1, car(), after(101))
    assert statuses(charger.take_outputs()) == ["Preparing"]


@pytest.mark.parametrize("status", ["Invalid", "Blocked", "Expired", "ConcurrentTx"])
def test_refused_driver_does_not_charge(status: str) -> None:
    charger = station()
    charger.plug(1, car(), NOON)
    charger.present(1, "TAG-1", NOON)
    charger.authorization(1, "TAG-1", TagInfo(status), NOON)
    charger.advance(after(60))
    assert not only(charger.take_outputs(), TransactionStarted)
    assert charger.connectors[1].power_kw == 0


def test_answer_for_somebody_else_starts_nothing() -> None:
    charger = station()
    charger.plug(1, car(), NOON)
    charger.present(1, "TAG-1", NOON)
    charger.authorization(1, "TAG-2", ACCEPTED, NOON)
    assert not only(charger.take_outputs(), TransactionStarted)


def test_same_tag_again_stops_and_the_ev_may_start_again() -> None:
    charger = station()
    charging(charger)
    charger.present(1, "OTHER", after(60))
    assert charger.connectors[1].transaction is not None
    charger.take_outputs()
    charger.present(1, "tag-1", after(60))
    outputs = charger.take_outputs()
    assert only(outputs, TransactionStopped)[0].reason == "Local"
    assert statuses(outputs) == ["Finishing"]
    charger.present(1, "TAG-1", after(90))
    charger.authorization(1, "TAG-1", ACCEPTED, after(90))
    assert statuses(charger.take_outputs()) == ["Preparing", "Charging"]


def test_driver_that_the_csms_refuses_late_is_stopped() -> None:
    charger = station()
    charger.plug(1, car(), NOON)
    charger.present(1, "TAG-1", NOON)
    charger.authorization(1, "TAG-1", ACCEPTED, NOON)
    charger.take_outputs()
    charger.transaction_accepted(1, "7", TagInfo("Invalid"), after(1))
    assert only(charger.take_outputs(), TransactionStopped)[0].reason == "DeAuthorized"


def test_or_kept_without_energy_when_the_station_is_set_so() -> None:
    charger = station()
    charger.configuration.set("StopTransactionOnInvalidId", "false")
    charging(charger)
    charger.transaction_accepted(1, "7", TagInfo("Invalid"), after(1))
    assert statuses(charger.take_outputs()) == ["SuspendedEVSE"]


def test_unplugging_may_keep_the_transaction() -> None:
    charger = station()
    charger.configuration.set("StopTransactionOnEVSideDisconnect", "false")
    charging(charger)
    charger.unplug(1, after(60))
    outputs = charger.take_outputs()
    assert not only(outputs, TransactionStopped)
    assert statuses(outputs) == ["SuspendedEV"]


# Offline


@pytest.mark.parametrize(
    ("keys", "known", "starts"),
    [
        ({}, None, False),
        ({"AllowOfflineTxForUnknownId": "true"}, None, True),
        ({}, "Accepted", True),
        ({}, "Blocked", False),
        ({"AllowOfflineTxForUnknownId": "true"}, "Blocked", False),
        ({"LocalAuthorizeOffline": "false"}, "Accepted", False),
        ({"LocalAuthListEnabled": "false"}, "Accepted", False),
    ],
)
def test_offline_the_station_decides_by_what_it_knows(keys: dict[str, str], known: str | None, starts: bool) -> None:
    charger = station(online=False)
    if known is not None:
        commands.send_local_list(charger, 1, [ListEntry("TAG-1", TagInfo(known))], full=True)
    for name, value in keys.items():
        assert charger.configuration.change(name, value) == "Accepted"
    charger.plug(1, car(), NOON)
    charger.present(1, "tag-1", NOON)
    outputs = charger.take_outputs()
    assert not only(outputs, AuthorizationWanted)
    assert bool(only(outputs, TransactionStarted)) is starts


def test_tag_that_was_accepted_once_is_remembered() -> None:
    charger = station()
    charging(charger)
    charger.unplug(1, after(60))
    charger.online = False
    charger.plug(1, car(), after(90))
    charger.present(1, "TAG-1", after(90))
    assert only(charger.take_outputs(), TransactionStarted)


def test_when_no_answer_comes_the_station_decides() -> None:
    charger = station()
    charger.configuration.set("AllowOfflineTxForUnknownId", "true")
    charger.plug(1, car(), NOON)
    charger.present(1, "TAG-1", NOON)
    charger.authorization(1, "TAG-1", None, after(30))
    assert only(charger.take_outputs(), TransactionStarted)


# Offers


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


# Samples


def test_clock_aligned_samples_are_exact_however_late_the_process_wakes() -> None:
    charger = station(aligned_interval_s=10, meter_start_wh=(1000.25,))
    charging(charger, at=after(3.5))
    charger.advance(after(47.3))
    sampled = only(charger.take_outputs(), MeterSampled)
    assert [s.samples[0].at for s in sampled] == [after(10), after(20), after(30), after(40)]
    assert {s.samples[0].context for s in sampled} == {"Sample.Clock"}
    energy = [float(s.samples[0].values[0].value) for s in sampled]
    assert energy == pytest.approx([1000.25 + 7200 * (t - 3.5) / 3600 for t in (10, 20, 30, 40)], abs=5e-4)


def test_no_samples_outside_a_transaction() -> None:
    charger = station(aligned_interval_s=10)
    charger.plug(1, car(), NOON)
    charger.advance(after(600))
    assert not only(charger.take_outputs(), MeterSampled)


def test_periodic_samples_count_from_the_start_of_the_transaction() -> None:
    charger = station(aligned_interval_s=0)
    assert commands.change_configuration(charger, "MeterValueSampleInterval", "15", NOON) == "Accepted"
    charging(charger, at=after(4))
    charger.advance(after(40))
    sampled = only(charger.take_outputs(), MeterSampled)
    assert [s.samples[0].at for s in sampled] == [after(19), after(34)]


def test_numbers_of_a_sample_agree() -> None:
    charger = station()
    charging(charger, vehicle=car(phases=3, max_charge_rate_kw=11))
    charger.advance(after(10))
    values = only(charger.take_outputs(), MeterSampled)[0].samples[0].values
    by_name: dict[str, list[float]] = {}
    for value in values:
        by_name.setdefault(value.measurand, []).append(float(value.value))
    power_w = by_name["Power.Active.Import"][0]
    assert power_w == pytest.approx(11000)
    assert len(by_name["Current.Import"]) == len(by_name["Voltage"]) == 3
    products = [a * v for a, v in zip(by_name["Current.Import"], by_name["Voltage"], strict=True)]
    assert sum(products) == pytest.approx(power_w, abs=1)
    assert by_name["Energy.Active.Import.Register"][0] == pytest.approx(power_w * 10 / 3600, abs=1e-3)
    assert by_name["SoC"][0] == pytest.approx(20 + 11 * 10 / 3600 * 0.92 / 60 * 100, abs=0.01)


def test_full_ev_is_reported_at_the_instant_it_stops() -> None:
    charger = station(aligned_interval_s=0)
    charging(charger, vehicle=car(soc=0.4, target_soc=0.4 + 0.92 * 0.1 / 60))
    charger.advance(after(3600))
    assert charger.take_outputs() == [StatusChanged(1, "SuspendedEV", "NoError", after(50))]
    assert charger.connectors[1].energy_wh == pytest.approx(100)


def test_next_due_never_lies_after_a_change() -> None:
    charger = station(aligned_interval_s=0)
    charging(charger, vehicle=car(soc=0.78, target_soc=0.9, capacity_kwh=20))
    while not charger.take_outputs():
        due = charger.next_due
        assert due < after(24 * 3600)
        charger.advance(due)
    assert charger.connectors[1].status == "SuspendedEV"


def test_samples_may_be_kept_for_the_end_of_the_transaction() -> None:
    charger = station(aligned_interval_s=10)
    charger.configuration.set("StopTxnAlignedData", "Energy.Active.Import.Register")
    charger.configuration.set("StopTxnSampledData", "SoC")
    charging(charger)
    charger.unplug(1, after(25))
    (stopped,) = only(charger.take_outputs(), TransactionStopped)
    assert [s.context for s in stopped.samples] == [
        "Transaction.Begin",
        "Sample.Clock",
        "Sample.Clock",
        "Transaction.End",
    ]


def test_trace_sees_the_truth_ten_times_a_second() -> None:
    seen: list[tuple[datetime, int, float]] = []
    charger = Charger(
        ChargerSpec("ST-01"), NOON, lambda at, _, connector_id, power_kw: seen.append((at, connector_id, power_kw))
    )
    charger.online = True
    charging(charger, vehicle=Vehicle(VehicleSpec(60, 7.2), 0.2))
    charger.advance(after(1))
    first = [(at, power) for at, connector_id, power in seen if connector_id == 1]
    assert [at for at, _ in first] == [after(n / 10) for n in range(1, 11)]
    assert [power for _, power in first] == pytest.approx([n / 5 for n in range(1, 11)])


# Commands


def test_remote_start_with_a_profile_binds_it_to_the_new_transaction() -> None:
    charger = station()
    charger.plug(2, car(), NOON)
    tx = profile(Purpose.TX, (0, 10.0))
    assert commands.remote_start(charger, "TAG-1", None, tx, NOON) == "Accepted"
    assert charger.connectors[2].offered_a == 10
    charger.transaction_accepted(1, "7", ACCEPTED, after(1))
    assert charger.connectors[2].offered_a == 10
    assert commands.remote_stop(charger, 7, after(2)) == "Accepted"
    assert not charger.profiles.profile_ids


@pytest.mark.parametrize(
    "wrong",
    [
        profile(Purpose.TX_DEFAULT, (0, 10.0)),
        profile(Purpose.TX, (0, 10.0), transaction_id="7"),
        profile(Purpose.TX, (5, 10.0)),
    ],
)
def test_remote_start_with_a_wrong_profile_is_rejected(wrong: ChargingProfile) -> None:
    charger = station()
    assert commands.remote_start(charger, "TAG-1", 1, wrong, NOON) == "Rejected"
    assert charger.connectors[1].status == "Available"


def test_remote_start_asks_first_when_the_station_is_set_so() -> None:
    charger = station()
    charger.configuration.set("AuthorizeRemoteTxRequests", "true")
    charger.plug(1, car(), NOON)
    commands.remote_start(charger, "TAG-1", 1, profile(Purpose.TX, (0, 10.0)), NOON)
    assert only(charger.take_outputs(), AuthorizationWanted)
    charger.authorization(1, "TAG-1", ACCEPTED, after(1))
    assert charger.connectors[1].offered_a == 10


def test_remote_start_is_rejected_where_nobody_can_charge() -> None:
    charger = station(connectors=1)
    assert commands.remote_start(charger, "TAG-1", 2, None, NOON) == "Rejected"
    charging(charger)
    assert commands.remote_start(charger, "TAG-2", 1, None, NOON) == "Rejected"
    assert commands.remote_start(charger, "TAG-2", None, None, NOON) == "Rejected"
    assert commands.remote_stop(charger, 999, NOON) == "Rejected"


def test_unlocking_ends_the_transaction() -> None:
    charger = station()
    charging(charger)
    assert commands.unlock(charger, 1, after(5)) == "Unlocked"
    assert only(charger.take_outputs(), TransactionStopped)[0].reason == "UnlockCommand"
    assert commands.unlock(charger, 9, after(5)) == "NotSupported"


def test_availability_changes_at_once_or_when_the_transaction_ends() -> None:
    charger = station()
    charging(charger)
    assert commands.change_availability(charger, 0, False, NOON) == "Scheduled"
    assert statuses(charger.take_outputs(), 2) == ["Unavailable"]
    assert charger.connectors[1].status == "Charging"
    charger.present(1, "TAG-1", after(10))
    assert charger.connectors[1].status == "Unavailable"
    charger.unplug(1, after(20))
    charger.plug(1, car(), after(30))
    charger.present(1, "TAG-1", after(30))
    assert not only(charger.take_outputs(), AuthorizationWanted)
    assert commands.change_availability(charger, 1, True, after(40)) == "Accepted"
    assert charger.connectors[1].status == "Preparing"
    assert commands.change_availability(charger, 7, True, after(40)) == "Rejected"


def reservation(reservation_id: int = 1, id_tag: str = "TAG-1", seconds: float = 600) -> Reservation:
    return Reservation(reservation_id, id_tag, "FAMILY", after(seconds))


def test_reservation_keeps_the_connector_for_its_driver() -> None:
    charger = station()
    assert commands.reserve(charger, 1, reservation(), NOON) == "Accepted"
    assert charger.connectors[1].status == "Reserved"
    charger.plug(1, car(), after(5))
    charger.present(1, "OTHER", after(5))
    charger.authorization(1, "OTHER", ACCEPTED, after(5))
    assert not only(charger.take_outputs(), TransactionStarted)
    charger.present(1, "COUSIN", after(6))
    charger.authorization(1, "COUSIN", TagInfo("Accepted", "family"), after(6))
    (started,) = only(charger.take_outputs(), TransactionStarted)
    assert started.reservation_id == 1
    assert charger.connectors[1].reservation is None


def test_reservation_ends_by_itself_or_by_command() -> None:
    charger = station()
    commands.reserve(charger, 1, reservation(seconds=60), NOON)
    charger.advance(after(61))
    assert statuses(charger.take_outputs()) == ["Reserved", "Available"]
    commands.reserve(charger, 1, reservation(), after(70))
    assert commands.cancel_reservation(charger, 2, after(71)) == "Rejected"
    assert commands.cancel_reservation(charger, 1, after(71)) == "Accepted"
    assert charger.connectors[1].status == "Available"


def test_reservation_is_refused_with_the_reason() -> None:
    charger = station()
    charging(charger, 1)
    assert commands.reserve(charger, 1, reservation(), NOON) == "Occupied"
    charger.fault(2, "GroundFailure", NOON)
    assert commands.reserve(charger, 2, reservation(), NOON) == "Faulted"
    charger.fault(2, "NoError", NOON)
    commands.change_availability(charger, 2, False, NOON)
    assert commands.reserve(charger, 2, reservation(), NOON) == "Unavailable"
    assert commands.reserve(charger, 0, reservation(), NOON) == "Rejected"
    assert commands.reserve(charger, 1, reservation(seconds=-1), NOON) == "Rejected"


def test_same_reservation_may_move() -> None:
    charger = station()
    commands.reserve(charger, 1, reservation(), NOON)
    assert commands.reserve(charger, 2, reservation(), NOON) == "Accepted"
    assert [c.status for c in charger.connectors.values()] == ["Available", "Reserved"]
    assert commands.reserve(charger, 2, reservation(2), NOON) == "Occupied"


def test_fault_stops_the_energy_at_once_and_the_transaction_goes_on_after_it() -> None:
    charger = station()
    charging(charger)
    charger.advance(after(10))
    charger.fault(1, "GroundFailure", after(10))
    charger.advance(after(20))
    assert charger.connectors[1].energy_wh == pytest.approx(20)
    charger.fault(1, "NoError", after(20))
    assert statuses(charger.take_outputs()) == ["Faulted", "Charging"]


def test_local_list_is_versioned() -> None:
    charger = station()
    one = [ListEntry("A", ACCEPTED)]
    assert commands.local_list_version(charger) == 0
    assert commands.send_local_list(charger, 5, one, full=True) == "Accepted"
    assert commands.send_local_list(charger, 5, one, full=False) == "VersionMismatch"
    assert commands.send_local_list(charger, 6, [ListEntry("A", None)], full=False) == "Accepted"
    assert charger.tags.lookup("a", use_list=True, use_cache=True) is None
    assert commands.send_local_list(charger, 7, one * 2, full=False) == "Failed"
    assert commands.send_local_list(charger, 7, [ListEntry("A", None)], full=True) == "Failed"
    assert commands.send_local_list(charger, 7, one * 101, full=True) == "Failed"
    assert commands.local_list_version(charger) == 6
    charger.configuration.set("LocalAuthListEnabled", "false")
    assert commands.send_local_list(charger, 8, one, full=True) == "NotSupported"
    assert commands.local_list_version(charger) == -1


def test_configuration_keys_are_read_and_changed_by_the_rules() -> None:
    charger = station()
    known, unknown = charger.configuration.read(["heartbeatinterval", "NumberOfConnectors", "Colour"])
    assert [(key.name, value, key.accepts is None) for key, value in known] == [
        ("HeartbeatInterval", "300", False),
        ("NumberOfConnectors", "2", True),
    ]
    assert unknown == ["Colour"]
    assert len(charger.configuration.read([])[0]) > 20
    answers = {
        ("HeartbeatInterval", "60"): "Accepted",
        ("HeartbeatInterval", "-1"): "Rejected",
        ("HeartbeatInterval", "soon"): "Rejected",
        ("NumberOfConnectors", "3"): "Rejected",
        ("Colour", "red"): "NotSupported",
        ("LocalPreAuthorize", "TRUE"): "Accepted",
        ("LocalPreAuthorize", "yes"): "Rejected",
        ("MeterValuesAlignedData", "SoC,Voltage"): "Accepted",
        ("MeterValuesAlignedData", "Colour"): "Rejected",
        ("WebSocketPingInterval", "5"): "RebootRequired",
    }
    assert {given: charger.configuration.change(*given) for given in answers} == answers
    assert charger.configuration.number("WebSocketPingInterval") == 30
    charger.booted(NOON)
    assert charger.configuration.number("WebSocketPingInterval") == 5


def test_boot_forgets_who_was_authorized_and_keeps_what_was_configured() -> None:
    charger = station()
    commands.set_charging_profile(charger, 1, profile(Purpose.TX_DEFAULT, (0, 8.0)), NOON)
    commands.change_availability(charger, 2, False, NOON)
    charger.present(1, "TAG-1", NOON)
    charger.authorization(1, "TAG-1", ACCEPTED, NOON)
    commands.reset(charger, True, after(1))
    charger.booted(after(5))
    assert charger.profiles.profile_ids == {1}
    assert [c.status for c in charger.connectors.values()] == ["Available", "Unavailable"]
    charger.plug(1, car(), after(6))
    assert charger.connectors[1].status == "Preparing"


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


# However late the process wakes


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


# Everything, in any order


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: allowed changes of status, energy that only grows, offers within limits."""

    connectors = st.sampled_from([1, 2])

    def __init__(self) -> None:
        super().__init__()
        self.charger = station()
        self.seen: dict[int, list[str]] = {n: [self.charger.connectors[n].status] for n in (1, 2)}
        self.energy = dict.fromkeys((1, 2), 0.0)
        self.started: set[int] = set()
        self.ended: set[int] = set()
        self.last_at = NOON

    @property
    def now(self) -> datetime:
        return self.charger.now

    @rule(seconds=st.floats(0.001, 4000))
    def wait(self, seconds: float) -> None:
        self.charger.advance(self.now + timedelta(seconds=seconds))

    @rule(connector=connectors, soc=st.sampled_from([0.2, 0.799, 0.9999]))
    def plug(self, connector: int, soc: float) -> None:
        self.charger.plug(connector, Vehicle(VehicleSpec(20, 7.2), soc), self.now)

    @rule(connector=connectors)
    def unplug(self, connector: int) -> None:
        self.charger.unplug(connector, self.now)

    @rule(connector=connectors, answer=st.sampled_from(["Accepted", "Invalid", None]))
    def present(self, connector: int, answer: str | None) -> None:
        tag = f"TAG-{connector}"
        self.charger.present(connector, tag, self.now)
        self.charger.authorization(connector, tag, None if answer is None else TagInfo(answer), self.now)

    @rule(connector=connectors, status=st.sampled_from(["Accepted", "Blocked"]))
    def answer_start(self, connector: int, status: str) -> None:
        transaction = self.charger.connectors[connector].transaction
        if transaction is not None:
            self.charger.transaction_accepted(transaction.tx, str(transaction.tx), TagInfo(status), self.now)

    @rule(connector=st.sampled_from([0, 1, 2]), operative=st.booleans())
    def availability(self, connector: int, operative: bool) -> None:
        commands.change_availability(self.charger, connector, operative, self.now)

    @rule(connector=connectors, seconds=st.sampled_from([10, 5000]))
    def reserve(self, connector: int, seconds: int) -> None:
        booked = Reservation(connector, "TAG-1", None, self.now + timedelta(seconds=seconds))
        commands.reserve(self.charger, connector, booked, self.now)

    @rule(connector=connectors, code=st.sampled_from(["GroundFailure", "NoError"]))
    def fault(self, connector: int, code: str) -> None:
        self.charger.fault(connector, code, self.now)

    @rule(connector=st.sampled_from([None, 1, 2]))
    def remote_start(self, connector: int | None) -> None:
        commands.remote_start(self.charger, "TAG-1", connector, None, self.now)

    @rule(connector=connectors)
    def unlock(self, connector: int) -> None:
        commands.unlock(self.charger, connector, self.now)

    @rule(
        connector=st.sampled_from([0, 1, 2]),
        purpose=st.sampled_from([Purpose.STATION_MAX, Purpose.TX_DEFAULT, Purpose.TX]),
        limit=st.sampled_from([0.0, 5.0, 8.0, 20.0]),
    )
    def limit(self, connector: int, purpose: Purpose, limit: float) -> None:
        transaction = self.charger.connectors[connector].transaction if connector else None
        transaction_id = None if transaction is None else transaction.transaction_id
        fresh = profile(
            purpose, (0, limit), (3600, 16.0), profile_id=10 * connector + len(purpose), transaction_id=transaction_id
        )
        commands.set_charging_profile(self.charger, connector, fresh, self.now)

    @rule()
    def clear(self) -> None:
        commands.clear_charging_profile(self.charger, self.now)

    @rule(online=st.booleans())
    def connection(self, online: bool) -> None:
        self.charger.online = online

    @invariant()
    def sound(self) -> None:
        for output in self.charger.take_outputs():
            if isinstance(output, StatusChanged) and output.connector_id:
                self.seen[output.connector_id].append(output.status)
                assert output.at <= self.now
            elif isinstance(output, TransactionStarted):
                assert output.tx not in self.started
                self.started.add(output.tx)
            elif isinstance(output, TransactionStopped):
                assert output.tx in self.started - self.ended
                self.ended.add(output.tx)
        for number, connector in self.charger.connectors.items():
            for before, later in pairwise(self.seen[number]):
                assert later in TRANSITIONS[before], f"{before} -> {later}"
            self.seen[number] = self.seen[number][-1:]
            assert self.seen[number] == [connector.status]
            assert connector.energy_wh >= self.energy[number]
            self.energy[number] = connector.energy_wh
            if connector.transaction is None:
                assert connector.power_kw == 0
        assert self.started - self.ended == {
            c.transaction.tx for c in self.charger.connectors.values() if c.transaction is not None
        }
        maximum = [p for p in self.charger.profiles.of_station if p.schedule.start and p.schedule.start <= self.now]
        if maximum and self.now < after(3600):
            drawing = [c.pilot_a for c in self.charger.connectors.values() if c.vehicle and c.vehicle.wants_energy]
            assert sum(drawing) <= maximum[0].schedule.periods[0].limit + 1e-6


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
