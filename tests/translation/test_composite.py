"""Composite schedules as stations tell them: what is read, and what makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from optivgi.model.charging_profile import Period, RateUnit, Schedule
from optivgi.translation.citrineos.composite import get_composite_schedule, read_schedule

CAPTURED: dict[str, Any] = {
    "body": {"connectorId": 1, "duration": 600, "chargingRateUnit": "A"},
    "station_reply": {
        "status": "Accepted",
        "connectorId": 1,
        "scheduleStart": "2026-11-20T23:16:28.389Z",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]},
    },
}


def an_answer(*periods: Any, **schedule: Any) -> dict[str, Any]:
    return {
        "status": "Accepted",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": list(periods), **schedule},
    }


def test_the_question_is_the_captured_one() -> None:
    assert get_composite_schedule(1, 600, RateUnit.A) == CAPTURED["body"]


def test_the_captured_answer_is_read() -> None:
    assert read_schedule(CAPTURED["station_reply"]) == Schedule(RateUnit.A, (Period(0, 16.0),))


def test_phases_and_duration_are_read_where_they_are_given() -> None:
    answer = an_answer({"startPeriod": 0, "limit": 16, "numberPhases": 3}, duration=60)
    assert read_schedule(answer) == Schedule(RateUnit.A, (Period(0, 16.0, 3),), duration_s=60)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Accepted"},
        {"status": "Accepted", "chargingSchedule": "none"},
        an_answer(),
        an_answer({"startPeriod": 0, "limit": 16}, chargingRateUnit="kW"),
        an_answer({"startPeriod": 0, "limit": "16"}),
        an_answer({"startPeriod": 0, "limit": True}),
        an_answer({"startPeriod": 0, "limit": -1}),
        an_answer({"startPeriod": 0, "limit": float("nan")}),
        an_answer({"startPeriod": 0}),
        an_answer({"startPeriod": 0, "limit": 16}, 7),
        an_answer({"startPeriod": 60, "limit": 16}, {"startPeriod": 0, "limit": 10}),
    ],
)
def test_what_makes_no_sense_is_no_schedule(answer: dict[str, Any]) -> None:
    assert read_schedule(answer) is None
