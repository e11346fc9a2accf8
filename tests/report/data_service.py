"""A stand-in for a remote data service: pages of rows by a `where`, as far as the history reader asks for them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "_eq": lambda value, operand: value == operand,
    "_in": lambda value, operand: value in operand,
    "_gt": lambda value, operand: value > operand,
    "_gte": lambda value, operand: value >= operand,
    "_lte": lambda value, operand: value <= operand,
}


@dataclass
class DataService:
    """`rows` by table; `asked` keeps the table of each request."""

    rows: Mapping[str, list[dict[str, Any]]]
    secret: str = ""
    asked: list[str] = field(default_factory=list)

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v1/graphql":
            return httpx.Response(404, text="not found")
        if request.headers.get("x-hasura-admin-secret", "") != self.secret:
            error = {"message": "invalid x-hasura-admin-secret", "extensions": {"code": "access-denied"}}
            return httpx.Response(200, json={"errors": [error]})
        asked = json.loads(request.content)
        table = re.findall(r"(\w+)\(where", asked["query"])[0]
        self.asked.append(table)
        chosen = [row for row in self.rows.get(table, []) if _matches(row, asked["variables"]["where"])]
        chosen.sort(key=lambda row: row["id"])
        return httpx.Response(200, json={"data": {table: chosen[: asked["variables"]["limit"]]}})


def _matches(row: Mapping[str, Any], where: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(
        OPERATORS[operator](row[column], operand)
        for column, tests in where.items()
        for operator, operand in tests.items()
    )
