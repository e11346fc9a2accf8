"""Fixtures that every test may ask for, and the order in which tests come."""

import pytest

from tests.csms.databases import postgres_database, sqlite_template
from tests.services import amqp_url, broker, exchange_name, postgres_server, postgres_url, session_broker

__all__ = [
    "amqp_url",
    "broker",
    "exchange_name",
    "postgres_database",
    "postgres_server",
    "postgres_url",
    "session_broker",
    "sqlite_template",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole stacks come first: they wait longest, and at the end one worker would do so alone."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)
