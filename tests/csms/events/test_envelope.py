"""The captured events of a running CitrineOS 1.8.3, read and written again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.errors import EventMalformed
from csms.events.envelope import body_of, from_wire_time, headers_of, parse, to_wire_time
from csms.ports import Envelope

SAMPLES: dict[str, Any] = json.loads((Path(__file__).parent / "amqp_samples.json").read_text())


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_a_captured_event_is_written_back_as_it_was(sample: dict[str, Any]) -> None:
    envelope = parse(sample["body"])
    assert headers_of(envelope) == sample["headers"]
    assert body_of(envelope) == sample["body"]


def test_an_answer_of_the_csms_has_underscored_names_and_nothing_else_has() -> None:
    underscored = {name for name, sample in SAMPLES.items() if "_payload" in sample["body"]}
    assert underscored == {name for name in SAMPLES if name.endswith("/2/csms")}


@given(
    st.builds(
        Envelope,
        origin=st.sampled_from(["cs", "csms"]),
        event_group=st.text(min_size=1),
        action=st.text(min_size=1),
        state=st.sampled_from([1, 2]),
        station_id=st.text(min_size=1),
        correlation_id=st.text(min_size=1),
        timestamp=st.datetimes(timezones=st.just(UTC)).map(
            lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)
        ),
        protocol=st.sampled_from(["ocpp1.6", "ocpp2.0.1"]),
        payload=st.dictionaries(st.text(), st.integers()),
        tenant_id=st.integers(1, 99),
    )
)
def test_what_is_written_reads_back_equal(envelope: Envelope) -> None:
    assert parse(json.loads(json.dumps(body_of(envelope)))) == envelope
    assert all(isinstance(value, str) for value in headers_of(envelope).values())


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 11, 20, 23, 16, 24, 172_999, UTC), "2026-11-20T23:16:24.172Z"),
        (datetime(2026, 11, 21, 0, 0, 0, 0, timezone(timedelta(hours=1))), "2026-11-20T23:00:00.000Z"),
    ],
)
def test_time_goes_out_in_utc_with_whole_milliseconds_rounded_down(instant: datetime, text: str) -> None:
    assert to_wire_time(instant) == text
    assert from_wire_time(text) == instant.replace(microsecond=instant.microsecond // 1000 * 1000)


BODY = SAMPLES["ocpp1.6/StartTransaction/1/cs"]["body"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"state": 3}, "state of an event is 3"),
        ({"state": True}, "state of an event is True"),
        ({"state": "1"}, "state of an event is '1'"),
        ({"origin": "station"}, "'station'; it is cs or csms"),
        ({"payload": None}, "payload of an event is None"),
        ({"context": []}, "context of an event is \\[\\]"),
        ({"context": {**BODY["context"], "timestamp": "yesterday"}}, "'yesterday'; an ISO 8601"),
        ({"context": {**BODY["context"], "timestamp": "2026-11-20T23:16:24"}}, "needs an offset from UTC"),
    ],
    ids=str,
)
def test_a_malformed_event_is_refused_naming_the_field(change: dict[str, Any], told: str) -> None:
    with pytest.raises(EventMalformed, match=told):
        parse(BODY | change)
