"""Bodies and query strings checked as CitrineOS checks them (Fastify with ajv): coerced, stripped, refused in its words.

One deliberate difference: `multipleOf 0.1` is exact here, so that a limit of 5.8 A is taken, which CitrineOS refuses
because it divides in doubles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jsonschema_rs

from csms.errors import InvalidRequest
from csms.ports import Json
from csms.rpc.timestamps import parse_timestamp

_REFUSED = object()
MAX_SAFE_INTEGER = 2**53 - 1


class RequestSchema:
    """A JSON schema for one part of a request; `part` is what messages call it: body or querystring."""

    def __init__(self, part: str, schema: Mapping[str, Any]) -> None:
        self.part = part
        self.schema: Json = {name: rule for name, rule in schema.items() if name not in ("$id", "id")}
        self._validator = jsonschema_rs.validator_for(
            self.schema, validate_formats=True, formats={"date-time": lambda text: parse_timestamp(text) is not None}
        )

    def check(self, value: object) -> Any:
        """`value` with types coerced and unknown properties removed; raises InvalidRequest naming the first fault."""
        value = self._prepared(value, self.schema)
        try:
            if self._validator.is_valid(value):
                return value
            errors = list(self._validator.iter_errors(value))
        except ValueError as error:
            raise InvalidRequest(f"{self.part} is nested too deeply") from error
        first = min(errors, key=lambda error: (_place(value, error.instance_path), _precedence(error.kind.name)))
        pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in first.instance_path)
        raise InvalidRequest(f"{self.part}{pointer} {_fault(first)}")

    def _prepared(self, value: object, schema: Mapping[str, Any]) -> object:
        if not schema:
            return value
        schema = self._resolved(schema)
        value = _coerced(value, schema.get("type"))
        if isinstance(value, dict):
            properties: Mapping[str, Any] = schema.get("properties", {})
            closed = schema.get("additionalProperties") is False
            return {
                name: self._prepared(member, properties.get(name, {}))
                for name, member in value.items()
                if name in properties or not closed
            }
        if isinstance(value, list):
            return [self._prepared(item, schema.get("items", {})) for item in value]
        return value

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            target: Any = self.schema
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            schema = target
        return schema


def _coerced(value: object, kind: object) -> object:
    """`value` as the schema's single type, when ajv's coercion knows how; else unchanged."""
    coerce = _COERCIONS.get(kind) if isinstance(kind, str) else None
    if coerce is None:
        return value
    if isinstance(value, list) and len(value) == 1 and kind not in ("array", "object"):
        value = value[0]
    coerced = coerce(value)
    return value if coerced is _REFUSED else coerced


def _to_string(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(_whole(value))
    return _REFUSED


def _to_number(value: object) -> object:
    match value:
        case None:
            return 0
        case bool():
            return int(value)
        case str() if value.strip():
            try:
                number = float(value)
            except ValueError:
                return _REFUSED
            if "_" in value or not math.isfinite(number):
                return _REFUSED
            return _whole(number)
    return _REFUSED


def _to_integer(value: object) -> object:
    return _whole(value) if isinstance(value, float) else _to_number(value)


def _whole(number: float) -> int | float:
    """An int where the number is one that every JSON library keeps exact."""
    return int(number) if number.is_integer() and abs(number) <= MAX_SAFE_INTEGER else number


def _to_boolean(value: object) -> object:
    if value in ("true", 1) and value is not True:
        return True
    if value is None or (value in ("false", 0) and value is not False):
        return False
    return _REFUSED


def _to_array(value: object) -> object:
    return _REFUSED if isinstance(value, list | dict) else [value]


_COERCIONS: dict[str, Callable[[object], object]] = {
    "string": _to_string,
    "number": _to_number,
    "integer": _to_integer,
    "boolean": _to_boolean,
    "array": _to_array,
}


def _place(value: Any, path: list[str | int]) -> list[int]:
    """Where `path` leads, as positions in the order of the document, so that faults sort from its beginning."""
    place = []
    for step in path:
        place.append(step if isinstance(step, int) else list(value).index(step))
        value = value[step]
    return place


def _precedence(keyword: str) -> int:
    order = ("type", "required", "additionalProperties")
    return order.index(keyword) if keyword in order else len(order)


def _fault(error: jsonschema_rs.ValidationError) -> str:
    kind: Any = error.kind
    match kind.name:
        case "required":
            return f"must have required property '{kind.property}'"
        case "type":
            return f"must be {','.join(kind.types)}"
        case "enum":
            return "must be equal to one of the allowed values"
        case "multipleOf":
            return f"must be multiple of {kind.multiple_of:.15g}"
        case "maxLength":
            return f"must NOT have more than {kind.limit} characters"
        case "minLength":
            return f"must NOT have fewer than {kind.limit} characters"
        case "maxItems":
            return f"must NOT have more than {kind.limit} items"
        case "minItems":
            return f"must NOT have fewer than {kind.limit} items"
        case "maximum":
            return f"must be <= {kind.limit:.15g}"
        case "minimum":
            return f"must be >= {kind.limit:.15g}"
        case "format":
            return f'must match format "{kind.format}"'
        case "pattern":
            return f'must match pattern "{kind.pattern}"'
        case "additionalProperties":
            return "must NOT have additional properties"
    return f"breaks its {kind.name} rule: {error.message}"
