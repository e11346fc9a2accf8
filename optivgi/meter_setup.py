"""The site meter as settings and the site file describe it. Libraries are loaded for the source that is wanted alone."""

from __future__ import annotations

import ssl
from urllib.parse import SplitResult, unquote, urlsplit

from optivgi.errors import SettingsError
from optivgi.limits.registers import Register
from optivgi.model.clock import Clock
from optivgi.settings import OptimizerSettings
from optivgi.site_meter.base import MeterSource
from optivgi.site_meter.fields import JsonFields, Scale
from optivgi.site_meter.site_meter import MeterSettings, SiteMeter
from optivgi.translation.citrineos.graphql import GraphQL

MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
MODBUS_PORT = 502


def site_meter(settings: OptimizerSettings, clock: Clock) -> SiteMeter | None:
    """The meter of the one grid connection that has one; None without METER_SOURCE."""
    if settings.meter_source == "none":
        return None
    believed = MeterSettings(
        most_kw=settings.base_load_max_kw or 0.0,
        most_a=settings.base_load_max_a,
        measures=settings.meter_measures,
        feed_in=settings.meter_feed_in,
        margin_kw=settings.meter_margin_kw,
        fresh_s=settings.meter_fresh_s,
        frozen_s=settings.meter_frozen_s,
        lag_s=settings.meter_lag_s,
        release_s=settings.meter_release_s,
        settle_s=settings.settle_s,
        voltage_v=settings.voltage,
    )
    return SiteMeter(settings.meter_group or settings.groups[0], believed, clock)


def meter_source(
    settings: OptimizerSettings, registers: tuple[Register, ...], clock: Clock, graphql: GraphQL
) -> MeterSource:
    """The source that METER_SOURCE names; `graphql` is the CSMS's data service. Raises SettingsError."""
    scale = Scale(settings.meter_unit, settings.meter_positive == "import", settings.voltage)
    fields = JsonFields(settings.meter_fields, scale)
    url, poll_s = urlsplit(settings.meter_url), settings.meter_poll_s
    ca_file = _readable(settings)
    match settings.meter_source:
        case "mqtt":
            return _mqtt(url, fields, clock, ca_file)
        case "http":
            from optivgi.site_meter.http_json import HttpJsonMeter  # noqa: PLC0415 - as the others

            return HttpJsonMeter(settings.meter_url, fields, clock, poll_s, ca_file)
        case "modbus":
            from optivgi.site_meter.modbus import ModbusMeter  # noqa: PLC0415

            if not registers:
                raise SettingsError(
                    "METER_SOURCE=modbus, but SITE_FILE has no [[register]]: name at least the one with the power, "
                    'e.g. [[register]] with value = "power", address = 40087, type = "int16"'
                )
            unit_id = url.path.strip("/") or "1"
            if not unit_id.isdecimal() or int(unit_id) > 255:
                raise SettingsError(
                    f"METER_URL ends in {unit_id!r}; the unit must be a number from 0 to 255, "
                    "e.g. METER_URL=modbus://meter.local:502/1"
                )
            host, port = url.hostname or "", url.port or MODBUS_PORT
            return ModbusMeter(host, port, int(unit_id), registers, scale, clock, poll_s)
        case _:
            from optivgi.site_meter.ocpp import OcppMeter  # noqa: PLC0415

            return OcppMeter(graphql, settings.meter_station, Scale(voltage_v=settings.voltage), clock, poll_s)


def _mqtt(url: SplitResult, fields: JsonFields, clock: Clock, ca_file: str | None) -> MeterSource:
    from optivgi.site_meter.mqtt import MqttMeter  # noqa: PLC0415

    return MqttMeter(
        url.hostname or "",
        url.port or MQTT_PORTS[url.scheme],
        unquote(url.path.removeprefix("/")),
        fields,
        clock,
        user=None if url.username is None else unquote(url.username),
        password=None if url.password is None else unquote(url.password),
        tls=url.scheme == "mqtts",
        ca_file=ca_file,
    )


def _readable(settings: OptimizerSettings) -> str | None:
    """METER_CA_FILE, once it is known to hold certificates."""
    if settings.meter_ca_file is None:
        return None
    try:
        ssl.create_default_context(cafile=str(settings.meter_ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"METER_CA_FILE is {str(settings.meter_ca_file)!r}, which holds no certificates ({error}): name a PEM file"
        ) from error
    return str(settings.meter_ca_file)
