"""Meter values belong to the right transaction, whatever their order, and never run backwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from csms.errors import CallRefused
from csms.store import tables
from tests.csms.handlers.conftest import Csms


async def total(csms: Csms) -> object:
    return (await csms.row(tables.transactions))["totalKwh"]


async def test_a_reading_is_stored_as_the_contract_shows_it(csms: Csms) -> None:
    await csms.start()
    assert await csms.meter(20) == {}
    row = await csms.row(tables.meter_values)
    assert (
        row.items()
        >= {
            "transactionEventId": None,
            "transactionDatabaseId": 1,
            "stopTransactionDatabaseId": None,
            "connectorId": 1,
            "customData": None,
            "transactionId": "1",
            "sampledValue": [
                {
                    "value": 20,
                    "context": "Sample.Periodic",
                    "measurand": "Energy.Active.Import.Register",
                    "unitOfMeasure": {"unit": "Wh", "multiplier": 0},
                }
            ],
        }.items()
    )


async def test_the_total_follows_the_register(csms: Csms) -> None:
    await csms.start(meter=1000)
    await csms.meter(1500)
    await csms.clock.advance(10)
    await csms.meter(1725)
    assert await total(csms) == 0.725


async def test_a_late_reading_takes_its_place_in_time_and_leaves_the_total(csms: Csms) -> None:
    await csms.start()
    begin = csms.now
    await csms.clock.advance(60)
    await csms.meter(600)
    await csms.meter(300, at=begin + timedelta(seconds=30))
    assert await total(csms) == 0.6
    rows = await csms.rows(tables.meter_values)
    assert [row["customData"] for row in rows] == [None, None]


async def test_a_register_that_goes_back_is_set_aside(csms: Csms) -> None:
    await csms.start()
    await csms.meter(600)
    await csms.clock.advance(10)
    await csms.meter(10)
    assert await total(csms) == 0.6
    newest = (await csms.rows(tables.meter_values))[-1]
    assert newest["sampledValue"] == []
    assert newest["customData"]["setAside"][0]["sample"]["value"] == 10


async def test_a_late_reading_above_a_later_one_is_set_aside(csms: Csms) -> None:
    await csms.start()
    begin = csms.now
    await csms.clock.advance(60)
    await csms.meter(600)
    await csms.meter(900, at=begin + timedelta(seconds=30))
    assert await total(csms) == 0.6
    assert "setAside" in (await csms.rows(tables.meter_values))[-1]["customData"]


async def test_a_register_below_the_meter_start_is_set_aside(csms: Csms) -> None:
    await csms.start(meter=1000)
    await csms.meter(999)
    assert await total(csms) == 0


async def test_readings_in_one_message_are_taken_in_the_order_of_time(csms: Csms) -> None:
    await csms.start()
    stamp = "2026-03-03T07:59:{:02d}Z"
    values = [(30, "300"), (10, "100"), (20, "200"), (40, "250")]
    entries = [{"timestamp": stamp.format(second), "sampledValue": [{"value": value}]} for second, value in values]
    await csms.receive("MeterValues", {"connectorId": 1, "transactionId": 1, "meterValue": entries})
    assert await total(csms) == 0.3
    rows = await csms.rows(tables.meter_values)
    assert [len(row["sampledValue"]) for row in rows] == [1, 1, 1, 0]


@pytest.mark.parametrize("transaction_id", [None, 0, -1])
async def test_readings_without_a_transaction_id_belong_to_the_active_one(
    csms: Csms, transaction_id: int | None
) -> None:
    await csms.start(connector=2)
    await csms.meter(50, connector=2, transaction_id=transaction_id)
    row = await csms.row(tables.meter_values)
    assert (row["transactionDatabaseId"], row["transactionId"]) == (1, "1")


async def test_readings_from_before_the_transaction_do_not_belong_to_it(csms: Csms) -> None:
    await csms.start()
    await csms.meter(50, transaction_id=None, at=csms.now - timedelta(minutes=1))
    row = await csms.row(tables.meter_values)
    assert row["transactionDatabaseId"] is None
    assert row["customData"] == {"stationId": "ST-1"}


async def test_readings_of_an_unknown_transaction_are_kept_and_marked(csms: Csms) -> None:
    await csms.start()
    await csms.meter(50, transaction_id=99)
    row = await csms.row(tables.meter_values)
    assert (row["transactionDatabaseId"], row["transactionId"]) == (None, "99")
    assert row["customData"] == {"stationId": "ST-1", "remark": "no transaction 99 here"}


async def test_a_transaction_reported_from_another_connector_is_marked(csms: Csms) -> None:
    await csms.start()
    await csms.meter(50, connector=2)
    row = await csms.row(tables.meter_values)
    assert row["transactionDatabaseId"] == 1
    assert row["customData"] == {"remark": "transaction 1 is at connector 1"}


async def test_readings_that_arrive_after_the_stop_are_kept_with_their_transaction(csms: Csms) -> None:
    await csms.start()
    begin = csms.now
    await csms.clock.advance(60)
    await csms.stop(1, meter=600)
    await csms.meter(300, at=begin + timedelta(seconds=30))
    assert (await csms.row(tables.meter_values))["transactionDatabaseId"] == 1
    assert await total(csms) == 0.6


async def test_an_impossible_connector_is_refused_by_name(csms: Csms) -> None:
    with pytest.raises(CallRefused, match="connectorId is 1634030126"):
        await csms.meter(1, connector=1_634_030_126)
