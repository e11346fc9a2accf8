"""Fixtures that every test may ask for."""

from tests.services import amqp_url, exchange_name, postgres_server, postgres_url

__all__ = ["amqp_url", "exchange_name", "postgres_server", "postgres_url"]
