"""The CSMS's OCPP 1.6 CALLs, each given to the charger and answered with what that says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from ocpp.charge_point import snake_to_camel_case
from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action
from websockets.asyncio.client import ClientConnection

from optivgi.model.charging_profile import ChargingProfile, RateUnit
from simulator import commands, maintenance
from simulator.authorization import ListEntry
from simulator.charger import Charger
from simulator.configuration import MAX_KEYS_PER_ANSWER
from simulator.connector import Reservation
from simulator.errors import PayloadError
from simulator.link16 import LOGGER, Link
from simulator.payloads16 import (
    moment_from_wire,
    profile_from_wire,
    purpose_from_wire,
    schedule_to_wire,
    tag_info_from_wire,
    timestamp,
)

Handler = TypeVar("Handler", bound=Callable[..., Any])


def handles(action: Action) -> Callable[[Handler], Handler]:
    """The package's decorator for handlers, with types."""
    return cast("Callable[[Handler], Handler]", on(action))


class Owner(Protocol):
    """What a connection needs of the station that it belongs to."""

    charger: Charger

    @property
    def vendor(self) -> str:
        """Who built the station."""
        ...

    @property
    def message_s(self) -> float:
        """How long the station takes over each message, in seconds of site time."""
        ...

    def now(self) -> datetime:
        """Site time."""
        ...

    def monotonic(self) -> float:
        """Seconds of site time since some beginning."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds` of site time."""
        ...

    def flush(self, *, triggered: bool = False) -> None:
        """Has everything sent that the charger wants said; what was triggered even before the boot is accepted."""
        ...

    def trigger(self, message: str) -> None:
        """Has a BootNotification, Heartbeat or status of firmware or diagnostics sent."""
        ...


