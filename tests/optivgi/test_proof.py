"""Whether a cut is followed, by the meter; and when a station is taken at its word."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from optivgi.proof import PROOFS, Cut, Trust
from optivgi.testing import MOMENT


def after(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


CUT = Cut(drawn_kw=7.2, limit_kw=6.0, confirmed_at=MOMENT)


@pytest.mark.parametrize(
    ("kw", "at_s", "followed"),
    [(6.0, 1, True), (6.2, 1, True), (0.0, 1, True), (7.2, 30, False), (6.0, -1, False), (6.0, 0, False)],
)
def test_only_a_sample_after_the_confirmation_that_shows_no_more_than_the_limit_proves_it(
    kw: float, at_s: float, followed: bool
) -> None:
    assert CUT.is_followed(kw, after(at_s)) is followed


def test_waiting_ends_when_a_meter_has_spoken_after_the_settling_time_or_does_not_speak() -> None:
    assert not CUT.is_over(after(4.9), after(6), settle_s=5, patience_s=20)
    assert CUT.is_over(after(5), after(6), settle_s=5, patience_s=20)
    assert not CUT.is_over(None, after(19), settle_s=5, patience_s=20)
    assert CUT.is_over(None, after(20), settle_s=5, patience_s=20)


def test_trust_is_earned_by_each_station_for_itself_and_lost_at_once() -> None:
    trust = Trust()
    for _ in range(PROOFS):
        assert not trust.has("ST-1")
        trust.earned("ST-1")
    assert trust.has("ST-1")
    assert not trust.has("ST-2")
    trust.lost("ST-1")
    assert not trust.has("ST-1")
    trust.lost("ST-2")
