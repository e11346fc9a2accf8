"""GraphQL queries over HTTP, with retries, and every failure mapped to one of three errors."""

from __future__ import annotations

from typing import Any

import httpx

from optivgi.errors import ContractBroken, Refused, Unreachable
from optivgi.model.clock import Clock
from optivgi.translation.http import Patience, fetch, retried

SECRET_HEADER = "x-hasura-admin-secret"  # noqa: S105 - the header's name
PASSING_CODES = frozenset({"unexpected", "postgres-error", "postgres-max-connections-error", "time-limit-exceeded"})
"""Hasura's codes for trouble with its own database, which comes and goes."""
SECRET_CODES = frozenset({"access-denied", "invalid-headers"})


class GraphQL:
    """One GraphQL endpoint. Queries are tried again while the other side cannot be reached."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        clock: Clock,
        *,
        admin_secret: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        """`url` is that of the endpoint itself, ending in /v1/graphql."""
        self._http, self._url, self._clock = http, url, clock
        self._headers = {SECRET_HEADER: admin_secret} if admin_secret else {}
        self._patience = patience or Patience()

    async def query(self, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The `data` of the answer. Raises Unreachable (after all tries), Refused, or ContractBroken."""
        return await retried(lambda: self._once(document, variables), self._clock, self._patience)

    async def aclose(self) -> None:
        """Closes the HTTP client."""
        await self._http.aclose()

    async def _once(self, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        response = await fetch(
            self._http,
            "POST",
            self._url,
            timeout_s=self._patience.timeout_s,
            check="HASURA_URL and HASURA_ADMIN_SECRET",
            json={"query": document, "variables": variables},
            headers=self._headers,
        )
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
        raise Refused(f"{message}: check HASURA_ADMIN_SECRET" if code in SECRET_CODES else message)
