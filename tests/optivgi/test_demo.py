"""The demo waits for the end of its scenario on both clocks."""

from __future__ import annotations

from datetime import timedelta

from optivgi.demo import STALLED_AFTER_REAL_S, STALLED_AFTER_S, Patience
from optivgi.testing import MOMENT

LATE = MOMENT + timedelta(seconds=STALLED_AFTER_S + 1)


def test_many_evs_that_leave_at_once_have_real_time_to_do_so_at_any_speed() -> None:
    patience = Patience(last=MOMENT)
    assert not patience.is_over(MOMENT + timedelta(seconds=1), 100.0)
    assert not patience.is_over(LATE, 102.0)
    assert patience.is_over(LATE, 100.0 + STALLED_AFTER_REAL_S + 1)


def test_a_slow_demo_has_the_scenarios_time_too() -> None:
    patience = Patience(last=MOMENT)
    assert not patience.is_over(MOMENT, 0.0)
    assert not patience.is_over(MOMENT + timedelta(seconds=1), 1.0)
    assert not patience.is_over(MOMENT + timedelta(seconds=STALLED_AFTER_S), 1000.0)
    assert patience.is_over(LATE, 1000.0)
