"""How tables lead to each other: relationships from foreign keys, and those that the contract has without one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Column, ColumnElement, FromClause, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint

# A column that names another table's row without a foreign key: (table, column) -> (table, column).
LOOSE: dict[tuple[str, str], tuple[str, str]] = {
    ("Boots", "id"): ("ChargingStations", "id"),
    ("StartTransactions", "idTokenDatabaseId"): ("Authorizations", "id"),
}


@dataclass(frozen=True, slots=True)
class Relationship:
    """From a row of `source` to rows of `target` whose `far` column equals its `near` column."""

    name: str
    source: Table
    target: Table
    near: str
    far: str
    many: bool

    def link(self, here: FromClause, there: FromClause) -> ColumnElement[bool]:
        """The join condition between two occurrences of the tables."""
        return there.c[self.far] == here.c[self.near]


def singular(table_name: str) -> str:
    """The name of one row: ChargingStations -> ChargingStation, VariableStatuses -> VariableStatus."""
    if table_name.endswith("Statuses"):
        return table_name.removesuffix("es")
    return table_name.removesuffix("s")


def after_column(column_name: str) -> str:
    """The name of a relationship that must be told apart by its column: groupAuthorizationId -> GroupAuthorization."""
    stem = column_name.removesuffix("Id").removesuffix("Database")
    return stem[:1].upper() + stem[1:]


@cache
def relationships(metadata: MetaData) -> dict[str, dict[str, Relationship]]:
    """Per table name, its relationships by name: objects in the singular, arrays by table name."""
    found: dict[str, dict[str, Relationship]] = {name: {} for name in metadata.tables}
    links = list(_links(metadata))
    how_often = Counter((near.table.name, far.table.name) for near, far in links)
    for near, far in links:
        source, target = near.table, far.table
        clash = how_often[source.name, target.name] > 1
        forward = after_column(near.name) if clash or source is target else singular(target.name)
        one_to_one = _unique(near)
        backward = singular(source.name) if one_to_one else str(source.name)
        if clash:
            backward = f"{backward}By{after_column(near.name)}"
        found[source.name][forward] = Relationship(forward, source, target, near.name, far.name, many=False)
        found[target.name][backward] = Relationship(backward, target, source, far.name, near.name, many=not one_to_one)
    return found


def _links(metadata: MetaData) -> list[tuple[Column[object], Column[object]]]:
    links = []
    for table in metadata.sorted_tables:
        for column in table.columns:
            for key in column.foreign_keys:
                links.append((column, key.column))
            loose = LOOSE.get((table.name, column.name))
            if loose is None and column.name == "stationId" and not column.foreign_keys:
                loose = ("ChargingStations", "id")
            if loose and loose[0] in metadata.tables:
                links.append((column, metadata.tables[loose[0]].columns[loose[1]]))
    return links


def _unique(column: Column[object]) -> bool:
    return any(
        list(constraint.columns.keys()) == [column.name]
        for constraint in column.table.constraints
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint)
    )
