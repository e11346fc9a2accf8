"""What CitrineOS's rows say about EVs and connectors, in every disguise that real rows wear."""

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
from optivgi.model.charging_profile import RateUnit
from optivgi.model.ev import EV
from optivgi.model.ev_config import EVConfig, SiteView
from optivgi.model.snapshot import Snapshot
from optivgi.translation.citrineos.adapter import SNAPSHOT_QUERY
from optivgi.translation.citrineos.rows import snapshot, variables
from tests.translation.citrineos_double import CitrineOSDouble, Json, a_sample, wire

ENERGY, POWER = "Energy.Active.Import.Register", "Power.Active.Import"
NEED = EVConfig(energy_needed_kwh=20.0, max_kw=7.2, min_kw=1.44)
SITE = SiteView(station_ids=("ST-A", "ST-B"), default_ev=NEED, voltage_v=240.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def csms(clock: ManualClock) -> CitrineOSDouble:
    csms = CitrineOSDouble(clock)
    csms.add_station("ST-A", connectors=2)
    csms.add_station("ST-B")
    return csms


def read(csms: CitrineOSDouble, site: SiteView = SITE, group: str = "default") -> Snapshot:
    """Through the real query, so that what it does not ask for is not there."""
    data = csms.execute(SNAPSHOT_QUERY, variables(site.stations(group)))["data"]
    return snapshot(data, site, group, csms.clock.now())


def the_ev(csms: CitrineOSDouble, site: SiteView = SITE) -> EV:
    found = read(csms, site)
    assert found.refused == ()
    (ev,) = found.evs
    return ev


def the_refusal(csms: CitrineOSDouble, site: SiteView = SITE) -> str:
    found = read(csms, site)
    assert found.evs == ()
    (refused,) = found.refused
    return refused.reason


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


@pytest.mark.parametrize(
    ("samples", "power_kw", "delivered_kwh"),
    [
        pytest.param([a_sample(1500, ENERGY, "Wh"), a_sample(7200, POWER, "W")], 7.2, 1.5, id="as CitrineOS stores it"),
        pytest.param([a_sample("1500", ENERGY, "Wh"), a_sample("7.2", POWER, "kW")], 7.2, 1.5, id="text, kW"),
        pytest.param([a_sample(1.5, ENERGY, "kWh"), a_sample(72, POWER, "W", 2)], 7.2, 1.5, id="kWh, multiplier"),
        pytest.param([a_sample("1500"), a_sample("7200", POWER, unit="")], 7.2, 1.5, id="nothing said but the value"),
        pytest.param(
            [{"value": "1.5", "unit": "kWh"}, {"value": "7200", "measurand": POWER}], 7.2, 1.5, id="1.6 spelling"
        ),
        pytest.param(
            [a_sample(2400, POWER, "W", phase=phase) for phase in ("L1-N", "L2-N", "L3-N")],
            7.2,
            0.0,
            id="phases are summed",
        ),
        pytest.param(
            [*(a_sample(2400, POWER, "W", phase=phase) for phase in ("L1", "L2", "L3")), a_sample(7100, POWER, "W")],
            7.1,
            0.0,
            id="a total counts instead of its phases",
        ),
        pytest.param(
            [a_sample(99, POWER, "kW", location="Inlet"), a_sample(7200, POWER, "W")], 7.2, 0.0, id="at the outlet"
        ),
        pytest.param([a_sample(30, "Current.Import", "A"), a_sample(55, "SoC", "Percent")], None, 0.0, id="neither"),
        pytest.param([], None, 0.0, id="an empty sample"),
    ],
)
def test_meter_values_in_each_spelling(
    csms: CitrineOSDouble, samples: list[Json], power_kw: float | None, delivered_kwh: float
) -> None:
    csms.meter(csms.start("ST-A"), *samples)
    ev = the_ev(csms)
    assert ev.measured_kw == (None if power_kw is None else pytest.approx(power_kw))
    assert ev.delivered_kwh == pytest.approx(delivered_kwh)
    assert ev.energy_needed_kwh == pytest.approx(20.0 - delivered_kwh)
    assert read(csms).doubts == ()


def test_sampled_value_may_be_json_text(csms: CitrineOSDouble) -> None:
    csms.meter(csms.start("ST-A"), sampled_value=json.dumps([a_sample(7200, POWER, "W")]))
    assert the_ev(csms).measured_kw == pytest.approx(7.2)


def test_never_metered_is_not_metered_at_zero(csms: CitrineOSDouble) -> None:
    csms.start("ST-A")
    assert (the_ev(csms).measured_kw, the_ev(csms).measured_at) == (None, None)


async def test_the_newest_power_counts_and_says_when(csms: CitrineOSDouble, clock: ManualClock) -> None:
    transaction = csms.start("ST-A")
    for power in (1000, 2000, 3000):
        await clock.advance(10)
        csms.meter(transaction, a_sample(power, POWER, "W"))
    newest = clock.now()
    await clock.advance(10)
    csms.meter(transaction, a_sample(40, ENERGY, "Wh"))
    csms.meter(transaction, a_sample(500, POWER, "W"), at=newest - timedelta(seconds=15))
    ev = the_ev(csms)
    assert ev.measured_kw == pytest.approx(3.0)
    assert ev.measured_at == newest
    assert ev.delivered_kwh == pytest.approx(0.04)


def test_a_fast_station_clock_never_makes_a_sample_newer_than_its_row(
    csms: CitrineOSDouble, clock: ManualClock
) -> None:
    csms.meter(csms.start("ST-A"), a_sample(7200, POWER, "W"), at=clock.now() + timedelta(hours=1))
    assert the_ev(csms).measured_at == clock.now()


def test_delivered_energy_is_the_register_less_its_start(csms: CitrineOSDouble) -> None:
    transaction = csms.start("ST-A", StartTransaction={"meterStart": 100_000, "timestamp": wire(csms.clock.now())})
    csms.meter(transaction, a_sample(104_500, ENERGY, "Wh"))
    assert the_ev(csms).delivered_kwh == pytest.approx(4.5)
    assert the_ev(csms).energy_needed_kwh == pytest.approx(15.5)


def test_more_delivered_than_needed_leaves_a_need_of_zero(csms: CitrineOSDouble) -> None:
    csms.meter(csms.start("ST-A"), a_sample(25, ENERGY, "kWh"))
    assert the_ev(csms).energy_needed_kwh == 0.0


@pytest.mark.parametrize("meter_start", [100_000, "100000", "100000.0"])
def test_without_start_transaction_the_transactions_own_columns_count(
    csms: CitrineOSDouble, meter_start: object
) -> None:
    transaction = csms.start("ST-A", StartTransaction=None, meterStart=meter_start)
    csms.meter(transaction, a_sample(101, ENERGY, "kWh"))
    assert the_ev(csms).delivered_kwh == pytest.approx(1.0)
    assert the_ev(csms).arrival == csms.clock.now()


def test_an_unknown_meter_start_proves_nothing_delivered(csms: CitrineOSDouble) -> None:
    csms.meter(csms.start("ST-A", StartTransaction=None, meterStart=None), a_sample(101, ENERGY, "kWh"))
    assert the_ev(csms).delivered_kwh == 0.0
    assert read(csms).doubts == ("EV 1: the meter at its start is not known, so nothing counts as delivered",)


@pytest.mark.parametrize(
    ("sample", "doubt"),
    [
        (a_sample("NaN", ENERGY, "Wh"), "'NaN' is no finite number"),
        (a_sample("lots", ENERGY, "Wh"), "'lots' is no finite number"),
        (a_sample(None, ENERGY, "Wh"), "None is no finite number"),
        (a_sample(True, ENERGY, "Wh"), "True is no finite number"),
        (a_sample(-5, ENERGY, "Wh"), f"{ENERGY} of -0.005"),
        (a_sample(-5, POWER, "W"), f"{POWER} of -0.005"),
        (a_sample(9e9, POWER, "W"), f"{POWER} of 9e+06 kW"),
        (a_sample(5, ENERGY, "varh"), f"{ENERGY} in unit 'varh'"),
        (a_sample(5, POWER, "kWh"), f"{POWER} in unit 'kWh'"),
        (a_sample(5, POWER, "W", 400), f"{POWER} with multiplier 400"),
    ],
)
def test_a_value_that_makes_no_sense_is_named_and_left_out(csms: CitrineOSDouble, sample: Json, doubt: str) -> None:
    csms.meter(csms.start("ST-A"), sample)
    ev = the_ev(csms)
    assert (ev.measured_kw, ev.delivered_kwh) == (None, 0.0)
    assert read(csms).doubts == (f"EV 1: meter sample: {doubt} is not believed",)


@pytest.mark.parametrize(
    ("column", "value", "doubt"),
    [
        ("sampledValue", "no json", "sampledValue 'no json' is no JSON"),
        ("sampledValue", {"value": 1}, "sampledValue {'value': 1} is no list of samples"),
        ("timestamp", "2026-03-03T08:00:00", "'2026-03-03T08:00:00' is no date and time with an offset"),
        ("timestamp", None, "None is no date and time with an offset"),
    ],
)
def test_a_row_that_makes_no_sense_is_named_and_the_others_count(
    csms: CitrineOSDouble, column: str, value: object, doubt: str
) -> None:
    transaction = csms.start("ST-A")
    csms.meter(transaction, a_sample(3000, POWER, "W"))
    (good,) = transaction["MeterValues"]
    rows = {**csms.rows, "Transactions": [{**transaction, "MeterValues": [{**good, column: value}, good]}]}
    found = snapshot(rows, SITE, "default", csms.clock.now())
    assert found.evs[0].measured_kw == pytest.approx(3.0)
    assert found.doubts == (f"EV 1: meter sample: {doubt}",)


@pytest.mark.parametrize(
    ("registers_wh", "delivered_kwh", "doubts"),
    [
        pytest.param([1000, 2000, 3000], 3.0, (), id="forwards"),
        pytest.param(
            [1000, 3000, 2000], 3.0, ("EV 1: energy register 2 kWh is below 3 kWh before it",), id="backwards"
        ),
        pytest.param([-1], 0.0, (f"EV 1: meter sample: {ENERGY} of -0.001 is not believed",), id="negative"),
    ],
)
async def test_a_register_that_runs_backwards_is_not_believed(
    csms: CitrineOSDouble, clock: ManualClock, registers_wh: list[int], delivered_kwh: float, doubts: tuple[str, ...]
) -> None:
    transaction = csms.start("ST-A")
    for register in registers_wh:
        await clock.advance(10)
        csms.meter(transaction, a_sample(register, ENERGY, "Wh"))
    assert the_ev(csms).delivered_kwh == pytest.approx(delivered_kwh)
    assert read(csms).doubts == doubts


def test_a_register_below_the_start_is_not_believed(csms: CitrineOSDouble) -> None:
    transaction = csms.start("ST-A", StartTransaction={"meterStart": 5000, "timestamp": wire(csms.clock.now())})
    csms.meter(transaction, a_sample(200, ENERGY, "Wh"))
    assert (the_ev(csms).delivered_kwh, the_ev(csms).energy_needed_kwh) == (0.0, 20.0)
    assert read(csms).doubts == ("EV 1: energy register 0.2 kWh is below 5 kWh before it",)


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
    ("ratings", "max_kw"),
    [
        ({}, 7.2),
        ({"maximumPowerWatts": 3600}, 3.6),
        ({"maximumAmperage": 16}, 3.84),
        ({"maximumPowerWatts": 22000, "maximumAmperage": 32}, 7.2),
        ({"maximumPowerWatts": 0, "maximumAmperage": -1}, 7.2),
    ],
)
def test_the_maximum_is_the_least_that_is_known(csms: CitrineOSDouble, ratings: Json, max_kw: float) -> None:
    csms.plug("ST-A").update(ratings)
    csms.start("ST-A")
    assert the_ev(csms).max_kw == pytest.approx(max_kw)
    assert {one.key: one.max_kw for one in read(csms).connectors}["ST-A", 1] == pytest.approx(max_kw)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (None, "A"),
        ("Current", "A"),
        ("Power", "W"),
        ("Current,Power", "A"),
        ("Power, Current", "A"),
        ("", "A"),
        ("?", "A"),
    ],
)
def test_the_stations_key_decides_between_amperes_and_watts(
    csms: CitrineOSDouble, value: str | None, unit: str
) -> None:
    key = "ChargingScheduleAllowedChargingRateUnit"
    csms.rows["ChangeConfigurations"] = [
        {"stationId": "ST-A", "key": key, "value": value, "tenantId": 1},
        {"stationId": "ST-A", "key": "Other", "value": "Power", "tenantId": 1},
    ]
    csms.start("ST-A")
    assert the_ev(csms).unit is RateUnit(unit)