class StationLink(Link):
    """One connection of one station."""

    def __init__(
        self, owner: Owner, socket: ClientConnection, message_id: Callable[[], str], response_timeout_s: float
    ) -> None:
        super().__init__(owner.charger.spec.station_id, socket, message_id, response_timeout_s)
        self._owner = owner
        self._charger = owner.charger
        self._triggered = False
        self.clock_offset_s = owner.charger.faults.clock_offset_s

    def answer_due(self, action: str) -> float | None:
        after_s = self._charger.faults.answers_after_s(action)
        return self._owner.monotonic() + after_s if after_s > 0 else None

    async def ponder(self) -> None:
        if self._owner.message_s:
            await self._owner.sleep(self._owner.message_s)

    async def wait_until(self, due: float) -> None:
        await self._owner.sleep(due - self._owner.monotonic())

    def after_answer(self) -> None:
        triggered, self._triggered = self._triggered, False
        self._owner.flush(triggered=triggered)

    # Smart charging

    @handles(Action.set_charging_profile)
    def on_set_charging_profile(self, connector_id: int, cs_charging_profiles: Any) -> Any:
        profile = self._profile(cs_charging_profiles)
        status = "Rejected"
        if profile is not None:
            status = commands.set_charging_profile(self._charger, connector_id, profile, self._owner.now())
        if status != "Accepted":
            LOGGER.warning("%s refuses a charging profile: %s", self.id, self._charger.last_refusal)
        return call_result.SetChargingProfile(status)

    @handles(Action.clear_charging_profile)
    def on_clear_charging_profile(
        self,
        id: int | None = None,  # noqa: A002
        connector_id: int | None = None,
        charging_profile_purpose: str | None = None,
        stack_level: int | None = None,
    ) -> Any:
        status = commands.clear_charging_profile(
            self._charger,
            self._owner.now(),
            profile_id=id,
            connector_id=connector_id,
            purpose=None if charging_profile_purpose is None else purpose_from_wire(charging_profile_purpose),
            stack_level=stack_level,
        )
        return call_result.ClearChargingProfile(status)

    @handles(Action.get_composite_schedule)
    def on_get_composite_schedule(self, connector_id: int, duration: int, charging_rate_unit: str | None = None) -> Any:
        unit = None if charging_rate_unit is None else RateUnit(charging_rate_unit)
        schedule = commands.composite(self._charger, connector_id, duration, unit, self._owner.now())
        if schedule is None or schedule.start is None:
            return call_result.GetCompositeSchedule("Rejected")
        return call_result.GetCompositeSchedule(
            "Accepted", connector_id, timestamp(schedule.start), schedule_to_wire(schedule)
        )

    # Transactions

    @handles(Action.remote_start_transaction)
    def on_remote_start_transaction(
        self, id_tag: str, connector_id: int | None = None, charging_profile: Any = None
    ) -> Any:
        profile = None if charging_profile is None else self._profile(charging_profile)
        if charging_profile is not None and profile is None:
            return call_result.RemoteStartTransaction("Rejected")
        status = commands.remote_start(self._charger, id_tag, connector_id, profile, self._owner.now())
        return call_result.RemoteStartTransaction(status)

    @handles(Action.remote_stop_transaction)
    def on_remote_stop_transaction(self, transaction_id: int) -> Any:
        return call_result.RemoteStopTransaction(commands.remote_stop(self._charger, transaction_id, self._owner.now()))

    @handles(Action.unlock_connector)
    def on_unlock_connector(self, connector_id: int) -> Any:
        return call_result.UnlockConnector(commands.unlock(self._charger, connector_id, self._owner.now()))

    @handles(Action.reserve_now)
    def on_reserve_now(
        self,
        connector_id: int,
        expiry_date: str,
        id_tag: str,
        reservation_id: int,
        parent_id_tag: str | None = None,
    ) -> Any:
        expiry = moment_from_wire("expiryDate", expiry_date)
        reservation = Reservation(reservation_id, id_tag, parent_id_tag, expiry)
        return call_result.ReserveNow(commands.reserve(self._charger, connector_id, reservation, self._owner.now()))

    @handles(Action.cancel_reservation)
    def on_cancel_reservation(self, reservation_id: int) -> Any:
        return call_result.CancelReservation(
            commands.cancel_reservation(self._charger, reservation_id, self._owner.now())
        )

    # Authorization data

    @handles(Action.send_local_list)
    def on_send_local_list(
        self, list_version: int, update_type: str, local_authorization_list: list[dict[str, Any]] | None = None
    ) -> Any:
        entries = [
            ListEntry(one["id_tag"], tag_info_from_wire(one["id_tag_info"]) if "id_tag_info" in one else None)
            for one in local_authorization_list or []
        ]
        full = update_type == "Full"
        return call_result.SendLocalList(commands.send_local_list(self._charger, list_version, entries, full=full))

    @handles(Action.get_local_list_version)
    def on_get_local_list_version(self) -> Any:
        return call_result.GetLocalListVersion(commands.local_list_version(self._charger))

    @handles(Action.clear_cache)
    def on_clear_cache(self) -> Any:
        return call_result.ClearCache(commands.clear_cache(self._charger))

    # The station itself

    @handles(Action.get_configuration)
    def on_get_configuration(self, key: list[str] | None = None) -> Any:
        known, unknown = self._charger.configuration.read(key or [])
        return call_result.GetConfiguration(
            [
                {"key": one.name, "readonly": one.accepts is None, "value": value}
                for one, value in known[:MAX_KEYS_PER_ANSWER]
            ],
            unknown or None,
        )

    @handles(Action.change_configuration)
    def on_change_configuration(self, key: str, value: str) -> Any:
        return call_result.ChangeConfiguration(
            commands.change_configuration(self._charger, key, value, self._owner.now())
        )

    @handles(Action.change_availability)
    def on_change_availability(self, connector_id: int, type: str) -> Any:  # noqa: A002
        operative = type == "Operative"
        return call_result.ChangeAvailability(
            commands.change_availability(self._charger, connector_id, operative, self._owner.now())
        )

    @handles(Action.reset)
    def on_reset(self, type: str) -> Any:  # noqa: A002
        return call_result.Reset(commands.reset(self._charger, type == "Hard", self._owner.now()))

    @handles(Action.trigger_message)
    def on_trigger_message(self, requested_message: str, connector_id: int | None = None) -> Any:
        status = "Accepted"
        if requested_message == "StatusNotification":
            status = commands.trigger_status(self._charger, connector_id, self._owner.now())
        elif requested_message == "MeterValues":
            status = commands.trigger_meter(self._charger, connector_id, self._owner.now())
        else:
            self._owner.trigger(requested_message)
        self._triggered = status == "Accepted"
        return call_result.TriggerMessage(status)

    @handles(Action.get_diagnostics)
    def on_get_diagnostics(self, location: str, **_: Any) -> Any:
        return call_result.GetDiagnostics(maintenance.upload_diagnostics(self._charger, location, self._owner.now()))

    @handles(Action.update_firmware)
    def on_update_firmware(self, location: str, retrieve_date: str, **_: Any) -> Any:
        at = moment_from_wire("retrieveDate", retrieve_date)
        maintenance.update_firmware(self._charger, location, at, self._owner.now())
        return call_result.UpdateFirmware()

    @handles(Action.data_transfer)
    def on_data_transfer(self, vendor_id: str, **_: Any) -> Any:
        own = vendor_id == self._owner.vendor
        return call_result.DataTransfer("UnknownMessageId" if own else "UnknownVendorId")

    def _profile(self, payload: Any) -> ChargingProfile | None:
        try:
            return profile_from_wire(snake_to_camel_case(payload))
        except PayloadError as error:
            self._charger.last_refusal = str(error)
            return None
