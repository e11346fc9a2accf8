"""A building behind the EVs' grid connection: what its meter tells the CSMS, and what the trace knows."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from optivgi.clock import ManualClock
from simulator.building import BuildingSpec, building_spec, problems
from simulator.fleet import Fleet
from simulator.scenario import Scenario, parse_scenario
from simulator.settings import SimulatorSettings
from tests.simulator.test_fleet import session
from tests.simulator.tiny_csms import PATIENCE_S, tiny_csms

SOUND = {"station_id": "METER-01", "base_load_kw": [[0, 5], [12, 15.5], [30, -2]], "max_kw": 20}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"station_id": ""}, "building.station_id is ''"),
        ({"max_kw": -1}, "building.max_kw is -1; it must be a number from 0"),
        ({"interval_s": 0}, "building.interval_s is 0"),
        ({"measures": "all"}, "building.measures is 'all'; it must be grid"),
        ({"base_load_kw": []}, "building.base_load_kw is []"),
        ({"base_load_kw": [[1, 5]]}, "building.base_load_kw[0] is [1, 5]"),
        ({"base_load_kw": [[0, 5], [0, 6]]}, "building.base_load_kw[1] is [0, 6]"),
        ({"base_load_kw": [[0, "5"]]}, "building.base_load_kw[0]"),
        ({"limit": 3}, "building.limit is not a field"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], words: str) -> None:
    (problem,) = problems({**SOUND, **change})
    assert problem.startswith(words)


def test_a_scenario_with_a_building_is_read_or_refused() -> None:
    text = json.dumps({"sessions": [vars_of(1)], "building": SOUND})
    assert parse_scenario(text, "x", ["ST-01"], 1).building == building_spec(SOUND)
    clash = json.dumps({"sessions": [vars_of(1)], "building": {**SOUND, "station_id": "ST-01"}})
    with pytest.raises(Exception, match=r"x: building.station_id is 'ST-01', which is a station of STATION_IDS"):
        parse_scenario(clash, "x", ["ST-01"], 1)


def vars_of(number: int) -> dict[str, Any]:
    one = session(number)
    return {name: getattr(one, name) for name in one.__slots__ if name != "faults"}


def test_its_power_is_piecewise_constant() -> None:
    spec = building_spec(SOUND)
    assert [spec.kw_at(second) for second in (-5, 0, 11.9, 12, 29, 30, 900)] == [5, 5, 5, 15.5, 15.5, -2, -2]
    assert [spec.next_change(second) for second in (0, 12, 30)] == [12, 30, None]


@pytest.mark.parametrize(
    ("measures", "shown_w"), [("building", [(5000, 0), (15500, 0)]), ("grid", [(5000, 0), (15500, 0)])]
)
async def test_its_meter_is_connector_0_of_a_station_of_its_own(
    measures: str, shown_w: list[tuple[float, float]]
) -> None:
    clock = ManualClock()
    traced: list[tuple[datetime, str, int, float]] = []
    spec = BuildingSpec("METER-01", ((0.0, 5.0), (12.0, 15.5)), 20.0, interval_s=20.0, measures=measures)
    scenario = Scenario("a test", (session(1, arrive_offset_s=10.0),), building=spec)
    async with tiny_csms() as csms:
        settings = SimulatorSettings(citrineos_ws_url=csms.url, station_ids=("ST-01",))
        fleet = Fleet(settings, scenario, clock, trace=lambda *row: traced.append(row))
        task = asyncio.create_task(fleet.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await fleet.ready.wait()
            await csms.hears("StatusNotification", connectorId=0)
            await csms.connected("METER-01")
            for _ in range(8):
                await clock.advance(5)
                await asyncio.sleep(0.01)
            first = await csms.hears("MeterValues", connectorId=0)
            second = await csms.hears("MeterValues", 2, connectorId=0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert fleet.started_at is not None
    begin = fleet.started_at
    building = [
        (at - begin, kw) for at, station_id, connector_id, kw in traced if (station_id, connector_id) == ("METER-01", 0)
    ]
    assert building[:3] == [(timedelta(0), 5.0), (timedelta(seconds=12), 15.5), (timedelta(seconds=20), 15.5)]
    evs_w = [0.0, 7200.0 if measures == "grid" else 0.0]
    for told, (into_w, out_w), ev_w in zip((first, second), shown_w, evs_w, strict=True):
        values = told["meterValue"][0]["sampledValue"]
        assert [(one["measurand"], one["location"]) for one in values] == [
            ("Power.Active.Import", "Inlet"),
            ("Power.Active.Export", "Inlet"),
        ]
        assert [float(one["value"]) for one in values] == [into_w + ev_w, out_w]
