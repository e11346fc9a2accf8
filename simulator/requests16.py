"""What a station says of itself, as OCPP 1.6 requests of the `ocpp` package. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocpp.v16 import call

from simulator.authorization import TagInfo
from simulator.errors import PayloadError
from simulator.outputs import (
    DiagnosticsStatus,
    FirmwareStatus,
    MeterSampled,
    Output,
    StatusChanged,
    TransactionOutput,
    TransactionStarted,
)
from simulator.payloads16 import meter_values_to_wire, tag_info_from_wire, timestamp

Request = Any
"""A request dataclass of `ocpp.v16.call`."""

UNKNOWN_TRANSACTION = -1


def boot_request(vendor: str, model: str, serial_number: str, firmware_version: str) -> Request:
    """BootNotification."""
    return call.BootNotification(
        charge_point_model=model[:20],
        charge_point_vendor=vendor[:20],
        charge_point_serial_number=serial_number[:25],
        firmware_version=firmware_version[:50],
    )


def transaction_request(output: TransactionOutput, transaction_id: str | None) -> Request:
    """StartTransaction, MeterValues or StopTransaction; `transaction_id` is the CSMS's."""
    number = UNKNOWN_TRANSACTION if transaction_id is None else int(transaction_id)
    if isinstance(output, TransactionStarted):
        return call.StartTransaction(
            connector_id=output.connector_id,
            id_tag=output.id_tag,
            meter_start=output.meter_start_wh,
            timestamp=timestamp(output.at),
            reservation_id=output.reservation_id,
        )
    if isinstance(output, MeterSampled):
        return call.MeterValues(output.connector_id, meter_values_to_wire(output.samples), number + output.id_offset)
    return call.StopTransaction(
        meter_stop=output.meter_stop_wh,
        timestamp=timestamp(output.at),
        transaction_id=number,
        reason=output.reason,
        id_tag=output.id_tag,
        transaction_data=meter_values_to_wire(output.samples) or None,
    )


def plain_request(output: Output) -> Request | None:
    """The request for an output that is neither about a transaction nor waits for an answer; None if it needs none."""
    if isinstance(output, StatusChanged):
        return call.StatusNotification(
            connector_id=output.connector_id,
            error_code=output.error_code,
            status=output.status,
            timestamp=timestamp(output.at),
        )
    if isinstance(output, MeterSampled):
        return call.MeterValues(output.connector_id, meter_values_to_wire(output.samples))
    if isinstance(output, FirmwareStatus):
        return call.FirmwareStatusNotification(output.status)
    if isinstance(output, DiagnosticsStatus):
        return call.DiagnosticsStatusNotification(output.status)
    return None


def tag_info(payload: Mapping[str, Any]) -> TagInfo:
    """What the CSMS said of a tag; an expiry that is no date does not take the status away."""
    try:
        return tag_info_from_wire(payload)
    except PayloadError:
        return TagInfo(payload["status"])
