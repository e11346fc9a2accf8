"""Boots, heartbeats and configuration keys."""

from __future__ import annotations

from csms.handlers.context import Context, Exchange, Json
from csms.rpc.timestamps import format_timestamp
from csms.rules.boot import decide_boot
from csms.store import configurations, stations


async def boot_notification(request: Json, context: Context) -> Json:
    """Accepts the station unless an operator configured otherwise."""
    async with context.db.begin() as connection:
        config = await stations.boot_config(connection, context.station_id)
        decision = decide_boot(config, context.boot_policy)
        await stations.record_boot(connection, context.station_id, request, decision, context.received)
    return {
        "status": decision.status,
        "currentTime": format_timestamp(context.received),
        "interval": decision.interval_s,
    }


async def heartbeat(request: Json, context: Context) -> Json:  # noqa: ARG001
    """The time."""
    return {"currentTime": format_timestamp(context.received)}


async def after_get_configuration(exchange: Exchange, context: Context) -> None:
    """Keeps the keys that the station told."""
    async with context.db.begin() as connection:
        await configurations.record_keys(connection, context.station_id, exchange.response.get("configurationKey", []))


async def after_change_configuration(exchange: Exchange, context: Context) -> None:
    """Keeps the new value; one that needs a reboot has been taken too."""
    if exchange.response["status"] in {"Accepted", "RebootRequired"}:
        key, value = exchange.request["key"], exchange.request["value"]
        async with context.db.begin() as connection:
            await configurations.record_change(connection, context.station_id, key, value)
