"""What the bundled CSMS recorded, in either database, becomes sessions that can be replayed."""

from __future__ import annotations

import httpx
import pytest

from csms.api.graphql.app import graphql_app
from csms.api.graphql.service import GraphQLService
from csms.store.database import Database
from optivgi.clock import ManualClock
from optivgi.study.recorded import Powers, recorded_sessions
from optivgi.translation.citrineos.history import read_history
from tests.report.test_bundled_csms import fill
from tests.study.days import after, replayed, session


async def test_transactions_in_the_database_are_replayed(db: Database) -> None:
    service = GraphQLService(db)
    await fill(service, "ChargingStations", {"id": "ST-1"})
    await fill(service, "Connectors", {"id": 1, "stationId": "ST-1", "connectorId": 2})
    place = {"stationId": "ST-1", "connectorId": 1, "meterStart": 5000}
    await fill(
        service,
        "Transactions",
        {**place, "id": 1, "transactionId": "1", "isActive": False, "startTime": after(0).isoformat()},
        {**place, "id": 2, "transactionId": "2", "isActive": True, "startTime": after(5).isoformat()},
    )
    ended = {"stationId": "ST-1", "transactionDatabaseId": 1, "meterStop": 12_500, "timestamp": after(3).isoformat()}
    await fill(service, "StopTransactions", ended)

    history = await read_history(
        "http://csms", clock=ManualClock(), since=after(-1), transport=httpx.ASGITransport(graphql_app(service))
    )
    recorded = recorded_sessions(history, lambda *_: Powers(1.4, 7.2))

    assert recorded.sessions == (session(0, 3, 7.5, stated_departure=None, station_id="ST-1", connector_id=2),)
    assert recorded.left_out == ("transaction 2 of ST-1: it has not ended",)
    assert replayed(recorded.sessions, 5.0).delivered_kwh == pytest.approx([7.5], abs=0.01)
