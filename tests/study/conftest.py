"""Fixtures of this folder."""

from tests.csms.databases import clock, database_url, db, postgres_database, sqlite_template

__all__ = ["clock", "database_url", "db", "postgres_database", "sqlite_template"]
