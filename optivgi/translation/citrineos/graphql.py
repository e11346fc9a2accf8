"""GraphQL queries over HTTP, with retries, and every failure mapped to one of three errors."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from optivgi.errors import ContractBroken, Refused, Unreachable
from optivgi.model.clock import Clock
from optivgi.translation.backoff import Backoff

SECRET_HEADER = "x-hasura-admin-secret"  # noqa: S105 - the header's name
PASSING_CODES = frozenset({"unexpected", "postgres-error", "postgres-max-connections-error", "time-limit-exceeded"})
"""Hasura's codes for trouble with its own database, which comes and goes."""


class GraphQL:
    """One GraphQL endpoint. Queries are tried again while the other side cannot be reached."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        clock: Clock,
        *,
        admin_secret: str | None = None,
        timeout_s: float = 10.0,
        tries: int = 3,
        backoff: Backoff | None = None,
    ) -> None:
        """`timeout_s` is wall time for one try; the waits between tries are site time."""
        self._http, self._url, self._clock = http, url, clock
        self._headers = {SECRET_HEADER: admin_secret} if admin_secret else {}
        self._timeout_s, self._tries, self._backoff = timeout_s, tries, backoff or Backoff()

    async def query(self, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The `data` of the answer. Raises Unreachable (after all tries), Refused, or ContractBroken."""
        for failures in range(1, self._tries):
            try:
                return await self._once(document, variables)
            except Unreachable:
                await self._clock.sleep(self._backoff.delay_s(failures))
        return await self._once(document, variables)

    async def aclose(self) -> None:
        """Closes the HTTP client."""
        await self._http.aclose()

    async def _once(self, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._http.post(
                    self._url, json={"query": document, "variables": variables}, headers=self._headers
                )
        except TimeoutError:
            raise Unreachable(f"{self._url} did not answer within {self._timeout_s:g} s") from None
        except httpx.RequestError as error:
            raise Unreachable(f"{self._url} cannot be reached: {str(error) or type(error).__name__}") from error
        self._check_status(response)
        try:
            answer = response.json()
        except ValueError:
            raise ContractBroken(f"{self._url} answered no JSON: {response.text[:80]!r}") from None
        if not isinstance(answer, dict):
            raise ContractBroken(f"{self._url} answered {type(answer).__name__}; GraphQL answers are objects")
        self._check_errors(answer.get("errors"))
        data = answer.get("data")
        if not isinstance(data, dict):
            raise ContractBroken(f"{self._url} answered without data: {response.text[:80]!r}")
        return data

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in (401, 403):
            raise Refused(f"{self._url} answered {status}: check HASURA_ADMIN_SECRET")
        if status >= 500 or status in (408, 429):
            raise Unreachable(f"{self._url} answered {status}: {response.text[:80]!r}")
        if not response.is_success:
            raise Refused(f"{self._url} answered {status}: check HASURA_URL; {response.text[:80]!r}")

    def _check_errors(self, errors: object) -> None:
        if not errors:
            return
        first = errors[0] if isinstance(errors, list) else errors
        first = first if isinstance(first, dict) else {"message": str(first)}
        extensions = first.get("extensions")
        code = extensions.get("code") if isinstance(extensions, dict) else None
        message = f"{self._url} answers: {first.get('message')}" + (f" ({code})" if code else "")
        if code in PASSING_CODES:
            raise Unreachable(message)
        if code in ("access-denied", "invalid-headers"):
            raise Refused(f"{message}: check HASURA_ADMIN_SECRET")
        raise Refused(message)
