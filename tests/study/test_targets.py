"""The closed-loop measures: 200 EVs at a workplace, one day; uncontrolled they would draw about 670 kW together."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from optivgi.study.case import cross, parse_limits, parse_tariffs
from optivgi.study.command import Studied, StudyOptions, study
from optivgi.study.generator import generate
from optivgi.study.metrics import Outcome
from optivgi.study.session import with_departure_errors
from simulator.vehicles import Vehicles

ZONE = ZoneInfo("UTC")
SEED = 1


def outcomes(algorithms: tuple[str, ...], limits: str, departure_error_min: float | None = None) -> list[Outcome]:
    sessions = with_departure_errors(
        generate("workplace", 200, days=1, seed=SEED, zone=ZONE), departure_error_min, SEED
    )
    studied: list[Studied] = study(
        sessions,
        cross(algorithms, parse_limits(limits, ZONE), parse_tariffs("flat", ZONE)),
        options=StudyOptions(jobs=2),
        physics=Vehicles.that_need,
        zone=ZONE,
        console=Console(quiet=True),
    )
    return [one.outcome for one in studied]


@pytest.fixture(scope="module")
def fair() -> list[Outcome]:
    """At 150 kW and at 300 kW."""
    return outcomes(("fair",), "150,300")


def test_the_day_is_the_one_that_was_measured() -> None:
    (uncontrolled,) = outcomes(("uncontrolled",), "300")

    assert uncontrolled.peak_kw == pytest.approx(670, abs=20)
    assert uncontrolled.possible_kwh == pytest.approx(uncontrolled.requested_kwh, rel=1e-3)


def test_at_300_kw_everybody_gets_everything(fair: list[Outcome]) -> None:
    assert fair[1].energy_pct == pytest.approx(100.0, abs=0.01)
    assert fair[1].worst_ev == pytest.approx(1.0, abs=0.001)


def test_at_150_kw_nobody_gets_less_than_60_percent(fair: list[Outcome]) -> None:
    assert fair[0].energy_pct > 70.0
    assert fair[0].worst_ev >= 0.60


def test_the_limit_is_never_exceeded_and_the_chosen_algorithm_decides_always(fair: list[Outcome]) -> None:
    assert [one.over_limit_min for one in fair] == [0.0, 0.0]
    assert [one.degraded for one in fair] == [0, 0]


@pytest.mark.parametrize("algorithm", ["fair", "llf"])
def test_departures_that_are_wrong_by_45_minutes_cost_next_to_nothing(algorithm: str) -> None:
    (outcome,) = outcomes((algorithm,), "300", departure_error_min=45.0)

    assert outcome.energy_pct >= 99.5
