"""What a site manager sees of the site meter: status, explain, metrics, doctor."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from optivgi import doctor, explain
from optivgi.clock import WallClock
from optivgi.errors import SettingsError
from optivgi.limits.registers import Register
from optivgi.meter_setup import meter_source
from optivgi.metrics import Metrics
from optivgi.model.clock import Clock
from optivgi.scheduler import LIMIT
from optivgi.settings import OptimizerSettings
from optivgi.site_meter.base import MeterSource, Reading
from optivgi.site_meter.modbus import ModbusMeter
from optivgi.site_meter.mqtt import MqttMeter
from optivgi.site_meter.site_meter import MeterSettings, SiteMeter
from optivgi.status import cycle_json
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.http import client
from optivgi.translation.probes import Diagnosis, examine
from tests.optivgi.control_room import ControlRoom, evs
from tests.site_meter.tiny_broker import TinyBroker, serving


def settings(**values: object) -> OptimizerSettings:
    return OptimizerSettings(_env_file=None, base_load_max_kw=20, **values)  # type: ignore[arg-type, call-arg]


async def test_cycles_tell_what_the_building_takes() -> None:
    metrics = Metrics()
    meters: list[SiteMeter] = []

    def a_meter(clock: Clock) -> SiteMeter:
        meters.append(SiteMeter("default", MeterSettings(most_kw=18.0, release_s=0.0), clock))
        return meters[0]

    def value(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"group": "default"})

    room = ControlRoom(observers=(metrics,), base_load=a_meter)
    async with room.open():
        await room.arrive(*evs(1, 2))
        before = cycle_json(room.scheduler.history[-1])
        meters[0].reading(Reading(room.clock.now(), 8.0, (10.0, 11.0, 12.0)))
        room.scheduler.wake(LIMIT)
        await room.a_moment()
        after = cycle_json(room.scheduler.history[-1])
    assert (before["limit"]["limit_kw"], before["base_load"]["fresh"]) == (11.5, False)
    assert after["base_load"] == {
        "load_kw": 8.0,
        "load_a": [10.0, 11.0, 12.0],
        "margin_kw": 0.5,
        "metered_kw": 8.0,
        "age_s": 0.0,
        "fresh": True,
        "doubt": "",
    }
    assert after["limit"] == {"limit_kw": 21.5, "source": "site limit less base load"}
    assert value("optivgi_base_load_kw") == 8.0
    assert value("optivgi_site_meter_kw") == 8.0
    assert value("optivgi_site_meter_fresh") == 1
    text = io.StringIO()
    explain.show_all([before, after], ZoneInfo("UTC"), Console(file=text, width=200))
    assert (
        "The building counts at its maximum with 18.0 kW and 0.5 kW margin (its meter showed nothing yet"
        in text.getvalue()
    )
    assert "The building counts with 8.0 kW and 0.5 kW margin (its meter showed 8.0 kW 0 s before)" in text.getvalue()


async def diagnosis(chosen: OptimizerSettings, timeout_s: float = 4.0) -> Diagnosis:
    (found,) = await examine(doctor.meter_probe(chosen, (), WallClock(), timeout_s))
    return found


async def test_the_doctor_says_what_the_meter_shows() -> None:
    async with serving(TinyBroker("meter", "secret")) as broker:
        broker.publish("site", b'{"w": 4200, "t": 1772524790}', retain=True)
        url = f"mqtt://meter:secret@localhost:{broker.port}/site"
        found = await diagnosis(settings(meter_source="mqtt", meter_url=url, meter_fields="power=w;time=t"))
    assert found.healthy
    assert found.detail == "shows 4.20 kW: is that what grid draws?"
    assert "secret" not in found.address


async def test_the_doctor_says_why_a_meter_is_not_read() -> None:
    found = await diagnosis(settings(meter_source="http", meter_url="http://127.0.0.1:1/"), timeout_s=0.3)
    assert not found.healthy
    assert "cannot be reached" in found.detail
    assert "METER_URL" in found.remedy


def a_source(*registers: Register, **values: object) -> MeterSource:
    clock = WallClock()
    return meter_source(settings(**values), registers, clock, GraphQL(client(), "http://csms/v1/graphql", clock))


def test_addresses_are_taken_apart() -> None:
    mqtt = a_source(meter_source="mqtt", meter_url="mqtts://u%40x:p%2Fw@broker/a/b")
    assert isinstance(mqtt, MqttMeter)
    assert (mqtt.host, mqtt.port, mqtt.topic, mqtt.user, mqtt.password, mqtt.tls) == (
        "broker",
        8883,
        "a/b",
        "u@x",
        "p/w",
        True,
    )
    modbus = a_source(Register("power", 1), meter_source="modbus", meter_url="modbus://meter/7")
    assert isinstance(modbus, ModbusMeter)
    assert (modbus.host, modbus.port, modbus.unit_id) == ("meter", 502, 7)


def test_what_is_not_enough_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"SITE_FILE has no \[\[register\]\]"):
        a_source(meter_source="modbus", meter_url="modbus://meter")
    with pytest.raises(SettingsError, match="the unit must be a number from 0 to 255"):
        a_source(Register("power", 1), meter_source="modbus", meter_url="modbus://meter/x")
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(SettingsError, match=r"METER_CA_FILE is .* holds no certificates"):
        a_source(meter_source="http", meter_url="https://meter", meter_ca_file=tmp_path / "ca.pem")


def test_libraries_for_meters_are_loaded_for_those_who_have_one() -> None:
    code = "import sys, optivgi.wiring, optivgi.doctor; print({'aiomqtt', 'paho', 'pymodbus'} & sys.modules.keys())"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "set()"
