"""What CitrineOS's rows say about connectors and their stations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optivgi.model.charging_profile import RateUnit
from tests.translation.citrineos_double import CitrineOSDouble, Json
from tests.translation.rows.site import NEED, SITE, read, the_ev


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


def test_a_station_says_what_it_is(csms: CitrineOSDouble) -> None:
    csms.rows["ChargingStations"].clear()
    csms.add_station("ST-B", chargePointVendor="Acme", chargePointModel="One", firmwareVersion="2.4")
    (connector,) = read(csms).connectors
    assert (connector.vendor, connector.model, connector.firmware) == ("Acme", "One", "2.4")
