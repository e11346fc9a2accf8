"""Fixtures of this folder."""

from tests.csms.databases import database_url

__all__ = ["database_url"]
