"""Fixtures of this folder."""

from __future__ import annotations

import pytest

from optivgi.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
