"""Requests become operations: parsed and validated once per text, with arguments coerced per request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
    get_variable_values,
    parse,
    validate,
)

from csms.api.graphql.errors import Refusal, of_request
from csms.api.graphql.selection import Reader, Selected

MAX_TOKENS = 20_000
MAX_DOCUMENTS_KEPT = 200
MAX_KEPT_CHARACTERS = 20_000
MAX_ERRORS = 10

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a valid request asks for; questions about the schema itself are answered already."""

    kind: OperationType
    fields: list[Selected]
    about_schema: Json


class Requests:
    """Reads requests against one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._document = lru_cache(MAX_DOCUMENTS_KEPT)(self._parse)

    def read(self, query: str, variables: Json | None, operation_name: str | None) -> Operation:
        """The operation that the request names; raises Refusal."""
        try:
            document = (self._document if len(query) < MAX_KEPT_CHARACTERS else self._parse)(query)
            return self._operation(document, _chosen(document, operation_name), variables or {})
        except GraphQLError as error:
            raise of_request([error]) from None
        except RecursionError:
            raise Refusal("the request is nested too deeply", "$.query") from None

    def _parse(self, query: str) -> DocumentNode:
        try:
            document = parse(query, no_location=True, max_tokens=MAX_TOKENS)
        except GraphQLError as error:
            raise of_request([error], "$.query") from None
        problems = validate(self._schema, document, max_errors=MAX_ERRORS)
        if problems:
            raise of_request(problems)
        return document

    def _operation(self, document: DocumentNode, definition: OperationDefinitionNode, inputs: Json) -> Operation:
        variables = get_variable_values(
            self._schema, definition.variable_definitions or (), inputs, max_errors=MAX_ERRORS
        )
        if isinstance(variables, list):
            raise of_request(variables, "$.variables")
        root = self._schema.get_root_type(definition.operation)
        if root is None:
            raise Refusal(f"there is no {definition.operation.value}", "$.query")
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        fields = Reader(fragments, variables).read(root, definition.selection_set.selections)
        asked = {field.key for field in fields if field.name in {"__schema", "__type"}}
        about_schema = self._introspect(document, definition, asked, inputs) if asked else {}
        return Operation(definition.operation, fields, about_schema)

    def _introspect(
        self, document: DocumentNode, definition: OperationDefinitionNode, asked: set[str], inputs: Json
    ) -> Json:
        """graphql-core's own answers about the schema, from the request cut down to those fields."""
        nodes = tuple(
            node
            for node in definition.selection_set.selections
            if isinstance(node, FieldNode) and (node.alias or node.name).value in asked
        )
        if not nodes:
            raise Refusal("ask for __schema and __type at the top of the operation, not in a fragment")
        alone = OperationDefinitionNode(
            operation=OperationType.QUERY,
            name=definition.name,
            variable_definitions=definition.variable_definitions,
            directives=(),
            selection_set=SelectionSetNode(selections=nodes),
        )
        fragments = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
        result = execute_sync(self._schema, DocumentNode(definitions=(alone, *fragments)), variable_values=inputs)
        if result.errors:
            raise of_request(result.errors)
        # SQLAlchemy's names are a kind of str that only the standard encoder takes for one.
        plain: Json = json.loads(json.dumps(result.data))
        return plain


def _chosen(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    chosen = [node for node in operations if not name or (node.name and node.name.value == name)]
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        raise Refusal(f"no operation named {name}" if name else "there is no operation", "$.operationName")
    raise Refusal("there are several operations: operationName must say which one to run", "$.operationName")