def test_a_hostile_connector_number_is_no_connector(csms: CitrineOSDouble) -> None:
    csms.plug("ST-A", 2)["connectorId"] = 1_634_030_126
    csms.plug("ST-B")["connectorId"] = 0
    assert [one.key for one in read(csms).connectors] == [("ST-A", 1)]


@pytest.mark.parametrize("table", ["ChargingStations", "Transactions", "Boots", "ChangeConfigurations"])
@pytest.mark.parametrize("rows", [None, {}, ["row"]])
def test_a_missing_table_is_a_broken_contract_and_not_an_empty_site(
    csms: CitrineOSDouble, table: str, rows: Any
) -> None:
    with pytest.raises(ContractBroken, match=table):
        snapshot({**csms.rows, table: rows}, SITE, "default", csms.clock.now())


def test_captured_rows_are_read(clock: ManualClock) -> None:
    captured = json.loads((Path(__file__).parent / "samples" / "rows.json").read_text())
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


def test_each_connector_is_wired_as_the_site_says(csms: CitrineOSDouble) -> None:
    csms.start("ST-A", "1", connector_id=1)
    csms.start("ST-A", "2", connector_id=2)
    panel = replace(NEED, circuit="panel", phases=("L2", "L3", "L1"), priority=2.0)
    site = replace(
        SITE, evs={"ST-A": panel}, connectors={("ST-A", 2): replace(panel, phases=("L3",), circuit="feeder")}
    )
    found = read(csms, site)
    wired = {ev.ev_id: (ev.circuit, ev.phases, ev.priority) for ev in found.evs}
    assert wired == {"1": ("panel", ("L2", "L3", "L1"), 2.0), "1.2": ("feeder", ("L3",), 2.0)}
    connectors = {one.key: (one.circuit, one.phases) for one in found.connectors}
    assert connectors["ST-A", 2] == ("feeder", ("L3",))
    assert connectors["ST-A", 1] == ("panel", ("L2", "L3", "L1"))


