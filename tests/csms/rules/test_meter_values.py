"""Meter values in their stored form; what cannot be true is set aside and kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.rpc.timestamps import format_timestamp
from csms.rules.meter_values import check_register, check_registers, read_meter_value, register_wh

NOW = datetime(2026, 3, 3, 8, tzinfo=UTC)


def entry(*samples: dict[str, Any], at: datetime = NOW) -> dict[str, Any]:
    return {"timestamp": format_timestamp(at), "sampledValue": list(samples)}


def energy(value: float, at: datetime = NOW) -> Any:
    return read_meter_value(entry({"value": str(value)}, at=at), NOW)


def test_defaults_are_those_of_the_standard() -> None:
    reading = read_meter_value(entry({"value": "20"}), NOW)
    assert reading.samples == (
        {
            "value": 20,
            "context": "Sample.Periodic",
            "measurand": "Energy.Active.Import.Register",
            "unitOfMeasure": {"unit": "Wh", "multiplier": 0},
        },
    )
    assert reading.energy_wh == 20
    assert reading.remarks() == {}


@pytest.mark.parametrize(
    ("measurand", "unit"),
    [
        ("Power.Active.Import", "W"),
        ("Current.Import", "A"),
        ("Voltage", "V"),
        ("SoC", "Percent"),
        ("Frequency", "Hertz"),
    ],
)
def test_a_measurand_without_unit_gets_its_own(measurand: str, unit: str) -> None:
    reading = read_meter_value(entry({"value": "7", "measurand": measurand}), NOW)
    assert reading.samples[0]["unitOfMeasure"]["unit"] == unit


def test_what_was_said_is_kept_as_said() -> None:
    sample = {
        "value": "7.25",
        "context": "Sample.Clock",
        "measurand": "Power.Active.Import",
        "unit": "kW",
        "phase": "L1",
    }
    reading = read_meter_value(entry(sample | {"location": "Outlet"}), NOW)
    assert reading.samples == (
        {
            "value": 7.25,
            "context": "Sample.Clock",
            "measurand": "Power.Active.Import",
            "unitOfMeasure": {"unit": "kW", "multiplier": 0},
            "phase": "L1",
            "location": "Outlet",
        },
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("7200", 7200), ("7200.0", 7200), ("-3.5", -3.5), ("1e3", 1000), (" 5 ", 5), ("0.001", 0.001)],
)
def test_values_are_stored_as_numbers(text: str, value: float) -> None:
    reading = read_meter_value(entry({"value": text, "measurand": "Temperature"}), NOW)
    assert reading.samples[0]["value"] == value
    assert type(reading.samples[0]["value"]) is type(value)


@pytest.mark.parametrize(
    "sample",
    [
        {"value": "NaN"},
        {"value": "inf"},
        {"value": "1e300"},
        {"value": "1_000"},
        {"value": "12,5"},
        {"value": ""},
        {"value": "-5"},
        {"value": "99999999", "measurand": "Power.Active.Import", "unit": "W"},
        {"value": "99999", "measurand": "Power.Active.Import", "unit": "kW"},
        {"value": "99999", "measurand": "Current.Import", "unit": "A"},
        {"value": "101", "measurand": "SoC"},
        {"value": "c2lnbmVk", "format": "SignedData"},
    ],
)
def test_what_no_meter_can_show_is_set_aside_and_kept(sample: dict[str, Any]) -> None:
    reading = read_meter_value(entry(sample, {"value": "230", "measurand": "Voltage"}), NOW)
    assert [stored["measurand"] for stored in reading.samples] == ["Voltage"]
    assert reading.energy_wh is None
    assert [item["sample"] for item in reading.remarks()["setAside"]] == [sample]


@pytest.mark.parametrize("years", [-10, -2, 10])
def test_a_timestamp_years_off_is_kept_but_not_used(years: int) -> None:
    said = NOW + timedelta(days=365 * years)
    reading = read_meter_value(entry({"value": "20"}, at=said), NOW)
    assert reading.timestamp == NOW
    assert reading.remarks() == {"reportedTimestamp": format_timestamp(said)}


def test_a_timestamp_in_the_near_future_does_not_become_the_newest_for_ever() -> None:
    assert read_meter_value(entry({"value": "20"}, at=NOW + timedelta(minutes=6)), NOW).timestamp == NOW
    soon = NOW + timedelta(minutes=4)
    assert read_meter_value(entry({"value": "20"}, at=soon), NOW).timestamp == soon


def test_a_late_reading_of_an_offline_charger_keeps_its_time() -> None:
    yesterday = NOW - timedelta(days=1)
    assert read_meter_value(entry({"value": "20"}, at=yesterday), NOW).timestamp == yesterday


@pytest.mark.parametrize(
    "sample",
    [
        {"value": "20", "phase": "L1"},
        {"value": "20", "location": "Inlet"},
        {"value": "20", "measurand": "Energy.Active.Export.Register"},
        {"value": "20", "measurand": "Energy.Active.Import.Interval"},
    ],
)
def test_only_the_register_of_the_whole_connector_counts_as_energy(sample: dict[str, Any]) -> None:
    assert read_meter_value(entry(sample), NOW).energy_wh is None


def test_a_register_in_kwh_is_read_in_wh() -> None:
    reading = read_meter_value(entry({"value": "1.5", "unit": "kWh"}), NOW)
    assert reading.energy_wh == 1500
    assert register_wh(reading.samples) == 1500


@pytest.mark.parametrize(
    ("at_least_wh", "at_most_wh", "used"),
    [(None, None, True), (99, None, True), (100, 100, True), (101, None, False), (0, 99, False)],
)
def test_a_register_never_runs_backwards(at_least_wh: float | None, at_most_wh: float | None, used: bool) -> None:
    reading = check_register(energy(100), at_least_wh, at_most_wh)
    assert (reading.energy_wh == 100) is used
    assert (len(reading.samples) == 1) is used
    assert ("setAside" not in reading.remarks()) is used


@given(
    st.lists(st.tuples(st.integers(-3600, 0), st.integers(0, 10_000)), max_size=12), st.none() | st.integers(0, 5000)
)
def test_used_registers_rise_with_time_and_nothing_is_lost(
    samples: list[tuple[int, int]], meter_start_wh: int | None
) -> None:
    readings = [energy(wh, NOW + timedelta(seconds=offset_s)) for offset_s, wh in samples]
    checked = check_registers(readings, meter_start_wh)
    used = [reading.energy_wh for reading in checked if reading.energy_wh is not None]
    assert used == sorted(used)
    assert not used or meter_start_wh is None or used[0] >= meter_start_wh
    assert sum(len(reading.samples) + len(reading.set_aside) for reading in checked) == len(samples)
