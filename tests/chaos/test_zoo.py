"""The zoo of faulty stations: every fault has a scenario, an expectation, a test and a line in the documentation.

`python -m bench.chaos --zoo` plays them one by one and prints what they did.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.chaos.menagerie import Alarm, Order, Seen
from bench.chaos.truth import Truth
from bench.chaos.zoo import EXPECTED, names, outcomes, shortcomings
from tests.chaos import test_zoo_forms, test_zoo_limits, test_zoo_links, test_zoo_meters

BEGAN = datetime(2026, 3, 3, 8, tzinfo=UTC)
ST, OTHER = "ST-1", "ST-2"


def test_every_scenario_of_the_zoo_has_an_expectation() -> None:
    assert set(names()) == set(EXPECTED)


def test_every_scenario_of_the_zoo_is_played_once() -> None:
    files = (test_zoo_forms, test_zoo_limits, test_zoo_links, test_zoo_meters)
    assert sorted(name for file in files for name in file.FAULTS) == sorted(EXPECTED)


def test_the_documentation_states_the_outcome_of_every_fault() -> None:
    documented = (Path(__file__).parents[2] / "docs/chaos.md").read_text(encoding="utf-8")
    assert "\n".join(outcomes()) in documented, "python -m bench.chaos --outcomes"


def seen(*told: tuple[float, str], orders: tuple[tuple[float, float], ...] = ((60, 6.0),)) -> Seen:
    """The EV at a faulty station draws 7.2 kW throughout, another one 9.6 kW from second 30 on, of 18 kW."""
    begin = BEGAN.timestamp()
    rows = [(begin, ST, 1, 7.2), (begin + 30, OTHER, 1, 9.6), (begin + 400, ST, 1, 7.2), (begin + 400, OTHER, 1, 9.6)]
    return Seen(
        Truth(rows),
        tuple(Alarm(at_s, text) for at_s, text in told),
        tuple(Order(at_s, ST, 1, limit_kw) for at_s, limit_kw in orders),
        BEGAN,
        datetime.fromtimestamp(begin + 400, UTC),
        18.0,
        frozenset({ST, OTHER}),
        frozenset({ST}),
        0.0,
    )


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ([(90, f"ALARM — {ST} ignores it")], ()),
        ([(90.5, f"ALARM — {ST} ignores it")], ("the alarm came at 90 s, 90 s is the latest",)),
        ([(70, f"{ST} is sent again"), (80, f"ALARM — {OTHER}")], (f"no alarm names {ST}",)),
    ],
)
def test_an_alarm_is_due_30_s_after_the_first_order_that_is_ignored(
    told: list[tuple[float, str]], found: tuple[str, ...]
) -> None:
    assert shortcomings("accepts_and_ignores", seen(*told)) == found


def test_an_order_that_is_followed_or_withdrawn_in_time_is_not_ignored() -> None:
    assert seen(orders=((10, 7.2), (60, 6.0), (63, 7.2))).ignored() is None
    assert seen(orders=((10, 7.2), (60, 6.0), (70, 5.0))).ignored() == 60
