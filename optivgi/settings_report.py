"""For any pydantic-settings class: load it with all problems at once, and say which value came from where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from optivgi.errors import SettingsError

Settings = TypeVar("Settings", bound=BaseSettings)
Contradictions = Callable[[Settings], Iterable[tuple[frozenset[str], str]]]
Sources = tuple[Mapping[str, str], ...]

MASK = "********"
SECRET_NAMES = re.compile(r"SECRET|PASSWORD|TOKEN", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting in force. `source` is "default", "environment" or ".env"; secrets in `value` are masked."""

    name: str
    value: str
    source: str


def load(
    settings_class: type[Settings],
    environment: Mapping[str, str],
    env_file: str | Path | None,
    *,
    contradictions: Contradictions[Settings] | None = None,
    more_problems: Iterable[str] = (),
) -> Settings:
    """An instance from the process's environment and `env_file`. Raises SettingsError with every problem, not only one.

    `contradictions` judges the whole; what it says of fields that are already wrong alone is left out.
    """
    sources = (_upper(environment), _dotenv(env_file))
    problems = list(more_problems)
    wrong: set[str] = set()
    try:
        settings = settings_class(_env_file=env_file)
    except ValidationError as error:
        wrong = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}
        problems += dict.fromkeys(_problem(settings_class, detail, sources) for detail in error.errors())
        fields = settings_class.model_fields
        settings = settings_class(
            _env_file=env_file,
            **{name: fields[name].get_default(call_default_factory=True) for name in wrong if name in fields},
        )
    if contradictions is not None:
        problems += [text for involved, text in contradictions(settings) if not involved & wrong]
    if problems:
        raise SettingsError(*problems)
    return settings


def effective(
    settings_class: type[BaseSettings], environment: Mapping[str, str], env_file: str | Path | None
) -> tuple[SettingLine, ...]:
    """Every setting of the class with its value in force and where that came from, in the order of declaration.

    It shows what is written even where that is wrong, so it is of use when `load` fails.
    """
    written, dotenv = _upper(environment), _dotenv(env_file)
    lines: list[SettingLine] = []
    for name, field in settings_class.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "names" in extra:
            pattern = re.compile(str(extra["names"]), re.IGNORECASE)
            wanted = sorted(one for one in {*dotenv, *written} if pattern.fullmatch(one))
            for kind, part in _value_model(field).model_fields.items():
                lines.append(SettingLine(f"CONN_XX_{kind.upper()}", _text(part.get_default()), "default"))
        else:
            wanted = [env_name(settings_class, name)]
        for one in wanted:
            if one in written:
                lines.append(SettingLine(one, _masked(one, written[one], field), "environment"))
            elif one in dotenv:
                lines.append(SettingLine(one, _masked(one, dotenv[one], field), ".env"))
            else:
                default = field.get_default(call_default_factory=True, validated_data={})
                lines.append(SettingLine(one, _masked(one, _text(default), field), "default"))
    return tuple(lines)


def env_name(settings_class: type[BaseSettings], field_name: str) -> str:
    """The environment variable of a field."""
    alias = settings_class.model_fields[field_name].validation_alias
    if isinstance(alias, str):
        return alias.upper()
    return f"{settings_class.model_config.get('env_prefix', '')}{field_name}".upper()


def _problem(settings_class: type[BaseSettings], detail: Any, sources: Sources) -> str:
    """One validation error as: name is value: what is wrong; it must be ..., e.g. NAME=..."""
    location = detail["loc"]
    if not location:
        return str(detail["msg"]).removeprefix("Value error, ")
    field = settings_class.model_fields.get(str(location[0]))
    extra = field.json_schema_extra if field is not None else None
    if isinstance(extra, dict) and "names" in extra and len(location) > 1:
        return _numbered_problem(field, detail, sources)
    name = env_name(settings_class, str(location[0])) if field is not None else str(location[0]).upper()
    return _sentence(name, _written(name, sources) or detail["input"], detail, field)


def _numbered_problem(field: FieldInfo | None, detail: Any, sources: Sources) -> str:
    """The same for one of the names that a pattern gathers, such as CONN_01_MAX_POWER_KW."""
    number, *rest = detail["loc"][1:]
    prefix = f"CONN_{int(number):02d}_"
    model = _value_model(field)
    if not rest:
        return f"{prefix}...: {str(detail['msg']).removeprefix('Value error, ')}"
    kind = str(rest[0])
    name = f"{prefix}{kind.upper()}"
    if detail["type"] == "extra_forbidden":
        near = get_close_matches(kind, model.model_fields, n=1, cutoff=0.5)
        known = (
            f"did you mean {prefix}{near[0].upper()}?"
            if near
            else "known are " + ", ".join(f"{prefix}{one.upper()}" for one in model.model_fields)
        )
        return f"{name} is not a setting: {known}"
    return _sentence(name, _written(name, sources) or detail["input"], detail, model.model_fields.get(kind))


def _value_model(field: FieldInfo | None) -> Any:
    return field.annotation.__args__[1] if field is not None and field.annotation is not None else None


def _sentence(name: str, value: object, detail: Any, field: FieldInfo | None) -> str:
    said = f"{name} is {_masked(name, _text(value), field)!r}"
    own_words = detail.get("ctx", {}).get("error") if detail["type"] == "value_error" else None
    if own_words is not None:
        said += f": {own_words}"
    if field is not None and field.description:
        example = f", e.g. {name}={field.examples[0]}" if field.examples else ""
        return f"{said}; it must be {field.description}{example}"
    return f"{said}: {detail['msg']}"


def _written(name: str, sources: Sources) -> str | None:
    """What stands in the environment or the file, as it was written."""
    return next((source[name] for source in sources if name in source), None)


def _upper(names: Mapping[str, str | None]) -> Mapping[str, str]:
    return {name.upper(): value or "" for name, value in names.items()}


def _dotenv(env_file: str | Path | None) -> Mapping[str, str]:
    return _upper(dotenv_values(env_file)) if env_file is not None else {}


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def _masked(name: str, value: str, field: FieldInfo | None) -> str:
    secret = field is not None and (
        field.annotation is SecretStr or SecretStr in getattr(field.annotation, "__args__", ())
    )
    if value and (secret or SECRET_NAMES.search(name)):
        return MASK
    return without_password(value)


def without_password(url: str) -> str:
    """The address with its password, if it has one, masked; any other text unchanged."""
    if "@" not in url or "://" not in url:
        return url
    try:
        parts = urlsplit(url)
        userinfo, _, host = parts.netloc.rpartition("@")
    except ValueError:
        return f"{url.partition('://')[0]}://{MASK}"
    user, colon, _ = userinfo.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}{colon}{MASK if colon else ''}@{host}"))
