"""Subscriptions as live queries, over the graphql-transport-ws protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from graphql import OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect

from csms.api.graphql.errors import Refusal
from csms.api.graphql.service import GraphQLService

PROTOCOL = "graphql-transport-ws"
INTERVAL_S = 1.0
INIT_TIMEOUT_S = 10.0
MAX_SUBSCRIPTIONS = 50

# The protocol's close codes.
BAD_MESSAGE, UNAUTHORIZED, FORBIDDEN = 4400, 4401, 4403
NOT_ACCEPTABLE, INIT_TIMEOUT, TAKEN, TOO_MANY_INITS = 4406, 4408, 4409, 4429

Message = dict[str, Any]
Allowed = Callable[[Mapping[str, Any]], bool]


class Closing(Exception):
    """The connection must be closed, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class LiveConnection:
    """One client's websocket; its subscriptions end with it."""

    def __init__(self, websocket: WebSocket, service: GraphQLService, interval_s: float = INTERVAL_S) -> None:
        self._websocket, self._service, self._interval_s = websocket, service, interval_s
        self._running: dict[str, asyncio.Task[None]] = {}

    async def serve(self, allowed: Allowed) -> None:
        """Speaks until either side closes; `allowed` takes the headers of connection_init and says yes or no."""
        if PROTOCOL not in self._websocket.scope.get("subprotocols", []):
            await self._websocket.close(NOT_ACCEPTABLE)
            return
        await self._websocket.accept(subprotocol=PROTOCOL)
        try:
            await self._greet(allowed)
            async with asyncio.TaskGroup() as tasks:
                try:
                    await self._listen(tasks)
                finally:
                    for task in self._running.values():
                        task.cancel()
        except* WebSocketDisconnect:
            pass
        except* Closing as closings:
            closing = closings.exceptions[0]
            if isinstance(closing, Closing):
                await self._websocket.close(closing.code, closing.reason)

    async def _greet(self, allowed: Allowed) -> None:
        try:
            async with asyncio.timeout(INIT_TIMEOUT_S):
                first = await self._receive()
        except TimeoutError:
            raise Closing(INIT_TIMEOUT, "Connection initialisation timeout") from None
        if first["type"] != "connection_init":
            raise Closing(UNAUTHORIZED, "Unauthorized")
        payload = first.get("payload")
        headers = payload.get("headers") if isinstance(payload, Mapping) else None
        if not allowed(headers if isinstance(headers, Mapping) else {}):
            raise Closing(FORBIDDEN, "Forbidden")
        await self._send({"type": "connection_ack"})

    async def _listen(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            message = await self._receive()
            match message["type"]:
                case "ping":
                    await self._send({"type": "pong"})
                case "pong":
                    pass
                case "complete":
                    task = self._running.pop(str(message.get("id")), None)
                    if task:
                        task.cancel()
                case "subscribe":
                    self._subscribe(message, tasks)
                case "connection_init":
                    raise Closing(TOO_MANY_INITS, "Too many initialisation requests")
                case other:
                    raise Closing(BAD_MESSAGE, f"Invalid message type {other[:50]!r}")

    def _subscribe(self, message: Message, tasks: asyncio.TaskGroup) -> None:
        name, payload = message.get("id"), message.get("payload")
        if not isinstance(name, str) or not name or not isinstance(payload, dict):
            raise Closing(BAD_MESSAGE, "subscribe needs an id and a payload")
        if name in self._running:
            raise Closing(TAKEN, f"Subscriber for {name[:50]} already exists")
        if len(self._running) >= MAX_SUBSCRIPTIONS:
            raise Closing(BAD_MESSAGE, f"more than {MAX_SUBSCRIPTIONS} subscriptions on one connection")
        self._running[name] = tasks.create_task(self._run(name, payload))

    async def _run(self, name: str, payload: Message) -> None:
        try:
            await self._answer(name, payload)
        except Refusal as refusal:
            await self._send({"type": "error", "id": name, "payload": refusal.entries})
        else:
            await self._send({"type": "complete", "id": name})
        self._running.pop(name, None)

    async def _answer(self, name: str, payload: Message) -> None:
        """Sends the answer, and for a subscription every later answer that differs from the one before."""
        prepared = self._service.prepare_body(payload)
        last = b""
        while True:
            answer = await self._service.answer(prepared)
            if answer != last:
                await self._send({"type": "next", "id": name, "payload": msgspec.Raw(answer)})
                last = answer
            if prepared.operation.kind is not OperationType.SUBSCRIPTION:
                return
            await self._service.clock.sleep(self._interval_s)

    async def _receive(self) -> Message:
        try:
            message = msgspec.json.decode(await self._websocket.receive_text())
        except (msgspec.DecodeError, RecursionError, KeyError):
            raise Closing(BAD_MESSAGE, "Invalid message") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise Closing(BAD_MESSAGE, "Invalid message")
        return message

    async def _send(self, message: Message) -> None:
        await self._websocket.send_text(msgspec.json.encode(message).decode())
