"""An HTTP listener inside this process: an ASGI application on a port, from start to clean end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from types import TracebackType
from typing import Any, Self

import uvicorn

from csms.errors import PortUnavailable
from csms.tasks import Tasks

BACKLOG = 1024
KEEP_ALIVE_S = 75
"""Longer than clients keep an idle connection: a request that crosses with its closing would be lost."""
GRACE_S = 1
"""How long requests under way may take to finish when the listener closes."""


class HttpServer:
    """Serves `app` while its `async with` block runs; a port of 0 takes a free one. Raises PortUnavailable.

    `name` and `setting` are what a port that is taken is reported with.
    """

    def __init__(self, name: str, app: Any, host: str, port: int, setting: str) -> None:
        self._name, self._host, self._asked_port, self._setting = name, host, port, setting
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="websockets-sansio",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._server = _Server(config)
        self._tasks = Tasks()
        self._socket: socket.socket | None = None
        self.port = port

    async def __aenter__(self) -> Self:
        self._socket = self._bind()
        self.port = self._socket.getsockname()[1]
        await self._tasks.__aenter__()
        self._serving = self._tasks.create_task(self._server.serve(sockets=[self._socket]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        try:
            _, late = await asyncio.wait({self._serving}, timeout=2 * GRACE_S)
            for task in late:
                task.cancel()
            await self._tasks.__aexit__(kind, error, trace)
        finally:
            if self._socket is not None:
                self._socket.close()

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # asyncio switches Nagle's algorithm off only where the protocol is named; with it, answers take 40 ms longer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._asked_port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise PortUnavailable(self._name, self._host, self._asked_port, self._setting, error) from error
        return listener


class _Server(uvicorn.Server):
    """Signals are the program's business, not a listener's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
