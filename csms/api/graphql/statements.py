"""Selections become SQL: one statement per root field, relationships as correlated subqueries that make JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, MetaData, Select, Table, and_, distinct, func, literal_column, select

from csms.api.graphql.errors import Refusal
from csms.api.graphql.json_sql import Pair, json_for
from csms.api.graphql.relationships import Relationship, relationships
from csms.api.graphql.selection import Selected
from csms.api.graphql.where import Conditions

Arguments = Mapping[str, Any]
Columns = Callable[[FromClause], Sequence[ColumnElement[Any]]]

# Arguments that need the rows in a query of their own, before they are gathered.
SHAPING = ("order_by", "limit", "offset", "distinct_on")

# Not names that GraphQL could give to anything else.
POSITION, NODE = " position", "{} node"


class Parent(NamedTuple):
    """The row that related rows are looked up for."""

    link: Relationship
    here: FromClause

    def restrict(self, query: Select[Any], there: FromClause) -> Select[Any]:
        """`query` cut down to the rows `there` that belong to the parent."""
        return query.where(self.link.link(self.here, there)).correlate(self.here)


class Statements:
    """Writes the statements for one database. A `path` names the place in the request that a refusal is about."""

    def __init__(self, dialect: str, metadata: MetaData) -> None:
        self._links = relationships(metadata)
        self._json = json_for(dialect)
        self.conditions = Conditions(dialect, self._links)

    def rows(self, table: Table, selected: Selected) -> Select[Any]:
        """The text of a list of objects."""
        return self._as_text(self._list(table, selected, None, f"$.selectionSet.{selected.key}"))

    def aggregate(self, table: Table, selected: Selected) -> Select[Any]:
        """The text of one object with `aggregate` and `nodes`."""
        return self._as_text(self._aggregate(table, selected, None, f"$.selectionSet.{selected.key}"))

    def by_key(self, table: Table, selected: Selected) -> Select[Any]:
        """The text of the object whose key the arguments give; no row when there is none."""
        here = table.alias()
        row = self._object(table, here, selected.children, f"$.selectionSet.{selected.key}")
        matches = [here.c[name] == value for name, value in selected.arguments.items()]
        return select(self._json.text(row)).select_from(here).where(*matches)

    def keyed(self, table: Table, children: Sequence[Selected], path: str) -> tuple[Select[Any], FromClause]:
        """Per row its key columns and the text of its object, and the name that the table has in the statement."""
        here = table.alias()
        keys = [here.c[column.name] for column in table.primary_key.columns]
        row = self._json.text(self._object(table, here, children, path))
        return select(*keys, row.label("row")).select_from(here), here

    def _as_text(self, query: Select[Any]) -> Select[Any]:
        return select(self._json.text(self._json.nested(query)))

    def _object(self, table: Table, here: FromClause, children: Sequence[Selected], path: str) -> ColumnElement[Any]:
        return self._json.object([(child.key, self._member(table, here, child, path)) for child in children])

    def _member(self, table: Table, here: FromClause, child: Selected, path: str) -> ColumnElement[Any]:
        if child.name == "__typename":
            return _typename(child)
        if child.name in table.columns:
            return self._json.value(here.c[child.name])
        place, links = f"{path}.selectionSet.{child.key}", self._links[table.name]
        link = links.get(child.name)
        if link is None:
            link = links[child.name.removesuffix("_aggregate")]
            return self._json.nested(self._aggregate(link.target, child, Parent(link, here), place))
        if link.many:
            return self._json.nested(self._list(link.target, child, Parent(link, here), place))
        there = link.target.alias()
        query = select(self._object(link.target, there, child.children, place)).select_from(there)
        return self._json.nested(Parent(link, here).restrict(query, there))

    def _list(self, table: Table, selected: Selected, parent: Parent | None, path: str) -> Select[Any]:
        def columns(here: FromClause) -> list[ColumnElement[Any]]:
            return [self._object(table, here, selected.children, path).label("row")]

        if not any(selected.arguments.get(name) is not None for name in SHAPING):
            here = table.alias()
            where = self.conditions.where(table.name, here, selected.arguments.get("where"), f"{path}.args.where")
            query = (
                select(self._json.gathered(self._object(table, here, selected.children, path), fresh=True))
                .select_from(here)
                .where(where)
            )
            return parent.restrict(query, here) if parent else query
        rows = self._rows(table, selected.arguments, parent, path, columns).subquery()
        return select(self._json.gathered(rows.c.row)).select_from(rows)

    def _aggregate(self, table: Table, selected: Selected, parent: Parent | None, path: str) -> Select[Any]:
        nodes = {NODE.format(child.key): child for child in selected.children if child.name == "nodes"}

        def columns(here: FromClause) -> list[ColumnElement[Any]]:
            objects = [
                self._object(table, here, child.children, f"{path}.selectionSet.{child.key}").label(name)
                for name, child in nodes.items()
            ]
            return [*(here.c[column.name] for column in table.columns), *objects]

        rows = self._rows(table, selected.arguments, parent, path, columns).subquery()
        members: list[Pair] = []
        for child in selected.children:
            if child.name == "__typename":
                value = _typename(child)
            elif child.name == "nodes":
                value = self._json.gathered(rows.c[NODE.format(child.key)])
            else:
                value = self._json.object([(measure.key, self._measure(rows, measure)) for measure in child.children])
            members.append((child.key, value))
        return select(self._json.object(members)).select_from(rows)

    def _measure(self, rows: FromClause, selected: Selected) -> ColumnElement[Any]:
        if selected.name == "__typename":
            return _typename(selected)
        if selected.name == "count":
            return self._count(rows, selected.arguments.get("columns"), bool(selected.arguments.get("distinct")))
        function = getattr(func, selected.name)
        members: list[Pair] = [
            (child.key, _typename(child) if child.name == "__typename" else function(rows.c[child.name]))
            for child in selected.children
        ]
        return self._json.object(members)

    def _count(self, rows: FromClause, names: Sequence[str] | None, different: bool) -> ColumnElement[Any]:
        """Rows in which none of the named columns is null; with `different`, how many distinct combinations."""
        columns = [rows.c[name] for name in names or []]
        if not columns:
            return func.count()
        if len(columns) == 1:
            return func.count(distinct(columns[0]) if different else columns[0])
        present = and_(*(column.is_not(None) for column in columns))
        if not different:
            return func.count().filter(present)
        members: list[Pair] = [(f"c{place}", self._json.value(column)) for place, column in enumerate(columns)]
        return func.count(distinct(self._json.text(self._json.object(members)))).filter(present)

    def _rows(
        self, table: Table, arguments: Arguments, parent: Parent | None, path: str, columns: Columns
    ) -> Select[Any]:
        """`columns` of the rows that where, distinct_on, order_by, limit and offset leave, in their order."""
        here: FromClause = table.alias()
        order_by, place = arguments.get("order_by") or [], f"{path}.args"
        condition = self.conditions.where(table.name, here, arguments.get("where"), f"{place}.where")
        if distinct_on := arguments.get("distinct_on"):
            _check_distinct(distinct_on, order_by, f"{place}.distinct_on")
            position = func.row_number().over(
                partition_by=[here.c[name] for name in distinct_on],
                order_by=list(self._order(table, here, order_by, place)) or None,
            )
            numbered = select(here, position.label(POSITION)).select_from(here).where(condition)
            here = (parent.restrict(numbered, here) if parent else numbered).subquery()
            query = select(*columns(here)).select_from(here).where(here.c[POSITION] == 1)
        else:
            query = select(*columns(here)).select_from(here).where(condition)
            query = parent.restrict(query, here) if parent else query
        query = query.order_by(*self._order(table, here, order_by, place))
        for name in ("limit", "offset"):
            count = arguments.get(name)
            if count is not None and count < 0:
                raise Refusal(f"unexpected negative value for {name}: {count}", f"{place}.{name}")
        if arguments.get("limit") is not None:
            query = query.limit(arguments["limit"])
        if arguments.get("offset") is not None:
            query = query.offset(arguments["offset"])
        return query

    def _order(
        self, table: Table, here: FromClause, order_by: Sequence[Arguments], path: str
    ) -> Iterator[ColumnElement[Any]]:
        for order in order_by:
            for expression, direction in self._ordered(table, here, order, f"{path}.order_by"):
                yield _directed(expression, direction)

    def _ordered(
        self, table: Table, here: FromClause, order: Arguments, path: str
    ) -> Iterator[tuple[ColumnElement[Any], str]]:
        for name, direction in order.items():
            place = f"{path}.{name}"
            if direction is None:
                raise Refusal(f"unexpected null value for {name}", place)
            if name in table.columns:
                yield here.c[name], direction
                continue
            link = self._links[table.name][name]
            there = link.target.alias()
            for expression, further in self._ordered(link.target, there, direction, place):
                query = select(expression).select_from(there)
                yield Parent(link, here).restrict(query, there).scalar_subquery(), further


def _typename(selected: Selected) -> ColumnElement[Any]:
    return literal_column(f"'{selected.arguments['name']}'")


def _directed(expression: ColumnElement[Any], direction: str) -> ColumnElement[Any]:
    """Nulls are last in ascending and first in descending order unless told otherwise, on every database."""
    way, _, nulls = direction.partition("_nulls_")
    ordered = expression.asc() if way == "asc" else expression.desc()
    nulls = nulls or ("last" if way == "asc" else "first")
    return ordered.nulls_last() if nulls == "last" else ordered.nulls_first()


def _check_distinct(distinct_on: Sequence[str], order_by: Sequence[Arguments], path: str) -> None:
    leading = [name for order in order_by for name in order][: len(distinct_on)]
    if order_by and set(leading) - set(distinct_on):
        raise Refusal('"distinct_on" columns must match initial "order_by" columns', path)
