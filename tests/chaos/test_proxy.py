"""The relay between stations and CSMS: it cuts and stalls exactly whom it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.chaos.proxy import StationProxy


@pytest_asyncio.fixture
async def echo_port() -> AsyncIterator[int]:
    """A server that sends back what it gets."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while chunk := await reader.read(1000):
                writer.write(chunk)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in writers:
        writer.transport.abort()
    await server.wait_closed()


class Caller:
    """A connection of one station."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, proxy: StationProxy, station_id: str) -> Caller:
        caller = cls(*await asyncio.open_connection("127.0.0.1", proxy.port))
        caller.writer.write(f"GET /{station_id} HTTP/1.1\r\n".encode())
        return caller

    async def hears(self, text: str) -> bool:
        """Whether exactly `text` arrives; not so when the connection is gone."""
        try:
            return (await self._reader.readexactly(len(text))).decode() == text
        except (asyncio.IncompleteReadError, ConnectionError):
            return False

    async def greeted(self, station_id: str) -> bool:
        return await self.hears(f"GET /{station_id} HTTP/1.1\r\n")

    async def answers(self, text: str) -> bool:
        self.writer.write(text.encode())
        return await self.hears(text)


async def test_it_relays_both_ways(echo_port: int) -> None:
    with StationProxy(echo_port) as proxy:
        caller = await Caller.connect(proxy, "A")
        assert await caller.greeted("A")
        assert await caller.answers("hello")
        caller.writer.close()


async def test_it_cuts_the_named_stations_until_it_restores_them(echo_port: int) -> None:
    with StationProxy(echo_port) as proxy:
        one, other = [await Caller.connect(proxy, name) for name in ("A", "B")]
        assert await one.greeted("A")
        assert await other.greeted("B")
        proxy.cut({"A"})
        assert not await one.answers("gone")
        assert await other.answers("still here")
        again = await Caller.connect(proxy, "A")
        assert not await again.greeted("A")
        proxy.restore()
        back = await Caller.connect(proxy, "A")
        assert await back.greeted("A")
        for caller in (one, other, again, back):
            caller.writer.close()


async def test_what_it_stalls_arrives_when_it_restores(echo_port: int) -> None:
    with StationProxy(echo_port) as proxy:
        caller = await Caller.connect(proxy, "A")
        assert await caller.greeted("A")
        proxy.stall({"A"})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await caller.answers("late")
        proxy.restore()
        assert await caller.hears("late")
        caller.writer.close()
