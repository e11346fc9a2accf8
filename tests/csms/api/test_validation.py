"""How request bodies are coerced, stripped and refused: as CitrineOS's validator does it, in its words."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.api.validation import RequestSchema
from csms.errors import InvalidRequest

SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "id": "urn:Sample",
    "type": "object",
    "additionalProperties": False,
    "required": ["connectorId"],
    "definitions": {"Limit": {"type": "number", "multipleOf": 0.1, "minimum": -10, "maximum": 1000}},
    "properties": {
        "connectorId": {"type": "integer"},
        "idTag": {"type": "string", "minLength": 1, "maxLength": 5},
        "on": {"type": "boolean"},
        "purpose": {"type": "string", "enum": ["TxProfile"]},
        "at": {"type": "string", "format": "date-time"},
        "key": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string"}},
        "inner": {
            "type": "object",
            "additionalProperties": False,
            "required": ["limit"],
            "properties": {"limit": {"$ref": "#/definitions/Limit"}, "a/b~c": {"type": "number"}},
        },
        "free": {"type": "object"},
    },
}

BODY = RequestSchema("body", SCHEMA)


@pytest.mark.parametrize(
    ("given_", "taken"),
    [
        ({"connectorId": "1"}, {"connectorId": 1}),
        ({"connectorId": 1.0}, {"connectorId": 1}),
        ({"connectorId": True}, {"connectorId": 1}),
        ({"connectorId": None}, {"connectorId": 0}),
        ({"connectorId": [2]}, {"connectorId": 2}),
        ({"connectorId": 1, "idTag": 42}, {"connectorId": 1, "idTag": "42"}),
        ({"connectorId": 1, "idTag": 42.0}, {"connectorId": 1, "idTag": "42"}),
        ({"connectorId": 1, "idTag": 4.5}, {"connectorId": 1, "idTag": "4.5"}),
        ({"connectorId": 1, "on": "true"}, {"connectorId": 1, "on": True}),
        ({"connectorId": 1, "on": 0}, {"connectorId": 1, "on": False}),
        ({"connectorId": 1, "key": "one"}, {"connectorId": 1, "key": ["one"]}),
        ({"connectorId": 1, "inner": {"limit": "5.8"}}, {"connectorId": 1, "inner": {"limit": 5.8}}),
        ({"connectorId": 1, "bogus": 1}, {"connectorId": 1}),
        ({"connectorId": 1, "inner": {"limit": 1, "bogus": {}}}, {"connectorId": 1, "inner": {"limit": 1}}),
        ({"connectorId": 1, "free": {"any": [1]}}, {"connectorId": 1, "free": {"any": [1]}}),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_coerced_and_an_unknown_property_dropped(
    given_: dict[str, Any], taken: dict[str, Any]
) -> None:
    checked = BODY.check(given_)
    assert checked == taken
    assert [type(value) for value in checked.values()] == [type(value) for value in taken.values()]


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({}, "body must have required property 'connectorId'"),
        ([], "body must be object"),
        (None, "body must be object"),
        ("text", "body must be object"),
        ({"connectorId": "one"}, "body/connectorId must be integer"),
        ({"connectorId": "1_0"}, "body/connectorId must be integer"),
        ({"connectorId": ""}, "body/connectorId must be integer"),
        ({"connectorId": 1.5}, "body/connectorId must be integer"),
        ({"connectorId": [1, 2]}, "body/connectorId must be integer"),
        ({"connectorId": 1, "on": "yes"}, "body/on must be boolean"),
        ({"connectorId": 1, "idTag": {}}, "body/idTag must be string"),
        ({"connectorId": 1, "idTag": "123456"}, "body/idTag must NOT have more than 5 characters"),
        ({"connectorId": 1, "idTag": ""}, "body/idTag must NOT have fewer than 1 characters"),
        ({"connectorId": 1, "purpose": "Nope"}, "body/purpose must be equal to one of the allowed values"),
        ({"connectorId": 1, "at": "soon"}, 'body/at must match format "date-time"'),
        ({"connectorId": 1, "key": []}, "body/key must NOT have fewer than 1 items"),
        ({"connectorId": 1, "key": ["a", "b", "c"]}, "body/key must NOT have more than 2 items"),
        ({"connectorId": 1, "key": ["a", {}]}, "body/key/1 must be string"),
        ({"connectorId": 1, "inner": {}}, "body/inner must have required property 'limit'"),
        ({"connectorId": 1, "inner": {"limit": "nan"}}, "body/inner/limit must be number"),
        ({"connectorId": 1, "inner": {"limit": "1e999"}}, "body/inner/limit must be number"),
        ({"connectorId": 1, "inner": {"limit": 5.85}}, "body/inner/limit must be multiple of 0.1"),
        ({"connectorId": 1, "inner": {"limit": -11}}, "body/inner/limit must be >= -10"),
        ({"connectorId": 1, "inner": {"limit": 1001}}, "body/inner/limit must be <= 1000"),
        ({"connectorId": 1, "inner": {"limit": 1, "a/b~c": "x"}}, "body/inner/a~1b~0c must be number"),
        ({"inner": {"limit": "x"}, "purpose": "y"}, "body must have required property 'connectorId'"),
        ({"connectorId": "x", "purpose": "y"}, "body/connectorId must be integer"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_naming_place_and_rule(given_: object, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        BODY.check(given_)
    assert caught.value.message == told


@given(st.integers(0, 10_000))
def test_every_limit_of_one_decimal_is_taken(tenths: int) -> None:
    limit = float(Decimal(tenths) / 10)
    if limit <= 1000:
        assert BODY.check({"connectorId": 1, "inner": {"limit": limit}})["inner"]["limit"] == limit


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SCHEMA["properties"], "x"]), inner)
        ),
        max_leaves=8,
    )
)
def test_any_json_is_either_taken_or_refused_and_what_is_taken_is_taken_again(value: object) -> None:
    with contextlib.suppress(InvalidRequest):
        taken = BODY.check(value)
        assert BODY.check(taken) == taken
