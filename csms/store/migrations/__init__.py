"""The schema's history, applied when the database is opened."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

# Opening the database says once what it did; alembic would say it step by step.
logging.getLogger("alembic").setLevel(logging.WARNING)

PLACE = Path(__file__).parent


def settings() -> Config:
    """alembic's configuration; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(PLACE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def newest() -> str | None:
    """The revision that this version of the program works with."""
    return ScriptDirectory.from_config(settings()).get_current_head()


def upgrade(connection: Connection) -> tuple[str | None, str | None]:
    """Brings the schema to head inside the connection's transaction: revisions (before, after)."""
    head = newest()
    before = MigrationContext.configure(connection).get_current_revision()
    if before != head:
        config = settings()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, head
