"""Charging profiles that stations have accepted or cleared."""

from __future__ import annotations

from csms.handlers.context import Context, Exchange
from csms.store import charging_profiles


async def after_set_charging_profile(exchange: Exchange, context: Context) -> None:
    """Keeps an accepted profile."""
    if exchange.response["status"] == "Accepted":
        connector_id, profile = exchange.request["connectorId"], exchange.request["csChargingProfiles"]
        async with context.db.begin() as connection:
            await charging_profiles.record_accepted(connection, context.station_id, connector_id, profile)


async def after_clear_charging_profile(exchange: Exchange, context: Context) -> None:
    """Marks cleared profiles as no longer active."""
    if exchange.response["status"] == "Accepted":
        async with context.db.begin() as connection:
            await charging_profiles.record_cleared(connection, context.station_id, exchange.request)


async def after_get_composite_schedule(exchange: Exchange, context: Context) -> None:
    """Keeps the schedule that the station computed."""
    if exchange.response["status"] == "Accepted":
        async with context.db.begin() as connection:
            await charging_profiles.record_composite(
                connection, context.station_id, exchange.request, exchange.response
            )
