"""Fixtures for whole sites with faults."""

from tests.csms.databases import sqlite_template

__all__ = ["sqlite_template"]
