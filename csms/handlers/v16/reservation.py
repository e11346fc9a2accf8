"""Reservations of connectors."""

from __future__ import annotations

from csms.handlers.context import Context, Exchange
from csms.store import reservations


async def after_reserve_now(exchange: Exchange, context: Context) -> None:
    """Keeps an accepted reservation."""
    if exchange.response["status"] == "Accepted":
        async with context.db.begin() as connection:
            await reservations.record_accepted(connection, context.station_id, exchange.request)


async def after_cancel_reservation(exchange: Exchange, context: Context) -> None:
    """Ends a cancelled reservation."""
    if exchange.response["status"] == "Accepted":
        async with context.db.begin() as connection:
            await reservations.end(connection, context.station_id, exchange.request["reservationId"])
