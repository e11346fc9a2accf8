"""Configuration keys of OCPP 1.6 stations, as last heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from csms.store import tables
from csms.store.upsert import insert_or_update, insert_or_update_many


async def record_keys(connection: AsyncConnection, station_id: str, keys: Sequence[Mapping[str, Any]]) -> None:
    """What GetConfiguration told."""
    rows = [
        {"stationId": station_id, "key": key["key"], "value": key.get("value"), "readonly": key["readonly"]}
        for key in keys
    ]
    await insert_or_update_many(connection, tables.change_configurations, rows, ["stationId", "key"])


async def record_change(connection: AsyncConnection, station_id: str, key: str, value: str) -> None:
    """The station took `value` for `key`, which therefore is not read-only."""
    values = {"stationId": station_id, "key": key, "value": value, "readonly": False}
    await insert_or_update(connection, tables.change_configurations, values, ["stationId", "key"])
