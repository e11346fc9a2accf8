"""Checks OCPP payloads against the JSON schemas that ship with the `ocpp` package, and names what is wrong.

Only its schema files are used: its own checks change the payload and refuse legal one-decimal limits.
"""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable
from typing import Any, Literal

import jsonschema_rs

from csms.rpc.dialects import (
    PROPERTY_CONSTRAINT_VIOLATION,
    PROTOCOL_ERROR,
    TYPE_CONSTRAINT_VIOLATION,
    Dialect,
)
from csms.rpc.frames import MAX_ERROR_DESCRIPTION, Json
from csms.rpc.timestamps import parse_timestamp

Direction = Literal["request", "response"]


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a payload is refused: the CALLERROR code of the version and a sentence that names the field."""

    code: str
    description: str


def known_actions(dialect: Dialect) -> frozenset[str]:
    """Every action that the version defines, offered here or not."""
    return _actions(dialect.schema_folder, dialect.request_suffix)


def load_schema(dialect: Dialect, action: str, direction: Direction) -> Json:
    """The JSON schema of a request or its response, as published. KeyError for an action the version lacks."""
    if action not in known_actions(dialect):
        raise KeyError(f"{dialect.subprotocol} has no action {action!r}")
    suffix = dialect.request_suffix if direction == "request" else "Response"
    return _read(dialect.schema_folder, action + suffix)


def violation(dialect: Dialect, action: str, direction: Direction, payload: Json) -> Violation | None:
    """What is wrong with `payload`, or None. Never changes it; dates are checked, multiples of 0.1 A are exact."""
    validator = _validator(dialect, action, direction)
    if validator.is_valid(payload):
        return None
    error = min(validator.iter_errors(payload), key=lambda error: _severity(error.kind.name))
    return Violation(_code(error.kind.name, dialect), _describe(error))


def _severity(keyword: str) -> int:
    order = ("type", "required", "additionalProperties")
    return order.index(keyword) if keyword in order else len(order)


def _code(keyword: str, dialect: Dialect) -> str:
    match keyword:
        case "type":
            return TYPE_CONSTRAINT_VIOLATION
        case "required":
            return PROTOCOL_ERROR
        case "additionalProperties":
            return dialect.formation
        case "minItems" | "maxItems" | "uniqueItems":
            return dialect.occurrence
        case _:
            return PROPERTY_CONSTRAINT_VIOLATION


def _describe(error: jsonschema_rs.ValidationError) -> str:
    field = "/".join(str(part) for part in error.instance_path) or "payload"
    message = error.message
    room = MAX_ERROR_DESCRIPTION - len(field) - 2
    if len(message) > room:
        keyword = error.kind.name
        message = f"breaks its {keyword} rule" if keyword != "type" else "has the wrong type"
    return f"{field}: {message}"[:MAX_ERROR_DESCRIPTION]


def _is_timestamp(text: str) -> bool:
    return parse_timestamp(text) is not None


def _folder(schema_folder: str) -> Traversable:
    return importlib.resources.files("ocpp").joinpath(schema_folder)


@cache
def _actions(schema_folder: str, request_suffix: str) -> frozenset[str]:
    names = {entry.name.removesuffix(".json") for entry in _folder(schema_folder).iterdir()}
    answered = {name.removesuffix("Response") for name in names if name.endswith("Response")}
    return frozenset(action for action in answered if action + request_suffix in names)


@cache
def _read(schema_folder: str, name: str) -> Json:
    text = _folder(schema_folder).joinpath(f"{name}.json").read_text(encoding="utf-8-sig")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def _validator(dialect: Dialect, action: str, direction: Direction) -> jsonschema_rs.Validator:
    schema = load_schema(dialect, action, direction)
    return jsonschema_rs.validator_for(schema, validate_formats=True, formats={"date-time": _is_timestamp})
