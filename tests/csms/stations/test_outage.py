"""While the database is away stations stay connected, transactions are theirs to repeat, and meter values wait."""

from __future__ import annotations

import pytest

from csms.store import tables
from optivgi.clock import ScaledClock
from tests.csms.stations.conftest import eventually, fragile, meter, open_yard, start

pytestmark = pytest.mark.postgres

STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}


async def test_an_outage_loses_nothing(postgres_url: str) -> None:
    async with (
        fragile(postgres_url) as (proxy, url),
        open_yard(url, ScaledClock(20.0)) as yard,
        yard.server() as server,
        yard.station(server) as station,
    ):
        assert (await station.ask("StartTransaction", start(1)))[2]["transactionId"] == 1
        proxy.refuse(True)
        said = start(2)
        refused = await station.ask("StartTransaction", said)
        assert refused[2:4] == ["InternalError", "it cannot be kept at the moment; send it again"]
        assert (await station.ask("MeterValues", meter(700)))[2] == {}
        assert (await station.ask("StatusNotification", STATUS))[2] == {}
        assert await station.beats()
        proxy.refuse(False)
        assert (await station.ask("StartTransaction", said))[2]["transactionId"] == 2

        async def caught_up() -> bool:
            return bool(await yard.rows(tables.meter_values)) and bool(
                await yard.rows(tables.connectors, status="Charging")
            )

        await eventually(caught_up)
        await server.journal.flushed()
        frames = await yard.rows(tables.ocpp_messages)
        assert [row["action"] for row in frames if row["state"] == "1"] == [
            "StartTransaction",
            "StartTransaction",
            "MeterValues",
            "StatusNotification",
            "Heartbeat",
            "StartTransaction",
        ]
        assert all(row["requestMessageId"] is not None for row in frames if row["state"] == "2")
        totals = {row["transactionId"]: row["totalKwh"] for row in await yard.rows(tables.transactions)}
        assert totals == {"1": 0.7, "2": 0}


async def test_a_station_that_connects_during_an_outage_is_served_when_it_ends(postgres_url: str) -> None:
    async with (
        fragile(postgres_url) as (proxy, url),
        open_yard(url, ScaledClock(20.0)) as yard,
        yard.server() as server,
    ):
        proxy.refuse(True)
        async with yard.station(server) as station:
            assert (await station.ask("StartTransaction", start()))[2] == "InternalError"
            assert (await station.ask("StatusNotification", STATUS))[2] == {}
            proxy.refuse(False)
            assert (await station.ask("StartTransaction", start()))[2]["transactionId"] == 1
            assert await yard.online() is True

            async def told() -> bool:
                return bool(await yard.rows(tables.connectors, status="Charging"))

            await eventually(told)
