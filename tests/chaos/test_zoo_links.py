"""Stations that are hard to reach, forget, or come and go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.zoo_visit import has_the_stated_outcome

pytestmark = pytest.mark.e2e

FAULTS = (
    "answers_late",
    "connector_count_absurd",
    "disconnects",
    "drops_profiles_on_reconnect",
    "loses_profiles_at_reboot",
    "never_answers",
    "reboots",
)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_the_stated_outcome(name: str, folder: Path) -> None:
    has_the_stated_outcome(name, folder)
