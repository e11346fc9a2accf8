"""A meter that is connector 0 of a station, read from the CSMS's log of messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from optivgi.clock import WallClock
from optivgi.site_meter.base import Doubtful
from optivgi.site_meter.fields import Scale
from optivgi.site_meter.ocpp import OcppMeter, reading
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.http import Patience
from tests.site_meter.ear import listening

NOW = datetime(2026, 3, 3, 8, 0, 10, tzinfo=UTC)


def sample(measurand: str, value: object, **more: str) -> dict[str, Any]:
    return {"measurand": measurand, "value": str(value), **more}


def meter_value(*samples: dict[str, Any], at: str = "2026-03-03T08:00:05Z") -> dict[str, Any]:
    return {"timestamp": at, "sampledValue": list(samples)}


def test_import_less_export_is_what_it_shows_at_its_own_time() -> None:
    found = reading(
        [meter_value(sample("Power.Active.Import", 1.5, unit="kW"), sample("Power.Active.Export", 2000, unit="W"))],
        Scale(),
        NOW,
    )
    assert (found.kw, found.at, found.mark) == (-0.5, NOW.replace(second=5), NOW.replace(second=5))


def test_phases_are_kept_and_the_newest_sample_counts() -> None:
    lines = [sample("Current.Import", 10 * line, unit="A", phase=f"L{line}") for line in (1, 2, 3)]
    found = reading(
        [meter_value(*lines), meter_value(sample("Power.Active.Import", 9), at="2026-03-03T08:00:00Z")],
        Scale(voltage_v=230),
        NOW,
    )
    assert found.amps == (10.0, 20.0, 30.0)
    assert found.kw == pytest.approx(13.8)


def test_the_inlet_goes_before_the_outlets() -> None:
    both = [sample("Power.Active.Import", 7, location="Outlet"), sample("Power.Active.Import", 9000, location="Inlet")]
    assert reading([meter_value(*both)], Scale(), NOW).kw == 9.0


@pytest.mark.parametrize(
    "samples",
    [
        [],
        [sample("Voltage", 230)],
        [sample("Power.Active.Import", "NaN")],
        [sample("Power.Active.Import", 1, unit="VA")],
        [sample("Current.Import", 10, phase="L1")],
    ],
)
def test_without_a_power_there_is_no_reading(samples: list[dict[str, Any]]) -> None:
    with pytest.raises(Doubtful):
        reading([meter_value(*samples)], Scale(), NOW)


async def test_each_report_of_connector_0_is_read_once() -> None:
    log: list[dict[str, Any]] = []
    clock = WallClock()

    def report(number: int, connector_id: int, watts: int) -> None:
        at = (clock.now() + timedelta(milliseconds=number)).isoformat()
        value = meter_value(sample("Power.Active.Import", watts), at=at)
        payload = {"connectorId": connector_id, "meterValue": [value]}
        log.insert(0, {"timestamp": at, "message": [2, str(number), "MeterValues", payload]})

    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked == 2:
            report(1, 0, 4000)
            report(2, 1, 7000)
        if asked == 4:
            return httpx.Response(500)
        if asked == 5:
            report(3, 0, 5000)
        since = json.loads(request.content)["variables"]["since"]
        fresh = [row for row in log if datetime.fromisoformat(row["timestamp"]) > datetime.fromisoformat(since)]
        return httpx.Response(200, json={"data": {"OCPPMessages": fresh}})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        graphql = GraphQL(http, "http://csms/v1/graphql", WallClock(), patience=Patience(tries=1))
        async with listening(OcppMeter(graphql, "METER-01", Scale(), WallClock(), poll_s=0.01)) as ear:
            assert "METER-01 reported no meter values of connector 0" in await ear.next_doubt()
            assert (await ear.next_reading()).kw == 4.0
            assert "500" in await ear.next_doubt()
            assert (await ear.next_reading()).kw == 5.0
