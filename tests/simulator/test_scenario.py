"""A scenario is either sound, or refused with every problem: place, value, bound and remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.errors import ScenarioError
from simulator.scenario import load_scenario, parse_scenario

STATIONS = [f"OPTIVGI-STATION-{n:02d}" for n in range(1, 7)]
SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").glob("*.json"))


def session(**changes: Any) -> dict[str, Any]:
    sound = {
        "station_id": "OPTIVGI-STATION-01",
        "connector_id": 1,
        "arrive_offset_s": 0,
        "depart_offset_s": 600,
        "capacity_kwh": 60.0,
        "arrival_soc": 0.2,
        "target_soc": 1.0,
        "max_charge_rate_kw": 7.2,
        "id_tag": "OPTIVGI-01",
        "auto_start": True,
    }
    return {name: value for name, value in (sound | changes).items() if value is not ...}


def problems(document: object) -> tuple[str, ...]:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(text, "day.json", STATIONS, 2)
    return refused.value.problems


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_is_sound(path: Path) -> None:
    scenario = load_scenario(path, [f"OPTIVGI-STATION-{n:02d}" for n in range(1, 61)], 2)
    assert scenario.description
    assert scenario.sessions


def test_default_scenario_is_six_evs_a_minute_apart() -> None:
    default = load_scenario(SHIPPED[0].with_name("default.json"), STATIONS, 2)
    assert [(s.station_id, s.arrive_offset_s, s.depart_offset_s) for s in default.sessions] == [
        (station, 60 * n, 60 * n + 600) for n, station in enumerate(STATIONS)
    ]
    assert {s.max_charge_rate_kw for s in default.sessions} == {7.2}
    assert default.duration_s == 900


def test_optional_fields_have_defaults() -> None:
    scenario = parse_scenario(json.dumps({"sessions": [session(auto_start=...)], "faults": []}), "x", STATIONS, 2)
    one = scenario.sessions[0]
    assert (one.auto_start, one.phases, one.min_current_a, scenario.meter_interval_s) == (True, 1, 6, None)
    assert one.vehicle(230).watts_per_ampere == 230


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"station_id": "OPTIVGI-STATION-07"}, ".station_id is 'OPTIVGI-STATION-07', which STATION_IDS does not have"),
        ({"station_id": 5}, ".station_id is 5; it must be a station's id of 1 to 48 characters"),
        ({"connector_id": 3}, ".connector_id is 3; it must be from 1 to 2, or raise CONNECTORS_PER_STATION"),
        ({"connector_id": 0}, ".connector_id is 0; it must be"),
        ({"connector_id": 1.5}, ".connector_id is 1.5; it must be"),
        ({"connector_id": True}, ".connector_id is true; it must be"),
        ({"arrive_offset_s": -1}, ".arrive_offset_s is -1; it must be seconds from 0"),
        ({"arrive_offset_s": "soon"}, '.arrive_offset_s is "soon"; it must be'),
        ({"depart_offset_s": 0}, ".depart_offset_s is 0; it must be above arrive_offset_s 0"),
        ({"capacity_kwh": 0}, ".capacity_kwh is 0; it must be kWh from 0.1 to 2000, e.g. 60.0"),
        ({"capacity_kwh": None}, ".capacity_kwh is null; it must be"),
        ({"arrival_soc": 1.2}, ".arrival_soc is 1.2; it must be a share from 0 to 1, e.g. 0.2"),
        ({"arrival_soc": 0.9, "target_soc": 0.8}, ".arrival_soc is 0.9; it must be at most target_soc 0.8"),
        ({"max_charge_rate_kw": -7.2}, ".max_charge_rate_kw is -7.2; it must be"),
        ({"id_tag": "A" * 21}, f'.id_tag is "{"A" * 21}"; it must be an idTag of 1 to 20 characters'),
        ({"id_tag": ""}, '.id_tag is ""; it must be'),
        ({"auto_start": 1}, ".auto_start is 1; it must be true or false"),
        ({"phases": 4}, ".phases is 4; it must be 1, 2 or 3"),
        ({"efficiency": 0}, ".efficiency is 0; it must be a share from 0.1 to 1"),
        ({"departs_at": 4}, ".departs_at is not a field; "),
        ({"arival_soc": 0.2, "arrival_soc": ...}, ".arival_soc is not a field; did you mean arrival_soc?"),
        ({"id_tag": ...}, ".id_tag is missing; it must be an idTag"),
    ],
)
def test_problem_names_file_place_value_and_bound(changes: dict[str, Any], said: str) -> None:
    assert problems({"sessions": [session(**changes)]})[0].startswith(f"day.json: sessions[0]{said}")


def test_all_problems_are_listed_at_once() -> None:
    found = problems({"sessions": [session(capacity_kwh=0, arrival_soc=2), session(phases=9), "car"], "colour": "red"})
    assert len(found) == 5
    assert any("colour is not a field" in problem for problem in found)


def test_two_evs_cannot_share_a_connector() -> None:
    found = problems({"sessions": [session(), session(arrive_offset_s=599, depart_offset_s=900, id_tag="B")]})
    assert found == (
        "day.json: sessions[1].arrive_offset_s is 599, but connector 1 of OPTIVGI-STATION-01 is taken by sessions[0] "
        "until 600: let it arrive later or elsewhere",
    )


def test_one_id_tag_cannot_charge_in_two_places() -> None:
    (problem,) = problems({"sessions": [session(), session(connector_id=2)]})
    assert "id_tag OPTIVGI-01 charges by sessions[0]" in problem


def test_next_ev_may_come_when_the_last_one_leaves() -> None:
    text = json.dumps({"sessions": [session(), session(arrive_offset_s=600, depart_offset_s=900)]})
    assert len(parse_scenario(text, "x", STATIONS, 2).sessions) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ('{"sessions": [NaN]}', "NaN is not a number"),
        ('{"sessions": [], "sessions": []}', "sessions is there more than once in one object"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is []; it must be an object"),
        ("{}", "sessions is missing"),
        ('{"sessions": []}', "sessions is empty"),
        ('{"sessions": {}}', "sessions is {}; it must be a list"),
        ('{"sessions": [7]}', "sessions[0] is 7; it must be an object"),
        ('{"sessions": [], "faults": [{}]}', "faults[0] is {}; it must be the name of a fault"),
        ('{"sessions": [], "meter_interval_s": 0}', "meter_interval_s is 0; it must be whole seconds from 1"),
    ],
)
def test_broken_file_is_named(text: str, said: str) -> None:
    assert any(said in problem for problem in problems(text))


def test_file_that_cannot_be_read_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"nowhere.json: cannot be read .* set SCENARIO_FILE"):
        load_scenario(tmp_path / "nowhere.json", STATIONS, 2)
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="it is not UTF-8 text"):
        load_scenario(tmp_path / "latin.json", STATIONS, 2)
