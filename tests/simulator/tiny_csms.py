"""A CSMS of plain websockets and JSON, for stations to talk to: it answers as told, and remembers what it heard."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

Json = dict[str, Any]
PATIENCE_S = 5.0
NOW = "2026-03-03T08:00:00Z"


@dataclass(frozen=True, slots=True)
class Heard:
    """One CALL of a station."""

    station_id: str
    action: str
    payload: Json


class TinyCsms:
    """Answers: change `answers[action]` to a payload, to a function of the payload, or to None for silence."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: dict[str, Any] = {
            "BootNotification": {"currentTime": NOW, "interval": 300, "status": "Accepted"},
            "Heartbeat": {"currentTime": NOW},
            "Authorize": {"idTagInfo": {"status": "Accepted"}},
            "StartTransaction": self._start,
            "StopTransaction": {},
            "StatusNotification": {},
            "MeterValues": {},
            "FirmwareStatusNotification": {},
            "DiagnosticsStatusNotification": {},
        }
        self.subprotocol = "ocpp1.6"
        self.after_answer: dict[str, Callable[[str, Json], list[Any]]] = {}
        """Frames to send in the same breath as an answer."""
        self.replies: list[list[Any]] = []
        self.connections: dict[str, ServerConnection] = {}
        self._transactions = itertools.count(1)
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[list[Any]]] = {}
        self._news = asyncio.Condition()
        self._server: Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def open(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, subprotocols=[Subprotocol(self.subprotocol)], compression=None
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def of(self, action: str) -> list[Json]:
        """The payloads heard of one action."""
        return [one.payload for one in self.heard if one.action == action]

    async def hears(self, action: str, count: int = 1, **fields: Any) -> Json:
        """The `count`-th payload of an action with these fields, when it has come."""

        def matching() -> list[Json]:
            return [p for p in self.of(action) if all(p.get(name) == value for name, value in fields.items())]

        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: len(matching()) >= count)
        return matching()[count - 1]

    async def call(self, action: str, payload: Json, station_id: str = "ST-01") -> Json:
        """The station's answer to a CALL; a CALLERROR comes as {"error": code}."""
        return await self.send([2, f"c{next(self._ids)}", action, payload], station_id)

    async def send(self, frame: list[Any], station_id: str = "ST-01") -> Json:
        self._waiting[frame[1]] = asyncio.get_running_loop().create_future()
        await self.connections[station_id].send(json.dumps(frame))
        async with asyncio.timeout(PATIENCE_S):
            reply = await self._waiting[frame[1]]
        return reply[2] if reply[0] == 3 else {"error": reply[2]}

    async def connected(self, station_id: str = "ST-01") -> ServerConnection:
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: station_id in self.connections)
        return self.connections[station_id]

    def _start(self, payload: Json) -> Json:
        return {"transactionId": next(self._transactions), "idTagInfo": {"status": "Accepted"}}

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        station_id = socket.request.path.rpartition("/")[2]
        self.connections[station_id] = socket
        await self._tell()
        try:
            async for raw in socket:
                await self._handle(station_id, socket, json.loads(raw))
        except ConnectionClosed:
            pass
        finally:
            if self.connections.get(station_id) is socket:
                del self.connections[station_id]

    async def _handle(self, station_id: str, socket: ServerConnection, frame: list[Any]) -> None:
        if frame[0] != 2:
            self.replies.append(frame)
            if waiting := self._waiting.pop(frame[1], None):
                waiting.set_result(frame)
            return
        _, message_id, action, payload = frame
        self.heard.append(Heard(station_id, action, payload))
        answer = self.answers.get(action)
        answer = answer(payload) if callable(answer) else answer
        if isinstance(answer, str):
            await socket.send(json.dumps([4, message_id, answer, "", {}]))
        elif answer is not None:
            await socket.send(json.dumps([3, message_id, answer]))
        if action in self.after_answer and isinstance(answer, dict):
            for extra in self.after_answer[action](message_id, answer):
                self._waiting[extra[1]] = asyncio.get_running_loop().create_future()
                await socket.send(json.dumps(extra))
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


async def until(holds: Callable[[], object]) -> None:
    """Returns when `holds()` is true, for what no event tells."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


@asynccontextmanager
async def tiny_csms() -> AsyncIterator[TinyCsms]:
    csms = TinyCsms()
    await csms.open()
    try:
        yield csms
    finally:
        await csms.close()
