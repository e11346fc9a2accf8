"""Whether a meter can be read at all: its first reading, or what stands in its way."""

from __future__ import annotations

import asyncio

from optivgi.errors import Unreachable
from optivgi.site_meter.base import Reading


class FirstReading:
    """A Listener that waits for one reading."""

    def __init__(self) -> None:
        self._found: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        self._doubt = "it says nothing"

    def reading(self, reading: Reading) -> None:
        if not self._found.done():
            self._found.set_result(reading)

    def doubt(self, text: str) -> None:
        self._doubt = text

    async def wait(self, timeout_s: float) -> Reading:
        """The first reading. Raises Unreachable with the last doubt if there is none within `timeout_s` (real time)."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._found
        except TimeoutError:
            raise Unreachable(f"no reading within {timeout_s:g} s: {self._doubt}") from None
