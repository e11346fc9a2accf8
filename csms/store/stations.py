"""Charging stations, their connectors, boots and statuses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.rules.boot import BootConfig, BootDecision
from csms.store import tables
from csms.store.upsert import insert_for, insert_if_new, insert_or_update

Json = Mapping[str, Any]

_IDENTITY = (
    "chargePointVendor",
    "chargePointModel",
    "chargePointSerialNumber",
    "chargeBoxSerialNumber",
    "firmwareVersion",
    "iccid",
    "imsi",
    "meterType",
    "meterSerialNumber",
)


async def exists(connection: AsyncConnection, station_id: str) -> bool:
    """Whether the station is known."""
    stations = tables.charging_stations
    found = await connection.scalar(select(stations.c.id).where(stations.c.id == station_id))
    return found is not None


async def ensure(connection: AsyncConnection, station_id: str) -> None:
    """Makes the station known."""
    await insert_if_new(connection, tables.charging_stations, {"id": station_id}, ["id"])


async def set_online(connection: AsyncConnection, station_id: str, protocol: str) -> None:
    """The station is connected and speaks `protocol`; it becomes known if it was not."""
    values = {"id": station_id, "isOnline": True, "protocol": protocol}
    await insert_or_update(connection, tables.charging_stations, values, ["id"])


async def set_offline(connection: AsyncConnection, station_id: str) -> None:
    """The station's connection is gone."""
    stations = tables.charging_stations
    await connection.execute(update(stations).where(stations.c.id == station_id).values(isOnline=False))


async def set_all_offline(connection: AsyncConnection) -> None:
    """No station is connected: what a crash may have left behind is corrected."""
    stations = tables.charging_stations
    await connection.execute(update(stations).where(stations.c.isOnline.is_(True)).values(isOnline=False))


async def set_latest_messages(connection: AsyncConnection, latest: Mapping[str, datetime]) -> None:
    """When each of these stations was last heard."""
    if not latest:
        return
    stations = tables.charging_stations
    statement = (
        update(stations)
        .where(stations.c.id == bindparam("station"))
        .values(latestOcppMessageTimestamp=bindparam("heard"))
    )
    # In one order everywhere, so that two writers never wait for each other.
    rows = [{"station": station_id, "heard": heard} for station_id, heard in sorted(latest.items())]
    await connection.execute(statement, rows)


async def boot_config(connection: AsyncConnection, station_id: str) -> BootConfig | None:
    """What an operator configured for the station's boots."""
    boots = tables.boots
    row = (await connection.execute(select(boots).where(boots.c.id == station_id))).one_or_none()
    if row is None:
        return None
    return BootConfig(row.status, row.heartbeatInterval, row.bootRetryInterval)


async def record_boot(
    connection: AsyncConnection, station_id: str, identity: Json, decision: BootDecision, now: datetime
) -> None:
    """The station said what it is, and was answered `decision`."""
    said = {"id": station_id} | {name: identity.get(name) for name in _IDENTITY}
    await insert_or_update(connection, tables.charging_stations, said, ["id"])
    boot: dict[str, Any] = {"id": station_id, "lastBootTime": now, "status": decision.status}
    interval = "heartbeatInterval" if decision.status == "Accepted" else "bootRetryInterval"
    boot[interval] = decision.interval_s
    await insert_or_update(connection, tables.boots, boot, ["id"])


async def connector_row_id(connection: AsyncConnection, station_id: str, connector_id: int) -> int:
    """The row id of the station's connector, which becomes known if it was not."""
    connectors = tables.connectors
    wanted = (connectors.c.stationId == station_id) & (connectors.c.connectorId == connector_id)
    found = await connection.scalar(select(connectors.c.id).where(wanted))
    if found is not None:
        return int(found)
    values = {"stationId": station_id, "connectorId": connector_id}
    return int(await insert_or_update(connection, connectors, values, ["stationId", "connectorId"]))


async def record_status(connection: AsyncConnection, station_id: str, notification: Json, timestamp: datetime) -> None:
    """One StatusNotification: its own row, the station's latest, and the connector's state unless it is connector 0."""
    connector_id = notification["connectorId"]
    details = {name: notification.get(name) for name in ("errorCode", "info", "vendorId", "vendorErrorCode")}
    statuses, latest = tables.status_notifications, tables.latest_status_notifications
    status_id = await connection.scalar(
        insert(statuses)
        .values(
            stationId=station_id,
            connectorId=connector_id,
            connectorStatus=notification["status"],
            timestamp=timestamp,
            **details,
        )
        .returning(statuses.c.id)
    )
    of_connector = select(statuses.c.id).where(
        statuses.c.id == latest.c.statusNotificationId, statuses.c.connectorId == connector_id
    )
    await connection.execute(delete(latest).where(latest.c.stationId == station_id, of_connector.exists()))
    await connection.execute(insert(latest).values(stationId=station_id, statusNotificationId=status_id))
    if connector_id > 0:
        values = {
            "stationId": station_id,
            "connectorId": connector_id,
            "status": notification["status"],
            "timestamp": timestamp,
            **details,
        }
        await insert_or_update(connection, tables.connectors, values, ["stationId", "connectorId"])


async def next_in_sequence(connection: AsyncConnection, station_id: str, kind: str) -> int:
    """The next number of the station's own sequence `kind`, from 1; never given twice."""
    sequences = tables.charging_station_sequences
    statement = insert_for(connection, sequences).values(stationId=station_id, type=kind, value=1)
    statement = statement.on_conflict_do_update(
        index_elements=["stationId", "type"],
        set_={"value": sequences.c.value + 1, "updatedAt": statement.excluded.updatedAt},
    )
    return int((await connection.execute(statement.returning(sequences.c.value))).scalar_one())


async def evse_type_row_id(connection: AsyncConnection, evse_id: int) -> int:
    """The row of EvseTypes that stands for EVSE `evse_id` of any station."""
    types = tables.evse_types
    wanted = (types.c.id == evse_id) & types.c.connectorId.is_(None)
    found = await connection.scalar(select(func.min(types.c.databaseId)).where(wanted))
    if found is not None:
        return int(found)
    return int((await connection.execute(insert(types).values(id=evse_id).returning(types.c.databaseId))).scalar_one())
