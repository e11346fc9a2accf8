"""Local authorization lists: what was sent to a station, and the version that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.rpc.timestamps import parse_timestamp
from csms.store import authorizations, tables
from csms.store.upsert import insert_or_update

Json = Mapping[str, Any]


async def record_accepted(connection: AsyncConnection, station_id: str, correlation_id: str, request: Json) -> None:
    """The station took a full list or a differential update; an entry without idTagInfo removes its idTag."""
    sends = tables.send_local_lists
    send_id = await connection.scalar(
        insert(sends)
        .values(
            stationId=station_id,
            correlationId=correlation_id,
            versionNumber=request["listVersion"],
            updateType=request["updateType"],
        )
        .returning(sends.c.id)
    )
    version_id = await record_version(connection, station_id, request["listVersion"])
    members = tables.local_list_version_authorizations
    if request["updateType"] == "Full":
        await connection.execute(delete(members).where(members.c.localListVersionId == version_id))
    for entry in request.get("localAuthorizationList", []):
        await _forget(connection, version_id, entry["idTag"])
        if entry.get("idTagInfo") is None:
            continue
        entry_id = await _entry(connection, entry)
        await connection.execute(insert(members).values(localListVersionId=version_id, authorizationId=entry_id))
        link = tables.send_local_list_authorizations
        await connection.execute(insert(link).values(sendLocalListId=send_id, authorizationId=entry_id))


async def record_version(connection: AsyncConnection, station_id: str, version: int) -> int:
    """The version of the list that the station holds; returns the row id."""
    values = {"stationId": station_id, "versionNumber": version}
    return int(await insert_or_update(connection, tables.local_list_versions, values, ["stationId"]))


async def _forget(connection: AsyncConnection, version_id: int, id_tag: str) -> None:
    members, entries = tables.local_list_version_authorizations, tables.local_list_authorizations
    of_tag = select(entries.c.id).where(entries.c.idToken == id_tag)
    await connection.execute(
        delete(members).where(members.c.localListVersionId == version_id, members.c.authorizationId.in_(of_tag))
    )


async def _entry(connection: AsyncConnection, entry: Json) -> int:
    info = entry["idTagInfo"]
    known = await authorizations.find(connection, entry["idTag"])
    entries = tables.local_list_authorizations
    row_id = await connection.scalar(
        insert(entries)
        .values(
            idToken=entry["idTag"],
            idTokenType="ISO14443",
            status=info["status"],
            cacheExpiryDateTime=parse_timestamp(info["expiryDate"]) if "expiryDate" in info else None,
            authorizationId=None if known is None else known.row_id,
        )
        .returning(entries.c.id)
    )
    return int(row_id or 0)
