"""The simulator's settings: the demo's names and defaults, and every problem at once."""

from __future__ import annotations

import pytest

from simulator.errors import SettingsError
from simulator.settings import SimulatorSettings, load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SimulatorSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_are_those_of_the_demo() -> None:
    settings = load_settings(None)
    assert settings.citrineos_ws_url == "ws://citrineos:8092"
    assert settings.station_ids == tuple(f"OPTIVGI-STATION-0{n}" for n in range(1, 7))
    assert (settings.connectors_per_station, settings.meter_values_interval, settings.voltage) == (2, 10, 240)
    assert settings.scenario_file == "scenarios/default.json"
    assert settings.scenario_start_delay_s == 10


def test_empty_scenario_file_is_manual_mode_and_other_empty_values_are_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCENARIO_FILE", "")
    monkeypatch.setenv("VOLTAGE", "")
    settings = load_settings(None)
    assert (settings.scenario_file, settings.voltage) == ("", 240)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CITRINEOS_WS_URL", "http://csms", "it has no ws:// or wss:// and host; it must be the ws or wss address"),
        ("CITRINEOS_WS_URL", "ws://csms:99999", "Port out of range"),
        ("STATION_IDS", ",", "it names no station; it must be station ids"),
        ("STATION_IDS", "A,B,A", "A is there more than once"),
        ("STATION_IDS", "A" * 49, "has more than 48 characters"),
        ("CONNECTORS_PER_STATION", "0", "it must be a whole number from 1 to 100, e.g. CONNECTORS_PER_STATION=2"),
        ("METER_VALUES_INTERVAL", "often", "it must be a whole number of seconds from 1"),
        ("VOLTAGE", "nan", "it must be a number of volts above 0"),
        ("SCENARIO_START_DELAY_S", "-1", "it must be a number of seconds from 0"),
        ("LOG_LEVEL", "loud", "it must be DEBUG, INFO, WARNING or ERROR"),
    ],
)
def test_problem_says_name_value_bound_and_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings(None)
    (problem,) = refused.value.problems
    assert problem.startswith(f"{name} is {value!r}")
    assert said in problem


def test_all_problems_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLTAGE", "0")
    monkeypatch.setenv("STATION_IDS", ",")
    with pytest.raises(SettingsError) as refused:
        load_settings(None)
    assert len(refused.value.problems) == 2
