"""A station by itself: from the plug to the end of a transaction, online and offline."""

from __future__ import annotations

import pytest

from simulator import commands
from simulator.authorization import ListEntry, TagInfo
from simulator.outputs import (
    AuthorizationWanted,
    CableAwaited,
    StatusChanged,
    TransactionStarted,
    TransactionStopped,
)
from tests.simulator.chargers import ACCEPTED, NOON, after, car, charging, only, station, statuses


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
