"""The documentation is made from what serves the requests, and is a valid document."""

from __future__ import annotations

import re
from typing import Any

import httpx
import jsonschema_rs
import pytest

from csms.api.http import Operation, rest_app
from csms.api.message_api import ANSWER, QUERY
from csms.api.openapi import openapi, routes
from csms.api.validation import RequestSchema
from csms.handlers.table import OUTGOING
from csms.ports import Json


async def nothing(_query: Json, _body: Any) -> None:
    return None


def operation(path: str, schema: Json, method: str = "POST") -> Operation:
    return Operation(
        method=method,
        path=path,
        name=f"{method}{path.replace('/', '_')}",
        tag="things <b>",
        summary="Do <script>",
        handle=nothing,
        query=QUERY,
        body=RequestSchema("body", schema),
        answer=ANSWER,
    )


REFERRING: Json = {
    "$schema": "http://json-schema.org/draft-06/schema#",
    "definitions": {"Limit": {"type": "number"}},
    "type": "object",
    "properties": {"limit": {"$ref": "#/definitions/Limit"}},
}
OPERATIONS = [
    *(operation(f"/ocpp/{version}/{action}", each.request_schema) for (version, action), each in OUTGOING.items()),
    operation("/data/things", REFERRING),
    operation("/data/things", REFERRING, "PUT"),
]
DOCUMENT = openapi(OPERATIONS, "1.2.3")


def operations_of(document: Json) -> list[Json]:
    return [each for item in document["paths"].values() for each in item.values()]


def test_every_operation_is_there_once_with_an_id_of_its_own() -> None:
    listed = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]
    assert sorted(listed) == sorted([("/health", "get"), *((each.path, each.method.lower()) for each in OPERATIONS)])
    ids = [each["operationId"] for each in operations_of(DOCUMENT)]
    assert len(set(ids)) == len(ids)


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                target: Any = DOCUMENT
                for step in node["$ref"].removeprefix("#/").split("/"):
                    target = target[step]
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(DOCUMENT)
    assert "draft-0" not in str(DOCUMENT)
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def test_a_body_that_the_server_takes_fits_its_documented_schema() -> None:
    name = next(name for name in DOCUMENT["components"]["schemas"] if "SetChargingProfile" in name)
    validator = jsonschema_rs.Draft202012Validator(DOCUMENT["components"]["schemas"][name])
    profile = {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 1,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5.8}],
            },
        },
    }
    assert validator.is_valid(profile)
    assert not validator.is_valid({"connectorId": 1})


async def test_the_pages_are_served_self_contained_and_escaped() -> None:
    transport = httpx.ASGITransport(rest_app(OPERATIONS, *routes(DOCUMENT)))
    async with httpx.AsyncClient(transport=transport, base_url="http://csms") as client:
        as_json, page = await client.get("/docs/json"), await client.get("/docs")
    assert as_json.json() == DOCUMENT
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Do &lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert re.findall(r'(?:src|href|url)[=(]"?([^" >)]+)', page.text) == ["docs/json"]
    for each in OPERATIONS:
        assert each.path in page.text


@pytest.mark.parametrize("operation_", operations_of(DOCUMENT), ids=lambda each: str(each["operationId"]))
def test_every_operation_says_what_it_answers(operation_: Json) -> None:
    assert operation_["summary"]
    assert {"200"} <= set(operation_["responses"])
    assert all(response["description"] for response in operation_["responses"].values())
