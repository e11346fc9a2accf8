"""The reader against the bundled CSMS's own GraphQL, over the database it really uses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from csms.api.graphql.app import graphql_app
from csms.api.graphql.service import GraphQLService
from csms.store.database import Database
from optivgi.clock import ManualClock
from optivgi.errors import Refused
from optivgi.translation.citrineos.history import read_history
from tests.report.histories import at

STAMPED = {"createdAt": at(0).isoformat(), "updatedAt": at(0).isoformat()}
PROFILE = {
    "connectorId": 1,
    "csChargingProfiles": {
        "chargingProfileId": 7,
        "transactionId": 1,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5000}]},
    },
}
SAMPLED = [
    {"value": 7200, "context": "Sample.Clock", "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}},
    {"value": 20.125, "context": "Sample.Clock", "unitOfMeasure": {"unit": "Wh", "multiplier": 0}},
]


async def fill(service: GraphQLService, table: str, *objects: dict[str, Any]) -> None:
    mutation = f"mutation($rows: [{table}_insert_input!]!) {{ insert_{table}(objects: $rows) {{ affected_rows }} }}"
    answer = await service.execute(mutation, {"rows": [dict(row) for row in objects]})
    assert answer == {"data": {f"insert_{table}": {"affected_rows": len(objects)}}}


async def test_a_run_in_the_bundled_csms_is_read_whole(db: Database) -> None:
    service = GraphQLService(db)
    await fill(service, "ChargingStations", {"id": "STATION-01"})
    await fill(service, "Connectors", {"id": 1, "stationId": "STATION-01", "connectorId": 2})
    session = {"stationId": "STATION-01", "connectorId": 1, "meterStart": 0}
    await fill(
        service,
        "Transactions",
        {**session, "id": 1, "transactionId": "1", "isActive": False, "startTime": at(0).isoformat()},
        {**session, "id": 2, "transactionId": "2", "isActive": True, "startTime": at(700).isoformat()},
    )
    await fill(
        service,
        "StopTransactions",
        {"stationId": "STATION-01", "transactionDatabaseId": 1, "meterStop": 1000, "timestamp": at(600).isoformat()},
    )
    await fill(
        service,
        "OCPPMessages",
        *(
            {
                "stationId": "STATION-01",
                "correlationId": "m1",
                "protocol": "ocpp1.6",
                "action": "SetChargingProfile",
                **row,
            }
            for row in (
                {"origin": "csms", "message": [2, "m1", "SetChargingProfile", PROFILE], "timestamp": at(1).isoformat()},
                {"origin": "cs", "message": [3, "m1", {"status": "Accepted"}], "timestamp": at(1.25).isoformat()},
            )
        ),
    )
    rows = [
        {"transactionDatabaseId": 1, "timestamp": at(10 * n).isoformat(), "sampledValue": SAMPLED} for n in range(1, 26)
    ]
    await fill(service, "MeterValues", *rows)

    history = await read_history(
        "http://csms", clock=ManualClock(), transport=httpx.ASGITransport(graphql_app(service)), page_size=10
    )

    assert [(tx.connector_id, tx.start, tx.end) for tx in history.transactions] == [
        (2, at(0), at(600)),
        (2, at(700), None),
    ]
    assert [(sent.status, sent.answered_at) for sent in history.profiles] == [("Accepted", at(1.25))]
    assert len(history.samples) == 25
    sample = history.samples[0]
    assert (sample.at, sample.clock_aligned, sample.power_kw) == (at(10), True, 7.2)
    assert sample.register is not None
    assert (sample.register.energy_wh, sample.register.resolution_wh) == pytest.approx((20.125, 0.001))

    early = await read_history(
        "http://csms",
        clock=ManualClock(),
        transport=httpx.ASGITransport(graphql_app(service)),
        since=at(-1),
        until=at(100),
    )
    assert [tx.row_id for tx in early.transactions] == [1]
    assert len(early.samples) == 10


async def test_the_bundled_csms_refuses_a_wrong_secret(db: Database) -> None:
    transport = httpx.ASGITransport(graphql_app(GraphQLService(db), admin_secret="right"))

    with pytest.raises(Refused, match="HASURA_ADMIN_SECRET"):
        await read_history("http://csms", "wrong", clock=ManualClock(), transport=transport)
