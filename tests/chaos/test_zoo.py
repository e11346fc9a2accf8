"""Faulty stations on a whole site in one process: what is to come of each fault does come of it.

`python -m bench.chaos --zoo` plays all of them, also those that do not do as expected yet.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.chaos.menagerie import play
from bench.chaos.zoo import EXPECTED, FROM_S, HOLDING, UNTIL_S, file_of, names, shortcomings
from optivgi.oversight_settings import PausePolicy

pytestmark = [pytest.mark.e2e, pytest.mark.quiet]


def test_every_scenario_of_the_zoo_has_an_expectation() -> None:
    assert set(names()) == set(EXPECTED)
    assert set(HOLDING) <= set(EXPECTED)


@pytest.mark.parametrize("name", HOLDING)
async def test_a_fault_has_the_stated_outcome(name: str, tmp_path: Path) -> None:
    seen = await play(file_of(name), tmp_path)
    found = shortcomings(name, seen)
    assert not found, seen.told()


@pytest.mark.parametrize("policy", [PausePolicy.MINIMUM, PausePolicy.STOP])
async def test_only_policy_ends_the_transaction_of_an_ev_that_cannot_be_paused(
    policy: PausePolicy, tmp_path: Path
) -> None:
    """The site has no room for anybody's minimum, and the fourth station charges on at 0."""
    changes = {"site_power_limit_kw": {"": 1.4}, "pause_policy": policy}
    seen = await play(file_of("ignores_zero"), tmp_path, changes=changes)
    begin = seen.began.timestamp()
    late_kw = seen.truth.mean_kw(begin + FROM_S, begin + UNTIL_S, ("OPTIVGI-STATION-04", 1))
    assert late_kw == (0.0 if policy is PausePolicy.STOP else pytest.approx(1.44, abs=0.01)), seen.told()
