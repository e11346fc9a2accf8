"""Answers GraphQL requests from the database."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from graphql import OperationType
from sqlalchemy import MetaData, Select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.api.graphql.errors import UNEXPECTED, Refusal, of_database
from csms.api.graphql.mutations import NULL, Mutation
from csms.api.graphql.requests import Json, Operation, Requests
from csms.api.graphql.schema import build_schema
from csms.api.graphql.selection import Selected
from csms.api.graphql.statements import Statements
from csms.errors import DatabaseUnreachable
from csms.store.database import Database
from csms.store.tables import metadata as contract

log = logging.getLogger("csms.graphql")

READS = ("", "_aggregate", "_by_pk")
WRITES = (
    ("insert", ""),
    ("insert", "_one"),
    ("update", ""),
    ("update", "_by_pk"),
    ("delete", ""),
    ("delete", "_by_pk"),
)


class GraphQLService:
    """Every table of `metadata` over GraphQL, in Hasura's dialect."""

    def __init__(self, db: Database, metadata: MetaData = contract) -> None:
        self.schema = build_schema(metadata)
        self._db = db
        self._requests = Requests(self.schema)
        self._statements = Statements(db.dialect, metadata)
        tables = metadata.tables.items()
        self._reads = {f"{name}{suffix}": (suffix, table) for name, table in tables for suffix in READS}
        self._writes = {
            f"{verb}_{name}{suffix}": (f"{verb}{suffix}", table) for name, table in tables for verb, suffix in WRITES
        }

    async def execute(self, query: str, variables: Json | None = None, operation_name: str | None = None) -> Json:
        """{"data": ...} or {"errors": [...]}: whatever a client sends gets an answer, never an exception."""
        answer: Json = msgspec.json.decode(await self.execute_json(query, variables, operation_name))
        return answer

    async def execute_json(self, query: str, variables: Json | None = None, operation_name: str | None = None) -> bytes:
        """The same as JSON text; rows go from the database to the client without being decoded."""
        try:
            operation = self._requests.read(query, variables, operation_name)
            if operation.kind is OperationType.SUBSCRIPTION:
                raise Refusal("subscriptions are answered over a websocket (graphql-transport-ws)")
            return msgspec.json.encode({"data": await self.answer(operation)})
        except Refusal as refusal:
            return msgspec.json.encode(refusal.answer())

    def read(self, query: str, variables: Json | None = None, operation_name: str | None = None) -> Operation:
        """The operation that the request names; raises Refusal."""
        return self._requests.read(query, variables, operation_name)

    async def healthy(self) -> bool:
        """Whether requests can be answered now."""
        return await self._db.healthy()

    async def answer(self, operation: Operation) -> Json:
        """The operation's data, ready to encode: all of it from one state of the database, or all of it done."""
        data: Json = {field.key: None for field in operation.fields} | operation.about_schema
        fields = [field for field in operation.fields if not field.name.startswith("__")]
        for field in operation.fields:
            if field.name == "__typename":
                data[field.key] = field.arguments["name"]
        try:
            if operation.kind is OperationType.MUTATION:
                async with self._db.begin() as connection:
                    for field in fields:
                        data[field.key] = await self._write(connection, field)
            elif fields:
                async with self._db.connect() as connection:
                    for field in fields:
                        data[field.key] = await self._read(connection, field)
        except DatabaseUnreachable as error:
            log.warning("GraphQL request failed: %s", error)
            raise Refusal("the database does not answer; try again", "$", UNEXPECTED) from None
        return data

    async def _read(self, connection: AsyncConnection, field: Selected) -> msgspec.Raw:
        try:
            text: str | None = (await connection.execute(self.statement(field))).scalar()
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            raise of_database(error, f"$.selectionSet.{field.key}") from error
        return NULL if text is None else msgspec.Raw(text.encode())

    async def _write(self, connection: AsyncConnection, field: Selected) -> Any:
        verb, table = self._writes[field.name]
        try:
            return await Mutation(connection, self._statements, table, field).run(verb)
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            raise of_database(error, f"$.selectionSet.{field.key}") from error

    def statement(self, field: Selected) -> Select[Any]:
        """The one statement that answers a root field of a query."""
        suffix, table = self._reads[field.name]
        match suffix:
            case "":
                return self._statements.rows(table, field)
            case "_aggregate":
                return self._statements.aggregate(table, field)
            case _:
                return self._statements.by_key(table, field)
