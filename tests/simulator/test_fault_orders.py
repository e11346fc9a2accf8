"""Faults as a scenario orders them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.errors import ScenarioError
from simulator.faults.catalogue import KNOWN, FaultSpec
from simulator.scenario import parse_scenario
from tests.simulator.faulty_chargers import (
    STATIONS,
)


def problems(*faults: Any, stations: Any = ..., top: Any = ...) -> str:
    one = {
        "station_id": "ST-01",
        "connector_id": 1,
        "arrive_offset_s": 0,
        "depart_offset_s": 600,
        "capacity_kwh": 60,
        "arrival_soc": 0.2,
        "target_soc": 1,
        "max_charge_rate_kw": 7.2,
        "id_tag": "TAG",
        "faults": list(faults),
    }
    document = {"sessions": [one], "stations": stations, "faults": top}
    text = json.dumps({name: value for name, value in document.items() if value is not ...})
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "zoo.json", STATIONS, 2)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("ignores_zeros", "faults[0] is 'ignores_zeros', which is no known fault; did you mean ignores_zero?"),
        ("xyz", "no known fault; known are accepts_and_ignores, amps_only, answers_late"),
        (7, 'faults[0] is 7; it must be the name of a fault, or an object with one, e.g. {"name": "disconnects"'),
        ({"after_s": 5}, 'faults[0] is {"after_s": 5}; it must be the name of a fault'),
        ({"name": "reboots", "after": 5}, "faults[0].after is not a parameter of reboots; it takes after_s"),
        ({"name": "stop_lost", "x": 1}, "faults[0].x is not a parameter of stop_lost; it takes none"),
        (
            {"name": "answers_late", "for_s": 0},
            "faults[0].for_s is 0; it must be a number from 0.1 to 3600 (default 25.0)",
        ),
        ({"name": "answers_late", "for_s": "long"}, 'for_s is "long"; it must be a number from 0.1 to 3600'),
        ({"name": "answers_late", "for_s": True}, "for_s is true; it must be a number from 0.1 to 3600"),
        ({"name": "watts_only", "admits": 1}, "admits is 1; it must be true or false (default false)"),
        (
            {"name": "sleeps_after_pause", "wakes_by": "kiss"},
            'wakes_by is "kiss"; it must be one of toggle, restart, never',
        ),
        (
            {"name": "meter_foreign_transaction", "offset": 1.5},
            "offset is 1.5; it must be a whole number from -1000 to 1000",
        ),
    ],
)
def test_a_wrong_order_is_named_with_what_is_known(fault: Any, said: str) -> None:
    assert said in problems(fault)


@pytest.mark.parametrize(
    ("stations", "said"),
    [
        ({"ST-03": {"faults": []}}, "stations.ST-03 is a station that STATION_IDS does not have; did you mean ST-0"),
        ({"ST-01": ["stop_lost"]}, 'stations.ST-01 is ["stop_lost"]; it must be an object with faults'),
        ({"ST-01": {"faults": ["x"]}}, "stations.ST-01.faults[0] is 'x', which is no known fault"),
        ({"ST-01": {"faults": "stop_lost"}}, 'stations.ST-01.faults is "stop_lost"; it must be a list of faults'),
        ([], "stations is []; it must be an object of stations"),
    ],
)
def test_a_wrong_station_is_named(stations: Any, said: str) -> None:
    assert said in problems(stations=stations)


def test_a_scenario_gives_faults_to_every_station_to_one_and_to_a_connector() -> None:
    text = json.dumps(
        {
            "faults": ["meter_doubled"],
            "stations": {"ST-02": {"faults": [{"name": "reboots", "after_s": 7}]}},
            "sessions": [
                {
                    "station_id": "ST-02",
                    "connector_id": 2,
                    "arrive_offset_s": 0,
                    "depart_offset_s": 600,
                    "capacity_kwh": 60,
                    "arrival_soc": 0.2,
                    "target_soc": 1,
                    "max_charge_rate_kw": 7.2,
                    "id_tag": "TAG",
                    "faults": ["draws_half"],
                }
            ],
        }
    )
    scenario = parse_scenario(text, "zoo.json", STATIONS, 2)
    assert scenario.faults_of("ST-01") == ((None, FaultSpec("meter_doubled")),)
    assert scenario.faults_of("ST-02") == (
        (None, FaultSpec("meter_doubled")),
        (None, FaultSpec("reboots", (("after_s", 7),))),
        (2, FaultSpec("draws_half")),
    )


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_fault_can_be_made_as_it_is(name: str) -> None:
    assert FaultSpec(name).make() is not None
    assert KNOWN[name].words
