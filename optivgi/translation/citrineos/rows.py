"""GraphQL rows into EVs and connectors: pure, and never turning a fault into "nothing there"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from optivgi.errors import ContractBroken
from optivgi.model.charging_profile import RateUnit
from optivgi.model.ev import EV, Connector
from optivgi.model.ev_config import SiteView, departure_of
from optivgi.model.snapshot import RefusedEV, Snapshot
from optivgi.translation.citrineos.meter import Doubtful, Metered, Row, metered, moment, number
from optivgi.translation.citrineos.skew import corrected, late_s, skew_s
from optivgi.translation.refusals import why_refused

UNIT_KEY = "ChargingScheduleAllowedChargingRateUnit"
NEWEST_SAMPLES = 4
TENANT_ID = 1
NO_SESSION = frozenset({"Available", "Finishing", "Reserved", "Unavailable"})
"""Statuses that rule out a running transaction, if they are newer than its start."""
DRAWING_KW = 0.05
HIGHEST_CONNECTOR_ID = 1000


@dataclass(frozen=True, slots=True)
class _Station:
    connectors: Mapping[int, Connector]
    protocol: str | None
    clock_skew_s: float = 0.0


def variables(stations: Sequence[str] | None) -> dict[str, Any]:
    """The variables of the Snapshot query for these stations; None is every station."""
    tenant = {"tenantId": {"_eq": TENANT_ID}}
    by_id = tenant if stations is None else {**tenant, "id": {"_in": list(stations)}}
    by_station = tenant if stations is None else {**tenant, "stationId": {"_in": list(stations)}}
    return {
        "stations": by_id,
        "transactions": {**by_station, "isActive": {"_eq": True}},
        "boots": by_id,
        "configurations": {**by_station, "key": {"_eq": UNIT_KEY}},
        "samples": NEWEST_SAMPLES,
    }


def snapshot(data: Mapping[str, Any], site: SiteView, group: str, read_at: datetime) -> Snapshot:
    """What the rows say. Raises ContractBroken if a table is missing or a station has no id.

    An EV is an active transaction whose connector does not say that it is over; a paused one counts. What cannot be
    planned for is refused by name; a single value that cannot be believed is left out and named in `doubts`.
    """
    stations = _stations(data, site)
    doubts: list[str] = []
    refused: list[RefusedEV] = []
    evs: dict[tuple[str, int], EV] = {}
    for row in _table(data, "Transactions"):
        outcome = _ev(row, stations, site, doubts)
        if isinstance(outcome, RefusedEV):
            refused.append(outcome)
        elif outcome is not None:
            key = outcome.station_id, outcome.connector_id
            older = evs.get(key)
            if older is not None:
                outcome, older = max(outcome, older, key=_arrival), min(outcome, older, key=_arrival)
                doubts.append(
                    f"EV {older.ev_id}: transaction {older.transaction_id} is still active although "
                    f"{outcome.transaction_id} began later on the same connector: only the later one counts"
                )
            evs[key] = outcome
    connectors = [connector for station in stations.values() for connector in station.connectors.values()]
    return Snapshot(group, read_at, tuple(evs.values()), tuple(connectors), tuple(refused), tuple(doubts))


def _stations(data: Mapping[str, Any], site: SiteView) -> dict[str, _Station]:
    booted = {row.get("id"): _moment_or_none(row.get("lastBootTime")) for row in _table(data, "Boots")}
    units = {row.get("stationId"): str(row.get("value") or "") for row in _table(data, "ChangeConfigurations")}
    samples: dict[object, list[Row]] = {}
    for row in _table(data, "Transactions"):
        samples.setdefault(row.get("stationId"), []).extend(row.get("MeterValues") or ())
    stations: dict[str, _Station] = {}
    for row in _table(data, "ChargingStations"):
        station_id = row.get("id")
        if not isinstance(station_id, str):
            raise ContractBroken(f"ChargingStations.id is {station_id!r}; a text is promised")
        config = site.ev(station_id)
        skew = skew_s(samples.get(station_id, ()), row.get("Connectors") or ())
        blank = Connector(
            station_id=station_id,
            connector_id=0,
            online=row.get("isOnline") is True,
            status="Unknown",
            booted_at=booted.get(station_id),
            min_kw=config.min_kw,
            max_kw=config.max_kw,
            voltage_v=site.voltage_v,
            unit=_unit(units.get(station_id, "")),
            vendor=str(row.get("chargePointVendor") or ""),
            model=str(row.get("chargePointModel") or ""),
            firmware=str(row.get("firmwareVersion") or ""),
            clock_skew_s=skew,
            late_s=late_s(samples.get(station_id, ())),
        )
        connectors = (_connector(connector, blank, site) for connector in row.get("Connectors") or ())
        known = {connector.connector_id: connector for connector in connectors if connector is not None}
        stations[station_id] = _Station(known, row.get("protocol"), skew)
    return stations


def _connector(row: Row, blank: Connector, site: SiteView) -> Connector | None:
    connector_id = row.get("connectorId")
    if not isinstance(connector_id, int) or not 0 < connector_id <= HIGHEST_CONNECTOR_ID:
        return None
    config = site.ev(blank.station_id, connector_id)
    blank = replace(blank, phases=config.phases, circuit=config.circuit)
    ratings = [_rating(row.get("maximumPowerWatts"), 1e-3), _rating(row.get("maximumAmperage"), blank.volts / 1000)]
    max_kw = min([blank.max_kw, *(rating for rating in ratings if rating is not None)])
    return replace(blank, connector_id=connector_id, status=str(row.get("status") or "Unknown"), max_kw=max_kw)


def _rating(value: object, kilowatts: float) -> float | None:
    try:
        rating = number(value) * kilowatts
    except Doubtful:
        return None
    return rating if rating > 0 else None


def _unit(allowed: str) -> RateUnit:
    words = {word.strip() for word in allowed.split(",")}
    return RateUnit.W if "Power" in words and "Current" not in words else RateUnit.A


def _ev(row: Row, stations: Mapping[str, _Station], site: SiteView, doubts: list[str]) -> EV | RefusedEV | None:
    station_id, transaction_id = str(row.get("stationId")), str(row.get("transactionId"))
    plug = row.get("Connector") or {}
    connector_id = plug.get("connectorId") or 0
    ev_id = site.ev_id(station_id, connector_id)

    def refuse(reason: str) -> RefusedEV:
        return RefusedEV(ev_id, station_id, connector_id, transaction_id, reason)

    station = stations.get(station_id)
    connector = station.connectors.get(connector_id) if station else None
    if station is None or connector is None:
        return refuse(
            f"its transaction names connector {connector_id or None} of {station_id}, which the CSMS does not list"
        )
    if station.protocol not in (None, "ocpp1.6"):
        return refuse(f"{station_id} speaks {station.protocol}; only ocpp1.6 can be commanded")
    if not transaction_id.isdecimal():
        return refuse(f"transaction id {transaction_id!r} is not the whole number that OCPP 1.6 needs")
    skew = station.clock_skew_s
    try:
        arrival = _arrived(row, skew)
        start_kwh = _meter_start_kwh(row)
    except Doubtful as doubt:
        return refuse(f"its start cannot be read: {doubt}")
    meter = metered([corrected(sample, skew) for sample in row.get("MeterValues") or ()], start_kwh)
    if _over(row, plug, meter):
        doubts.append(
            f"EV {ev_id}: transaction {transaction_id} is still active but its connector is {plug.get('status')}"
        )
        return None
    doubts.extend(f"EV {ev_id}: {doubt}" for doubt in meter.doubts)
    if plug.get("status") == "Faulted":
        return refuse("its connector is Faulted")
    config = site.ev(station_id, connector_id)
    delivered_kwh = _delivered_kwh(meter, start_kwh)
    if delivered_kwh is None:
        doubts.append(f"EV {ev_id}: the meter at its start is not known, so nothing counts as delivered")
    ev = EV(
        ev_id=ev_id,
        station_id=station_id,
        connector_id=connector_id,
        transaction_id=transaction_id,
        arrival=arrival,
        departure=departure_of(config, arrival, site.zone),
        energy_needed_kwh=max(0.0, config.energy_needed_kwh - (delivered_kwh or 0.0)),
        delivered_kwh=delivered_kwh or 0.0,
        min_kw=config.min_kw,
        max_kw=connector.max_kw,
        voltage_v=connector.voltage_v,
        phases=connector.phases,
        circuit=connector.circuit,
        priority=site.priority(config, _id_tag(row)),
        unit=connector.unit,
        suspended_by_ev=plug.get("status") == "SuspendedEV",
        measured_kw=meter.power_kw,
        measured_at=meter.power_at,
    )
    problem = why_refused(ev)
    return refuse(problem) if problem else ev


def _id_tag(row: Row) -> str:
    return str((row.get("Authorization") or {}).get("idToken") or "")


def _arrived(row: Row, skew: float) -> datetime:
    """When the transaction began, by the CSMS's clock; not later than it was stored."""
    started = row.get("StartTransaction") or {}
    said = row.get("startTime") or started.get("timestamp")
    stored = row.get("createdAt")
    times = [moment(said) - timedelta(seconds=skew)] if said is not None else []
    times += [moment(stored)] if stored is not None else []
    return min(times) if times else moment(None)


