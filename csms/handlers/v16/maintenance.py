"""Firmware, diagnostics and vendors' own messages: the message log keeps what they say."""

from __future__ import annotations

from csms.handlers.context import Context, Json


async def firmware_status_notification(request: Json, context: Context) -> Json:  # noqa: ARG001
    """Acknowledged."""
    return {}


async def diagnostics_status_notification(request: Json, context: Context) -> Json:  # noqa: ARG001
    """Acknowledged."""
    return {}


async def data_transfer(request: Json, context: Context) -> Json:  # noqa: ARG001
    """No vendor's messages are understood here."""
    return {"status": "UnknownVendorId"}
