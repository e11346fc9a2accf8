from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from csms.rules.authorization import Authorization
from csms.rules.plausibility import MAX_INT32, connector_objection
from csms.rules.transactions import (
    NotStarted,
    OpenTransaction,
    Replay,
    Start,
    StartFacts,
    Stop,
    decide_start,
    decide_stop,
)

NOW = datetime(2026, 3, 3, 8, tzinfo=UTC)
GOOD = Authorization(1, "TAG", "Accepted")


def stop(**changes: Any) -> Stop:
    said: dict[str, Any] = {
        "start_time": NOW - timedelta(hours=1),
        "meter_start_wh": 1000,
        "known_kwh": 2.0,
        "meter_stop_wh": 5000,
        "reason": None,
        "reported": NOW,
        "now": NOW,
    }
    return decide_stop(**(said | changes))


def test_an_accepted_id_tag_starts_a_transaction_that_supersedes_the_open_one() -> None:
    stale = OpenTransaction(7, NOW - timedelta(hours=3))
    decision = decide_start(StartFacts(GOOD, open_here=[stale]), 500, NOW, NOW)
    assert isinstance(decision, Start)
    assert (decision.start_time, decision.meter_start_wh, list(decision.close), decision.remarks) == (
        NOW,
        500,
        [stale],
        {},
    )


def test_a_replay_gets_the_same_transaction_even_if_the_id_tag_was_blocked_since() -> None:
    blocked = Authorization(1, "TAG", "Blocked")
    decision = decide_start(StartFacts(blocked, same_start=12, charging_elsewhere=1), 500, NOW, NOW)
    assert isinstance(decision, Replay)
    assert (decision.transaction_id, decision.info.status) == (12, "Blocked")


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        (StartFacts(None), "Invalid"),
        (StartFacts(Authorization(1, "TAG", "Blocked")), "Blocked"),
        (StartFacts(GOOD, charging_elsewhere=1), "ConcurrentTx"),
    ],
)
def test_an_id_tag_that_may_not_charge_starts_nothing(facts: StartFacts, status: str) -> None:
    decision = decide_start(facts, 0, NOW, NOW)
    assert isinstance(decision, NotStarted)
    assert decision.info.status == status


@pytest.mark.parametrize("meter_start", [-1, MAX_INT32 + 1, 10**18])
def test_a_meter_start_that_no_meter_shows_is_noted_and_not_used(meter_start: int) -> None:
    decision = decide_start(StartFacts(GOOD), meter_start, NOW, NOW)
    assert isinstance(decision, Start)
    assert decision.meter_start_wh is None
    assert decision.remarks == {"reportedMeterStart": meter_start}


@pytest.mark.parametrize("days", [-3650, 1, 3650])
def test_a_start_time_years_off_is_noted_and_not_used(days: int) -> None:
    decision = decide_start(StartFacts(GOOD), 0, NOW + timedelta(days=days), NOW)
    assert isinstance(decision, Start)
    assert decision.start_time == NOW
    assert "reportedStart" in decision.remarks


def test_a_stop_counts_energy_from_the_meter() -> None:
    assert stop() == Stop(NOW, "Local", 4.0, 5000)


def test_the_reason_is_kept() -> None:
    assert stop(reason="EVDisconnected").reason == "EVDisconnected"


def test_a_meter_stop_in_whole_watt_hours_counts_though_a_meter_value_had_parts_of_one() -> None:
    decision = stop(known_kwh=0.0546, meter_start_wh=1000, meter_stop_wh=1054)
    assert (decision.total_kwh, decision.remarks) == (0.054, {})


@pytest.mark.parametrize("meter_stop_wh", [-5, 0, 999, 2999, MAX_INT32 + 1])
def test_a_meter_stop_below_what_was_metered_is_noted_and_not_used(meter_stop_wh: int) -> None:
    decision = stop(meter_stop_wh=meter_stop_wh)
    assert decision.total_kwh == 2.0
    assert decision.remarks == {"reportedMeterStop": meter_stop_wh}


def test_without_a_credible_start_value_there_is_no_total() -> None:
    assert stop(meter_start_wh=None, known_kwh=None).total_kwh is None


def test_an_end_before_the_start_is_noted_and_not_used() -> None:
    decision = stop(reported=NOW - timedelta(hours=2))
    assert decision.end_time == NOW
    assert "reportedEnd" in decision.remarks


@pytest.mark.parametrize(
    ("connector_id", "station_allowed", "fine"),
    [
        (0, True, True),
        (0, False, False),
        (1, False, True),
        (256, False, True),
        (257, True, False),
        (-1, True, False),
        (1_634_030_126, True, False),
    ],
)
def test_a_connector_number_must_be_one_that_chargers_have(
    connector_id: int, station_allowed: bool, fine: bool
) -> None:
    assert (connector_objection(connector_id, station_allowed=station_allowed) is None) is fine
