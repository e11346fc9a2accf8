"""StartTransaction and StopTransaction: durable, once, never lost, never two at one connector."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from csms.errors import CallRefused
from csms.rpc.timestamps import format_timestamp
from csms.store import tables
from optivgi.clock import ManualClock
from tests.csms.handlers.conftest import Csms

ACCEPTED = {"status": "Accepted"}
LATER = ManualClock().now() + timedelta(seconds=1)


async def test_a_start_is_stored_as_the_contract_shows_it(csms: Csms) -> None:
    assert await csms.start(meter=1200) == {"transactionId": 1, "idTagInfo": ACCEPTED}
    connector = await csms.row(tables.connectors)
    transaction = await csms.row(tables.transactions)
    assert (
        transaction.items()
        >= {
            "stationId": "ST-1",
            "transactionId": "1",
            "isActive": True,
            "chargingState": None,
            "totalKwh": 0,
            "evseId": None,
            "connectorId": connector["id"],
            "authorizationId": 1,
            "endTime": None,
            "customData": None,
            "meterStart": 1200,
        }.items()
    )
    start = await csms.row(tables.start_transactions)
    assert (
        start.items()
        >= {
            "stationId": "ST-1",
            "meterStart": 1200,
            "timestamp": transaction["startTime"],
            "reservationId": None,
            "transactionDatabaseId": transaction["id"],
            "connectorDatabaseId": connector["id"],
        }.items()
    )


async def test_transaction_ids_count_per_station_from_1(csms: Csms) -> None:
    await csms.knows_tag("FLEET", concurrentTransaction=True)
    await csms.connects("ST-2")
    first = await csms.start(tag="FLEET")
    second = await csms.start(tag="FLEET", connector=2)
    other = await csms.start(tag="FLEET", station_id="ST-2")
    assert [answer["transactionId"] for answer in (first, second, other)] == [1, 2, 1]
    sequences = await csms.rows(tables.charging_station_sequences)
    assert {(row["stationId"], row["type"], row["value"]) for row in sequences} == {
        ("ST-1", "transactionId", 2),
        ("ST-2", "transactionId", 1),
    }


async def test_a_repeated_start_gets_the_same_transaction_id(csms: Csms) -> None:
    at = csms.now
    first = await csms.start(at=at)
    await csms.clock.advance(300)
    assert await csms.start(at=at, tag="tag") == first
    await csms.stop(1)
    assert (await csms.start(at=at))["transactionId"] == 1
    assert len(await csms.rows(tables.transactions)) == 1


@pytest.mark.parametrize("change", [{"meter": 5}, {"connector": 2}, {"tag": "OTHER"}, {"at": LATER}])
async def test_another_start_is_not_taken_for_a_repetition(csms: Csms, change: dict[str, Any]) -> None:
    await csms.knows_tag("OTHER")
    first: dict[str, Any] = {"at": csms.now}
    await csms.start(**first)
    await csms.stop(1)
    assert (await csms.start(**(first | change)))["transactionId"] == 2


async def test_a_start_closes_the_transaction_whose_stop_was_lost(csms: Csms) -> None:
    await csms.start()
    await csms.meter(700)
    await csms.clock.advance(3600)
    assert (await csms.start())["transactionId"] == 2
    stale, current = await csms.rows(tables.transactions)
    assert (stale["isActive"], stale["stoppedReason"], stale["totalKwh"]) == (False, "Other", 0.7)
    assert stale["endTime"] == current["startTime"]
    assert current["isActive"] is True


async def test_a_lost_stop_does_not_lock_the_id_tag_at_its_own_connector(csms: Csms) -> None:
    await csms.start()
    await csms.clock.advance(60)
    assert (await csms.start())["idTagInfo"] == ACCEPTED


async def test_the_stop_of_a_superseded_transaction_completes_it(csms: Csms) -> None:
    await csms.start()
    await csms.clock.advance(3600)
    await csms.start(meter=1500)
    assert await csms.stop(1, meter=1400, reason="EVDisconnected") == {}
    stale = await csms.row(tables.transactions, transactionId="1")
    assert (stale["isActive"], stale["stoppedReason"], stale["totalKwh"]) == (False, "EVDisconnected", 1.4)
    assert (await csms.row(tables.transactions, transactionId="2"))["isActive"] is True


async def test_an_id_tag_that_charges_elsewhere_is_refused_unless_it_may(csms: Csms) -> None:
    await csms.start()
    assert await csms.start(connector=2) == {"transactionId": 0, "idTagInfo": {"status": "ConcurrentTx"}}
    await csms.knows_tag("FLEET", concurrentTransaction=True)
    await csms.start(tag="FLEET", connector=3)
    assert (await csms.start(tag="fleet", connector=4))["idTagInfo"] == ACCEPTED


@pytest.mark.parametrize(("status", "answer"), [("Blocked", "Blocked"), ("Expired", "Expired"), (None, "Invalid")])
async def test_an_id_tag_that_may_not_charge_gets_an_answer_and_no_transaction(
    csms: Csms, status: str | None, answer: str
) -> None:
    if status:
        await csms.knows_tag("BAD", status=status)
    assert await csms.start(tag="BAD") == {"transactionId": 0, "idTagInfo": {"status": answer}}
    assert await csms.rows(tables.transactions) == []
    assert await csms.stop(0, meter=10, idTag="BAD") == {"idTagInfo": {"status": answer}}


@pytest.mark.parametrize("connector", [0, -1, 257, 1_634_030_126])
async def test_a_start_at_an_impossible_connector_is_refused_by_name(csms: Csms, connector: int) -> None:
    with pytest.raises(CallRefused, match=f"connectorId is {connector}") as refused:
        await csms.start(connector=connector)
    assert refused.value.code == "PropertyConstraintViolation"
    assert await csms.rows(tables.connectors) == []


async def test_a_stop_is_stored_as_the_contract_shows_it(csms: Csms) -> None:
    await csms.start(meter=1000)
    await csms.clock.advance(180)
    assert await csms.stop(1, meter=1335, reason="EVDisconnected", idTag="tag") == {"idTagInfo": ACCEPTED}
    transaction = await csms.row(tables.transactions)
    assert (transaction["isActive"], transaction["totalKwh"], transaction["stoppedReason"]) == (
        False,
        0.335,
        "EVDisconnected",
    )
    stop = await csms.row(tables.stop_transactions)
    assert (
        stop.items()
        >= {
            "stationId": "ST-1",
            "transactionDatabaseId": transaction["id"],
            "meterStop": 1335,
            "timestamp": transaction["endTime"],
            "reason": "EVDisconnected",
        }.items()
    )


async def test_transaction_data_is_stored_with_the_stop(csms: Csms) -> None:
    await csms.start()
    data = [
        {
            "timestamp": format_timestamp(csms.now),
            "sampledValue": [{"value": "900", "context": "Transaction.End", "unit": "Wh"}],
        }
    ]
    await csms.stop(1, meter=900, transactionData=data)
    row = await csms.row(tables.meter_values)
    assert (row["transactionDatabaseId"], row["stopTransactionDatabaseId"], row["transactionId"]) == (1, 1, "1")
    assert row["sampledValue"][0]["context"] == "Transaction.End"


async def test_a_repeated_stop_changes_nothing(csms: Csms) -> None:
    await csms.start()
    await csms.stop(1, meter=500)
    await csms.clock.advance(60)
    assert await csms.stop(1, meter=900) == {}
    assert (await csms.row(tables.stop_transactions))["meterStop"] == 500
    assert (await csms.row(tables.transactions))["totalKwh"] == 0.5


async def test_the_stop_of_an_unknown_transaction_is_answered(csms: Csms) -> None:
    assert await csms.stop(99, meter=500) == {}
    assert await csms.stop(10**12, meter=500, idTag="TAG") == {"idTagInfo": ACCEPTED}


async def test_a_station_cannot_stop_or_feed_another_stations_transaction(csms: Csms) -> None:
    await csms.start()
    await csms.connects("EVIL")
    await csms.stop(1, meter=99_000, station_id="EVIL")
    await csms.meter(99_000, station_id="EVIL")
    transaction = await csms.row(tables.transactions)
    assert (transaction["isActive"], transaction["totalKwh"]) == (True, 0)
    assert (await csms.row(tables.meter_values))["transactionDatabaseId"] is None


async def test_numbers_beyond_an_integer_column_do_not_break_the_transaction(csms: Csms) -> None:
    answer = await csms.start(meter=10**15, reservationId=10**15)
    assert answer["transactionId"] == 1
    assert (await csms.row(tables.transactions))["customData"] == {"reportedMeterStart": 10**15}
    await csms.stop(1, meter=10**15)
    assert (await csms.row(tables.stop_transactions))["meterStop"] is None


async def test_a_start_years_ahead_is_noted_and_starts_now(csms: Csms) -> None:
    future = csms.now + timedelta(days=3650)
    await csms.start(at=future)
    transaction = await csms.row(tables.transactions)
    assert transaction["startTime"] == csms.now
    assert transaction["customData"] == {"reportedStart": format_timestamp(future)}
    assert (await csms.start(at=future))["transactionId"] == 1


async def test_a_reservation_ends_with_the_transaction_that_uses_it(csms: Csms) -> None:
    request = {"connectorId": 1, "expiryDate": format_timestamp(csms.now), "idTag": "TAG", "reservationId": 5}
    await csms.answered("ReserveNow", request, ACCEPTED)
    await csms.start(reservationId=5)
    reservation = await csms.row(tables.reservations)
    assert (reservation["isActive"], reservation["terminatedByTransaction"]) == (False, "1")
