"""Stations whose meters or messages are wrong, and EVs that draw as they like."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.zoo_visit import has_the_stated_outcome

pytestmark = pytest.mark.e2e

FAULTS = (
    "draws_half",
    "meter_backwards",
    "meter_doubled",
    "meter_foreign_transaction",
    "meter_missing",
    "meter_stuck",
    "sleeps_after_pause",
    "stop_lost",
)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_the_stated_outcome(name: str, folder: Path) -> None:
    has_the_stated_outcome(name, folder)
