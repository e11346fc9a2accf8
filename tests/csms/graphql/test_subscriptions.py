"""Live queries over graphql-transport-ws."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from csms.api.graphql import GraphQLService, graphql_app
from csms.api.graphql.subscriptions import INTERVAL_S, MAX_SUBSCRIPTIONS
from csms.store.database import Database
from optivgi.clock import ManualClock, settle
from tests.csms.graphql.client import Client

BOOTS = {"query": "subscription { Boots(order_by: {id: asc}) { id } }"}


class Socket:
    """The client's end of a websocket to an ASGI application, in memory."""

    def __init__(self) -> None:
        self.to_app: asyncio.Queue[Message] = asyncio.Queue()
        self.to_client: asyncio.Queue[Message] = asyncio.Queue()

    async def send(self, kind: str, **members: Any) -> None:
        await self.send_text(json.dumps({"type": kind, **members}))

    async def send_text(self, text: str) -> None:
        await self.to_app.put({"type": "websocket.receive", "text": text})

    async def receive(self) -> Any:
        """The next message, or the code with which the connection was closed."""
        async with asyncio.timeout(10):
            message = await self.to_client.get()
        if message["type"] == "websocket.close":
            return message["code"]
        return json.loads(message["text"]) if message["type"] == "websocket.send" else message


@asynccontextmanager
async def websocket(
    app: ASGIApp, protocols: tuple[str, ...] = ("graphql-transport-ws",), headers: dict[str, str] | None = None
) -> AsyncIterator[Socket]:
    socket = Socket()
    scope = {
        "type": "websocket",
        "path": "/v1/graphql",
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        "subprotocols": list(protocols),
        "query_string": b"",
    }
    await socket.to_app.put({"type": "websocket.connect"})

    async def run() -> None:
        await app(scope, socket.to_app.get, socket.to_client.put)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run())
        yield socket
        await socket.to_app.put({"type": "websocket.disconnect", "code": 1000})


@asynccontextmanager
async def greeted(db: Database) -> AsyncIterator[Socket]:
    async with websocket(graphql_app(GraphQLService(db))) as socket:
        assert (await socket.receive())["type"] == "websocket.accept"
        await socket.send("connection_init")
        assert await socket.receive() == {"type": "connection_ack"}
        yield socket


async def sleeping(clock: ManualClock, how_many: int = 1) -> None:
    """Returns when so many live queries wait for their next turn."""
    async with asyncio.timeout(10):
        while clock.sleeping < how_many:
            await settle()


async def test_a_subscription_sends_what_is_and_then_each_change(
    db: Database, client: Client, clock: ManualClock
) -> None:
    async with greeted(db) as socket:
        await socket.send("subscribe", id="1", payload=BOOTS)
        assert await socket.receive() == {"type": "next", "id": "1", "payload": {"data": {"Boots": []}}}
        await sleeping(clock)
        await clock.advance(INTERVAL_S)
        await sleeping(clock)
        await client.insert("Boots", {"id": "A"})
        await clock.advance(INTERVAL_S)
        assert await socket.receive() == {"type": "next", "id": "1", "payload": {"data": {"Boots": [{"id": "A"}]}}}
        await sleeping(clock)
        await socket.send("complete", id="1")
        await socket.send("ping")
        assert await socket.receive() == {"type": "pong"}
        await client.insert("Boots", {"id": "B"})
        await clock.advance(10 * INTERVAL_S)
        assert socket.to_client.empty()


async def test_a_query_is_answered_once(db: Database) -> None:
    async with greeted(db) as socket:
        await socket.send("subscribe", id="q", payload={"query": "{ Boots { id } }", "variables": None})
        assert await socket.receive() == {"type": "next", "id": "q", "payload": {"data": {"Boots": []}}}
        assert await socket.receive() == {"type": "complete", "id": "q"}


async def test_a_subscription_that_does_not_fit_is_refused_alone(db: Database) -> None:
    async with greeted(db) as socket:
        for query in ("subscription { Nothing { id } }", "subscription { Boots { id } Transactions { id } }", 5):
            await socket.send("subscribe", id="1", payload={"query": query})
            answer = await socket.receive()
            assert (answer["type"], answer["id"]) == ("error", "1")
            assert answer["payload"][0]["extensions"]["code"] == "validation-failed"


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["nonsense"], 4400),
        (["[]"], 4400),
        (['{"type": 5}'], 4400),
        (['{"type": "start"}'], 4400),
        (['{"type": "connection_init"}'], 4429),
        (['{"type": "subscribe"}'], 4400),
        (['{"type": "subscribe", "id": 5, "payload": {}}'], 4400),
        ([json.dumps({"type": "subscribe", "id": "1", "payload": BOOTS})] * 2, 4409),
    ],
)
async def test_a_client_that_breaks_the_protocol_is_closed(db: Database, messages: list[str], code: int) -> None:
    async with greeted(db) as socket:
        for message in messages:
            await socket.send_text(message)
        while not isinstance(answer := await socket.receive(), int):
            pass
        assert answer == code


async def test_subscriptions_on_one_connection_are_bounded(db: Database) -> None:
    async with greeted(db) as socket:
        for number in range(MAX_SUBSCRIPTIONS + 1):
            await socket.send("subscribe", id=str(number), payload=BOOTS)
        while not isinstance(answer := await socket.receive(), int):
            pass
        assert answer == 4400


async def test_whoever_does_not_greet_first_is_closed(db: Database) -> None:
    async with websocket(graphql_app(GraphQLService(db))) as socket:
        await socket.receive()
        await socket.send("subscribe", id="1", payload=BOOTS)
        assert await socket.receive() == 4401


async def test_another_protocol_is_not_accepted(db: Database) -> None:
    async with websocket(graphql_app(GraphQLService(db)), protocols=("graphql-ws",)) as socket:
        assert await socket.receive() == 4406


@pytest.mark.parametrize(
    ("headers", "payload", "answer"),
    [
        ({}, {}, 4403),
        ({}, {"headers": {"x-hasura-admin-secret": "wrong"}}, 4403),
        ({}, {"headers": {"x-hasura-admin-secret": ["hunter2"]}}, 4403),
        ({}, {"headers": {"X-Hasura-Admin-Secret": "hunter2"}}, {"type": "connection_ack"}),
        ({"x-hasura-admin-secret": "hunter2"}, {}, {"type": "connection_ack"}),
    ],
)
async def test_the_secret_is_asked_for(db: Database, headers: dict[str, str], payload: Any, answer: Any) -> None:
    async with websocket(graphql_app(GraphQLService(db), "hunter2"), headers=headers) as socket:
        await socket.receive()
        await socket.send("connection_init", payload=payload)
        assert await socket.receive() == answer
