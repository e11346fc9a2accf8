"""A Listener that a test waits on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from optivgi.site_meter.base import MeterSource, Reading

PATIENCE_S = 10.0


class Ear:
    """Keeps what a source hands over, in order."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[Reading | str] = asyncio.Queue()

    def reading(self, reading: Reading) -> None:
        self._heard.put_nowait(reading)

    def doubt(self, text: str) -> None:
        self._heard.put_nowait(text)

    async def next_reading(self) -> Reading:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if isinstance(heard := await self._heard.get(), Reading):
                    return heard

    async def next_doubt(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if isinstance(heard := await self._heard.get(), str):
                    return heard


@asynccontextmanager
async def listening(source: MeterSource) -> AsyncIterator[Ear]:
    """What `source` says while it is followed."""
    ear = Ear()
    task = asyncio.create_task(source.follow(ear))
    try:
        yield ear
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
