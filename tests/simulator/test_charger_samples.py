"""A station by itself: meter samples at their exact instants."""

from __future__ import annotations

from datetime import datetime

import pytest

from simulator import commands
from simulator.charger import Charger, ChargerSpec
from simulator.outputs import (
    MeterSampled,
    StatusChanged,
    TransactionStopped,
)
from simulator.vehicle import Vehicle, VehicleSpec
from tests.simulator.chargers import NOON, after, car, charging, only, station


def test_clock_aligned_samples_are_exact_however_late_the_process_wakes() -> None:
    charger = station(aligned_interval_s=10, meter_start_wh=(1000.25,))
    charging(charger, at=after(3.5))
    charger.advance(after(47.3))
    sampled = only(charger.take_outputs(), MeterSampled)
    assert [s.samples[0].at for s in sampled] == [after(10), after(20), after(30), after(40)]
    assert {s.samples[0].context for s in sampled} == {"Sample.Clock"}
    energy = [float(s.samples[0].values[0].value) for s in sampled]
    assert energy == pytest.approx([1000.25 + 7200 * (t - 3.5) / 3600 for t in (10, 20, 30, 40)], abs=5e-4)


def test_no_samples_outside_a_transaction() -> None:
    charger = station(aligned_interval_s=10)
    charger.plug(1, car(), NOON)
    charger.advance(after(600))
    assert not only(charger.take_outputs(), MeterSampled)


def test_periodic_samples_count_from_the_start_of_the_transaction() -> None:
    charger = station(aligned_interval_s=0)
    assert commands.change_configuration(charger, "MeterValueSampleInterval", "15", NOON) == "Accepted"
    charging(charger, at=after(4))
    charger.advance(after(40))
    sampled = only(charger.take_outputs(), MeterSampled)
    assert [s.samples[0].at for s in sampled] == [after(19), after(34)]


def test_numbers_of_a_sample_agree() -> None:
    charger = station()
    charging(charger, vehicle=car(phases=3, max_charge_rate_kw=11))
    charger.advance(after(10))
    values = only(charger.take_outputs(), MeterSampled)[0].samples[0].values
    by_name: dict[str, list[float]] = {}
    for value in values:
        by_name.setdefault(value.measurand, []).append(float(value.value))
    power_w = by_name["Power.Active.Import"][0]
    assert power_w == pytest.approx(11000)
    assert len(by_name["Current.Import"]) == len(by_name["Voltage"]) == 3
    products = [a * v for a, v in zip(by_name["Current.Import"], by_name["Voltage"], strict=True)]
    assert sum(products) == pytest.approx(power_w, abs=1)
    assert by_name["Energy.Active.Import.Register"][0] == pytest.approx(power_w * 10 / 3600, abs=1e-3)
    assert by_name["SoC"][0] == pytest.approx(20 + 11 * 10 / 3600 * 0.92 / 60 * 100, abs=0.01)


def test_full_ev_is_reported_at_the_instant_it_stops() -> None:
    charger = station(aligned_interval_s=0)
    charging(charger, vehicle=car(soc=0.4, target_soc=0.4 + 0.92 * 0.1 / 60))
    charger.advance(after(3600))
    assert charger.take_outputs() == [StatusChanged(1, "SuspendedEV", "NoError", after(50))]
    assert charger.connectors[1].energy_wh == pytest.approx(100)


def test_next_due_never_lies_after_a_change() -> None:
    charger = station(aligned_interval_s=0)
    charging(charger, vehicle=car(soc=0.78, target_soc=0.9, capacity_kwh=20))
    while not charger.take_outputs():
        due = charger.next_due
        assert due < after(24 * 3600)
        charger.advance(due)
    assert charger.connectors[1].status == "SuspendedEV"


def test_samples_may_be_kept_for_the_end_of_the_transaction() -> None:
    charger = station(aligned_interval_s=10)
    charger.configuration.set("StopTxnAlignedData", "Energy.Active.Import.Register")
    charger.configuration.set("StopTxnSampledData", "SoC")
    charging(charger)
    charger.unplug(1, after(25))
    (stopped,) = only(charger.take_outputs(), TransactionStopped)
    assert [s.context for s in stopped.samples] == [
        "Transaction.Begin",
        "Sample.Clock",
        "Sample.Clock",
        "Transaction.End",
    ]


def test_trace_sees_the_truth_ten_times_a_second() -> None:
    seen: list[tuple[datetime, int, float]] = []
    charger = Charger(
        ChargerSpec("ST-01"), NOON, lambda at, _, connector_id, power_kw: seen.append((at, connector_id, power_kw))
    )
    charger.online = True
    charging(charger, vehicle=Vehicle(VehicleSpec(60, 7.2), 0.2))
    charger.advance(after(1))
    first = [(at, power) for at, connector_id, power in seen if connector_id == 1]
    assert [at for at, _ in first] == [after(n / 10) for n in range(1, 11)]
    assert [power for _, power in first] == pytest.approx([n / 5 for n in range(1, 11)])
