"""What the tests ask the GraphQL service with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from csms.api.graphql import GraphQLService

Row = dict[str, Any]


@dataclass
class Client:
    """Asks, and insists on data or on a refusal."""

    service: GraphQLService

    async def data(self, query: str, **variables: Any) -> Any:
        """The data of a request that must succeed."""
        answer = await self.service.execute(query, variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def refusal(self, query: str, **variables: Any) -> tuple[str, str, str]:
        """Code, path and message of a request that must be refused as a whole."""
        answer = await self.service.execute(query, variables)
        assert set(answer) == {"errors"}, answer
        error = answer["errors"][0]
        assert set(error) == {"message", "extensions"}
        assert set(error["extensions"]) == {"path", "code"}
        return error["extensions"]["code"], error["extensions"]["path"], error["message"]

    async def insert(self, table: str, *rows: Row) -> None:
        """Adds rows that must be welcome."""
        mutation = (
            f"mutation ($rows: [{table}_insert_input!]!) {{ insert_{table}(objects: $rows) {{ affected_rows }} }}"
        )
        data = await self.data(mutation, rows=list(rows))
        assert data == {f"insert_{table}": {"affected_rows": len(rows)}}

    async def ids(self, table: str, where: Row | None = None, key: str = "id", **more: Any) -> list[Any]:
        """The keys of the rows that match, in the order of their keys."""
        query = f"query ($where: {table}_bool_exp) {{ {table}(where: $where, order_by: {{{key}: asc}}) {{ {key} }} }}"
        return [row[key] for row in (await self.data(query, where=where, **more))[table]]
