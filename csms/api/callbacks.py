"""POSTs to the addresses that clients name: answers of stations to `callbackUrl`, events to webhook subscribers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

import httpx
import msgspec

log = logging.getLogger("csms.api")

_encode = msgspec.json.Encoder(decimal_format="number").encode


class CallbackPolicy:
    """Which addresses the CSMS may be told to POST to.

    By default any http or https address, as in CitrineOS: whoever reaches the REST port can then make this host send a
    JSON body to any host that it reaches. Naming `hosts` permits those alone.
    """

    def __init__(self, hosts: Collection[str] = ()) -> None:
        self._hosts = {host.lower() for host in hosts}

    def refusal(self, url: str) -> str | None:
        """Why `url` may not be called, or None when it may."""
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            return "must be a URL"
        if parts.scheme not in ("http", "https") or not parts.hostname or any(c.isspace() for c in url):
            return "must be an http or https URL with a host"
        if self._hosts and parts.hostname.lower() not in self._hosts:
            return f"must not call {parts.hostname}: CALLBACK_HOSTS does not name it"
        return None


class CallbackSender:
    """An HTTP client that POSTs JSON: one attempt each, bounded in time and number, redirects not followed.

    Use as an async context manager. Says once when a host stops taking callbacks and once when it takes them again;
    never logs paths or queries, which may carry a token.
    """

    def __init__(self, policy: CallbackPolicy, *, timeout_s: float = 10.0, at_once: int = 50) -> None:
        self.policy = policy
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(at_once)
        # The environment's proxy settings are not for calls that clients direct.
        self._client = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False, trust_env=False)
        self._failing: set[str] = set()

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def post(self, url: str, body: Any) -> bool:
        """Whether the receiver answered with a 2xx status; a failure is logged, never raised, never repeated."""
        if refusal := self.policy.refusal(url):
            log.warning("A callback is not sent: its address %s", refusal)
            return False
        host = _address(urlsplit(url))
        try:
            async with self._slots, asyncio.timeout(self._timeout_s):
                headers = {"Content-Type": "application/json"}
                # Streamed and left unread: what a receiver answers is not ours to store.
                async with self._client.stream("POST", url, content=_encode(body), headers=headers) as response:
                    problem = "" if response.is_success else f"status {response.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            problem = str(error) or type(error).__name__
        self._note(host, problem)
        return not problem

    def _note(self, host: str, problem: str) -> None:
        if problem and host not in self._failing:
            self._failing.add(host)
            log.warning("Callbacks to %s fail: %s", host, problem)
        elif not problem and host in self._failing:
            self._failing.discard(host)
            log.warning("Callbacks to %s work again", host)


def _address(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rsplit('@', 1)[-1]}"
