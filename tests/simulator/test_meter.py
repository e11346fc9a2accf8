"""Meters: when samples are due, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.meter import DEFAULT_MEASURANDS, MEASURANDS, Reading, next_aligned, sample
from simulator.payloads16 import meter_values_to_wire, timestamp

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
READING = Reading(
    energy_wh=1234.56789, power_kw=4.992, current_a=20.8, offered_a=20.8, voltage_v=240, phases=1, soc=0.4567
)


@pytest.mark.parametrize(
    ("after_s", "interval_s", "due_s"),
    [
        (0, 10, 10),
        (9.999999, 10, 10),
        (10, 10, 20),
        (86_399, 10, 86_400),
        (86_380, 7 * 3600, 86_400),
        (0, 86_400, 86_400),
        (0, 100_000, 86_400),
    ],
)
def test_aligned_instants_are_multiples_from_midnight_which_is_one_itself(
    after_s: float, interval_s: int, due_s: float
) -> None:
    assert next_aligned(MIDNIGHT + timedelta(seconds=after_s), interval_s) == MIDNIGHT + timedelta(seconds=due_s)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)), st.integers(1, 86_400))  # noqa: DTZ001
def test_next_aligned_instant_is_later_by_at_most_the_interval(after: datetime, interval_s: int) -> None:
    due = next_aligned(after, interval_s)
    assert timedelta(0) < due - after <= timedelta(seconds=interval_s)
    since_midnight = due - due.replace(hour=0, minute=0, second=0, microsecond=0)
    assert since_midnight % timedelta(seconds=interval_s) == timedelta(0)


def test_sample_as_ocpp_writes_it() -> None:
    (element,) = meter_values_to_wire([sample(READING, MIDNIGHT, "Sample.Clock", DEFAULT_MEASURANDS)])
    assert element["timestamp"] == "2026-03-03T00:00:00.000Z"
    assert [(v["measurand"], v["value"], v["unit"], v["context"]) for v in element["sampledValue"]] == [
        ("Energy.Active.Import.Register", "1234.568", "Wh", "Sample.Clock"),
        ("Power.Active.Import", "4992.0", "W", "Sample.Clock"),
        ("Current.Import", "20.800", "A", "Sample.Clock"),
        ("Voltage", "240.0", "V", "Sample.Clock"),
        ("SoC", "45.67", "Percent", "Sample.Clock"),
    ]


def test_only_the_measurands_asked_for_are_sampled() -> None:
    for name in MEASURANDS:
        assert {v.measurand for v in sample(READING, MIDNIGHT, "Trigger", [name]).values} == {name}


def test_timestamp_is_cut_so_that_it_is_never_in_the_future() -> None:
    assert timestamp(MIDNIGHT + timedelta(microseconds=1999)) == "2026-03-03T00:00:00.001Z"
