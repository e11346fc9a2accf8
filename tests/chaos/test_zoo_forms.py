"""Stations that take profiles in forms of their own, or take them badly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.zoo_visit import has_the_stated_outcome

pytestmark = pytest.mark.e2e

FAULTS = (
    "amps_only",
    "clears_before_set",
    "one_period_only",
    "rejects_tx_profile",
    "spikes_on_change",
    "stack_level_0_only",
    "watts_only",
)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_the_stated_outcome(name: str, folder: Path) -> None:
    has_the_stated_outcome(name, folder)