@pytest.mark.parametrize(
    ("authorization", "priority"), [({"idToken": "van-7"}, 5.0), ({"idToken": "OTHER"}, 2.0), (None, 2.0)]
)
def test_an_id_tag_goes_before_its_place(csms: CitrineOSDouble, authorization: Json | None, priority: float) -> None:
    csms.start("ST-A", Authorization=authorization)
    site = replace(SITE, evs={"ST-A": replace(NEED, priority=2.0)}, id_tag_priority={"van-7": 5.0})
    assert the_ev(csms, site).priority == priority


def test_a_station_says_what_it_is(csms: CitrineOSDouble) -> None:
    csms.rows["ChargingStations"].clear()
    csms.add_station("ST-B", chargePointVendor="Acme", chargePointModel="One", firmwareVersion="2.4")
    (connector,) = read(csms).connectors
    assert (connector.vendor, connector.model, connector.firmware) == ("Acme", "One", "2.4")


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_off_is_noticed_and_its_times_are_corrected(
    csms: CitrineOSDouble, clock: ManualClock, hours: int
) -> None:
    off = timedelta(hours=hours)
    began = clock.now()
    transaction = csms.start("ST-B", startTime=wire(began + off))
    for _ in range(2):
        await clock.advance(10.0)
        csms.meter(transaction, a_sample(7000, POWER, "W"), at=clock.now() + off)
    found = read(csms)
    assert {one.clock_skew_s for one in found.connectors if one.station_id == "ST-B"} == {off.total_seconds()}
    assert (found.evs[0].measured_at, found.evs[0].arrival) == (clock.now(), began)


def test_old_samples_that_were_sent_late_are_not_a_clock_that_is_behind(
    csms: CitrineOSDouble, clock: ManualClock
) -> None:
    transaction = csms.start("ST-B")
    for minutes in (30, 20, 10):
        csms.meter(transaction, a_sample(7000, POWER, "W"), at=clock.now() - timedelta(minutes=minutes))
    found = read(csms)
    assert all(connector.clock_skew_s == 0 for connector in found.connectors)
    assert found.evs[0].measured_at == clock.now() - timedelta(minutes=10)


def test_a_status_from_the_future_shows_a_clock_that_is_ahead(csms: CitrineOSDouble, clock: ManualClock) -> None:
    csms.plug("ST-B")["timestamp"] = wire(clock.now() + timedelta(hours=1))
    skews = {connector.station_id: connector.clock_skew_s for connector in read(csms).connectors}
    assert skews == {"ST-A": 0.0, "ST-B": 3600.0}
