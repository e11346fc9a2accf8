"""example.env names every setting of every program with its default, and nothing else."""

from __future__ import annotations

from pathlib import Path

from dotenv import dotenv_values

from optivgi.settings_screen import example_lines

EXAMPLE = Path(__file__).parents[1] / "example.env"
OF_THE_DEMO = {
    "CITRINEOS_PORT": "8080",
    "OCPP16_PORT": "8092",
    "HASURA_PORT": "8090",
    "OPERATOR_UI_PORT": "3000",
    "STATION_IDS": ",".join(f"OPTIVGI-STATION-{number:02d}" for number in range(1, 7)),
    "CONNECTORS_PER_STATION": "2",
    "METER_VALUES_INTERVAL": "10",
    "CITRINEOS_WS_URL": "ws://citrineos:8092",
    "SCENARIO_FILE": "scenarios/default.json",
    "SEED_ID_TAGS": ",".join(f"OPTIVGI-{number:02d}" for number in range(1, 7)),
    "SITE_POWER_LIMIT_KW": "30",
    "VOLTAGE": "240",
    "STATION_GROUPS": "default",
    "CITRINEOS_API_URL": "http://citrineos:8080",
    "HASURA_URL": "http://graphql-engine:8080",
    "AMQP_URL": "amqp://guest:guest@amqp-broker:5672",
}


def test_example_env_is_what_the_settings_classes_say() -> None:
    assert EXAMPLE.read_text(encoding="utf-8").splitlines() == list(example_lines()), "run make example-env"


def test_the_demo_has_its_promised_names_and_defaults() -> None:
    values = dotenv_values(EXAMPLE)
    assert {name: values.get(name) for name in OF_THE_DEMO} == OF_THE_DEMO


def test_the_settings_of_each_ev_are_shown() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for kind in ("ENERGY_NEEDED_KWH", "MAX_POWER_KW", "MIN_POWER_KW", "ARRIVAL_TIME", "DEPARTURE_TIME"):
        assert f"CONN_01_{kind}=" in text
