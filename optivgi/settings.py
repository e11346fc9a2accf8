"""Every setting of the optimizer: typed, from the environment and `.env`, checked at start with all problems at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from optivgi.algorithms import names
from optivgi.errors import SettingsError
from optivgi.limits.base_load import FeedIn, Measures
from optivgi.limits.registers import MARKS, QUANTITIES, lacking
from optivgi.model.ev_config import EVConfig, SiteView, When, parse_when
from optivgi.oversight_settings import PausePolicy
from optivgi.settings_report import SettingLine, load
from optivgi.settings_report import effective as effective_lines

ENV_FILE = ".env"
MOST_KW = 100_000.0
LEAST_DURATION_S = 30
METER_SCHEMES = {"mqtt": ("mqtt", "mqtts"), "http": ("http", "https"), "modbus": ("modbus",)}
METER_EXAMPLES = {
    "mqtt": "mqtt://user:password@broker:1883/site/meter",
    "http": "http://meter.local/status",
    "modbus": "modbus://meter.local:502",
}
METER_NAMES = (*QUANTITIES, *MARKS)
CONN_NAMES = re.compile(r"CONN_(\d+)_(.+)", re.IGNORECASE)
"""CONN_XX_NAME: XX is the place of a station in STATION_IDS, counted from 01."""


def _setting(default: Any, must: str, example: str | None = None, **bounds: Any) -> Any:
    """A field whose problem reads "it must be <must>, e.g. NAME=<example>"."""
    shown = str(default) if example is None else example
    return Field(default, description=must, examples=[shown], validate_default=True, allow_inf_nan=False, **bounds)


def _text(default: Any, must: str, example: str | None = None, **options: Any) -> Any:
    shown = str(default) if example is None else example
    return Field(default, description=must, examples=[shown], validate_default=True, **options)


def _ids(value: object) -> object:
    if not isinstance(value, str):
        return value
    ids = tuple(part.strip() for part in value.split(",") if part.strip())
    if not ids:
        raise ValueError("it names no station")
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is there more than once")
    return ids


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for part in text.split(";"):
        if not part.strip():
            continue
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name:
            raise ValueError(f"{part.strip()!r} names no group")
        if name in seen:
            raise ValueError(f"group {name!r} is there more than once")
        seen.add(name)
        yield name, value


def _groups(value: object) -> object:
    if not isinstance(value, str):
        return value
    groups = {name: _ids(stations) if stations else None for name, stations in _assignments(value)}
    if not groups:
        raise ValueError("it names no group")
    return groups


def _limits(value: object) -> object:
    """One number, kept under the empty name, or one number per group."""
    if isinstance(value, int | float):
        return {"": value}
    if not isinstance(value, str):
        return value
    return dict(_assignments(value)) if "=" in value else {"": value.strip()}


def _meter_fields(value: object) -> object:
    if not isinstance(value, str):
        return value
    fields = dict(_assignments(value))
    for name, path in fields.items():
        if name not in METER_NAMES:
            near = get_close_matches(name, METER_NAMES, n=1)
            raise ValueError(
                f"{name!r} is no quantity; "
                + (f"did you mean {near[0]}?" if near else f"known are {', '.join(METER_NAMES)}")
            )
        if not path:
            raise ValueError(f"{name} has no place: write {name}=<names with dots between>")
    if fields and (missing := lacking(fields)):
        raise ValueError(f"it has {missing}")
    return fields


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_when(value)
    except SettingsError as error:
        raise ValueError(str(error)) from None


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value not in available_timezones():
        near = get_close_matches(value, available_timezones(), n=1)
        raise ValueError("no such zone is known" + (f", {near[0]} is" if near else ""))
    return ZoneInfo(value)


def _algorithm(value: str) -> str:
    if value not in names():
        near = get_close_matches(value, names(), n=1)
        raise ValueError("there is no such algorithm" + (f", did you mean {near[0]}?" if near else ""))
    return value


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"it has no {' or '.join(f'{scheme}://' for scheme in schemes)} and host")
        _ = parts.port
        return value.rstrip("/")

    return AfterValidator(check)


Kilowatts = Annotated[float, Field(ge=0, le=MOST_KW, allow_inf_nan=False)]
HttpUrl = Annotated[str, _url("http", "https")]
AmqpUrl = Annotated[str, _url("amqp", "amqps")]
AlgorithmName = Annotated[str, AfterValidator(_algorithm)]
Moment = Annotated[When | None, BeforeValidator(_moment)]


class ConnSettings(BaseModel):
    """What to assume of an EV at one station: CONN_XX_ENERGY_NEEDED_KWH and its kin. Empty means the default."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    energy_needed_kwh: float = _setting(20.0, "a number of kWh from 0 to 1000", ge=0, le=1000)
    max_power_kw: float = _setting(7.2, "a number of kW above 0 and at most 1000", gt=0, le=1000)
    min_power_kw: float = _setting(
        1.4, "a number of kW from 0 to 1000, at most the station's MAX_POWER_KW", ge=0, le=1000
    )
    arrival_time: Moment = _text(None, "a time of day, a date and time with offset, or empty", "08:00")
    departure_time: Moment = _text(None, "a time of day, a date and time with offset, or empty", "14:00")

    @model_validator(mode="after")
    def _minimum_below_maximum(self) -> Self:
        if self.min_power_kw > self.max_power_kw:
            raise ValueError(
                f"MIN_POWER_KW {self.min_power_kw:g} is above MAX_POWER_KW {self.max_power_kw:g}: lower one, raise the other"
            )
        return self

    def ev_config(self) -> EVConfig:
        """The same in the model's words."""
        return EVConfig(
            energy_needed_kwh=self.energy_needed_kwh,
            max_kw=self.max_power_kw,
            min_kw=self.min_power_kw,
            arrival=self.arrival_time,
            departure=self.departure_time,
        )


