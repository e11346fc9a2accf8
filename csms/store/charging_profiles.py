"""Charging profiles as the stations have accepted them: one row per station and profile id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.rpc.timestamps import parse_timestamp
from csms.store import tables
from csms.store.upsert import insert_or_update

Json = Mapping[str, Any]

TX_PROFILE = "TxProfile"


async def record_accepted(connection: AsyncConnection, station_id: str, connector_id: int, profile: Json) -> None:
    """The station took `profile` for a connector; what it replaces there is no longer active."""
    profiles = tables.charging_profiles
    profile_id, purpose = profile["chargingProfileId"], profile["chargingProfilePurpose"]
    transaction_row_id = await _transaction_row_id(connection, station_id, profile.get("transactionId"))
    await connection.execute(
        update(profiles)
        .where(
            profiles.c.stationId == station_id,
            profiles.c.id != profile_id,
            profiles.c.chargingProfilePurpose == purpose,
            profiles.c.stackLevel == profile["stackLevel"],
            profiles.c.evseId == connector_id,
            profiles.c.isActive.is_(True),
        )
        .values(isActive=False)
    )
    values = {
        "stationId": station_id,
        "id": profile_id,
        "chargingProfileKind": profile["chargingProfileKind"],
        "chargingProfilePurpose": purpose,
        "recurrencyKind": profile.get("recurrencyKind"),
        "stackLevel": profile["stackLevel"],
        "validFrom": _moment(profile.get("validFrom")),
        "validTo": _moment(profile.get("validTo")),
        "evseId": connector_id,
        "isActive": True,
        "chargingLimitSource": "CSO",
        "transactionDatabaseId": transaction_row_id,
    }
    profile_row_id = await insert_or_update(connection, profiles, values, ["stationId", "id"])
    schedules, schedule = tables.charging_schedules, profile["chargingSchedule"]
    # In 1.6 a schedule has no id of its own, so it goes by its profile's.
    same = and_(schedules.c.stationId == station_id, schedules.c.id == profile_id)
    await connection.execute(
        delete(schedules).where(or_(same, schedules.c.chargingProfileDatabaseId == profile_row_id))
    )
    await connection.execute(
        insert(schedules).values(
            id=profile_id,
            stationId=station_id,
            chargingRateUnit=schedule["chargingRateUnit"],
            chargingSchedulePeriod=schedule["chargingSchedulePeriod"],
            duration=schedule.get("duration"),
            minChargingRate=schedule.get("minChargingRate"),
            startSchedule=schedule.get("startSchedule"),
            chargingProfileDatabaseId=profile_row_id,
        )
    )


async def record_cleared(connection: AsyncConnection, station_id: str, criteria: Json) -> None:
    """The station cleared the profile `id`, or all that match connector, purpose and stack level, or simply all."""
    profiles = tables.charging_profiles
    conditions = [profiles.c.stationId == station_id, profiles.c.isActive.is_(True)]
    if "id" in criteria:
        conditions.append(profiles.c.id == criteria["id"])
    else:
        columns = {
            "connectorId": "evseId",
            "chargingProfilePurpose": "chargingProfilePurpose",
            "stackLevel": "stackLevel",
        }
        conditions += [profiles.c[column] == criteria[name] for name, column in columns.items() if name in criteria]
    await connection.execute(update(profiles).where(*conditions).values(isActive=False))


async def end_of_transactions(connection: AsyncConnection, transaction_row_ids: Sequence[int]) -> None:
    """A TxProfile does not outlive its transaction."""
    if not transaction_row_ids:
        return
    profiles = tables.charging_profiles
    await connection.execute(
        update(profiles)
        .where(
            profiles.c.transactionDatabaseId.in_(transaction_row_ids),
            profiles.c.chargingProfilePurpose == TX_PROFILE,
            profiles.c.isActive.is_(True),
        )
        .values(isActive=False)
    )


async def record_composite(connection: AsyncConnection, station_id: str, request: Json, response: Json) -> None:
    """The composite schedule that the station computed."""
    schedule = response.get("chargingSchedule")
    if schedule is None:
        return
    await connection.execute(
        insert(tables.composite_schedules).values(
            stationId=station_id,
            evseId=response.get("connectorId", request["connectorId"]),
            duration=schedule.get("duration", request["duration"]),
            scheduleStart=_moment(response.get("scheduleStart") or schedule.get("startSchedule")),
            chargingRateUnit=schedule["chargingRateUnit"],
            chargingSchedulePeriod=schedule["chargingSchedulePeriod"],
        )
    )


async def _transaction_row_id(connection: AsyncConnection, station_id: str, transaction_id: int | None) -> int | None:
    if transaction_id is None:
        return None
    transactions = tables.transactions
    wanted = (transactions.c.stationId == station_id) & (transactions.c.transactionId == str(transaction_id))
    found = await connection.scalar(select(transactions.c.id).where(wanted))
    return None if found is None else int(found)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_timestamp(text)
