"""Answers GraphQL requests from the database."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from graphql import OperationType
from sqlalchemy import MetaData, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.api.graphql.errors import UNEXPECTED, ClientsFault, Refusal, of_database
from csms.api.graphql.mutations import NULL, Mutation
from csms.api.graphql.requests import MAX_KEPT_CHARACTERS, Json, Operation, Requests
from csms.api.graphql.schema import build_schema
from csms.api.graphql.selection import Selected
from csms.api.graphql.statements import Statements
from csms.errors import DatabaseUnreachable
from csms.store.database import Database, server_gone
from csms.store.tables import metadata as contract

log = logging.getLogger("csms.graphql")

MAX_PREPARED_KEPT = 200
READS = ("", "_aggregate", "_by_pk")
WRITES = (
    ("insert", ""),
    ("insert", "_one"),
    ("update", ""),
    ("update", "_by_pk"),
    ("delete", ""),
    ("delete", "_by_pk"),
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A valid request and, for a query, the one statement that answers each root field."""

    operation: Operation
    statements: dict[str, Select[Any]]


class GraphQLService:
    """Every table of `metadata` over GraphQL, in Hasura's dialect."""

    def __init__(self, db: Database, metadata: MetaData = contract) -> None:
        self.schema = build_schema(metadata)
        self.clock = db.clock
        self._db = db
        self._requests = Requests(self.schema)
        self._statements = Statements(db.dialect, metadata)
        tables = metadata.tables.items()
        self._reads = {f"{name}{suffix}": (suffix, table) for name, table in tables for suffix in READS}
        self._prepare = lru_cache(MAX_PREPARED_KEPT)(self._prepare_anew)
        self._writes = {
            f"{verb}_{name}{suffix}": (f"{verb}{suffix}", table) for name, table in tables for verb, suffix in WRITES
        }

    async def execute(self, query: str, variables: Json | None = None, operation_name: str | None = None) -> Json:
        """{"data": ...} or {"errors": [...]}: whatever a client sends gets an answer, never an exception."""
        answer: Json = msgspec.json.decode(await self.execute_json(query, variables, operation_name))
        return answer

    async def execute_json(self, query: str, variables: Json | None = None, operation_name: str | None = None) -> bytes:
        """The same as JSON text; rows go from the database to the client without being decoded."""
        return await self.execute_body({"query": query, "variables": variables, "operationName": operation_name})

    async def execute_body(self, body: Json) -> bytes:
        """The answer, as JSON text, to the body of a request over HTTP."""
        try:
            prepared = self.prepare_body(body)
            if prepared.operation.kind is OperationType.SUBSCRIPTION:
                raise Refusal("subscriptions are answered over a websocket (graphql-transport-ws)")
            return await self.answer(prepared)
        except Refusal as refusal:
            return msgspec.json.encode(refusal.answer())

    def prepare(self, query: str, variables: Json | None = None, operation_name: str | None = None) -> Prepared:
        """The request made ready to run; the same request again costs nothing. Raises Refusal."""
        try:
            inputs = msgspec.json.encode(variables or {})
        except (TypeError, ValueError, OverflowError) as error:
            raise Refusal(f"the variables are not JSON: {error}", "$.variables") from None
        except RecursionError:
            raise Refusal("the variables are nested too deeply", "$.variables") from None
        small = len(query) + len(inputs) < MAX_KEPT_CHARACTERS
        return (self._prepare if small else self._prepare_anew)(query, inputs, operation_name)

    def _prepare_anew(self, query: str, inputs: bytes, operation_name: str | None) -> Prepared:
        operation = self._requests.read(query, msgspec.json.decode(inputs), operation_name)
        if operation.kind is OperationType.MUTATION:
            return Prepared(operation, {})
        return Prepared(
            operation,
            {field.key: self._statement(field) for field in operation.fields if not field.name.startswith("__")},
        )

    def prepare_body(self, body: Json) -> Prepared:
        """As `prepare`, from the members that GraphQL over HTTP and over websockets share."""
        query, variables, name = body.get("query"), body.get("variables"), body.get("operationName")
        if not isinstance(query, str):
            raise Refusal("the request must have a text called query", "$.query")
        if variables is not None and not isinstance(variables, dict):
            raise Refusal("variables must be an object", "$.variables")
        if name is not None and not isinstance(name, str):
            raise Refusal("operationName must be a text", "$.operationName")
        return self.prepare(query, variables, name)

    async def healthy(self) -> bool:
        """Whether requests can be answered now."""
        return await self._db.healthy()

    async def answer(self, prepared: Prepared) -> bytes:
        """{"data": ...}: all of it from one state of the database, or all of it done. Raises Refusal."""
        operation = prepared.operation
        data: Json = {field.key: operation.about_schema.get(field.key) for field in operation.fields}
        for field in operation.fields:
            if field.name == "__typename":
                data[field.key] = field.arguments["name"]
        try:
            if operation.kind is OperationType.MUTATION:
                async with self._db.begin() as connection:
                    for field in operation.fields:
                        if field.name in self._writes:
                            data[field.key] = await self._write(connection, field)
            elif prepared.statements:
                async with self._db.connect() as connection:
                    for key, statement in prepared.statements.items():
                        data[key] = await self._read(connection, key, statement)
        except DatabaseUnreachable as error:
            log.warning("GraphQL request failed: %s", error)
            raise Refusal("the database does not answer; try again", "$", UNEXPECTED) from None
        return msgspec.json.encode({"data": data})

    async def _read(self, connection: AsyncConnection, key: str, statement: Select[Any]) -> msgspec.Raw:
        try:
            text: str | None = (await connection.execute(statement)).scalar()
        except ClientsFault as error:
            if server_gone(error):
                raise
            raise of_database(error, f"$.selectionSet.{key}") from error
        return NULL if text is None else msgspec.Raw(text.encode())

    async def _write(self, connection: AsyncConnection, field: Selected) -> Any:
        verb, table = self._writes[field.name]
        try:
            return await Mutation(connection, self._statements, table, field).run(verb)
        except ClientsFault as error:
            if server_gone(error):
                raise
            raise of_database(error, f"$.selectionSet.{field.key}") from error

    def _statement(self, field: Selected) -> Select[Any]:
        suffix, table = self._reads[field.name]
        match suffix:
            case "":
                return self._statements.rows(table, field)
            case "_aggregate":
                return self._statements.aggregate(table, field)
            case _:
                return self._statements.by_key(table, field)
