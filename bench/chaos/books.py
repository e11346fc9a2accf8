"""The chargers' own account of their transactions against the rows of the CSMS, to the watt-hour. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

BEGINS = re.compile(r"(\S+): transaction #(\d+) of (\S+) begins at connector (\d+), meter at (\d+) Wh")
ENDED = re.compile(r"(\S+): transaction #(\d+) has ended \(\w+\), meter at (\d+) Wh")

ROWS = """{
  Transactions { id stationId isActive totalKwh Connector { connectorId } }
  StartTransactions { transactionDatabaseId stationId meterStart }
  StopTransactions { transactionDatabaseId stationId meterStop }
}"""
"""The GraphQL query for `of_the_csms`."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One transaction. `stop_wh` is None while it runs; `total_wh` is what was billed, None if nothing was."""

    station_id: str
    connector_id: int
    start_wh: int
    stop_wh: int | None
    total_wh: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What does not agree."""

    transactions: int = 0
    lost: tuple[Entry, ...] = ()
    doubled: tuple[Entry, ...] = ()
    off_wh: int = 0
    """Billed energy that was not drawn, and drawn energy that was not billed, added up."""

    @property
    def agrees(self) -> bool:
        return not self.lost and not self.doubled and self.off_wh == 0


def of_the_chargers(log: str) -> list[Entry]:
    """Every transaction in a simulator's log."""
    stops = {(station_id, tx): int(wh) for station_id, tx, wh in ENDED.findall(log)}
    entries = []
    for station_id, tx, _, connector_id, start in BEGINS.findall(log):
        stop_wh = stops.get((station_id, tx))
        total_wh = None if stop_wh is None else stop_wh - int(start)
        entries.append(Entry(station_id, int(connector_id), int(start), stop_wh, total_wh))
    return sorted(entries)


def of_the_csms(rows: Mapping[str, list[dict[str, Any]]]) -> list[Entry]:
    """Every transaction in the CSMS's tables."""
    starts = {row["transactionDatabaseId"]: row["meterStart"] for row in rows["StartTransactions"]}
    stops = {row["transactionDatabaseId"]: row["meterStop"] for row in rows["StopTransactions"]}
    entries = []
    for row in rows["Transactions"]:
        connector = row["Connector"] or {"connectorId": 0}
        running = row["isActive"] or row["totalKwh"] is None
        total_wh = None if running else round(float(row["totalKwh"]) * 1000)
        number = row["id"]
        entries.append(
            Entry(row["stationId"], connector["connectorId"], starts.get(number, -1), stops.get(number), total_wh)
        )
    return sorted(entries, key=str)


def compared(chargers: Iterable[Entry], csms: Iterable[Entry]) -> Difference:
    """`lost` are transactions of the chargers that no row has, `doubled` rows that no charger had or that are there twice."""
    true, told = list(chargers), list(csms)
    pairs: dict[tuple[str, int, int], list[Entry]] = {}
    for entry in told:
        pairs.setdefault((entry.station_id, entry.connector_id, entry.start_wh), []).append(entry)
    lost, off_wh = [], 0
    for entry in true:
        rows = pairs.get((entry.station_id, entry.connector_id, entry.start_wh), [])
        match = next((row for row in rows if row.stop_wh == entry.stop_wh), rows[0] if rows else None)
        if match is None:
            lost.append(entry)
            off_wh += entry.total_wh or 0
            continue
        rows.remove(match)
        off_wh += abs((entry.total_wh or 0) - (match.total_wh or 0)) + abs((entry.stop_wh or 0) - (match.stop_wh or 0))
    doubled = [row for rows in pairs.values() for row in rows]
    off_wh += sum(row.total_wh or 0 for row in doubled)
    return Difference(len(true), tuple(lost), tuple(doubled), off_wh)
