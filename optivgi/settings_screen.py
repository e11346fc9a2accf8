"""`optivgi settings`: what is in force and where it came from, and the commented example.env."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from pydantic_settings import BaseSettings
from rich.console import Console
from rich.table import Table

from csms.settings import CsmsSettings
from csms.settings import load_settings as load_csms_settings
from optivgi.settings import ConnSettings, OptimizerSettings, effective, load_settings
from optivgi.settings_report import SettingLine, env_name
from optivgi.site_setup import site_setup
from simulator.settings import SimulatorSettings
from simulator.settings import load_settings as load_simulator_settings

PROGRAMS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("optimizer", OptimizerSettings),
    ("CSMS", CsmsSettings),
    ("simulator", SimulatorSettings),
)
DEMO_ONLY = {
    "POSTGRES_PASSWORD": ("", "a password for the database, of letters and digits; docker-compose wants one"),
    "OPERATOR_UI_PORT": ("3000", "a port from 1 to 65535; kept for the operator's pages, not served yet"),
}
"""Names of the compose file alone."""


def print_effective() -> None:
    """Prints every setting once, with its value, source and users; raises the settings errors of each program,
    and those of the files that they name."""
    site_setup(load_settings())
    load_csms_settings()
    load_simulator_settings()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("setting", "value", "from", "used by"):
        table.add_column(heading, overflow="fold")
    users: dict[str, list[str]] = {}
    lines: dict[str, SettingLine] = {}
    for program, settings_class in PROGRAMS:
        for line in effective(settings_class):
            lines.setdefault(line.name, line)
            users.setdefault(line.name, []).append(program)
    for name, line in lines.items():
        table.add_row(name, line.value, line.source, ", ".join(users[name]))
    Console().print(table)


def print_example() -> None:
    """Prints example.env."""
    sys.stdout.write("\n".join(example_lines()) + "\n")


def example_lines() -> Iterator[str]:
    """A commented line for every setting with its default; the names that only one program has stand with it."""
    yield "# Every setting of optivgi with its default. Copy to .env and change what differs at your site."
    yield "# `optivgi settings` shows what is in force; a wrong value stops the start and says what would be right."
    seen: set[str] = set()
    for program, settings_class in PROGRAMS:
        yield from ("", f"# --- {program} " + "-" * (60 - len(program)))
        for field_name, field in settings_class.model_fields.items():
            name = env_name(settings_class, field_name)
            if name in seen or field_name == "conn":
                continue
            seen.add(name)
            default = field.get_default(call_default_factory=True, validated_data={})
            yield f"# {field.description}"
            yield f"{name}={_written(default)}"
    yield from ("", "# --- docker-compose only " + "-" * 47)
    for name, (default, words) in DEMO_ONLY.items():
        yield from (f"# {words}", f"{name}={default}")
    yield from ("", "# --- EVs: XX is the place of a station in STATION_IDS, counted from 01 " + "-" * 2)
    for field_name, field in ConnSettings.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        yield f"# {field.description}"
        yield f"#CONN_01_{field_name.upper()}={_written(default) or (field.examples or [''])[0]}"


def _written(default: object) -> str:
    if default is None:
        return ""
    reveal = getattr(default, "get_secret_value", None)
    value = reveal() if reveal else default
    return f"{value:g}" if isinstance(value, float) else str(value)
