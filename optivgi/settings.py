"""Every setting of the optimizer: typed, from the environment and `.env`, checked at start with all problems at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from optivgi.algorithms import names
from optivgi.errors import SettingsError
from optivgi.meter_settings import MeterSettings
from optivgi.model.ev_config import EVConfig, SiteView, When, parse_when
from optivgi.oversight_settings import PausePolicy
from optivgi.setting_fields import MOST_KW, Kilowatts, assignments, number_field, text_field, url
from optivgi.settings_report import SettingLine, load
from optivgi.settings_report import effective as effective_lines

ENV_FILE = ".env"
LEAST_DURATION_S = 30
CONN_NAMES = re.compile(r"CONN_(\d+)_(.+)", re.IGNORECASE)
"""CONN_XX_NAME: XX is the place of a station in STATION_IDS, counted from 01."""


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


def _groups(value: object) -> object:
    if not isinstance(value, str):
        return value
    groups = {name: _ids(stations) if stations else None for name, stations in assignments(value)}
    if not groups:
        raise ValueError("it names no group")
    return groups


def _limits(value: object) -> object:
    """One number, kept under the empty name, or one number per group."""
    if isinstance(value, int | float):
        return {"": value}
    if not isinstance(value, str):
        return value
    return dict(assignments(value)) if "=" in value else {"": value.strip()}


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


HttpUrl = Annotated[str, url("http", "https")]
AmqpUrl = Annotated[str, url("amqp", "amqps")]
AlgorithmName = Annotated[str, AfterValidator(_algorithm)]
Moment = Annotated[When | None, BeforeValidator(_moment)]


class ConnSettings(BaseModel):
    """What to assume of an EV at one station: CONN_XX_ENERGY_NEEDED_KWH and its kin. Empty means the default."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    energy_needed_kwh: float = number_field(20.0, "a number of kWh from 0 to 1000", ge=0, le=1000)
    max_power_kw: float = number_field(7.2, "a number of kW above 0 and at most 1000", gt=0, le=1000)
    min_power_kw: float = number_field(
        1.4, "a number of kW from 0 to 1000, at most the station's MAX_POWER_KW", ge=0, le=1000
    )
    arrival_time: Moment = text_field(None, "a time of day, a date and time with offset, or empty", "08:00")
    departure_time: Moment = text_field(None, "a time of day, a date and time with offset, or empty", "14:00")

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


