"""Queries over HTTP: what is tried again, what is not, and what each failure is called."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import httpx
import pytest

from optivgi.clock import ManualClock
from optivgi.errors import ContractBroken, Refused, TranslationError, Unreachable
from optivgi.translation.backoff import Backoff
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.http import Patience

URL = "http://hasura/v1/graphql"
STEADY = Backoff(first_s=1.0, limit_s=10.0, chance=lambda: 0.0)
Handler = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


def a_graphql(handler: Handler, clock: ManualClock | None = None, tries: int = 1, timeout_s: float = 10.0) -> GraphQL:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))  # type: ignore[arg-type]
    patience = Patience(timeout_s=timeout_s, tries=tries, backoff=STEADY)
    return GraphQL(http, URL, clock or ManualClock(), admin_secret="s3cret", patience=patience)


async def test_a_query_gives_its_data_and_shows_the_secret() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"data": {"Boots": []}})

    graphql = a_graphql(answer)
    assert await graphql.query("query Q($id: Int) { Boots }", {"id": 1}) == {"Boots": []}
    assert json.loads(asked[0].content) == {"query": "query Q($id: Int) { Boots }", "variables": {"id": 1}}
    assert asked[0].headers["x-hasura-admin-secret"] == "s3cret"
    await graphql.aclose()


DENIED = {"errors": [{"message": "invalid secret", "extensions": {"code": "access-denied", "path": "$"}}]}
NO_FIELD = {"errors": [{"message": "field 'Nope' not found", "extensions": {"code": "validation-failed"}}]}
NO_DATABASE = {"errors": [{"message": "connection error", "extensions": {"code": "postgres-error"}}], "data": None}


@pytest.mark.parametrize(
    ("response", "error", "words"),
    [
        (httpx.Response(200, json=DENIED), Refused, r"invalid secret \(access-denied\): check HASURA_ADMIN_SECRET"),
        (httpx.Response(200, json=NO_FIELD), Refused, "field 'Nope' not found"),
        (httpx.Response(200, json={"errors": ["so what"]}), Refused, "so what"),
        (httpx.Response(200, json=NO_DATABASE), Unreachable, "connection error"),
        (httpx.Response(401), Refused, "answered 401: check HASURA_URL and HASURA_ADMIN_SECRET"),
        (httpx.Response(404, text="not here"), Refused, "answered 404: check HASURA_URL"),
        (httpx.Response(503), Unreachable, "answered 503"),
        (httpx.Response(429), Unreachable, "answered 429"),
        (httpx.Response(200, text="<html>"), ContractBroken, "no JSON: '<html>'"),
        (httpx.Response(200, json=[1]), ContractBroken, "answered list"),
        (httpx.Response(200, json={}), ContractBroken, "without data"),
        (httpx.Response(200, json={"data": None}), ContractBroken, "without data"),
    ],
)
async def test_every_failure_has_its_name(response: httpx.Response, error: type[TranslationError], words: str) -> None:
    graphql = a_graphql(lambda _: response)
    with pytest.raises(error, match=words):
        await graphql.query("{ Boots }", {})
    await graphql.aclose()


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.ReadTimeout(""), httpx.RemoteProtocolError("cut")]
)
async def test_no_connection_is_unreachable(failure: httpx.TransportError) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(Unreachable, match=f"cannot be reached: {str(failure) or 'ReadTimeout'}"):
        await a_graphql(fail).query("{ Boots }", {})


async def test_an_answer_that_does_not_come_is_unreachable() -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Unreachable, match=r"did not answer within 0\.01 s"):
        await a_graphql(hang, timeout_s=0.01).query("{ Boots }", {})


async def test_the_unreachable_is_tried_again_after_growing_waits() -> None:
    clock, tried_at = ManualClock(), list[float]()

    def answer(_: httpx.Request) -> httpx.Response:
        tried_at.append(clock.monotonic())
        return httpx.Response(503) if len(tried_at) < 4 else httpx.Response(200, json={"data": {}})

    async with asyncio.TaskGroup() as tasks:
        query = tasks.create_task(a_graphql(answer, clock, tries=4).query("{ Boots }", {}))
        await clock.advance(20)
    assert query.result() == {}
    assert tried_at == [0, 1, 3, 7]


async def test_after_the_last_try_the_failure_is_told() -> None:
    clock, tries = ManualClock(), list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        return httpx.Response(503)

    async def query() -> None:
        with pytest.raises(Unreachable):
            await a_graphql(answer, clock, tries=3).query("{ Boots }", {})

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(query())
        await clock.advance(20)
    assert len(tries) == 3


async def test_a_refusal_is_not_tried_again() -> None:
    tries: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        return httpx.Response(403)

    with pytest.raises(Refused):
        await a_graphql(answer, tries=3).query("{ Boots }", {})
    assert len(tries) == 1


def test_waits_double_up_to_a_limit_and_never_in_step() -> None:
    assert [STEADY.delay_s(failures) for failures in (1, 2, 3, 4, 5, 99, 9999)] == [1, 2, 4, 8, 10, 10, 10]
    assert Backoff(first_s=1.0, chance=lambda: 1.0).delay_s(1) == 0.5
