"""Faulty stations on a whole site in one process: what is to come of each fault does come of it.

`python -m bench.chaos --zoo` plays all of them, also those that do not do as expected yet.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.chaos.menagerie import play
from bench.chaos.zoo import EXPECTED, HOLDING, file_of, names, shortcomings

pytestmark = [pytest.mark.e2e, pytest.mark.quiet]


def test_every_scenario_of_the_zoo_has_an_expectation() -> None:
    assert set(names()) == set(EXPECTED)
    assert set(HOLDING) <= set(EXPECTED)


@pytest.mark.parametrize("name", HOLDING)
async def test_a_fault_has_the_stated_outcome(name: str, tmp_path: Path) -> None:
    seen = await play(file_of(name), tmp_path)
    found = shortcomings(name, seen)
    assert not found, seen.told()
