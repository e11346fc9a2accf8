"""Whatever a client sends, it gets an answer in the contract's shape, and the server goes on."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from csms.api.http import Operation, rest_app
from csms.api.validation import RequestSchema
from csms.errors import DatabaseUnreachable, RecordConflict
from csms.ports import Json

QUERY = RequestSchema("querystring", {"type": "object", "properties": {"id": {"type": "integer"}}})
BODY = RequestSchema("body", {"type": "object", "properties": {"n": {"type": "number"}, "s": {"type": "string"}}})
LIMIT_BYTES = 1000


async def echo(query: Json, body: Any) -> Json:
    return {"query": query, "body": body}


async def failing(query: Json, _: Any) -> Any:
    match query.get("id"):
        case 1:
            raise DatabaseUnreachable("database x does not answer; check DATABASE_URL")
        case 2:
            raise RecordConflict("that is taken")
        case 3:
            return None
    raise ZeroDivisionError("a secret detail")


def operation(method: str, path: str, handle: Any, body: RequestSchema | None) -> Operation:
    return Operation(method, path, f"{method}{path}", "tag", "summary", handle, QUERY, body)


APP = rest_app(
    [operation("POST", "/echo", echo, BODY), operation("GET", "/fail", failing, None)], max_body_bytes=LIMIT_BYTES
)


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://csms")


async def post(content: bytes, content_type: str | None = "application/json") -> httpx.Response:
    headers = {"content-type": content_type} if content_type else {}
    async with client() as http:
        return await http.post("/echo", content=content, headers=headers)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{'n': 1}",
        b'{"n": NaN}',
        b'{"n": 1e999}',
        b'{"s": "\xff"}',
        b'{"s": "\\ud800"}',
        b"[" * 900,
        b'{"n": 1} {"n": 2}',
    ],
    ids=str,
)
async def test_what_is_not_json_is_refused_as_such(content: bytes) -> None:
    response = await post(content)
    assert (response.status_code, response.json()) == (
        400,
        {
            "statusCode": 400,
            "code": "FST_ERR_CTP_INVALID_JSON_BODY",
            "error": "Bad Request",
            "message": "Body is not valid JSON but content-type is set to 'application/json'",
        },
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'"text"', b"1"], ids=str)
async def test_json_that_is_no_object_is_refused_as_such(content: bytes) -> None:
    response = await post(content)
    assert (response.status_code, response.json()["message"]) == (400, "body must be object")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"s": ' + b"[" * 450 + b"]" * 450 + b"}", "nested deeper than 32 levels"),
        (b'{"s": "a\\u0000b"}', "NUL character in a string"),
        (b'{"a\\u0000b": 1}', "NUL character in a string"),
        (b'{"n": 18446744073709551615}', "integer of more than 64 bits"),
    ],
    ids=["deep", "NUL", "NUL in a name", "long"],
)
async def test_json_that_a_database_would_choke_on_is_refused(content: bytes, problem: str) -> None:
    response = await post(content)
    assert (response.status_code, response.json()["message"]) == (400, f"body is not accepted: {problem}")


async def test_another_media_type_is_refused_and_none_means_json() -> None:
    refused, taken = await post(b"n=1", "application/x-www-form-urlencoded"), await post(b'{"n": 1}', None)
    assert refused.json() == {
        "statusCode": 415,
        "code": "FST_ERR_CTP_INVALID_MEDIA_TYPE",
        "error": "Unsupported Media Type",
        "message": "Unsupported Media Type: application/x-www-form-urlencoded",
    }
    assert taken.json()["body"] == {"n": 1}


async def test_a_body_of_the_greatest_size_is_taken_and_one_byte_more_is_not() -> None:
    greatest = b'{"s": "' + b"x" * (LIMIT_BYTES - 9) + b'"}'
    taken, refused = await post(greatest), await post(greatest + b" ")
    assert taken.status_code == 200
    assert refused.status_code == 413
    assert refused.json()["code"] == "FST_ERR_CTP_BODY_TOO_LARGE"


async def test_a_body_without_stated_length_is_not_read_beyond_the_limit() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 100
            yield b"x" * 100

    async with client() as http:
        response = await http.post("/echo", content=endless(), headers={"content-type": "application/json"})
    assert response.status_code == 413
    assert sent <= LIMIT_BYTES + 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nope"),
        ("GET", "/echo"),
        ("DELETE", "/echo?a=1&b=%20x"),
        ("POST", "/echo/"),
        ("POST", "/%2e%2e/echo"),
        ("PUT", "/fail?id=1"),
    ],
)
async def test_an_unknown_route_or_method_is_not_found_in_the_contracts_words(method: str, path: str) -> None:
    async with client() as http:
        response = await http.request(method, path)
    assert response.status_code == 404
    answer = response.json()
    assert answer.pop("message").startswith(f"Route {method}:/")
    assert answer == {"error": "Not Found", "statusCode": 404}


@pytest.mark.parametrize(
    ("row", "status", "answer"),
    [
        (1, 503, "database x does not answer; check DATABASE_URL"),
        (2, 409, "that is taken"),
        (4, 500, "internal error; the CSMS's log has the details"),
    ],
)
async def test_a_failure_behind_a_route_has_its_status_and_tells_no_more_than_it_may(
    row: int, status: int, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with client() as http:
        response = await http.get(f"/fail?id={row}")
    assert (response.status_code, response.json()["message"]) == (status, answer)
    assert ("a secret detail" in caplog.text) is (status == 500)
    assert all(r.levelno >= logging.WARNING for r in caplog.records if r.name == "csms.api")


async def test_nothing_to_show_is_an_empty_200() -> None:
    async with client() as http:
        response = await http.get("/fail?id=3")
    assert (response.status_code, response.content, response.headers.get("content-type")) == (200, b"", None)
