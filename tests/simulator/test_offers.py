"""A station's maximum is shared evenly, never exceeded, and never in parts too small to charge with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.offers import share


@pytest.mark.parametrize(
    ("total", "demands", "parts"),
    [
        (60, [30, 30], [30, 30]),
        (40, [30, 30], [20, 20]),
        (40, [10, 30, 30], [10, 15, 15]),
        (11, [30, 30], [11, 0]),
        (13, [30, 30, 30], [6.5, 6.5, 0]),
        (5, [30, 30], [0, 0]),
        (0, [30], [0]),
        (40, [5, 30], [0, 30]),
        (40, [], []),
    ],
)
def test_share(total: float, demands: list[float], parts: list[float]) -> None:
    assert share(total, demands, [6.0] * len(demands)) == pytest.approx(parts)


@given(st.floats(0, 200), st.lists(st.floats(0, 80), max_size=6))
def test_parts_stay_within_the_total_and_each_demand(total: float, demands: list[float]) -> None:
    parts = share(total, demands, [6.0] * len(demands))
    assert sum(parts) <= total + 1e-9
    for part, demand in zip(parts, demands, strict=True):
        assert part == 0 or 6 - 1e-6 <= part <= demand
