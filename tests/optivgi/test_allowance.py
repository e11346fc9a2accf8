"""What a charger was allowing, by the profiles that were sent to it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from optivgi.allowance import Allowance
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.testing import MOMENT
from optivgi.translation.base import PowerCommand


def after(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


def command(limit_a: float) -> PowerCommand:
    schedule = Schedule(RateUnit.A, (Period(0, limit_a),), start=MOMENT)
    return PowerCommand("ST-1", 1, ChargingProfile(2, 1, Purpose.TX, Kind.ABSOLUTE, schedule, "1"), limit_a * 0.24, "1")


@pytest.mark.parametrize(
    ("start_s", "end_s", "changing"),
    [(0, 9.9, False), (0, 10, True), (11, 12, True), (11, 20, True), (11.9, 13, True), (12, 20, False)],
)
def test_a_profile_is_on_its_way_from_when_it_is_sent_until_it_is_confirmed(
    start_s: float, end_s: float, changing: bool
) -> None:
    allowance = Allowance("1", 240.0).confirmed(command(16.0), after(-60), after(-59), keep_s=600.0)
    allowance = allowance.confirmed(command(10.0), after(10), after(12), keep_s=600.0)
    assert allowance.changing(after(start_s), after(end_s)) is changing


def test_a_profile_of_which_nobody_knows_counts_when_it_was_sent() -> None:
    allowance = Allowance("1", 240.0).confirmed(command(16.0), after(-60), after(-59), keep_s=600.0)
    allowance = allowance.doubted(command(10.0), after(10))
    assert allowance.changing(after(9), after(11))
    assert not allowance.changing(after(10), after(11))
