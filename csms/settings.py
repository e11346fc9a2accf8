"""Every setting of the CSMS: typed, from the environment and `.env`, checked at start with all problems at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from csms.errors import SettingsError
from csms.store.database import database_url

ENV_FILE = ".env"
ID_TAG = re.compile(r"[!-~]{1,20}")
STATION_ID = re.compile(r"[A-Za-z0-9*_=+|@.-]{1,36}")
MASK = "********"


def _setting(default: Any, must: str, example: str | None = None, **bounds: Any) -> Any:
    """A field whose problem reads "it must be <must>, e.g. NAME=<example>"."""
    shown = str(default) if example is None else example
    return Field(default, description=must, examples=[shown], validate_default=True, **bounds)


def _port(default: int) -> Any:
    return _setting(default, "a port from 1 to 65535, or 0 for any that is free", ge=0, le=65_535)


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))


def _each(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(words: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [word for word in words if not pattern.fullmatch(word)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no {what}")
        return words

    return AfterValidator(check)


def _database(value: str) -> str:
    try:
        database_url(value)
    except SettingsError as error:
        raise ValueError(str(error).removeprefix("DATABASE_URL ")) from None
    return value


def _amqp(value: str) -> str:
    if value:
        parts = urlsplit(value)
        if parts.scheme not in ("amqp", "amqps") or not parts.hostname:
            raise ValueError("it has no amqp:// or amqps:// and host")
        _ = parts.port
    return value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]


class CsmsSettings(BaseSettings):
    """The settings of the CSMS. Use `load_settings`, which names every problem at once."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_database)] = _setting(
        "sqlite:///csms.sqlite3",
        "sqlite:///<file> or postgresql://<user>:<password>@<host>:<port>/<name>",
        "postgresql://citrine:change-me@postgres:5432/citrine",
        repr=False,
    )
    amqp_url: Annotated[str, AfterValidator(_amqp)] = _setting(
        "amqp://guest:guest@amqp-broker:5672", "an amqp or amqps address, or empty for no broker", repr=False
    )
    amqp_exchange: str = _setting("citrineos", "a name of 1 to 127 characters", min_length=1, max_length=127)

    bind_host: str = _setting("127.0.0.1", "an address of this host; 0.0.0.0 means all of them", min_length=1)
    citrineos_port: int = _port(8080)
    ocpp16_port: int = _port(8092)
    hasura_port: int = _port(8090)
    hasura_admin_secret: SecretStr = _setting("", "a secret, or empty to ask for none", "change-me")
    callback_hosts: Words = _setting(
        "", "hosts that may be called back, separated by commas, or empty for any", "optivgi"
    )
    callback_timeout_s: float = _setting(10.0, "a number of seconds above 0 and at most 60", gt=0, le=60)

    seed_id_tags: Annotated[Words, _each(ID_TAG, "idTag of 1 to 20 visible ASCII characters")] = _setting(
        ",".join(f"OPTIVGI-{number:02d}" for number in range(1, 7)), "idTags separated by commas, or empty for none"
    )
    station_ids: Annotated[Words, _each(STATION_ID, "station id of 1 to 36 of A-Z a-z 0-9 * _ = + | @ . -")] = _setting(
        ",".join(f"OPTIVGI-STATION-{number:02d}" for number in range(1, 7)),
        "station ids separated by commas",
        "ST-01,ST-02",
    )
    allow_unknown_stations: bool = _setting(
        True, "true, or false to let in only STATION_IDS and stations that are in the database already", "true"
    )
    heartbeat_interval_s: int = _setting(60, "a whole number of seconds from 1 to 86400", ge=1, le=86_400)
    boot_retry_interval_s: int = _setting(15, "a whole number of seconds from 1 to 86400", ge=1, le=86_400)
    call_timeout_s: float = _setting(20.0, "a number of seconds from 1 to 600", ge=1, le=600)
    ping_interval_s: float = _setting(30.0, "a number of seconds from 1 to 3600", ge=1, le=3600)
    max_message_bytes: int = _setting(65_536, "a whole number of bytes from 4096 to 16777216", ge=4096, le=16_777_216)
    max_messages_per_s: float = _setting(50.0, "a number of messages from 1 to 10000", ge=1, le=10_000)
    max_stations: int = _setting(10_000, "a whole number from 1 to 1000000", ge=1, le=1_000_000)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, values: dict[str, Any]) -> dict[str, Any]:
        """An empty value means the default, except where empty itself means something."""
        meaningful = ("amqp_url", "hasura_admin_secret", "seed_id_tags", "callback_hosts")
        return {name: value for name, value in values.items() if value != "" or name in meaningful}

    def contradictions(self) -> Iterator[str]:
        """Settings that are fine alone and wrong together."""
        ports: dict[int, str] = {}
        for name in ("citrineos_port", "ocpp16_port", "hasura_port"):
            port = getattr(self, name)
            if port and port in ports:
                yield f"{name.upper()} is {port}, and so is {ports[port].upper()}: give each its own port"
            ports.setdefault(port, name)


def load_settings(env_file: str | Path | None = ENV_FILE) -> CsmsSettings:
    """The settings in force. Raises SettingsError with every problem: name, value, bound and remedy."""
    read: Callable[..., CsmsSettings] = CsmsSettings
    try:
        settings = read(_env_file=env_file)
    except ValidationError as error:
        raise SettingsError(*dict.fromkeys(_problem(detail) for detail in error.errors())) from None
    if problems := tuple(settings.contradictions()):
        raise SettingsError(*problems)
    return settings


def _problem(detail: Any) -> str:
    name = str(detail["loc"][0])
    field = CsmsSettings.model_fields[name]
    said = f"{name.upper()} is {_shown(name, detail['input'])!r}"
    if detail["type"] == "value_error":
        said += f": {detail['ctx']['error']}"
    example = field.examples[0] if field.examples else ""
    return f"{said}; it must be {field.description}, e.g. {name.upper()}={example}"


def _shown(name: str, value: object) -> str:
    """What was given, without its secrets."""
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    text = str(value)
    if "secret" in name:
        return MASK
    return re.sub(r"(://[^:/@]*):[^/]*@", rf"\1:{MASK}@", text)