def _meter_start_kwh(row: Row) -> float | None:
    started = row.get("StartTransaction") or {}
    start_wh = started.get("meterStart", row.get("meterStart"))
    return None if start_wh is None else number(start_wh) / 1000


def _delivered_kwh(meter: Metered, start_kwh: float | None) -> float | None:
    if meter.register_kwh is None:
        return 0.0
    return None if start_kwh is None else meter.register_kwh - start_kwh


def _over(row: Row, plug: Row, meter: Metered) -> bool:
    """Whether the connector says that this transaction has ended, although its StopTransaction has not come.

    Both times compared are the CSMS's own, because a station's clock may be off. Power that was metered later overrules it.
    """
    if plug.get("status") not in NO_SESSION:
        return False
    began, said = _moment_or_none(row.get("createdAt")), _moment_or_none(plug.get("updatedAt"))
    if began is None or said is None or said <= began:
        return False
    return not (meter.power_at is not None and meter.power_at > said and (meter.power_kw or 0.0) > DRAWING_KW)


def _moment_or_none(value: object) -> datetime | None:
    try:
        return moment(value)
    except Doubtful:
        return None


def _arrival(ev: EV) -> tuple[datetime, int]:
    return ev.arrival, int(ev.transaction_id)


def _table(data: Mapping[str, Any], name: str) -> list[Row]:
    rows = data.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ContractBroken(f"the answer has no list of rows named {name}")
    return rows