class ControlSettings(BaseSettings):
    """The part of the optimizer's settings that says what is controlled, through which CSMS, and how."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, extra="ignore", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    site_power_limit_kw: Annotated[dict[str, Kilowatts], NoDecode, BeforeValidator(_limits)] = text_field(
        "30", f"a number of kW from 0 to {MOST_KW:g}, or one per station group as in north=20;south=10"
    )
    voltage: float = number_field(240.0, "a number of volts above 0 and at most 1000 (phase voltage)", gt=0, le=1000)
    station_groups: Annotated[dict[str, tuple[str, ...] | None], NoDecode, BeforeValidator(_groups)] = text_field(
        "default", "a name (all stations), or names with their stations as in north=ST-01,ST-02;south=ST-03"
    )
    station_ids: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_ids)] = text_field(
        ",".join(f"OPTIVGI-STATION-{number:02d}" for number in range(1, 7)),
        "station ids, each once, separated by commas",
        "ST-01,ST-02",
    )
    connectors_per_station: int = number_field(2, "a whole number from 1 to 100", ge=1, le=100)
    site_time_zone: Annotated[ZoneInfo, BeforeValidator(_zone)] = text_field(
        "UTC", "a time zone's name", "Europe/Berlin"
    )

    translation: Literal["citrineos", "http_api"] = text_field("citrineos", "citrineos or http_api")
    citrineos_api_url: HttpUrl = text_field("http://citrineos:8080", "an http or https address")
    hasura_url: HttpUrl = text_field("http://graphql-engine:8080", "an http or https address")
    hasura_admin_secret: SecretStr = text_field("", "a secret, or empty if the data service wants none", "change-me")
    amqp_url: AmqpUrl = text_field(
        "amqp://guest:guest@amqp-broker:5672", "an amqp or amqps address, or empty for no broker", repr=False
    )
    amqp_exchange: str = text_field(
        "citrineos", "the name of the exchange with the CSMS's events", min_length=1, max_length=127
    )
    lease: Literal["broker", "none"] = text_field("broker", "broker (one optimizer leads, others wait) or none")
    lease_hold_s: float = number_field(
        30.0, "a number of seconds from 0 to 3600 to lead on without the broker while another waits", ge=0, le=3600
    )
    http_api_url: HttpUrl = text_field("", "an http or https address, or empty", "http://localhost:8000")
    callback_url: HttpUrl = text_field(
        "", "the http or https address at which the CSMS reaches the optimizer, or empty", "http://optivgi:8099"
    )

    algorithm: AlgorithmName = text_field("fair", f"one of {', '.join(names())}")
    algorithm_fallback: AlgorithmName = text_field(
        "llf", f"what decides if ALGORITHM gives no good plan: one of {', '.join(names())}"
    )
    assumed_stay_hours: float = number_field(8.0, "a number of hours above 0 and at most 168", gt=0, le=168)
    planning_interval_s: float = number_field(60.0, "a number of seconds from 1 to 3600", ge=1, le=3600)
    planning_deadline_s: float = number_field(10.0, "a number of seconds above 0 and at most 300", gt=0, le=300)
    settle_s: float = number_field(5.0, "a number of seconds from 0 to 120", ge=0, le=120)
    profile_duration_s: int = number_field(
        0, "a whole number of seconds from 30 to 86400, or 0 for three times PLANNING_INTERVAL_S", ge=0, le=86_400
    )
    safe_start: Literal["pause", "reserve"] = text_field("pause", "pause or reserve")
    safe_start_reserved: int = number_field(1, "a whole number of cars from 1 to 1000", ge=1, le=1000)
    dead_band_kw: float = number_field(0.1, "a number of kW from 0 to 100", ge=0, le=100)
    stale_hold_s: float = number_field(300.0, "a number of seconds from 0 to 86400", ge=0, le=86_400)
    adherence_s: float = number_field(20.0, "a number of seconds from 1 to 600", ge=1, le=600)
    meter_look_s: float = number_field(
        10.0, "a number of seconds from 1 to 3600, or 0 to look at meters only when planning", ge=0, le=3600
    )
    ramp_s: float = number_field(30.0, "a number of seconds from 0 to 600", ge=0, le=600)
    overbook: bool = text_field(
        False, "true to give others what an EV leaves that draws the same part of whatever it is offered, or false"
    )
    wake_attempts: int = number_field(3, "a whole number from 0 to 20", ge=0, le=20)
    pause_policy: PausePolicy = text_field("minimum", "minimum, zero, inoperative or stop")
    read_back: bool = text_field(True, "true, or false to never ask stations what they have installed")
    forms_file: Path | None = text_field(None, "the path of a file to keep what stations take, or empty", "forms.json")
    site_file: Path | None = text_field(
        None, "the path of a TOML file with the site's circuits, or empty for one circuit", "site.toml"
    )
    limit_schedule_file: Path | None = text_field(
        None, "the path of a CSV or TOML file with limits by the clock, or empty", "limits.csv"
    )


class OptimizerSettings(MeterSettings, ControlSettings):
    """The optimizer's settings. Use `load_settings`, which names every problem at once."""

    # Pydantic orders fields from the last base to the first: example.env has control, site meter, log and ports.
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = text_field("INFO", "DEBUG, INFO, WARNING or ERROR")
    metrics_port: int = number_field(0, "a port from 1 to 65535, or 0 for none", "9100", ge=0, le=65_535)
    status_port: int = number_field(
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
        yield from self.meter_contradictions(self.groups, self.translation)
        if self.translation == "http_api" and not self.http_api_url:
            yield (
                frozenset({"http_api_url", "translation"}),
                "HTTP_API_URL is empty, but TRANSLATION=http_api needs it: set e.g. HTTP_API_URL=http://localhost:8000",
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