class OptimizerSettings(BaseSettings):
    """The optimizer's settings. Use `load_settings`, which names every problem at once."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, extra="ignore", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    site_power_limit_kw: Annotated[dict[str, Kilowatts], NoDecode, BeforeValidator(_limits)] = _text(
        "30", f"a number of kW from 0 to {MOST_KW:g}, or one per station group as in north=20;south=10"
    )
    voltage: float = _setting(240.0, "a number of volts above 0 and at most 1000 (phase voltage)", gt=0, le=1000)
    station_groups: Annotated[dict[str, tuple[str, ...] | None], NoDecode, BeforeValidator(_groups)] = _text(
        "default", "a name (all stations), or names with their stations as in north=ST-01,ST-02;south=ST-03"
    )
    station_ids: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_ids)] = _text(
        ",".join(f"OPTIVGI-STATION-{number:02d}" for number in range(1, 7)),
        "station ids, each once, separated by commas",
        "ST-01,ST-02",
    )
    connectors_per_station: int = _setting(2, "a whole number from 1 to 100", ge=1, le=100)
    site_time_zone: Annotated[ZoneInfo, BeforeValidator(_zone)] = _text("UTC", "a time zone's name", "Europe/Berlin")

    translation: Literal["citrineos", "http_api"] = _text("citrineos", "citrineos or http_api")
    citrineos_api_url: HttpUrl = _text("http://citrineos:8080", "an http or https address")
    hasura_url: HttpUrl = _text("http://graphql-engine:8080", "an http or https address")
    hasura_admin_secret: SecretStr = _text("", "a secret, or empty if the data service wants none", "change-me")
    amqp_url: AmqpUrl = _text(
        "amqp://guest:guest@amqp-broker:5672", "an amqp or amqps address, or empty for no broker", repr=False
    )
    amqp_exchange: str = _text(
        "citrineos", "the name of the exchange with the CSMS's events", min_length=1, max_length=127
    )
    lease: Literal["broker", "none"] = _text("broker", "broker (one optimizer leads, others wait) or none")
    lease_hold_s: float = _setting(
        30.0, "a number of seconds from 0 to 3600 to lead on without the broker while another waits", ge=0, le=3600
    )
    http_api_url: HttpUrl = _text("", "an http or https address, or empty", "http://localhost:8000")
    callback_url: HttpUrl = _text(
        "", "the http or https address at which the CSMS reaches the optimizer, or empty", "http://optivgi:8099"
    )

    algorithm: AlgorithmName = _text("fair", f"one of {', '.join(names())}")
    algorithm_fallback: AlgorithmName = _text(
        "llf", f"what decides if ALGORITHM gives no good plan: one of {', '.join(names())}"
    )
    assumed_stay_hours: float = _setting(8.0, "a number of hours above 0 and at most 168", gt=0, le=168)
    planning_interval_s: float = _setting(60.0, "a number of seconds from 1 to 3600", ge=1, le=3600)
    planning_deadline_s: float = _setting(10.0, "a number of seconds above 0 and at most 300", gt=0, le=300)
    settle_s: float = _setting(5.0, "a number of seconds from 0 to 120", ge=0, le=120)
    profile_duration_s: int = _setting(
        0, "a whole number of seconds from 30 to 86400, or 0 for three times PLANNING_INTERVAL_S", ge=0, le=86_400
    )
    safe_start: Literal["pause", "reserve"] = _text("pause", "pause or reserve")
    safe_start_reserved: int = _setting(1, "a whole number of cars from 1 to 1000", ge=1, le=1000)
    dead_band_kw: float = _setting(0.1, "a number of kW from 0 to 100", ge=0, le=100)
    stale_hold_s: float = _setting(300.0, "a number of seconds from 0 to 86400", ge=0, le=86_400)
    adherence_s: float = _setting(20.0, "a number of seconds from 1 to 600", ge=1, le=600)
    meter_look_s: float = _setting(
        10.0, "a number of seconds from 1 to 3600, or 0 to look at meters only when planning", ge=0, le=3600
    )
    ramp_s: float = _setting(30.0, "a number of seconds from 0 to 600", ge=0, le=600)
    overbook: bool = _text(
        False, "true to give others what an EV leaves that draws the same part of whatever it is offered, or false"
    )
    wake_attempts: int = _setting(3, "a whole number from 0 to 20", ge=0, le=20)
    pause_policy: PausePolicy = _text("minimum", "minimum, zero, inoperative or stop")
    read_back: bool = _text(True, "true, or false to never ask stations what they have installed")
    forms_file: Path | None = _text(None, "the path of a file to keep what stations take, or empty", "forms.json")
    site_file: Path | None = _text(
        None, "the path of a TOML file with the site's circuits, or empty for one circuit", "site.toml"
    )
    limit_schedule_file: Path | None = _text(
        None, "the path of a CSV or TOML file with limits by the clock, or empty", "limits.csv"
    )

    meter_source: Literal["none", "mqtt", "http", "modbus", "ocpp"] = _text("none", "none, mqtt, http, modbus or ocpp")
    meter_url: Annotated[str, _url("mqtt", "mqtts", "http", "https", "modbus")] = _text(
        "",
        "where the site meter is: an mqtt or mqtts address with a topic, an http or https one, a modbus one, or empty",
        "mqtt://user:password@broker:1883/site/meter",
        repr=False,
    )
    meter_ca_file: Path | None = _text(
        None, "the path of a file with the certificates to trust, or empty for the usual ones", "ca.pem"
    )
    meter_station: str = _text(
        "", "the id of the station whose connector 0 is the site meter, or empty", "METER-01", max_length=48
    )
    meter_fields: Annotated[dict[str, str], NoDecode, BeforeValidator(_meter_fields)] = _text(
        "",
        "where each quantity is in the meter's JSON, as in power=total.power;time=ts, or empty for a single number",
        "power_l1=a.power;power_l2=b.power;power_l3=c.power",
    )
    meter_unit: Literal["W", "kW"] = _text("W", "W or kW")
    meter_positive: Literal["import", "export"] = _text("import", "import or export")
    meter_measures: Measures = _text("grid", "grid (building and EVs) or building (without the EVs)")
    meter_feed_in: FeedIn = _text("capped", "none, capped or used")
    meter_group: str = _text(
        "", "the station group whose grid connection is metered, or empty for the only one", "north"
    )
    meter_margin_kw: float = _setting(0.5, "a number of kW from 0 to 1000", ge=0, le=1000)
    meter_poll_s: float = _setting(1.0, "a number of seconds from 0.1 to 60", ge=0.1, le=60)
    meter_fresh_s: float = _setting(30.0, "a number of seconds from 1 to 3600", ge=1, le=3600)
    meter_frozen_s: float = _setting(
        300.0, "a number of seconds from 10 to 86400, or 0 if the same value for ever is fine", ge=0, le=86_400
    )
    meter_lag_s: float = _setting(3.0, "a number of seconds from 0 to 60", ge=0, le=60)
    meter_release_s: float = _setting(60.0, "a number of seconds from 0 to 3600", ge=0, le=3600)
    base_load_max_kw: Annotated[Kilowatts | None, Field()] = _text(
        None, f"a number of kW from 0 to {MOST_KW:g}; a site meter needs it", "20"
    )
    base_load_max_a: Annotated[float | None, Field(ge=0, le=100_000, allow_inf_nan=False)] = _text(
        None, "a number of amperes on each phase from 0 to 100000, or empty for all of BASE_LOAD_MAX_KW on each", "32"
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _text("INFO", "DEBUG, INFO, WARNING or ERROR")
    metrics_port: int = _setting(0, "a port from 1 to 65535, or 0 for none", "9100", ge=0, le=65_535)
    status_port: int = _setting(
        8095, "a port from 1 to 65535 on 127.0.0.1 for `optivgi explain`, or 0 for none", ge=0, le=65_535
    )

    conn: dict[int, ConnSettings] = Field(default_factory=dict, json_schema_extra={"names": CONN_NAMES.pattern})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = init_settings()
        numbered = [] if "conn" in given else [ConnSource(settings_cls, getattr(dotenv_settings, "env_file", None))]
        return init_settings, *numbered, env_settings, dotenv_settings

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, values: dict[str, Any]) -> dict[str, Any]:
        """An empty value means the default, except where empty itself means something: an address or a secret."""
        return {
            name: value
            for name, value in values.items()
            if value != "" or name in ("amqp_url", "hasura_admin_secret", "http_api_url", "callback_url")
        }

    @property
    def duration_s(self) -> int:
        """How long a TxProfile lasts at most if nobody replaces it."""
        return self.profile_duration_s or max(LEAST_DURATION_S, round(3 * self.planning_interval_s))

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the station groups."""
        return tuple(self.station_groups)

    def limit_kw(self, group: str) -> float:
        """The site limit of `group`."""
        return self.site_power_limit_kw.get(group, self.site_power_limit_kw.get("", 0.0))

    def site_view(self) -> SiteView:
        """What the translation needs to know of the site."""
        return SiteView(
            station_ids=self.station_ids,
            default_ev=ConnSettings().ev_config(),
            voltage_v=self.voltage,
            evs={self.station_ids[number - 1]: conn.ev_config() for number, conn in self.conn.items()},
            groups=dict(self.station_groups),
            zone=self.site_time_zone,
        )

    def contradictions(self, places: Iterable[int]) -> Iterator[tuple[frozenset[str], str]]:
        """Settings that are fine alone and wrong together: the fields involved, and the problem.

        `places` are the XX of all CONN_XX_ names, also of those whose values are wrong.
        """
        limits, groups = self.site_power_limit_kw, self.station_groups
        if "" not in limits:
            for name in groups.keys() - limits.keys():
                yield _about_limits(f"SITE_POWER_LIMIT_KW has no limit for station group {name!r}: add {name}=<kW>")
            for name in limits.keys() - groups.keys():
                yield _about_limits(
                    f"SITE_POWER_LIMIT_KW names station group {name!r}, which STATION_GROUPS does not: "
                    f"known are {', '.join(groups)}"
                )
        elif len(groups) > 1:
            example = ";".join(f"{name}=20" for name in groups)
            yield _about_limits(
                f"SITE_POWER_LIMIT_KW is one number for {len(groups)} station groups: give each its own, e.g. "
                f"SITE_POWER_LIMIT_KW={example}"
            )
        yield from _about_groups(groups)
        last = len(self.station_ids)
        for number in sorted(places):
            if not 1 <= number <= last:
                yield (
                    frozenset({"station_ids"}),
                    f"CONN_{number:02d}_...: XX is {number:02d}, but STATION_IDS has {last} stations: use 01 to {last:02d}",
                )
        if 0 < self.profile_duration_s < LEAST_DURATION_S:
            yield (
                frozenset({"profile_duration_s"}),
                f"PROFILE_DURATION_S is {self.profile_duration_s}; it must be 0 or at least {LEAST_DURATION_S} s, time "
                "enough to send profiles anew before they end",
            )
        yield from self._about_the_meter()
        if self.translation == "http_api" and not self.http_api_url:
            yield (
                frozenset({"http_api_url", "translation"}),
                "HTTP_API_URL is empty, but TRANSLATION=http_api needs it: set e.g. HTTP_API_URL=http://localhost:8000",
            )

    def _about_the_meter(self) -> Iterator[tuple[frozenset[str], str]]:
        source, groups = self.meter_source, self.groups
        if source == "none":
            return
        if self.base_load_max_kw is None:
            yield (
                frozenset({"base_load_max_kw", "meter_source"}),
                f"BASE_LOAD_MAX_KW is empty, but METER_SOURCE={source} needs it: the most that the building ever draws "
                "counts whenever its meter is silent, e.g. BASE_LOAD_MAX_KW=20",
            )
        if source == "ocpp":
            if not self.meter_station or self.translation != "citrineos":
                yield (
                    frozenset({"meter_station", "meter_source", "translation"}),
                    f"METER_STATION is {self.meter_station!r} and TRANSLATION={self.translation}, but METER_SOURCE=ocpp "
                    "needs a station's id and citrineos: set e.g. METER_STATION=METER-01",
                )
        elif urlsplit(self.meter_url).scheme not in METER_SCHEMES[source]:
            wanted = " or ".join(f"{scheme}://" for scheme in METER_SCHEMES[source])
            yield (
                frozenset({"meter_url", "meter_source"}),
                f"METER_URL has no {wanted}, but METER_SOURCE={source} needs that: e.g. METER_URL={METER_EXAMPLES[source]}",
            )
        elif source == "mqtt" and not urlsplit(self.meter_url).path.strip("/"):
            yield (
                frozenset({"meter_url", "meter_source"}),
                f"METER_URL has no topic after the broker's address: e.g. METER_URL={METER_EXAMPLES[source]}",
            )
        if (self.meter_group or len(groups) > 1) and self.meter_group not in groups:
            yield (
                frozenset({"meter_group", "station_groups"}),
                f"METER_GROUP is {self.meter_group!r}, which is no station group; it must be one of {', '.join(groups)}",
            )


