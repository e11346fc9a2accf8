"""Reads the history of a run from a CSMS, over GraphQL alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx

from optivgi.errors import ContractBroken, Refused, Unreachable
from optivgi.model.history import History, last_run
from optivgi.translation.citrineos import history_rows

PAGE_SIZE = 1000
TIMEOUT_S = 30.0

FIELDS = {
    "Transactions": """id stationId transactionId isActive startTime endTime updatedAt meterStart
        Connector { connectorId } StartTransaction { timestamp meterStart } StopTransaction { timestamp meterStop }""",
    "OCPPMessages": "id stationId correlationId origin protocol action message timestamp",
    "MeterValues": "id transactionDatabaseId timestamp sampledValue",
}

Where = dict[str, Any]


async def read_history(
    url: str,
    secret: str = "",
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    page_size: int = PAGE_SIZE,
) -> History:
    """Everything between `since` and `until` (by default from the beginning of the last run on), in pages.

    `url` is Hasura's base URL; `transport` reaches a CSMS in the same process. Raises TranslationError.
    """
    headers = {"x-hasura-admin-secret": secret} if secret else {}
    async with httpx.AsyncClient(transport=transport, headers=headers, timeout=TIMEOUT_S) as client:
        reader = _Reader(client, endpoint(url), page_size)
        transactions = history_rows.transactions(await reader.rows("Transactions", {}))
        if since is None:
            boots = await reader.rows("OCPPMessages", {"action": {"_eq": "BootNotification"}, "origin": {"_eq": "cs"}})
            since = last_run(transactions, [history_rows.moment(row["timestamp"]) for row in boots])
        profiles, cleared, unreadable = history_rows.profiles(
            await reader.rows("OCPPMessages", _profile_messages(until))
        )
        samples = [
            sample
            async for row in reader.stream("MeterValues", _between(since, until))
            for sample in history_rows.samples(row)
        ]
    return History(
        since=since,
        until=until,
        transactions=tuple(
            tx
            for tx in transactions
            if (until is None or tx.start < until) and (since is None or tx.end is None or tx.end > since)
        ),
        profiles=profiles,
        cleared=cleared,
        samples=tuple(sorted(samples, key=lambda sample: sample.at)),
        unreadable=unreadable,
    )


def endpoint(url: str) -> str:
    """The GraphQL endpoint below a base URL, which may already be the endpoint."""
    base = url.rstrip("/")
    return base if base.endswith("/v1/graphql") else f"{base}/v1/graphql"


def _profile_messages(until: datetime | None) -> Where:
    where: Where = {"action": {"_in": ["SetChargingProfile", "ClearChargingProfile"]}}
    return where if until is None else where | {"timestamp": {"_lte": until.isoformat()}}


def _between(since: datetime | None, until: datetime | None) -> Where:
    bounds = {name: moment.isoformat() for name, moment in (("_gte", since), ("_lte", until)) if moment is not None}
    return {"timestamp": bounds} if bounds else {}


class _Reader:
    """Pages through tables by their row id, so that rows that arrive meanwhile shift nothing."""

    def __init__(self, client: httpx.AsyncClient, endpoint: str, page_size: int) -> None:
        self._client, self._endpoint, self._page_size = client, endpoint, page_size

    async def rows(self, table: str, where: Where) -> list[dict[str, Any]]:
        return [row async for row in self.stream(table, where)]

    async def stream(self, table: str, where: Where) -> AsyncIterator[dict[str, Any]]:
        query = (
            f"query History($where: {table}_bool_exp!, $limit: Int!) "
            f"{{ {table}(where: $where, order_by: {{id: asc}}, limit: $limit) {{ {FIELDS[table]} }} }}"
        )
        after = 0
        while True:
            variables = {"where": where | {"id": {"_gt": after}}, "limit": self._page_size}
            page = (await self._ask(query, variables)).get(table)
            if not isinstance(page, list):
                raise ContractBroken(f"{self._endpoint} answered no list of {table}; is it Hasura over CitrineOS?")
            for row in page:
                yield row
            if len(page) < self._page_size:
                return
            after = page[-1]["id"]

    async def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        try:
            response = await self._client.post(self._endpoint, json={"query": query, "variables": variables})
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(
                f"cannot reach GraphQL at {self._endpoint} ({str(error) or type(error).__name__})"
            ) from error
        if response.status_code in (401, 403):
            raise Refused(f"{self._endpoint} refused the admin secret (HTTP {response.status_code})")
        if response.status_code >= 500:
            raise Unreachable(f"GraphQL at {self._endpoint} is failing (HTTP {response.status_code})")
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.status_code != 200 or not isinstance(answer, dict):
            raise ContractBroken(f"{self._endpoint} is not a GraphQL endpoint (HTTP {response.status_code})")
        if answer.get("errors"):
            raise Refused(
                f"{self._endpoint} refused the query: {answer['errors'][0].get('message', 'no reason given')}"
            )
        data = answer.get("data")
        if not isinstance(data, dict):
            raise ContractBroken(f"{self._endpoint} answered without data")
        return data
