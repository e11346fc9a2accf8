"""OCPP-J texts become frames, or refusals that say why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.rpc.dialects import OCPP16
from csms.rpc.frames import (
    DEFAULT_MAX_SIZE,
    Call,
    CallError,
    CallResult,
    Malformed,
    as_list,
    decode,
    encode,
)

plain_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | plain_text, lambda inner: st.lists(inner) | st.dictionaries(plain_text, inner), max_leaves=15
)
payloads = st.dictionaries(plain_text, values, max_size=5)
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=36)
frames = st.one_of(
    st.builds(Call, ids, plain_text.filter(bool), payloads),
    st.builds(CallResult, ids, payloads),
    st.builds(CallError, ids, plain_text, plain_text, payloads),
)


@given(frames)
def test_what_is_encoded_is_decoded_again(frame: Call | CallResult | CallError) -> None:
    assert decode(encode(frame), OCPP16) == frame


@given(frames)
def test_the_message_log_shows_the_array_that_travels(frame: Call | CallResult | CallError) -> None:
    assert as_list(frame) == json.loads(encode(frame))


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "replace")))
def test_any_text_is_a_frame_or_a_named_refusal(text: str) -> None:
    assert isinstance(decode(text, OCPP16), Call | CallResult | CallError | Malformed)


@given(st.lists(values | st.integers(1, 6), max_size=6))
def test_any_json_array_is_a_frame_or_a_named_refusal(message: list[Any]) -> None:
    frame = decode(json.dumps(message), OCPP16)
    assert not isinstance(frame, Malformed) or frame.code == "FormationViolation"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[2,"7","Heartbeat",{"a":NaN}]', "not JSON"),
        ('[2,"7","Heartbeat",{"a":-Infinity}]', "not JSON"),
        ('[2,"7","Heartbeat",{"a":1e400}]', "out of range"),
        ('[2,"7","Heartbeat",{"a":"\\ud800"}]', "not JSON"),
        ('[2,"7","Heartbeat",{"a":"\\u0000"}]', "NUL"),
        ('[2,"7","Heartbeat",{"a\\u0000":1}]', "NUL"),
        ('[2,"7","Heartbeat",{"a":123456789012345678901}]', "64 bits"),
        ('[2,"7","Heartbeat",{"a":' + "9" * 5000 + "}]", "out of range"),
        ('[2,"7","Heartbeat",' + "[" * 30_000, "not JSON"),
        ('[2,"7","Heartbeat",' + '{"a":' * 500 + "1" + "}" * 500 + "]", "deeper than 32"),
        ('[2,"7","Heartbeat",{}', "not JSON"),
        ('[2,"7","Heartbeat",{}] tail', "not JSON"),
        ('[2,"7","Heartbeat",[]]', "must be an object"),
        ('[2,"7","Heartbeat",null]', "payload is null"),
        ('[2,"7",5,{}]', "action is 5"),
        ('[2,"7","",{}]', "action is ''"),
        ('[2,"7","Heartbeat"]', "4 elements"),
        ('[2,"7","Heartbeat",{},{}]', "4 elements"),
    ],
)
def test_a_broken_call_whose_id_is_readable_can_be_answered(text: str, reason: str) -> None:
    frame = decode(text, OCPP16)
    assert isinstance(frame, Malformed)
    assert (frame.code, frame.message_id) == ("FormationViolation", "7")
    assert reason in frame.description


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        "[]",
        "[2]",
        "hello",
        '["2","7","Heartbeat",{}]',
        '[true,"7","Heartbeat",{}]',
        '[2.0,"7","Heartbeat",{}]',
        '[6,"7","Heartbeat",{}]',
        '[2,7,"Heartbeat",{}]',
        '[2,"","Heartbeat",{}]',
        '[2,{"a":' * 15 + "1",
        '[2,"' + "x" * 129 + '","Heartbeat",{}]',
        '[3,"7",null]',
        '[3,"7",{},{}]',
        '[4,"7",{}]',
        '[5,"7","InternalError","",{}]',
        "[" + '[2,"7","Heartbeat",{}],' * 40 + "1]",
    ],
)
def test_what_carries_no_usable_id_can_only_be_dropped(text: str) -> None:
    frame = decode(text, OCPP16)
    assert isinstance(frame, Malformed)
    assert frame.message_id is None


def test_a_message_over_the_size_limit_is_refused_unread() -> None:
    frame = decode('[2,"7","Heartbeat",{"a":"' + "x" * DEFAULT_MAX_SIZE + '"}]', OCPP16)
    assert isinstance(frame, Malformed)
    assert "at most 65536" in frame.description


def test_an_id_longer_than_the_standard_allows_is_carried_back() -> None:
    frame = decode(f'[2,"{"x" * 100}","Heartbeat",{{}}]', OCPP16)
    assert isinstance(frame, Call)
    assert frame.message_id == "x" * 100


def test_of_duplicate_keys_the_last_one_counts() -> None:
    assert decode('[2,"7","Heartbeat",{"a":1,"a":2}]', OCPP16) == Call("7", "Heartbeat", {"a": 2})


def test_a_call_error_without_description_and_details_is_understood() -> None:
    assert decode('[4,"7","InternalError"]', OCPP16) == CallError("7", "InternalError", "", {})


def test_an_error_description_never_exceeds_255_characters() -> None:
    text = encode(CallError("7", "InternalError", "ä" * 400))
    assert len(json.loads(text)[3]) == 255


def test_an_escaped_backslash_before_u0000_is_ordinary_text() -> None:
    frame = decode('[2,"7","DataTransfer",{"data":"\\\\u0000"}]', OCPP16)
    assert frame == Call("7", "DataTransfer", {"data": "\\u0000"})
