"""Reservations of connectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.rpc.timestamps import parse_timestamp
from csms.store import stations, tables
from csms.store.upsert import insert_or_update

Json = Mapping[str, Any]


async def record_accepted(connection: AsyncConnection, station_id: str, request: Json) -> None:
    """The station holds a connector (0: any) for an idTag; the same reservationId replaces."""
    connector_id = request["connectorId"]
    evse_row_id = await stations.evse_type_row_id(connection, connector_id) if connector_id > 0 else None
    parent = request.get("parentIdTag")
    values = {
        "id": request["reservationId"],
        "stationId": station_id,
        "expiryDateTime": parse_timestamp(request["expiryDate"]),
        "reserveStatus": "Accepted",
        "isActive": True,
        "terminatedByTransaction": None,
        "idToken": {"idToken": request["idTag"], "type": "ISO14443"},
        "groupIdToken": None if parent is None else {"idToken": parent, "type": "ISO14443"},
        "evseId": evse_row_id,
    }
    await insert_or_update(connection, tables.reservations, values, ["id", "stationId"])


async def end(
    connection: AsyncConnection, station_id: str, reservation_id: int, transaction_id: int | None = None
) -> None:
    """The reservation was cancelled, or used by `transaction_id`."""
    reservations = tables.reservations
    used = {} if transaction_id is None else {"terminatedByTransaction": str(transaction_id)}
    await connection.execute(
        update(reservations)
        .where(reservations.c.stationId == station_id, reservations.c.id == reservation_id)
        .values(isActive=False, **used)
    )
