"""What a CSMS may ask of a charger, and what the charger answers, in OCPP 1.6's words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from optivgi.model.charging_profile import ChargingProfile, Purpose, RateUnit, Schedule
from optivgi.model.composite import ConnectorProfiles, composite_schedule, station_schedule
from simulator.authorization import ListEntry
from simulator.charger import Charger
from simulator.configuration import MAX_LIST_ENTRIES_PER_MESSAGE, Changed
from simulator.connector import Authorized, Connector, Reservation
from simulator.outputs import RebootWanted
from simulator.profiles import STATION

LONGEST_WINDOW_S = 366 * 86_400
"""The longest composite schedule that a station works out."""


def set_charging_profile(charger: Charger, connector_id: int, profile: ChargingProfile, at: datetime) -> str:
    """Accepted, or Rejected; what was installed counts from `at` on."""
    charger.advance(at)
    connector = charger.connectors.get(connector_id)
    transaction = None if connector is None else connector.transaction
    transaction_id = None if transaction is None else transaction.transaction_id
    refusal = charger.faults.refusal_at(connector_id, profile)
    if refusal is None:
        refusal = charger.profiles.install(connector_id, profile, transaction_id)
    if refusal is None:
        for moment in charger.faults.changed(connector_id, profile, charger.now):
            charger.later(moment, charger.refresh)
    charger.last_refusal = None if refusal is None else refusal.reason
    charger.refresh(charger.now)
    return "Accepted" if refusal is None else "Rejected"


def clear_charging_profile(
    charger: Charger,
    at: datetime,
    *,
    profile_id: int | None = None,
    connector_id: int | None = None,
    purpose: Purpose | None = None,
    stack_level: int | None = None,
) -> str:
    """Accepted when at least one profile went, else Unknown."""
    charger.advance(at)
    removed = charger.profiles.clear(profile_id, connector_id, purpose, stack_level)
    charger.refresh(charger.now)
    return "Accepted" if removed else "Unknown"


def composite(
    charger: Charger, connector_id: int, duration_s: int, unit: RateUnit | None, at: datetime
) -> Schedule | None:
    """The composite schedule from the whole second of `at` on, in the unit asked for; None is Rejected.

    For a connector without a transaction it is what one that starts now would get.
    """
    charger.advance(at)
    allowed = charger.spec.capabilities.units
    unit = allowed[0] if unit is None else unit
    known = connector_id == STATION or connector_id in charger.connectors
    if unit not in allowed or not known or not 0 <= duration_s <= LONGEST_WINDOW_S:
        return None
    start = charger.now.replace(microsecond=0)
    if connector_id == STATION:
        return station_schedule(
            [_profiles_of(charger, connector) for connector in charger.connectors.values()],
            charger.profiles.of_station,
            start,
            duration_s,
            unit=unit,
            supply=charger.spec.supply,
        )
    one = _profiles_of(charger, charger.connectors[connector_id])
    return composite_schedule(
        one.profiles,
        charger.profiles.of_station,
        start,
        duration_s,
        one.transaction,
        unit=unit,
        supply=charger.spec.supply,
    )


def remote_start(
    charger: Charger, id_tag: str, connector_id: int | None, profile: ChargingProfile | None, at: datetime
) -> str:
    """Accepted when a connector can take the driver; one with an EV is preferred if none is named."""
    charger.advance(at)
    if profile is not None and (
        profile.purpose is not Purpose.TX
        or profile.transaction_id is not None
        or charger.profiles.shape_refusal(profile) is not None
    ):
        return "Rejected"
    connector = _connector_for(charger, id_tag, connector_id)
    if connector is None:
        return "Rejected"
    authorized = Authorized(id_tag, profile)
    if charger.configuration.flag("AuthorizeRemoteTxRequests"):
        charger.ask(connector, authorized)
    else:
        charger.authorize(connector, authorized)
    return "Accepted"


def remote_stop(charger: Charger, transaction_id: int, at: datetime) -> str:
    """Accepted when this transaction is in progress here."""
    charger.advance(at)
    for connector in charger.connectors.values():
        if connector.transaction is not None and connector.transaction.transaction_id == str(transaction_id):
            charger.stop(connector, "Remote")
            charger.refresh(charger.now)
            return "Accepted"
    return "Rejected"


def change_configuration(charger: Charger, key: str, value: str, at: datetime) -> Changed:
    """Accepted, Rejected, NotSupported or RebootRequired; intervals count anew from `at` on."""
    charger.advance(at)
    changed = charger.configuration.change(key, value)
    if changed == "Accepted":
        charger.schedule_samples(charger.now)
    return changed


def change_availability(charger: Charger, connector_id: int, operative: bool, at: datetime) -> str:
    """Accepted; Scheduled when a connector is in use and goes out of operation later; Rejected for an unknown one."""
    charger.advance(at)
    if connector_id != STATION and connector_id not in charger.connectors:
        return "Rejected"
    if connector_id == STATION:
        charger.operative = operative
        charger.report_station(charger.now)
    everyone = charger.connectors.values()
    scheduled = False
    for connector in everyone if connector_id == STATION else [charger.connectors[connector_id]]:
        busy = connector.transaction is not None or connector.status == "Preparing"
        connector.inoperative_later = not operative and busy
        scheduled |= connector.inoperative_later
        if not busy or operative:
            connector.operative = operative
            connector.finishing = connector.finishing and not operative
        charger.report(connector, charger.now)
    return "Scheduled" if scheduled else "Accepted"


def unlock(charger: Charger, connector_id: int, at: datetime) -> str:
    """Unlocked, which ends the transaction; NotSupported for an unknown connector."""
    charger.advance(at)
    connector = charger.connectors.get(connector_id)
    if connector is None:
        return "NotSupported"
    charger.stop(connector, "UnlockCommand")
    charger.refresh(charger.now)
    return "Unlocked"


def reset(charger: Charger, hard: bool, at: datetime) -> str:
    """Accepted: transactions end, then the station boots."""
    charger.stop_all("HardReset" if hard else "SoftReset", at)
    charger.say(RebootWanted(hard))
    return "Accepted"


def reserve(charger: Charger, connector_id: int, reservation: Reservation, at: datetime) -> str:
    """Accepted, Faulted, Occupied, Unavailable or Rejected; the same reservation id replaces."""
    charger.advance(at)
    connector = charger.connectors.get(connector_id)
    if connector is None or reservation.expiry <= charger.now:
        return "Rejected"
    own = next((c for c in charger.connectors.values() if _reserved_as(c, reservation.reservation_id)), None)
    if connector.status != "Available" and own is not connector:
        return connector.status if connector.status in ("Faulted", "Unavailable") else "Occupied"
    if own is not None and own is not connector:
        own.reservation = None
        charger.report(own, charger.now)
    connector.reservation = reservation
    charger.report(connector, charger.now)

    def expire(now: datetime) -> None:
        if connector.reservation is reservation:
            connector.reservation = None
            charger.report(connector, now)

    charger.later(reservation.expiry, expire)
    return "Accepted"


def cancel_reservation(charger: Charger, reservation_id: int, at: datetime) -> str:
    """Accepted when there is such a reservation, else Rejected."""
    charger.advance(at)
    for connector in charger.connectors.values():
        if _reserved_as(connector, reservation_id):
            connector.reservation = None
            charger.report(connector, charger.now)
            return "Accepted"
    return "Rejected"


def send_local_list(charger: Charger, version: int, entries: Sequence[ListEntry], *, full: bool) -> str:
    """Accepted, Failed, NotSupported or VersionMismatch."""
    if not charger.configuration.flag("LocalAuthListEnabled"):
        return "NotSupported"
    if len(entries) > MAX_LIST_ENTRIES_PER_MESSAGE:
        return "Failed"
    return charger.tags.update(version, entries, full=full)


def local_list_version(charger: Charger) -> int:
    """The list's version; 0 for an empty one, -1 when the station does not use one."""
    return charger.tags.version if charger.configuration.flag("LocalAuthListEnabled") else -1


