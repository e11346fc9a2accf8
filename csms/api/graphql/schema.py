"""The GraphQL schema, generated from the tables in Hasura's dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
)
from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint

from csms.api.graphql.relationships import relationships
from csms.api.graphql.scalars import NUMBERS, ORDERED, SCALARS, is_list, scalar_name
from csms.api.graphql.where import operators_of

DIRECTIONS = ("asc", "asc_nulls_first", "asc_nulls_last", "desc", "desc_nulls_first", "desc_nulls_last")

Columns = list[Column[Any]]


def _list_of(kind: Any) -> Any:
    return GraphQLList(GraphQLNonNull(kind))


def _enum(name: str, values: Iterable[str]) -> GraphQLEnumType:
    return GraphQLEnumType(name, {value: value for value in values})


ORDER_BY = _enum("order_by", DIRECTIONS)


@cache
def comparison(scalar: str, *, many: bool) -> GraphQLInputObjectType:
    """The operators of one scalar, e.g. Int_comparison_exp."""
    own: Any = SCALARS[scalar]
    operands: dict[str, Any] = {
        "same": _list_of(own) if many else own,
        "list": _list_of(own),
        "flag": GraphQLBoolean,
        "text": GraphQLString,
    }
    name = f"{scalar}_array_comparison_exp" if many else f"{scalar}_comparison_exp"
    known = operators_of(scalar, many=many).items()
    return GraphQLInputObjectType(name, {operator: GraphQLInputField(operands[kind]) for operator, kind in known})


def value_type(column: Column[Any]) -> Any:
    """What the column gives and takes, leaving aside whether it may be null."""
    scalar = SCALARS[scalar_name(column)]
    return _list_of(scalar) if is_list(column) else scalar


def constraints_of(table: Table) -> dict[str, list[str]]:
    """The constraints that an insert may run into, by name, with their columns."""
    return {
        str(constraint.name): [column.name for column in constraint.columns]
        for constraint in table.constraints
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint)
    }


class TableTypes:
    """All the types of one table; `others` finds those of the tables that it leads to."""

    def __init__(self, table: Table, metadata: MetaData, others: Callable[[str], TableTypes]) -> None:
        self.table, self.name, self._others = table, str(table.name), others
        self._links = relationships(metadata)[table.name]
        self._columns: Columns = list(table.columns)
        self._numbers = [c for c in self._columns if scalar_name(c) in NUMBERS]
        self._ordered = [c for c in self._columns if scalar_name(c) in ORDERED and not is_list(c)]
        name = self.name
        self.row = GraphQLObjectType(name, self._row_fields)
        self.select_column = _enum(f"{name}_select_column", (c.name for c in self._columns))
        self.bool_exp = GraphQLInputObjectType(f"{name}_bool_exp", self._bool_exp_fields)
        self.order_by = GraphQLInputObjectType(f"{name}_order_by", self._order_by_fields)
        self.aggregate = GraphQLObjectType(f"{name}_aggregate", self._aggregate_fields)
        self.mutation_response = GraphQLObjectType(
            f"{name}_mutation_response",
            {
                "affected_rows": GraphQLField(GraphQLNonNull(GraphQLInt)),
                "returning": GraphQLField(GraphQLNonNull(_list_of(self.row))),
            },
        )

    def rows_arguments(self) -> dict[str, GraphQLArgument]:
        """where, order_by, limit, offset, distinct_on."""
        return {
            "where": GraphQLArgument(self.bool_exp),
            "order_by": GraphQLArgument(_list_of(self.order_by)),
            "limit": GraphQLArgument(GraphQLInt),
            "offset": GraphQLArgument(GraphQLInt),
            "distinct_on": GraphQLArgument(_list_of(self.select_column)),
        }

    def queries(self) -> dict[str, GraphQLField]:
        """X, X_aggregate, X_by_pk."""
        name = self.name
        return {
            name: GraphQLField(GraphQLNonNull(_list_of(self.row)), self.rows_arguments()),
            f"{name}_aggregate": GraphQLField(GraphQLNonNull(self.aggregate), self.rows_arguments()),
            f"{name}_by_pk": GraphQLField(self.row, self._key_arguments()),
        }

    def mutations(self) -> dict[str, GraphQLField]:
        """insert, update and delete, of many and of one."""
        name, response = self.name, self.mutation_response
        new = self._input("insert", self._columns)
        on_conflict = GraphQLInputObjectType(
            f"{name}_on_conflict",
            {
                "constraint": GraphQLInputField(
                    GraphQLNonNull(_enum(f"{name}_constraint", sorted(constraints_of(self.table))))
                ),
                "update_columns": GraphQLInputField(
                    GraphQLNonNull(_list_of(_enum(f"{name}_update_column", (c.name for c in self._columns)))),
                    default_value=[],
                ),
                "where": GraphQLInputField(self.bool_exp),
            },
        )
        changes = {"_set": GraphQLArgument(self._input("set", self._columns))}
        if self._numbers:
            changes["_inc"] = GraphQLArgument(self._input("inc", self._numbers))
        keys = GraphQLInputObjectType(
            f"{name}_pk_columns_input",
            {c.name: GraphQLInputField(GraphQLNonNull(value_type(c))) for c in self.table.primary_key.columns},
        )
        condition = {"where": GraphQLArgument(GraphQLNonNull(self.bool_exp))}
        upsert = {"on_conflict": GraphQLArgument(on_conflict)}
        return {
            f"insert_{name}": GraphQLField(
                response, {"objects": GraphQLArgument(GraphQLNonNull(_list_of(new))), **upsert}
            ),
            f"insert_{name}_one": GraphQLField(self.row, {"object": GraphQLArgument(GraphQLNonNull(new)), **upsert}),
            f"update_{name}": GraphQLField(response, {**condition, **changes}),
            f"update_{name}_by_pk": GraphQLField(
                self.row, {"pk_columns": GraphQLArgument(GraphQLNonNull(keys)), **changes}
            ),
            f"delete_{name}": GraphQLField(response, condition),
            f"delete_{name}_by_pk": GraphQLField(self.row, self._key_arguments()),
        }

    def _key_arguments(self) -> dict[str, GraphQLArgument]:
        return {c.name: GraphQLArgument(GraphQLNonNull(value_type(c))) for c in self.table.primary_key.columns}

    def _input(self, purpose: str, columns: Columns) -> GraphQLInputObjectType:
        fields = {c.name: GraphQLInputField(value_type(c)) for c in columns}
        return GraphQLInputObjectType(f"{self.name}_{purpose}_input", fields)

    def _row_fields(self) -> dict[str, GraphQLField]:
        fields = {}
        for column in self._columns:
            kind = value_type(column)
            fields[column.name] = GraphQLField(kind if column.nullable else GraphQLNonNull(kind))
        for name, link in self._links.items():
            other = self._others(link.target.name)
            if link.many:
                fields[name] = GraphQLField(GraphQLNonNull(_list_of(other.row)), other.rows_arguments())
                fields[f"{name}_aggregate"] = GraphQLField(GraphQLNonNull(other.aggregate), other.rows_arguments())
            else:
                fields[name] = GraphQLField(other.row)
        return fields

    def _bool_exp_fields(self) -> dict[str, GraphQLInputField]:
        return {
            "_and": GraphQLInputField(_list_of(self.bool_exp)),
            "_or": GraphQLInputField(_list_of(self.bool_exp)),
            "_not": GraphQLInputField(self.bool_exp),
            **{c.name: GraphQLInputField(comparison(scalar_name(c), many=is_list(c))) for c in self._columns},
            **{name: GraphQLInputField(self._others(link.target.name).bool_exp) for name, link in self._links.items()},
        }

    def _order_by_fields(self) -> dict[str, GraphQLInputField]:
        objects = {name: link for name, link in self._links.items() if not link.many}
        return {
            **{c.name: GraphQLInputField(ORDER_BY) for c in self._columns},
            **{name: GraphQLInputField(self._others(link.target.name).order_by) for name, link in objects.items()},
        }

    def _aggregate_fields(self) -> dict[str, GraphQLField]:
        name = self.name
        count = GraphQLField(
            GraphQLNonNull(GraphQLInt),
            {
                "columns": GraphQLArgument(_list_of(self.select_column)),
                "distinct": GraphQLArgument(GraphQLBoolean),
            },
        )
        fields = {"count": count}
        for function, columns, scalar in (
            ("sum", self._numbers, None),
            ("avg", self._numbers, "Float"),
            ("min", self._ordered, None),
            ("max", self._ordered, None),
        ):
            if columns:
                members = {c.name: GraphQLField(SCALARS[scalar or scalar_name(c)]) for c in columns}
                fields[function] = GraphQLField(GraphQLObjectType(f"{name}_{function}_fields", members))
        return {
            "aggregate": GraphQLField(GraphQLObjectType(f"{name}_aggregate_fields", fields)),
            "nodes": GraphQLField(GraphQLNonNull(_list_of(self.row))),
        }


@cache
def build_schema(metadata: MetaData) -> GraphQLSchema:
    """The schema of all tables: query_root, mutation_root and subscription_root."""
    tables: dict[str, TableTypes] = {}
    for name, table in sorted(metadata.tables.items()):
        tables[name] = TableTypes(table, metadata, tables.__getitem__)
    queries = {name: field for types in tables.values() for name, field in types.queries().items()}
    mutations = {name: field for types in tables.values() for name, field in types.mutations().items()}
    return GraphQLSchema(
        GraphQLObjectType("query_root", queries),
        GraphQLObjectType("mutation_root", mutations),
        GraphQLObjectType("subscription_root", queries),
    )
