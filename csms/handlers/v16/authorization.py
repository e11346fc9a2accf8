"""idTags, and the lists of them that stations keep."""

from __future__ import annotations

from csms.handlers.context import Context, Exchange, Json
from csms.rules.authorization import authorize as decide
from csms.store import authorizations, local_lists


async def authorize(request: Json, context: Context) -> Json:
    """Whether the idTag may charge."""
    async with context.db.connect() as connection:
        authorization = await authorizations.find(connection, request["idTag"])
    return {"idTagInfo": decide(authorization, context.received).as_payload()}


async def after_send_local_list(exchange: Exchange, context: Context) -> None:
    """Keeps the list that the station took."""
    if exchange.response["status"] == "Accepted":
        async with context.db.begin() as connection:
            await local_lists.record_accepted(connection, context.station_id, exchange.correlation_id, exchange.request)


async def after_get_local_list_version(exchange: Exchange, context: Context) -> None:
    """Keeps the version that the station holds; -1 says that it keeps no list."""
    async with context.db.begin() as connection:
        await local_lists.record_version(connection, context.station_id, exchange.response["listVersion"])
