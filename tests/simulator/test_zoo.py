"""The scenarios of the bug zoo: one for every known fault, each with its limit and its stated outcome."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.faults.catalogue import KNOWN
from simulator.scenario import Scenario, load_scenario

STATIONS = tuple(f"OPTIVGI-STATION-{number:02d}" for number in range(1, 7))
SCENARIOS = Path(__file__).parents[2] / "scenarios"
ZOO = sorted((SCENARIOS / "zoo").glob("*.json"))


def faults(scenario: Scenario) -> set[str]:
    of_stations = {spec.name for specs in scenario.stations.values() for spec in specs}
    return of_stations | {spec.name for session in scenario.sessions for spec in session.faults}


def test_every_known_fault_has_a_scenario_of_its_name() -> None:
    assert {path.stem for path in ZOO} >= set(KNOWN)


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_each_scenario_has_its_fault_its_outcome_and_too_little_for_all(path: Path) -> None:
    scenario = load_scenario(path, STATIONS, 2)
    assert faults(scenario)
    assert path.stem in faults(scenario) or path.stem not in KNOWN
    assert scenario.outcome
    assert scenario.limit_kw is not None
    assert sum(session.max_charge_rate_kw for session in scenario.sessions[:4]) > scenario.limit_kw


def test_sixty_evs_arrive_within_ten_seconds() -> None:
    stations = tuple(f"OPTIVGI-STATION-{number:02d}" for number in range(1, 61))
    scenario = load_scenario(SCENARIOS / "sixty_in_ten_seconds.json", stations, 2)
    assert len({session.station_id for session in scenario.sessions}) == 60
    assert max(session.arrive_offset_s for session in scenario.sessions) <= 10
    assert scenario.limit_kw == 180


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_fault_is_in_the_documentation_with_its_parameters(name: str) -> None:
    rows = (SCENARIOS.parent / "docs/scenarios.md").read_text(encoding="utf-8").splitlines()
    (row,) = [row for row in rows if row.startswith(f"| `{name}` |")]
    assert KNOWN[name].words in row
    assert all(f"`{parameter}`" in row for parameter in KNOWN[name].parameters)
