"""Reads the history of a run from a CSMS, over GraphQL alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx

from optivgi.errors import ContractBroken
from optivgi.model.clock import Clock
from optivgi.model.history import History, last_run
from optivgi.translation.citrineos import history_rows
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.http import Patience

PAGE_SIZE = 1000
ONE_TRY = Patience(timeout_s=30.0, tries=1)

FIELDS = {
    "Transactions": """id stationId transactionId isActive startTime endTime updatedAt meterStart
        Connector { connectorId } StartTransaction { timestamp meterStart } StopTransaction { timestamp meterStop }""",
    "OCPPMessages": "id stationId correlationId origin protocol action message timestamp",
    "MeterValues": "id transactionDatabaseId timestamp sampledValue",
}

Where = dict[str, Any]
Row = dict[str, Any]


async def read_history(
    url: str,
    secret: str = "",
    *,
    clock: Clock,
    since: datetime | None = None,
    until: datetime | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    page_size: int = PAGE_SIZE,
    patience: Patience = ONE_TRY,
) -> History:
    """Everything between `since` and `until` (by default from the beginning of the last run on), in pages.

    `url` is Hasura's base URL; `transport` reaches a CSMS in the same process. Raises TranslationError.
    """
    async with httpx.AsyncClient(transport=transport) as http:
        graphql = GraphQL(http, endpoint(url), clock, admin_secret=secret or None, patience=patience)
        reader = _Reader(graphql, page_size)
        transactions = history_rows.transactions(await reader.rows("Transactions", {}))
        if since is None:
            boots = await reader.rows("OCPPMessages", {"action": {"_eq": "BootNotification"}, "origin": {"_eq": "cs"}})
            since = last_run(transactions, [history_rows.when(row["timestamp"]) for row in boots])
        profiles, cleared, unreadable = history_rows.profiles(await reader.rows("OCPPMessages", _profiles(until)))
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


def _profiles(until: datetime | None) -> Where:
    where: Where = {"action": {"_in": ["SetChargingProfile", "ClearChargingProfile"]}}
    return where if until is None else where | {"timestamp": {"_lte": until.isoformat()}}


def _between(since: datetime | None, until: datetime | None) -> Where:
    bounds = {name: moment.isoformat() for name, moment in (("_gte", since), ("_lte", until)) if moment is not None}
    return {"timestamp": bounds} if bounds else {}


class _Reader:
    """Pages through tables by their row id, so that rows that arrive meanwhile shift nothing."""

    def __init__(self, graphql: GraphQL, page_size: int) -> None:
        self._graphql, self._page_size = graphql, page_size

    async def rows(self, table: str, where: Where) -> list[Row]:
        return [row async for row in self.stream(table, where)]

    async def stream(self, table: str, where: Where) -> AsyncIterator[Row]:
        query = (
            f"query History($where: {table}_bool_exp!, $limit: Int!) "
            f"{{ {table}(where: $where, order_by: {{id: asc}}, limit: $limit) {{ {FIELDS[table]} }} }}"
        )
        after = 0
        while True:
            variables = {"where": where | {"id": {"_gt": after}}, "limit": self._page_size}
            page = (await self._graphql.query(query, variables)).get(table)
            if not isinstance(page, list) or any(not isinstance(row, dict) or row["id"] <= after for row in page):
                raise ContractBroken(
                    f"the data service answered no list of {table} in order; is it Hasura over CitrineOS?"
                )
            for row in page:
                yield row
            if len(page) < self._page_size:
                return
            after = page[-1]["id"]
