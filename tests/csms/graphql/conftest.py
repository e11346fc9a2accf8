"""Fixtures of this folder."""

import pytest

from csms.api.graphql import GraphQLService
from csms.store.database import Database
from tests.csms.databases import clock, database_url, db
from tests.csms.graphql.client import Client

__all__ = ["clock", "database_url", "db"]


@pytest.fixture
def client(db: Database) -> Client:
    return Client(GraphQLService(db))
