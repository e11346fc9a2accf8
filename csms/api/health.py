"""GET /health: whether the CSMS can do its work now, part by part, with the reason when it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from csms.api.http import JsonResponse
from csms.ports import Json

PROBE_TIMEOUT_S = 3.0

Probe = Callable[[], Awaitable[str | None]]
"""Why the part cannot work, or None when it can."""


class Health:
    """Asks the parts how they are, all at once and each within a few seconds."""

    def __init__(self, probes: Mapping[str, Probe], *, timeout_s: float = PROBE_TIMEOUT_S) -> None:
        self._probes, self._timeout_s = dict(probes), timeout_s

    async def report(self) -> Json:
        """{"status": "healthy" | "unhealthy", <part>: {"status": ..., "reason": ... when unhealthy}}."""
        problems = await asyncio.gather(*(self._ask(probe) for probe in self._probes.values()))
        parts = {name: _part(problem) for name, problem in zip(self._probes, problems, strict=True)}
        return {"status": "unhealthy" if any(problems) else "healthy", **parts}

    def route(self) -> Route:
        """200 when every part is healthy, else 503."""
        return Route("/health", self._answer, methods=["GET"])

    async def _answer(self, _: Request) -> Response:
        report = await self.report()
        return JsonResponse(report, 200 if report["status"] == "healthy" else 503)

    async def _ask(self, probe: Probe) -> str | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await probe()
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"


def _part(problem: str | None) -> Json:
    return {"status": "unhealthy", "reason": problem} if problem else {"status": "healthy"}
