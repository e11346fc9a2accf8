"""Between stations and CSMS: a relay that knows which station each connection is of, and can cut or stall it."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Self
from urllib.parse import unquote

PATH = re.compile(rb"GET \S*/([^/\s?]+)[?\s]")
CHUNK = 65_536


class _Line:
    """One relayed connection."""

    def __init__(self, station_id: str, writers: tuple[asyncio.StreamWriter, ...]) -> None:
        self.station_id, self.writers = station_id, writers
        self.flowing = asyncio.Event()
        self.flowing.set()

    def cut(self) -> None:
        self.flowing.set()
        for writer in self.writers:
            writer.transport.abort()


class StationProxy:
    """Relays 127.0.0.1:`port` to 127.0.0.1:`target_port`, in a thread of its own. Use as a context manager."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="station proxy", daemon=True)
        self._lines: set[_Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut: frozenset[str] = frozenset()
        self._stalled: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *details: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self, station_ids: Collection[str]) -> None:
        """Ends the connections of these stations, and every new one at once, until `restore`."""
        self._do(lambda: self._set(frozenset(station_ids), self._stalled))

    def stall(self, station_ids: Collection[str]) -> None:
        """Holds back whatever these stations or the CSMS say to each other, without a sign of it, until `restore`."""
        self._do(lambda: self._set(self._cut, frozenset(station_ids)))

    def restore(self) -> None:
        """All is well again; what was held back arrives now."""
        self._do(lambda: self._set(frozenset(), frozenset()))

    def _do(self, action: Callable[[], None]) -> None:
        done = threading.Event()

        def act() -> None:
            action()
            done.set()

        self._loop.call_soon_threadsafe(act)
        if not done.wait(10):
            raise TimeoutError("the station proxy does not answer")

    def _set(self, cut: frozenset[str], stalled: frozenset[str]) -> None:
        self._cut, self._stalled = cut, stalled
        for line in self._lines:
            if line.station_id in cut:
                line.cut()
            elif line.station_id in stalled:
                line.flowing.clear()
            else:
                line.flowing.set()

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far: asyncio.StreamWriter | None = None
        line: _Line | None = None
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
                head = await near_reader.readuntil(b"\r\n")
                found = PATH.match(head)
                station_id = unquote(found[1].decode("ascii")) if found else ""
                if station_id in self._cut:
                    return
                far_reader, far = await asyncio.open_connection("127.0.0.1", self._target_port)
                line = _Line(station_id, (near, far))
                self._lines.add(line)
                if station_id in self._stalled:
                    line.flowing.clear()
                far.write(head)
                pumps = (_pump(near_reader, far, line), _pump(far_reader, near, line))
                await asyncio.wait([asyncio.ensure_future(pump) for pump in pumps])
        finally:
            self._tasks.discard(task)
            if line is not None:
                self._lines.discard(line)
                line.cut()
            for writer in (near, far):
                if writer is not None:
                    writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            await line.flowing.wait()
            writer.write(chunk)
            await writer.drain()
    await line.flowing.wait()
    writer.transport.abort()
