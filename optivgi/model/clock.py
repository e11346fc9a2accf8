"""The one seam through which any program of the house learns what time it is."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Site time. All durations are site seconds; a scaled clock runs them faster than the wall."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def monotonic(self) -> float:
        """Site seconds that never go backwards; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds` of site time (at once when <= 0, yielding to the loop)."""
        ...

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Like asyncio.timeout, in site seconds: raises TimeoutError from the block."""
        ...
