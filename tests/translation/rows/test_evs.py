"""What CitrineOS's rows say about EVs: who is there, since when, and who cannot be planned for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from optivgi.clock import ManualClock
from optivgi.errors import ContractBroken
from optivgi.model.ev import EV
from optivgi.translation.citrineos.rows import snapshot
from tests.translation.citrineos_double import CitrineOSDouble, Json, a_sample, wire
from tests.translation.rows.site import NEED, POWER, SITE, read, the_ev, the_refusal


def test_an_active_transaction_is_an_ev_with_the_sites_words_about_it(
    csms: CitrineOSDouble, clock: ManualClock
) -> None:
    csms.start("ST-B", "7", meterStart=0)
    ev = the_ev(csms, replace(SITE, evs={"ST-B": replace(NEED, energy_needed_kwh=9.0, departure=time(14))}))
    assert ev == EV(
        ev_id="2",
        station_id="ST-B",
        connector_id=1,
        transaction_id="7",
        arrival=clock.now(),
        departure=clock.now().replace(hour=14),
        energy_needed_kwh=9.0,
        delivered_kwh=0.0,
        min_kw=1.44,
        max_kw=7.2,
        voltage_v=240.0,
    )


def test_transaction_ids_count_per_station_and_connectors_by_their_ocpp_number(csms: CitrineOSDouble) -> None:
    for station_id, connector_id in (("ST-A", 1), ("ST-A", 2), ("ST-B", 1)):
        csms.start(station_id, str(connector_id), connector_id)
    assert [(ev.ev_id, ev.transaction_id) for ev in read(csms).evs] == [("1", "1"), ("1.2", "2"), ("2", "1")]


async def test_every_connector_is_read_with_or_without_an_ev(csms: CitrineOSDouble, clock: ManualClock) -> None:
    booted = clock.now()
    await clock.advance(60)
    csms.add_station("ST-C", isOnline=False)
    csms.set_status("ST-A", "Preparing", 2)
    connectors = {one.key: one for one in read(csms).connectors}
    assert {key: (one.online, one.status, one.booted_at) for key, one in connectors.items()} == {
        ("ST-A", 1): (True, "Available", booted),
        ("ST-A", 2): (True, "Preparing", booted),
        ("ST-B", 1): (True, "Available", booted),
        ("ST-C", 1): (False, "Available", clock.now()),
    }


def test_a_group_reads_its_own_stations_only(csms: CitrineOSDouble) -> None:
    csms.start("ST-A")
    csms.start("ST-B")
    found = read(csms, replace(SITE, groups={"south": ("ST-B",)}), "south")
    assert [ev.ev_id for ev in found.evs] == ["2"]
    assert {connector.station_id for connector in found.connectors} == {"ST-B"}


def test_a_site_without_cars_is_empty_and_not_an_error(csms: CitrineOSDouble) -> None:
    assert read(csms).evs == ()


@pytest.mark.parametrize("status", ["Charging", "SuspendedEVSE", "SuspendedEV", "Preparing", None, "SomethingNew"])
async def test_an_ev_counts_while_its_connector_does_not_say_that_it_left(
    csms: CitrineOSDouble, clock: ManualClock, status: str | None
) -> None:
    csms.start("ST-A")
    await clock.advance(5)
    csms.plug("ST-A").update(status=status, updatedAt=wire(clock.now()))
    assert the_ev(csms).suspended_by_ev is (status == "SuspendedEV")


@pytest.mark.parametrize("status", ["Available", "Finishing", "Reserved", "Unavailable"])
async def test_a_connector_that_became_free_ends_the_session_although_its_stop_is_lost(
    csms: CitrineOSDouble, clock: ManualClock, status: str
) -> None:
    csms.start("ST-A", "4")
    await clock.advance(5)
    csms.set_status("ST-A", status)
    found = read(csms)
    assert (found.evs, found.refused) == ((), ())
    assert found.doubts == (f"EV 1: transaction 4 is still active but its connector is {status}",)


async def test_a_status_from_before_the_session_does_not_end_it(csms: CitrineOSDouble, clock: ManualClock) -> None:
    csms.set_status("ST-A", "Available")
    await clock.advance(5)
    csms.start("ST-A")
    assert the_ev(csms).ev_id == "1"


async def test_power_metered_after_the_status_overrules_it(csms: CitrineOSDouble, clock: ManualClock) -> None:
    transaction = csms.start("ST-A")
    await clock.advance(5)
    csms.set_status("ST-A", "Available")
    await clock.advance(5)
    csms.meter(transaction, a_sample(7200, POWER, "W"))
    assert the_ev(csms).measured_kw == pytest.approx(7.2)


def test_of_two_transactions_on_one_connector_the_later_one_counts(csms: CitrineOSDouble, clock: ManualClock) -> None:
    csms.start("ST-A", "3", startTime=wire(clock.now() - timedelta(hours=5)))
    csms.start("ST-A", "4")
    assert the_ev(csms).transaction_id == "4"
    assert read(csms).doubts == (
        "EV 1: transaction 3 is still active although 4 began later on the same connector: only the later one counts",
    )


def _no_connector(csms: CitrineOSDouble) -> None:
    csms.start("ST-A", Connector=None)


def _odd_transaction_id(csms: CitrineOSDouble) -> None:
    csms.start("ST-A", "tx-1")


def _other_protocol(csms: CitrineOSDouble) -> None:
    csms.rows["ChargingStations"][0]["protocol"] = "ocpp2.0.1"
    csms.start("ST-A")


def _weak_connector(csms: CitrineOSDouble) -> None:
    csms.plug("ST-A")["maximumPowerWatts"] = 1000
    csms.start("ST-A")


def _faulted(csms: CitrineOSDouble) -> None:
    csms.start("ST-A")
    csms.set_status("ST-A", "Faulted")


def _no_start(csms: CitrineOSDouble) -> None:
    csms.start("ST-A", startTime="yesterday")


def _odd_meter_start(csms: CitrineOSDouble) -> None:
    csms.start("ST-A", StartTransaction=None, meterStart="NaN")


@pytest.mark.parametrize(
    ("arrange", "reason"),
    [
        (_no_connector, "its transaction names connector None of ST-A, which the CSMS does not list"),
        (_odd_transaction_id, "transaction id 'tx-1' is not the whole number that OCPP 1.6 needs"),
        (_other_protocol, "ST-A speaks ocpp2.0.1; only ocpp1.6 can be commanded"),
        (_weak_connector, "max_kw is 1; it must be at least 1.44"),
        (_faulted, "its connector is Faulted"),
        (_no_start, "its start cannot be read: 'yesterday' is no date and time with an offset"),
        (_odd_meter_start, "its start cannot be read: 'NaN' is no finite number"),
    ],
)
def test_an_ev_that_cannot_be_planned_for_is_refused_by_name(
    csms: CitrineOSDouble, arrange: Callable[[CitrineOSDouble], None], reason: str
) -> None:
    arrange(csms)
    assert the_refusal(csms) == reason


@pytest.mark.parametrize(
    ("authorization", "priority"), [({"idToken": "van-7"}, 5.0), ({"idToken": "OTHER"}, 2.0), (None, 2.0)]
)
def test_an_id_tag_goes_before_its_place(csms: CitrineOSDouble, authorization: Json | None, priority: float) -> None:
    csms.start("ST-A", Authorization=authorization)
    site = replace(SITE, evs={"ST-A": replace(NEED, priority=2.0)}, id_tag_priority={"van-7": 5.0})
    assert the_ev(csms, site).priority == priority


def test_captured_rows_are_read(clock: ManualClock) -> None:
    captured = json.loads((Path(__file__).parents[1] / "samples" / "rows.json").read_text())
    station_id = "OPTIVGI-STATION-01"
    plug = next(row for row in captured["Connectors"] if row["stationId"] == station_id)
    data = {
        "ChargingStations": [{**captured["ChargingStations"][1], "id": station_id, "Connectors": [plug]}],
        "Transactions": [
            {
                **captured["Transactions"][0],
                "stationId": station_id,
                "Connector": {**plug, "status": "Charging"},
                "StartTransaction": captured["StartTransactions"][0],
                "MeterValues": captured["MeterValues"][::-1],
            }
        ],
        "Boots": captured["Boots"],
        "ChangeConfigurations": captured["ChangeConfigurations"],
    }
    found = snapshot(data, replace(SITE, station_ids=(station_id,)), "default", clock.now())
    (ev,) = found.evs
    assert (ev.ev_id, ev.transaction_id, ev.connector_id) == ("1.2", "1", 2)
    assert ev.measured_kw == pytest.approx(7.2)
    assert ev.delivered_kwh == pytest.approx(0.02)
    assert ev.arrival == datetime.fromisoformat("2026-11-20T23:11:43.315+00:00")
    assert found.connectors[0].booted_at == datetime.fromisoformat("2026-11-20T23:11:12.283+00:00")
    assert found.doubts == ()


@pytest.mark.parametrize("table", ["ChargingStations", "Transactions", "Boots", "ChangeConfigurations"])
@pytest.mark.parametrize("rows", [None, {}, ["row"]])
def test_a_missing_table_is_a_broken_contract_and_not_an_empty_site(
    csms: CitrineOSDouble, table: str, rows: Any
) -> None:
    with pytest.raises(ContractBroken, match=table):
        snapshot({**csms.rows, table: rows}, SITE, "default", csms.clock.now())
