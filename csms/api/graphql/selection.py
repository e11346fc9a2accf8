"""What a request asks for, as a plain tree: fragments and directives resolved, arguments coerced, limits kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionNode,
    get_argument_values,
    get_directive_values,
    get_named_type,
)
from graphql.execution.values import VariableValues

from csms.api.graphql.errors import Refusal

MAX_DEPTH = 12
MAX_FIELDS = 2_000


@dataclass(slots=True)
class Selected:
    """One field of the answer: `key` is its name there, `name` its name in the schema."""

    key: str
    name: str
    arguments: dict[str, Any]
    children: list[Selected] = field(default_factory=list)


class Reader:
    """Turns the selections of one operation into trees."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode], variables: VariableValues) -> None:
        self._fragments, self._variables = fragments, variables
        self._budget = MAX_FIELDS

    def read(
        self, kind: GraphQLObjectType, selections: Iterable[SelectionNode], path: str = "$", depth: int = 1
    ) -> list[Selected]:
        """The fields selected on `kind`; raises Refusal beyond the limits, GraphQLError for an argument that is wrong."""
        if depth > MAX_DEPTH:
            raise Refusal(f"the selection is nested deeper than {MAX_DEPTH} levels; ask for less at once", path)
        nodes: dict[str, list[FieldNode]] = {}
        for node in self._fields(selections):
            nodes.setdefault((node.alias or node.name).value, []).append(node)
        return [self._field(kind, key, same, path, depth) for key, same in nodes.items()]

    def _field(self, kind: GraphQLObjectType, key: str, nodes: list[FieldNode], path: str, depth: int) -> Selected:
        name = nodes[0].name.value
        if name.startswith("__"):
            return Selected(key, name, {"name": kind.name})
        definition = kind.fields[name]
        selected = Selected(key, name, get_argument_values(definition, nodes[0], self._variables))
        child = get_named_type(definition.type)
        if isinstance(child, GraphQLObjectType):
            inner = (selection for node in nodes if node.selection_set for selection in node.selection_set.selections)
            selected.children = self.read(child, inner, f"{path}.selectionSet.{key}", depth + 1)
        return selected

    def _fields(self, selections: Iterable[SelectionNode]) -> Iterator[FieldNode]:
        for node in selections:
            self._budget -= 1
            if self._budget < 0:
                raise Refusal(f"the request selects more than {MAX_FIELDS} fields; ask for less at once")
            if node.directives and not self._wanted(node):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, FragmentSpreadNode):
                yield from self._fields(self._fragments[node.name.value].selection_set.selections)
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set.selections)

    def _wanted(self, node: SelectionNode) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self._variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self._variables)
        return not (skip and skip["if"]) and not (include and not include["if"])
