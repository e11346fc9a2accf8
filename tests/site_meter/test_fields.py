"""From a meter's own words to a reading: units, signs, phases, times, and everything that makes no sense."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.site_meter.base import Doubtful
from optivgi.site_meter.fields import JsonFields, Scale

NOW = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)


def read(document: Any, scale: Scale | None = None, **paths: str) -> Any:
    return JsonFields(paths, scale or Scale()).reading(json.dumps(document).encode(), NOW)


def test_a_number_alone_is_the_power_and_it_arrived_now() -> None:
    found = read(1500)
    assert (found.kw, found.amps, found.at, found.mark) == (1.5, None, NOW, None)


def test_unit_and_sign_are_as_the_settings_say() -> None:
    assert read(1.5, Scale("kW", import_is_positive=False)).kw == -1.5


def test_names_positions_and_pointers_lead_to_a_value() -> None:
    assert read({"a": {"b": [1, {"c": "2000"}]}}, power="a.b.1.c").kw == 2.0
    assert read({"em:0": {"a.power": 2000}}, power="/em:0/a.power").kw == 2.0


def test_currents_without_power_make_one() -> None:
    found = read({"i": [10, 20, -5]}, Scale(voltage_v=200), current_l1="i.0", current_l2="i.1", current_l3="i.2")
    assert (found.kw, found.amps) == (5.0, (10.0, 20.0, -5.0))


@pytest.mark.parametrize("time", ["2026-03-03T08:59:50+01:00", 1772524790, 1772524790000, "1772524790"])
def test_its_own_time_is_when_it_measured(time: object) -> None:
    found = read({"w": 1, "t": time}, power="w", time="t")
    assert found.at == found.mark == NOW.replace(hour=7, minute=59, second=50)


def test_a_meter_whose_clock_is_ahead_measured_now() -> None:
    found = read({"w": 1, "t": "2026-03-03T09:00:00Z"}, power="w", time="t")
    assert (found.at, found.mark) == (NOW, NOW.replace(hour=9))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"x": 1}, "there is no 'w'"),
        ({"w": None}, "power is 'None', which is no number"),
        ({"w": True}, "no number"),
        ({"w": "Infinity"}, "no number"),
        ({"w": 10**400}, "no number"),
        ({"w": 1, "t": "yesterday"}, "no time"),
        ({"w": 1, "t": "2026-03-03T08:00:00"}, "has no offset"),
        ({"w": 1, "t": 1e300}, "no time"),
    ],
)
def test_what_makes_no_sense_is_named(document: dict[str, Any], words: str) -> None:
    with pytest.raises(Doubtful, match=words):
        read({"t": 1772524790, **document}, power="w", time="t")


@given(st.binary(max_size=80))
def test_no_payload_raises_anything_else(payload: bytes) -> None:
    for fields in (JsonFields(), JsonFields({"power": "a.0", "time": "b"})):
        with contextlib.suppress(Doubtful):
            fields.reading(payload, NOW)
