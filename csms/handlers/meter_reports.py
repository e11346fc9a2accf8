"""Meter values of all stations, written together: they are most of what stations say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from csms.rules.meter_values import Reading, check_register
from csms.rules.transactions import energy_kwh
from csms.store import meter_values, transactions
from csms.store.connection import Connection
from csms.store.database import Database
from csms.store.group_commit import GroupCommit
from csms.store.meter_values import Belonging, Neighbours, Registers
from csms.store.transactions import Session


@dataclass(frozen=True, slots=True)
class MeterReport:
    """What one message told. `transaction_id` is None when the station gave none."""

    station_id: str
    connector_id: int
    transaction_id: int | None
    readings: Sequence[Reading]

    @property
    def names_transaction(self) -> bool:
        """A charger that was offline sends -1, 0 or nothing until it learns the number of its transaction."""
        return self.transaction_id is not None and self.transaction_id > 0


Sessions = dict[tuple[str, int], Session]


class MeterReports:
    """Keeps reports with the transactions they belong to; a report is durable when `keep` returns."""

    def __init__(self, db: Database) -> None:
        self._registers = Registers()
        self._commits: GroupCommit[MeterReport] = GroupCommit(db, self._write)

    async def keep(self, report: MeterReport) -> None:
        """Writes the report, together with those of other stations that arrive at the same time."""
        await self._commits.add(report)

    async def _write(self, connection: Connection, reports: Sequence[MeterReport]) -> None:
        named = await transactions.find_many(
            connection, {(r.station_id, r.transaction_id or 0) for r in reports if r.names_transaction}
        )
        active = await transactions.active_many(
            connection, {(r.station_id, r.connector_id) for r in reports if not r.names_transaction}
        )
        rows: list[tuple[Belonging, Sequence[Reading]]] = []
        totals_kwh: dict[int, float] = {}
        for report in reports:
            session, remarks = _session_of(report, named, active)
            readings = report.readings
            if session is not None:
                readings = await self._checked(connection, session, readings)
                _count(totals_kwh, session, readings)
            rows.append((_belonging(report, session, remarks), readings))
        await meter_values.add(connection, rows)
        await transactions.set_totals(connection, totals_kwh)

    async def _checked(self, connection: Connection, session: Session, readings: Sequence[Reading]) -> list[Reading]:
        checked: list[Reading] = []
        highest_wh = session.meter_start_wh
        around: Neighbours | None = None
        for reading in sorted(readings, key=lambda reading: reading.timestamp):
            if reading.energy_wh is None:
                checked.append(reading)
                continue
            # Nothing later is stored: then nothing is stored between the readings of this message either.
            if around is None or around.after_wh is not None:
                around = await self._registers.around(connection, session.row_id, reading.timestamp)
            known = [wh for wh in (highest_wh, around.before_wh) if wh is not None]
            good = check_register(reading, max(known, default=None), around.after_wh)
            if good.energy_wh is not None:
                highest_wh = good.energy_wh
                self._registers.saw(session.row_id, good.timestamp, good.energy_wh)
            checked.append(good)
        return checked


def _session_of(report: MeterReport, named: Sessions, active: Sessions) -> tuple[Session | None, dict[str, str]]:
    """The transaction meant, and what must be noted when there is none or it is at another connector."""
    if report.names_transaction:
        session = named.get((report.station_id, report.transaction_id or 0))
        if session is None:
            return None, {"stationId": report.station_id, "remark": f"no transaction {report.transaction_id} here"}
        if session.connector_id != report.connector_id:
            place = f"transaction {report.transaction_id} is at connector {session.connector_id}"
            return session, {"remark": place}
        return session, {}
    session = active.get((report.station_id, report.connector_id))
    if session is None or any(reading.timestamp < session.start_time for reading in report.readings):
        return None, {"stationId": report.station_id}
    return session, {}


def _belonging(report: MeterReport, session: Session | None, remarks: dict[str, str]) -> Belonging:
    if session is not None:
        return Belonging(report.connector_id, session.row_id, session.transaction_id, remarks=remarks)
    said = None if report.transaction_id is None else str(report.transaction_id)
    return Belonging(report.connector_id, None, said, remarks=remarks)


def _count(totals_kwh: dict[int, float], session: Session, readings: Sequence[Reading]) -> None:
    highest_wh = max((reading.energy_wh for reading in readings if reading.energy_wh is not None), default=None)
    if highest_wh is None:
        return
    total_kwh = energy_kwh(session.meter_start_wh, highest_wh)
    if total_kwh is not None and total_kwh > totals_kwh.get(session.row_id, session.total_kwh or 0.0):
        totals_kwh[session.row_id] = total_kwh
