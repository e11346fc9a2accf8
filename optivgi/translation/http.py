"""HTTP requests whose every failure is one of three errors, and trying again while that can help."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from optivgi.errors import Refused, Unreachable
from optivgi.model.clock import Clock
from optivgi.translation.backoff import Backoff

T = TypeVar("T")

IDLE_S = 2.0
"""Servers close idle connections, many of them after 5 s, and a request that crosses with that is lost."""


def client(transport: httpx.AsyncBaseTransport | None = None, *, idle_s: float = IDLE_S) -> httpx.AsyncClient:
    """An HTTP client that uses no connection again that was idle for `idle_s`."""
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=idle_s)
    return httpx.AsyncClient(transport=transport, limits=limits)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one try may take (wall time), how many there are, and how long to wait between them (site time)."""

    timeout_s: float = 10.0
    tries: int = 3
    backoff: Backoff = field(default_factory=Backoff)


async def retried(attempt: Callable[[], Awaitable[T]], clock: Clock, patience: Patience) -> T:
    """The result of the first attempt that does not raise Unreachable; that of the last one is raised."""
    for failures in range(1, patience.tries):
        try:
            return await attempt()
        except Unreachable:
            await clock.sleep(patience.backoff.delay_s(failures))
    return await attempt()


async def fetch(
    http: httpx.AsyncClient, method: str, url: str, *, timeout_s: float, check: str, **content: Any
) -> httpx.Response:
    """A successful response. Raises Unreachable or Refused; `check` names the settings that may be wrong."""
    try:
        async with asyncio.timeout(timeout_s):
            response = await http.request(method, url, **content)
    except TimeoutError:
        raise Unreachable(f"{url} did not answer within {timeout_s:g} s") from None
    except httpx.RequestError as error:
        raise Unreachable(f"{url} cannot be reached: {str(error) or type(error).__name__}") from error
    status = response.status_code
    if status >= 500 or status in (408, 429):
        raise Unreachable(f"{url} answered {status}: {response.text[:80]!r}")
    if not response.is_success:
        raise Refused(f"{url} answered {status}: check {check}; {response.text[:80]!r}")
    return response