def _about_limits(problem: str) -> tuple[frozenset[str], str]:
    return frozenset({"site_power_limit_kw", "station_groups"}), problem


def _about_groups(groups: Mapping[str, tuple[str, ...] | None]) -> Iterator[tuple[frozenset[str], str]]:
    involved = frozenset({"station_groups"})
    everything = [name for name, stations in groups.items() if stations is None]
    if everything and len(groups) > 1:
        yield (
            involved,
            f"STATION_GROUPS gives group {everything[0]!r} no stations, which is right only for a single group: "
            f"name them, e.g. {everything[0]}=ST-01,ST-02",
        )
    seen: dict[str, str] = {}
    for name, stations in groups.items():
        for station_id in stations or ():
            if station_id in seen:
                yield (
                    involved,
                    f"STATION_GROUPS puts station {station_id!r} in {seen[station_id]!r} and in {name!r}: choose one",
                )
            seen.setdefault(station_id, name)


class ConnSource(PydanticBaseSettingsSource):
    """Gathers CONN_XX_NAME from `.env` and the environment (which wins) into {XX: {name: value}}."""

    def __init__(self, settings_cls: type[BaseSettings], env_file: Any) -> None:
        super().__init__(settings_cls)
        self._env_file = env_file

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        gathered: dict[int, dict[str, str]] = {}
        for name, value in {**_dotenv(self._env_file), **os.environ}.items():
            if match := CONN_NAMES.fullmatch(name):
                place = gathered.setdefault(int(match[1]), {})
                if value or match[2].lower() not in ConnSettings.model_fields:
                    place[match[2].lower()] = value or ""
        return {"conn": gathered} if gathered else {}