def clear_cache(charger: Charger) -> str:
    """Accepted, or Rejected when the station keeps no cache."""
    if not charger.configuration.flag("AuthorizationCacheEnabled"):
        return "Rejected"
    charger.tags.clear_cache()
    return "Accepted"


def trigger_status(charger: Charger, connector_id: int | None, at: datetime) -> str:
    """Has the status of one connector, or of all and the station, said again; Rejected for an unknown connector."""
    charger.advance(at)
    if connector_id is None:
        charger.report_everything(at)
    elif connector_id in charger.connectors:
        charger.connectors[connector_id].reported = None
        charger.report(charger.connectors[connector_id], charger.now)
    elif connector_id == STATION:
        charger.reported_status = None
        charger.report_station(charger.now)
    else:
        return "Rejected"
    return "Accepted"


def trigger_meter(charger: Charger, connector_id: int | None, at: datetime) -> str:
    """Has the meters of one connector, or of all, sampled now; Rejected for an unknown connector."""
    charger.advance(at)
    if connector_id is not None and connector_id not in charger.connectors:
        return "Rejected"
    for number, connector in charger.connectors.items():
        if connector_id in (None, number):
            charger.send_sample(connector, charger.now, "Trigger", "MeterValuesSampledData")
    return "Accepted"


def _profiles_of(charger: Charger, connector: Connector) -> ConnectorProfiles:
    transaction = None if connector.transaction is None else connector.transaction.for_profiles
    return ConnectorProfiles(charger.profiles.of_connector(connector.connector_id), transaction)


def _connector_for(charger: Charger, id_tag: str, connector_id: int | None) -> Connector | None:
    def ready(connector: Connector) -> bool:
        if connector.transaction is not None or connector.authorized is not None:
            return False
        reserved = connector.reservation
        return connector.status not in ("Faulted", "Unavailable") and (
            reserved is None or reserved.is_for(id_tag, None)
        )

    if connector_id is not None:
        named = charger.connectors.get(connector_id)
        return named if named is not None and ready(named) else None
    return min((c for c in charger.connectors.values() if ready(c)), key=lambda c: c.vehicle is None, default=None)


def _reserved_as(connector: Connector, reservation_id: int) -> bool:
    return connector.reservation is not None and connector.reservation.reservation_id == reservation_id
