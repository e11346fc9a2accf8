"""OCPP-J frames: text in, typed frame or a named refusal out. No I/O, never raises for what a peer sent."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from csms.rpc.dialects import CALL, CALLERROR, CALLRESULT, Dialect

MAX_MESSAGE_ID = 36
"""What the standard allows. Longer ids are tolerated up to LONGEST_MESSAGE_ID, since a reply must carry them back."""
LONGEST_MESSAGE_ID = 128
MAX_ERROR_DESCRIPTION = 255
DEFAULT_MAX_SIZE = 64 * 1024
MAX_DEPTH = 32
"""The deepest message of the standard nests 8 levels; what is passed on must never exhaust anybody's stack."""

Json = dict[str, Any]


class Call(msgspec.Struct, frozen=True):
    """A request: [2, id, action, payload]."""

    message_id: str
    action: str
    payload: Json


class CallResult(msgspec.Struct, frozen=True):
    """An answer: [3, id, payload]."""

    message_id: str
    payload: Json


class CallError(msgspec.Struct, frozen=True):
    """A refusal: [4, id, code, description, details]."""

    message_id: str
    code: str
    description: str = ""
    details: Json = {}


class Malformed(msgspec.Struct, frozen=True):
    """A text that is not a frame. With a `message_id` it can be answered by CALLERROR `code`; without, only dropped."""

    code: str
    description: str
    message_id: str | None = None


Frame = Call | CallResult | CallError

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_call_id = re.compile(rf'\s*\[\s*2\s*,\s*"([^"\\\x00-\x1f]{{1,{LONGEST_MESSAGE_ID}}})"\s*,')
_long_integer = re.compile(r"\d{19}", re.ASCII)


def decode(text: str, dialect: Dialect, max_size: int = DEFAULT_MAX_SIZE) -> Frame | Malformed:
    """The frame that `text` holds, or why it holds none.

    NaN, infinities, numbers that overflow a double or 64 bits, lone surrogates, NUL characters and nesting deeper
    than MAX_DEPTH are refused. Of duplicate keys the last wins.
    """
    if len(text) > max_size:
        return Malformed(dialect.formation, f"message of {len(text)} characters; at most {max_size}")
    try:
        message = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Malformed(dialect.formation, _cut(f"not JSON: {error}"), _salvage_id(text))
    if not isinstance(message, list) or len(message) < 3:
        return Malformed(dialect.formation, "a frame is an array of at least 3 elements")
    if _suspicious(text) and (problem := objection(message)):
        return Malformed(dialect.formation, problem, _salvage_id(text))
    kind, message_id = message[0], message[1]
    if type(kind) is not int or kind not in dialect.message_types:
        return Malformed(dialect.formation, f"message type is {_show(kind)}; {dialect.subprotocol} knows 2, 3, 4")
    if not isinstance(message_id, str) or not 0 < len(message_id) <= LONGEST_MESSAGE_ID:
        return Malformed(dialect.formation, f"message id is {_show(message_id)}; a string of 1 to {MAX_MESSAGE_ID}")
    if kind == CALL:
        return _call(message, message_id, dialect)
    if kind == CALLRESULT:
        return _call_result(message, message_id, dialect)
    return _call_error(message, message_id, dialect)


def encode(frame: Frame) -> str:
    """The text of `frame`; an error description is cut to what the standard allows."""
    message: list[Any]
    match frame:
        case Call():
            message = [CALL, frame.message_id, frame.action, frame.payload]
        case CallResult():
            message = [CALLRESULT, frame.message_id, frame.payload]
        case CallError():
            message = [CALLERROR, frame.message_id, frame.code, _cut(frame.description), frame.details]
    return _encoder.encode(message).decode()


def as_list(frame: Frame) -> list[Any]:
    """The frame as the JSON array that travels, for the message log."""
    match frame:
        case Call():
            return [CALL, frame.message_id, frame.action, frame.payload]
        case CallResult():
            return [CALLRESULT, frame.message_id, frame.payload]
        case CallError():
            return [CALLERROR, frame.message_id, frame.code, frame.description, frame.details]


def _call(message: list[Any], message_id: str, dialect: Dialect) -> Call | Malformed:
    if len(message) != 4:
        return Malformed(dialect.formation, f"a CALL has 4 elements, not {len(message)}", message_id)
    action, payload = message[2], message[3]
    if not isinstance(action, str) or not action:
        return Malformed(dialect.formation, f"action is {_show(action)}; it must be a name", message_id)
    if not isinstance(payload, dict):
        return Malformed(dialect.formation, f"payload is {_kind_of(payload)}; it must be an object", message_id)
    return Call(message_id, action, payload)


def _call_result(message: list[Any], message_id: str, dialect: Dialect) -> CallResult | Malformed:
    if len(message) != 3 or not isinstance(message[2], dict):
        return Malformed(dialect.formation, "a CALLRESULT is [3, id, object]")
    return CallResult(message_id, message[2])


def _call_error(message: list[Any], message_id: str, dialect: Dialect) -> CallError | Malformed:
    code = message[2]
    if not isinstance(code, str):
        return Malformed(dialect.formation, "a CALLERROR is [4, id, code, description, object]")
    description = message[3] if len(message) > 3 and isinstance(message[3], str) else ""
    details = message[4] if len(message) > 4 and isinstance(message[4], dict) else {}
    return CallError(message_id, _cut(code), _cut(description), details)


def _salvage_id(text: str) -> str | None:
    """The id of a CALL whose rest cannot be read, so that the station gets an answer instead of a timeout."""
    found = _call_id.match(text)
    return found.group(1) if found else None


def _suspicious(text: str) -> bool:
    """Whether the text may hold what `objection` looks for; a cheap test that ordinary messages pass."""
    return "\\u0000" in text or text.count("[") + text.count("{") > MAX_DEPTH or bool(_long_integer.search(text))


def objection(value: Any) -> str | None:
    """What a database, a broker or another JSON library would choke on in decoded JSON, or None."""
    pending: list[tuple[Any, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH + 1:
            return f"nested deeper than {MAX_DEPTH} levels"
        if isinstance(item, str):
            if "\x00" in item:
                return "NUL character in a string"
        elif isinstance(item, list):
            pending.extend((part, depth + 1) for part in item)
        elif isinstance(item, dict):
            pending.extend((part, depth + 1) for pair in item.items() for part in pair)
        elif isinstance(item, int) and not -(2**63) <= item < 2**63:
            return "integer of more than 64 bits"
    return None


def _cut(text: str) -> str:
    return text if len(text) <= MAX_ERROR_DESCRIPTION else text[: MAX_ERROR_DESCRIPTION - 1] + "…"


def _show(value: Any) -> str:
    return repr(value)[:60] if isinstance(value, str | int | float) else _kind_of(value)


def _kind_of(value: Any) -> str:
    return {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(
        type(value), "a number"
    )
