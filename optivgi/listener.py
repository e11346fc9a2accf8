"""A small HTTP server within another program: its port is open from the start, and it ends when it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp


class Listener(uvicorn.Server):
    """Serves `app` on a port that is open from now on; `serve` runs until cancelled. Leaves signals alone."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, log_level="warning", access_log=False, lifespan="off"))
        self._socket = socket.create_server((host, port))
        self.port: int = self._socket.getsockname()[1]

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        sockets = sockets or [self._socket]
        try:
            await super().serve(sockets)
        except asyncio.CancelledError:
            await self.shutdown(sockets)
            raise

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
