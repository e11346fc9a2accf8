"""Which function answers which message: the one routing table of the CSMS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from csms.handlers.context import AfterAnswer, Handler, Json
from csms.handlers.v16 import (
    authorization,
    availability,
    maintenance,
    metering,
    provisioning,
    reservation,
    smart_charging,
    transactions,
)
from csms.rpc.dialects import OCPP16, Dialect
from csms.rpc.schemas import load_schema


@dataclass(frozen=True, slots=True)
class OutgoingAction:
    """A CALL that the CSMS can make: `module` is its place in the message API and the event group of its requests."""

    dialect: Dialect
    action: str
    module: str
    after: AfterAnswer | None = None

    @property
    def request_schema(self) -> Json:
        """The JSON schema of its payload."""
        return load_schema(self.dialect, self.action, "request")

    @property
    def response_schema(self) -> Json:
        """The JSON schema of the station's answer."""
        return load_schema(self.dialect, self.action, "response")


INCOMING: Mapping[tuple[str, str], Handler] = {
    ("1.6", "Authorize"): authorization.authorize,
    ("1.6", "BootNotification"): provisioning.boot_notification,
    ("1.6", "DataTransfer"): maintenance.data_transfer,
    ("1.6", "DiagnosticsStatusNotification"): maintenance.diagnostics_status_notification,
    ("1.6", "FirmwareStatusNotification"): maintenance.firmware_status_notification,
    ("1.6", "Heartbeat"): provisioning.heartbeat,
    ("1.6", "MeterValues"): metering.meter_values,
    ("1.6", "StartTransaction"): transactions.start_transaction,
    ("1.6", "StatusNotification"): availability.status_notification,
    ("1.6", "StopTransaction"): transactions.stop_transaction,
}
"""(OCPP version, action) of a station's CALL to the handler that answers it."""

_CALLS_16: tuple[tuple[str, str, AfterAnswer | None], ...] = (
    ("configuration", "ChangeAvailability", None),
    ("configuration", "ChangeConfiguration", provisioning.after_change_configuration),
    ("configuration", "DataTransfer", None),
    ("configuration", "GetConfiguration", provisioning.after_get_configuration),
    ("configuration", "Reset", None),
    ("configuration", "TriggerMessage", None),
    ("configuration", "UpdateFirmware", None),
    ("evdriver", "CancelReservation", reservation.after_cancel_reservation),
    ("evdriver", "ClearCache", None),
    ("evdriver", "GetLocalListVersion", authorization.after_get_local_list_version),
    ("evdriver", "RemoteStartTransaction", None),
    ("evdriver", "RemoteStopTransaction", None),
    ("evdriver", "ReserveNow", reservation.after_reserve_now),
    ("evdriver", "SendLocalList", authorization.after_send_local_list),
    ("evdriver", "UnlockConnector", None),
    ("reporting", "GetDiagnostics", None),
    ("smartcharging", "ClearChargingProfile", smart_charging.after_clear_charging_profile),
    ("smartcharging", "GetCompositeSchedule", smart_charging.after_get_composite_schedule),
    ("smartcharging", "SetChargingProfile", smart_charging.after_set_charging_profile),
)

OUTGOING: Mapping[tuple[str, str], OutgoingAction] = {
    (OCPP16.version, action): OutgoingAction(OCPP16, action, module, after) for module, action, after in _CALLS_16
}
"""(OCPP version, action) of a CALL to a station to what is known of it."""
