"""Every setting of the simulator: typed, from the environment and `.env`, checked at start with all problems at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from simulator.errors import SettingsError

Settings = TypeVar("Settings", bound=BaseSettings)

ENV_FILE = ".env"
EMPTY_MEANS_NONE = ("scenario_file", "simulator_state")


def _setting(default: Any, must: str, example: str | None = None, **bounds: Any) -> Any:
    """A field whose problem reads "it must be <must>, e.g. NAME=<example>"."""
    return Field(default, description=must, examples=[str(default) if example is None else example], **bounds)


def _ids(value: object) -> object:
    if not isinstance(value, str):
        return value
    ids = tuple(part.strip() for part in value.split(",") if part.strip())
    if not ids:
        raise ValueError("it names no station")
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise ValueError(f"{', '.join(twice)} is there more than once")
    if long := [one for one in ids if len(one) > 48]:
        raise ValueError(f"{long[0]} has more than 48 characters")
    return ids


def _websocket_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError("it has no ws:// or wss:// and host")
    _ = parts.port
    return value.rstrip("/")


class SimulatorSettings(BaseSettings):
    """The simulator's settings. Use `load_settings`, which names every problem at once."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, extra="ignore", frozen=True, validate_default=True)

    citrineos_ws_url: Annotated[str, AfterValidator(_websocket_url)] = _setting(
        "ws://citrineos:8092", "the ws or wss address of the CSMS, without a station id"
    )
    station_ids: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_ids)] = _setting(
        ",".join(f"OPTIVGI-STATION-{number:02d}" for number in range(1, 7)),
        "station ids, each once, separated by commas",
        "ST-01,ST-02",
    )
    connectors_per_station: int = _setting(2, "a whole number from 1 to 100", ge=1, le=100)
    meter_values_interval: int = _setting(10, "a whole number of seconds from 1 to 86400", ge=1, le=86_400)
    scenario_file: str = _setting("scenarios/default.json", "the path of a scenario, or empty for manual mode")
    scenario_start_delay_s: float = _setting(
        10.0, "a number of seconds from 0 to 86400", ge=0, le=86_400, allow_inf_nan=False
    )
    simulator_state: str = _setting(
        "", "the path of a file from which stations resume after a restart, or empty for none", "simulator-state.json"
    )
    voltage: float = _setting(
        240.0, "a number of volts above 0 and at most 1000 (phase voltage)", gt=0, le=1000, allow_inf_nan=False
    )
    reconnect_max_s: float = _setting(30.0, "a number of seconds from 1 to 3600", ge=1, le=3600, allow_inf_nan=False)
    simulator_seed: int = _setting(1, "a whole number from 0", ge=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, values: dict[str, Any]) -> dict[str, Any]:
        """An empty value means the default, except for the scenario, where it means manual mode."""
        return {name: value for name, value in values.items() if value != "" or name in EMPTY_MEANS_NONE}


def load_settings(env_file: str | Path | None = ENV_FILE) -> SimulatorSettings:
    """The settings in force. Raises SettingsError with every problem: name, value, bound and remedy."""
    try:
        return _read(SimulatorSettings, env_file)
    except ValidationError as error:
        written = {**(dotenv_values(env_file) if env_file is not None else {}), **os.environ}
        raise SettingsError(*(_problem(detail, written) for detail in error.errors())) from None


def _read(settings_class: type[Settings], env_file: str | Path | None) -> Settings:
    return settings_class(_env_file=env_file)


def _problem(detail: Any, written: Mapping[str, str | None]) -> str:
    field_name = str(detail["loc"][0])
    name = field_name.upper()
    value = next((text for key, text in written.items() if key.upper() == name), detail["input"])
    own_words = detail.get("ctx", {}).get("error") if detail["type"] == "value_error" else None
    field = SimulatorSettings.model_fields[field_name]
    example = field.examples[0] if field.examples else field.default
    why = f": {own_words}" if own_words is not None else ""
    return f"{name} is {str(value)!r}{why}; it must be {field.description}, e.g. {name}={example}"
