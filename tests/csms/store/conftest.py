"""Fixtures of this folder."""

from tests.csms.databases import clock, database_url, db

__all__ = ["clock", "database_url", "db"]
