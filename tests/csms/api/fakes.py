"""Stations, a bus and a receiver of callbacks that tests of the REST side script and question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from csms.ports import CallResult, Envelope, Json, Reply

Answer = Callable[[str, str, Json], Awaitable[Reply]]


async def accepted(_station_id: str, _action: str, _payload: Json) -> Reply:
    return CallResult({"status": "Accepted"})


@dataclass
class FakeStations:
    """Stations that are connected with a protocol and answer as told; `called` is what they were asked, in order."""

    connected: dict[str, str] = field(default_factory=lambda: {"CT16-01": "ocpp1.6"})
    answer: Answer = accepted
    called: list[tuple[str, str, Json, str]] = field(default_factory=list)

    def protocol_of(self, station_id: str) -> str | None:
        return self.connected.get(station_id)

    async def call(self, station_id: str, action: str, payload: Json, correlation_id: str) -> Reply:
        self.called.append((station_id, action, payload, correlation_id))
        return await self.answer(station_id, action, payload)


@dataclass
class RecordingBus:
    """A bus that keeps what is published."""

    published: list[Envelope] = field(default_factory=list)
    well: bool = True

    def publish(self, envelope: Envelope) -> None:
        self.published.append(envelope)

    def healthy(self) -> bool:
        return self.well

    async def aclose(self) -> None:
        self.well = False


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: Any


class Receiver:
    """A real HTTP server on loopback that notes each POST and answers with `status`."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.headers = ""
        self.hold = asyncio.Event()
        self.hold.set()
        self._received: asyncio.Queue[Received] = asyncio.Queue()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hold.set()
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def next(self) -> Received:
        async with asyncio.timeout(10):
            return await self._received.get()

    def empty(self) -> bool:
        return self._received.empty()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self._received.put_nowait(Received(first.split(" ")[1], headers, json.loads(body)))
                await self.hold.wait()
                writer.write(f"HTTP/1.1 {self.status}\r\n{self.headers}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
