"""A station by itself: what it answers to commands, and what they change."""

from __future__ import annotations

import pytest

from optivgi.model.charging_profile import ChargingProfile, Purpose
from simulator import commands
from simulator.authorization import ListEntry, TagInfo
from simulator.connector import Reservation
from simulator.outputs import (
    AuthorizationWanted,
    TransactionStarted,
    TransactionStopped,
)
from tests.simulator.chargers import ACCEPTED, NOON, after, car, charging, only, profile, station, statuses


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
