"""Real rows of the contract go in and come out unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table

from csms.store.tables import metadata
from tests.csms.graphql.client import Client, Row

SAMPLES: dict[str, list[Row]] = json.loads((Path(__file__).parents[1] / "contract_rows.json").read_text())

REQUIRED: dict[str, Row] = {"Connectors": {"stationId": "STUB"}, "Authorizations": {"idToken": "STUB"}}


async def provide_parents(client: Client, table: Table, row: Row, seen: set[tuple[str, Any]]) -> None:
    """Inserts the least that `row` refers to."""
    for key in table.foreign_keys:
        value, target = row.get(key.parent.name), key.column.table
        if value is None or (target.name, value) in seen:
            continue
        seen.add((target.name, value))
        stub: Row = {key.column.name: value}
        stub |= REQUIRED.get(target.name, {})
        await provide_parents(client, target, stub, seen)
        await client.insert(target.name, stub)


@pytest.mark.parametrize("name", sorted(name for name, rows in SAMPLES.items() if rows))
async def test_real_rows_come_back_as_they_went_in(client: Client, name: str) -> None:
    table, rows = metadata.tables[name], SAMPLES[name]
    keys = list(table.primary_key.columns.keys())
    seen = {(name, row[keys[0]]) for row in rows}
    for row in rows:
        await provide_parents(client, table, row, seen)
    await client.insert(name, *rows)
    columns = " ".join(table.columns.keys())
    condition = {keys[0]: {"_in": [row[keys[0]] for row in rows]}}
    data = await client.data(
        f"query ($where: {name}_bool_exp!) {{ {name}(where: $where) {{ {columns} }} }}", where=condition
    )
    found = {row[keys[0]]: row for row in data[name]}
    assert found == {row[keys[0]]: row for row in rows}