def _dotenv(env_file: Any) -> dict[str, str | None]:
    return dotenv_values(env_file) if env_file is not None else {}


def _misspelt(env_file: Any) -> Iterator[str]:
    """CONN_ names that say nothing because XX is not a number; the environment may have CONN_ names of others."""
    kinds = [name.upper() for name in ConnSettings.model_fields]
    for name in (*_dotenv(env_file), *os.environ):
        known = name.upper().startswith("CONN_") and name.upper().endswith(tuple(f"_{kind}" for kind in kinds))
        if known and not CONN_NAMES.fullmatch(name):
            kind = next(kind for kind in kinds if name.upper().endswith(kind))
            yield f"{name} is not a setting: XX must be a station's number, e.g. CONN_01_{kind}"


def load_settings(env_file: str | Path | None = ENV_FILE) -> OptimizerSettings:
    """The settings in force. Raises SettingsError with every problem: name, value, bound and remedy."""
    places = ConnSource(OptimizerSettings, env_file)().get("conn", {})
    return load(
        OptimizerSettings,
        os.environ,
        env_file,
        contradictions=lambda settings: settings.contradictions(places),
        more_problems=tuple(dict.fromkeys(_misspelt(env_file))),
    )


def effective(settings_class: type[BaseSettings], env_file: str | Path | None = ENV_FILE) -> tuple[SettingLine, ...]:
    """Every setting of a program (this one's, the CSMS's, the simulator's) with its value and where that came from."""
    return effective_lines(settings_class, os.environ, env_file)
