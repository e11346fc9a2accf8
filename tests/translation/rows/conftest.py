"""Fixtures of this folder."""

from __future__ import annotations

import pytest

from optivgi.clock import ManualClock
from tests.translation.citrineos_double import CitrineOSDouble


@pytest.fixture
def csms(clock: ManualClock) -> CitrineOSDouble:
    csms = CitrineOSDouble(clock)
    csms.add_station("ST-A", connectors=2)
    csms.add_station("ST-B")
    return csms
