"""Fixtures of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from optivgi.clock import ManualClock
from tests.simulator.tiny_csms import TinyCsms, tiny_csms


@pytest.fixture
async def csms() -> AsyncIterator[TinyCsms]:
    async with tiny_csms() as server:
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
