"""Faults of meters and of what a station says, each by itself."""

from __future__ import annotations

from simulator.faults.station import ABSURD_CONNECTOR
from simulator.outputs import MeterSampled, StatusChanged, TransactionStopped
from tests.simulator.chargers import NOON, after, only
from tests.simulator.faulty_chargers import (
    POWER,
    REGISTER,
    charging,
    shown,
    station,
    told,
    tx,
)


def test_meter_backwards_counts_down_from_the_start() -> None:
    charger = charging(station("meter_backwards"))
    charger.advance(after(30))
    charger.unplug(1, after(30))
    outputs = charger.take_outputs()
    assert shown(outputs, REGISTER) == [49_980.0, 49_960.0, 49_940.0]
    assert shown(outputs, POWER) == [7200.0] * 3
    (stopped,) = only(outputs, TransactionStopped)
    assert stopped.meter_stop_wh == 49_940


def test_meter_missing_sends_no_meter_values_and_everything_else() -> None:
    charger = charging(station("meter_missing"))
    charger.unplug(1, after(60))
    outputs = charger.take_outputs()
    assert not only(outputs, MeterSampled)
    assert len(only(outputs, TransactionStopped)) == 1


def test_meter_stuck_shows_the_same_from_its_second_minute_on() -> None:
    charger = charging(station("meter_stuck"))
    told(charger, tx((0, 6.0)), 65)
    charger.unplug(1, after(91))
    outputs = charger.take_outputs()
    assert shown(outputs, REGISTER) == [50_020, 50_040, 50_060, 50_080, 50_100, 50_100, 50_100, 50_100, 50_100]
    assert shown(outputs, POWER) == [7200.0] * 9
    instants = [output.samples[0].at for output in only(outputs, MeterSampled)]
    assert instants == [after(10 * n) for n in range(1, 10)]
    assert only(outputs, TransactionStopped)[0].meter_stop_wh == 50_100


def test_meter_doubled_says_every_sample_twice() -> None:
    charger = charging(station("meter_doubled"))
    charger.advance(after(10))
    first, second = only(charger.take_outputs(), MeterSampled)
    assert first == second


def test_meter_foreign_transaction_names_another_and_never_in_start_or_stop() -> None:
    charger = charging(station({"name": "meter_foreign_transaction", "offset": -1}))
    charger.advance(after(10))
    (sampled,) = only(charger.take_outputs(), MeterSampled)
    assert (sampled.tx, sampled.id_offset) == (1, -1)


def test_stop_lost_ends_the_transaction_and_does_not_say_so() -> None:
    charger = charging(station("stop_lost"))
    charger.unplug(1, after(60))
    outputs = charger.take_outputs()
    assert not only(outputs, TransactionStopped)
    assert outputs[-1] == StatusChanged(1, "Available", "NoError", after(60))
    assert charger.connectors[1].transaction is None


def test_connector_count_absurd_is_told_twice_over() -> None:
    charger = station("connector_count_absurd")
    assert charger.configuration.text("NumberOfConnectors") == "1634030126"
    charger.report_everything(NOON)
    places = [status.connector_id for status in only(charger.take_outputs(), StatusChanged)]
    assert places == [0, ABSURD_CONNECTOR, 1, 2]
