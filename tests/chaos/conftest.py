"""Fixtures for whole sites with faults."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from optivgi.wiring import DATABASE
from tests.csms.databases import sqlite_template

__all__ = ["sqlite_template"]


@pytest.fixture
def folder(tmp_path: Path, sqlite_template: Path) -> Path:
    """A folder with the database as the site will find it."""
    shutil.copy(sqlite_template, tmp_path / DATABASE)
    return tmp_path
