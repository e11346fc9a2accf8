"""What leaves is rounded down, passes the strictest validator, and is 0 or at least what an EV can charge with."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.model.charging_profile import RateUnit
from optivgi.model.wire import is_multiple_of_tenth, wire_limit, wire_minimum

powers = st.floats(0, 500, allow_nan=False)
volts = st.sampled_from([120.0, 208.0, 230.0, 240.0, 400.0, 690.0, 720.0])
units = st.sampled_from(list(RateUnit))


@pytest.mark.parametrize(
    ("power_kw", "unit", "volts", "limit", "sent_kw"),
    [
        (7.2, RateUnit.A, 240, 30.0, 7.2),
        (5.0, RateUnit.A, 240, 20.8, 4.992),
        (11.0, RateUnit.A, 690, 15.9, 10.971),
        (1.4, RateUnit.A, 240, 5.7, 1.368),
        (0.0, RateUnit.A, 240, 0.0, 0.0),
        (0.02, RateUnit.A, 240, 0.0, 0.0),
        (4.9999, RateUnit.W, 240, 4999.0, 4.999),
        (0.0004, RateUnit.W, 240, 0.0, 0.0),
    ],
)
def test_a_power_becomes_the_next_sendable_limit_below(
    power_kw: float, unit: RateUnit, volts: float, limit: float, sent_kw: float
) -> None:
    assert wire_limit(power_kw, unit, volts) == pytest.approx((limit, sent_kw), abs=1e-12)


@given(powers, units, volts)
def test_a_sent_limit_never_exceeds_the_power_and_always_passes_the_validator(
    power_kw: float, unit: RateUnit, volts: float
) -> None:
    limit, sent_kw = wire_limit(power_kw, unit, volts)
    assert 0 <= sent_kw <= power_kw + 1e-9
    assert is_multiple_of_tenth(limit)
    assert sent_kw == pytest.approx(limit / 1000 if unit is RateUnit.W else limit * volts / 1000)


@given(powers, units, volts)
def test_rounding_twice_changes_nothing(power_kw: float, unit: RateUnit, volts: float) -> None:
    limit, sent_kw = wire_limit(power_kw, unit, volts)
    assert wire_limit(sent_kw, unit, volts) == (limit, sent_kw)


@given(st.floats(0, 50), units, volts)
def test_the_wire_minimum_survives_rounding_down(min_kw: float, unit: RateUnit, volts: float) -> None:
    least_kw = wire_minimum(min_kw, unit, volts)
    assert least_kw >= max(min_kw, 6.0 * volts / 1000) - 1e-9
    assert wire_limit(least_kw, unit, volts)[1] == pytest.approx(least_kw, abs=1e-12)


@pytest.mark.parametrize("power_kw", [math.nan, math.inf, -0.1])
def test_a_power_that_means_nothing_is_refused(power_kw: float) -> None:
    with pytest.raises(ValueError, match="cannot send"):
        wire_limit(power_kw, RateUnit.A, 240)
