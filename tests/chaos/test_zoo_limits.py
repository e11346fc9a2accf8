"""Stations that do not follow what they accepted, or not when they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.chaos.zoo import LATER
from optivgi.oversight_settings import PausePolicy
from tests.chaos.zoo_visit import has_the_stated_outcome, visit

pytestmark = pytest.mark.e2e

FAULTS = (
    "accepts_and_ignores",
    "clock_behind",
    "clock_off",
    "ignores_zero",
    "rejects_zero",
)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_the_stated_outcome(name: str, folder: Path) -> None:
    has_the_stated_outcome(name, folder)


@pytest.mark.parametrize("policy", [PausePolicy.MINIMUM, PausePolicy.STOP])
def test_only_policy_ends_the_transaction_of_an_ev_that_cannot_be_paused(policy: PausePolicy, folder: Path) -> None:
    """The site has no room for anybody's minimum, and the fourth station charges on at 0."""
    seen = visit("ignores_zero", folder, {"site_power_limit_kw": {"": 1.4}, "pause_policy": policy})
    begin = seen.began.timestamp()
    late_kw = seen.truth.mean_kw(begin + LATER[0], begin + LATER[1], ("OPTIVGI-STATION-04", 1))
    assert late_kw == (0.0 if policy is PausePolicy.STOP else pytest.approx(1.44, abs=0.01)), seen.told()
