"""Timestamps as chargers send them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.rpc.timestamps import format_timestamp, parse_timestamp


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-03T08:00:00Z", datetime(2026, 3, 3, 8, tzinfo=UTC)),
        ("2026-03-03t08:00:00z", datetime(2026, 3, 3, 8, tzinfo=UTC)),
        ("2026-03-03T08:00:00.250Z", datetime(2026, 3, 3, 8, 0, 0, 250_000, UTC)),
        ("2026-03-03T08:00:00.123456789Z", datetime(2026, 3, 3, 8, 0, 0, 123_456, UTC)),
        ("2026-03-03T10:00:00+02:00", datetime(2026, 3, 3, 8, tzinfo=UTC)),
        ("2026-03-03T10:00:00+0200", datetime(2026, 3, 3, 8, tzinfo=UTC)),
        ("2026-03-03T08:00:00", datetime(2026, 3, 3, 8, tzinfo=UTC)),
        ("2026-12-31T23:59:60Z", datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_timestamp_is_read_as_utc(text: str, instant: datetime) -> None:
    assert parse_timestamp(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-03-03",
        "2026-02-30T08:00:00Z",
        "2026-03-03T25:00:00Z",
        "2026-03-03T08:00:61Z",
        "9999-12-31T23:59:60Z",
        "0001-01-01T00:00:00+01:00",
        "2026-03-03T08:00:00Z\n",
        "٢٠٢٦-03-03T08:00:00Z",
        "1772524800",
    ],
)
def test_what_is_no_timestamp_is_none(text: str) -> None:
    assert parse_timestamp(text) is None


@given(st.text(max_size=40))
def test_any_text_is_a_timestamp_or_none(text: str) -> None:
    parsed = parse_timestamp(text)
    assert parsed is None or parsed.tzinfo is UTC


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 (bounds must be naive)
def test_a_timestamp_survives_the_wire_to_the_millisecond(instant: datetime) -> None:
    again = parse_timestamp(format_timestamp(instant))
    assert again is not None
    assert timedelta() <= instant - again < timedelta(milliseconds=1)
