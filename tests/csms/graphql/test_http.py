"""GraphQL over HTTP, as a Hasura server speaks it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from csms.api.graphql import GraphQLService, graphql_app
from csms.store.database import Database
from optivgi.clock import ManualClock
from tests.csms.events.tcp_proxy import TcpProxy

QUESTION = {"query": "query Q($id: String!) { Boots_by_pk(id: $id) { id } }", "variables": {"id": "?"}}


def connect(db: Database, admin_secret: str | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(graphql_app(GraphQLService(db), admin_secret))
    return httpx.AsyncClient(transport=transport, base_url="http://graphql")


@pytest_asyncio.fixture
async def http(db: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(db) as client:
        yield client


def error_of(response: httpx.Response) -> Any:
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    (error,) = response.json()["errors"]
    return error


async def test_a_question_is_answered(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/graphql", json=QUESTION)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"data": {"Boots_by_pk": None}}


async def test_texts_of_all_languages_go_through(http: httpx.AsyncClient) -> None:
    name = 'Ładowarka "№ 5" 充電 \n'
    body = {
        "query": "mutation ($id: String!) { insert_Boots_one(object: {id: $id, statusInfo: {at: [$id]}}) { id statusInfo } }",
        "variables": {"id": name},
    }
    response = await http.post("/v1/graphql", json=body)
    assert response.json()["data"]["insert_Boots_one"]["id"] == name


async def test_a_refusal_is_200_with_errors(http: httpx.AsyncClient) -> None:
    error = error_of(await http.post("/v1/graphql", json={"query": "{ Nothing { id } }"}))
    assert error["extensions"]["code"] == "validation-failed"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "invalid-json"),
        (b"{", "invalid-json"),
        (b"\xff\xfe", "invalid-json"),
        (b"[" * 5000 + b"]" * 5000, "invalid-json"),
        (b'{"query": "\\ud800"}', "invalid-json"),
        (b"[]", "parse-failed"),
        (b"null", "parse-failed"),
        (b"{}", "validation-failed"),
        (b'{"query": 5}', "validation-failed"),
        (b'{"query": "{ Boots { id } }", "variables": []}', "validation-failed"),
        (b'{"query": "{ Boots { id } }", "operationName": 5}', "validation-failed"),
        (b'{"query": "' + b" " * 4_200_000 + b'"}', "validation-failed"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else value,
)
async def test_a_body_that_is_no_request_is_refused(http: httpx.AsyncClient, content: bytes, code: str) -> None:
    error = error_of(await http.post("/v1/graphql", content=content))
    assert error["extensions"]["code"] == code


async def test_numbers_beyond_the_databases_are_refused(http: httpx.AsyncClient) -> None:
    for number in ("1e400", str(10**30), "-0.0"):
        query = '{"query": "query ($n: numeric) { Transactions(where: {totalKwh: {_gt: $n}}) { id } }", "variables": {"n": %s}}'
        response = await http.post("/v1/graphql", content=query % number)
        assert response.status_code == 200
        assert set(response.json()) <= {"data", "errors"}


async def test_table_tracking_has_succeeded_already(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/metadata", json={"type": "pg_track_table", "args": {"table": "Transactions"}})
    assert (response.status_code, response.json()) == (200, {"message": "success"})


async def test_without_the_secret_nothing_is_answered(db: Database) -> None:
    async with connect(db, "hunter2") as http:
        for path in ("/v1/graphql", "/v1/metadata"):
            for secret in (None, b"wrong", b"", "hunter2é".encode()):
                headers = [] if secret is None else [(b"x-hasura-admin-secret", secret)]
                error = error_of(await http.post(path, json=QUESTION, headers=headers))
                assert error["extensions"]["code"] == "access-denied"
                assert "hunter2" not in json.dumps(error)
            response = await http.post(path, json=QUESTION, headers={"x-hasura-admin-secret": "hunter2"})
            assert "errors" not in response.json()


async def test_only_post_asks(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/graphql")).status_code == 405
    assert (await http.get("/healthz")).text == "OK"


@pytest.mark.postgres
async def test_a_database_that_is_away_is_said_and_then_forgotten(postgres_database: str) -> None:
    server, _, name = postgres_database.rpartition("/")
    host, _, port = server.rpartition("@")[2].partition(":")
    async with TcpProxy(host, int(port or 5432)) as proxy:
        user = server.rpartition("@")[0]
        db = await Database.open(f"{user}@127.0.0.1:{proxy.port}/{name}", ManualClock())
        async with connect(db) as http:
            assert "data" in (await http.post("/v1/graphql", json=QUESTION)).json()
            await proxy.down()
            error = error_of(await http.post("/v1/graphql", json=QUESTION))
            assert error["message"] == "the database does not answer; try again"
            assert (await http.get("/healthz")).status_code == 503
            await proxy.up()
            assert "data" in (await http.post("/v1/graphql", json=QUESTION)).json()
            assert (await http.get("/healthz")).status_code == 200
        await db.close()
