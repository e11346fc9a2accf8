"""A CSMS without sockets: handlers on a real database, SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest_asyncio
from sqlalchemy import Table, insert, select

from csms.handlers.context import Context, Exchange
from csms.handlers.meter_reports import MeterReports
from csms.handlers.table import INCOMING, OUTGOING
from csms.rpc.dialects import OCPP16
from csms.rpc.schemas import violation
from csms.rpc.timestamps import format_timestamp
from csms.rules.boot import BootPolicy
from csms.store import stations, tables
from csms.store.database import Database
from optivgi.clock import ManualClock
from tests.csms.databases import clock, database_url, db

__all__ = ["clock", "database_url", "db"]

STATION = "ST-1"

Json = dict[str, Any]


@dataclass
class Csms:
    """Hands messages to their handlers, as the stations' side does, and shows rows."""

    db: Database
    clock: ManualClock
    meters: MeterReports

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def receive(self, action: str, payload: Json, station_id: str = STATION) -> Json:
        assert violation(OCPP16, action, "request", payload) is None
        answer = await INCOMING["1.6", action](payload, self._context(station_id))
        assert violation(OCPP16, action, "response", answer) is None
        return answer

    async def answered(self, action: str, request: Json, response: Json, station_id: str = STATION) -> None:
        assert violation(OCPP16, action, "request", request) is None
        assert violation(OCPP16, action, "response", response) is None
        after = OUTGOING["1.6", action].after
        assert after is not None
        await after(Exchange("correlation", request, response), self._context(station_id))

    async def connects(self, station_id: str = STATION) -> None:
        async with self.db.begin() as connection:
            await stations.set_online(connection, station_id, "ocpp1.6")

    async def knows_tag(self, id_tag: str, **columns: Any) -> int:
        async with self.db.begin() as connection:
            tags = tables.authorizations
            statement = insert(tags).values(idToken=id_tag, **columns).returning(tags.c.id)
            return int((await connection.execute(statement)).scalar_one())

    async def rows(self, table: Table, **equals: Any) -> list[Json]:
        async with self.db.connect() as connection:
            wanted = [table.c[name] == value for name, value in equals.items()]
            rows = await connection.execute(select(table).where(*wanted).order_by(*table.primary_key.columns))
            return [dict(row._mapping) for row in rows]

    async def row(self, table: Table, **equals: Any) -> Json:
        found = await self.rows(table, **equals)
        assert len(found) == 1, found
        return found[0]

    async def start(
        self,
        *,
        connector: int = 1,
        tag: str = "TAG",
        meter: int = 0,
        at: datetime | None = None,
        station_id: str = STATION,
        **more: Any,
    ) -> Json:
        said = {
            "connectorId": connector,
            "idTag": tag,
            "meterStart": meter,
            "timestamp": format_timestamp(at or self.now),
        }
        return await self.receive("StartTransaction", said | more, station_id)

    async def stop(self, transaction_id: int, *, meter: int = 0, station_id: str = STATION, **more: Any) -> Json:
        said = {"transactionId": transaction_id, "meterStop": meter, "timestamp": format_timestamp(self.now)}
        return await self.receive("StopTransaction", said | more, station_id)

    async def meter(
        self,
        value: float | str,
        *,
        transaction_id: int | None = 1,
        connector: int = 1,
        at: datetime | None = None,
        station_id: str = STATION,
    ) -> Json:
        entry = {"timestamp": format_timestamp(at or self.now), "sampledValue": [{"value": str(value)}]}
        said: Json = {"connectorId": connector, "meterValue": [entry]}
        if transaction_id is not None:
            said["transactionId"] = transaction_id
        return await self.receive("MeterValues", said, station_id)

    def _context(self, station_id: str) -> Context:
        return Context(station_id, self.now, self.db, self.meters, BootPolicy())


@pytest_asyncio.fixture
async def csms(db: Database, clock: ManualClock) -> Csms:
    """Station ST-1 is connected, and idTag TAG may charge, once at a time."""
    world = Csms(db, clock, MeterReports(db))
    await world.connects()
    await world.knows_tag("TAG", concurrentTransaction=False)
    return world
