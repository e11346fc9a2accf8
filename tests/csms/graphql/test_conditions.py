"""Any condition on any rows chooses what a plain reading of the dialect's rules chooses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csms.api.graphql import GraphQLService
from csms.store.database import Database
from tests.csms.graphql.client import Client, Row

TEXTS = ["", "a", "A", "ab", "a%", "a_b", "\\", "é"]
MOMENTS = [f"2026-07-01T12:00:0{second}+00:00" for second in range(3)] + ["2026-07-01T12:00:01.5+00:00"]

VALUES: dict[str, list[Any]] = {
    "remoteStartId": [-1, 0, 1, 2],
    "chargingState": TEXTS,
    "totalKwh": [0.0, 0.1, 0.3, 7.5],
    "isActive": [True, False],
    "startTime": MOMENTS,
    "timeSpentCharging": [-(2**40), 0, 2**40],
}
ORDERED = {"remoteStartId", "totalKwh", "startTime", "timeSpentCharging"}

rows = st.lists(
    st.fixed_dictionaries({name: st.none() | st.sampled_from(values) for name, values in VALUES.items()}), max_size=6
)


@st.composite
def comparisons(draw: st.DrawFn) -> Row:
    name = draw(st.sampled_from(sorted(VALUES)))
    value = st.sampled_from(VALUES[name])
    operators: dict[str, st.SearchStrategy[Any]] = {
        "_eq": value,
        "_neq": value,
        "_in": st.lists(value, max_size=3),
        "_nin": st.lists(value, max_size=3),
        "_is_null": st.booleans(),
    }
    if name in ORDERED:
        operators |= dict.fromkeys(("_gt", "_gte", "_lt", "_lte"), value)
    chosen = draw(st.lists(st.sampled_from(sorted(operators)), max_size=2, unique=True))
    return {name: {operator: draw(operators[operator]) for operator in chosen}}


conditions = st.recursive(
    comparisons() | st.just({}),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"_and": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda parts: {"_or": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda part: {"_not": part}, inner),
        st.builds(lambda one, two: {**one, **two}, inner, inner),
    ),
    max_leaves=6,
)

Truth = bool | None


def all_of(parts: list[Truth]) -> Truth:
    return False if False in parts else None if None in parts else True


def not_(part: Truth) -> Truth:
    return None if part is None else not part


def compare(name: str, operator: str, value: Any, operand: Any) -> Truth:
    if operator == "_is_null":
        return (value is None) is bool(operand)
    if operator in {"_in", "_nin"} and not operand:
        return operator == "_nin"
    if value is None:
        return None
    if name == "startTime":
        value = datetime.fromisoformat(value)
        operand = [parse(item) for item in operand] if isinstance(operand, list) else parse(operand)
    answers: dict[str, Callable[[], bool]] = {
        "_eq": lambda: bool(value == operand),
        "_neq": lambda: bool(value != operand),
        "_in": lambda: value in operand,
        "_nin": lambda: value not in operand,
        "_gt": lambda: bool(value > operand),
        "_gte": lambda: bool(value >= operand),
        "_lt": lambda: bool(value < operand),
        "_lte": lambda: bool(value <= operand),
    }
    return answers[operator]()


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def holds(row: Row, condition: Row) -> Truth:
    """Three-valued: None is "unknown", as in SQL."""
    parts: list[Truth] = []
    for name, value in condition.items():
        if name == "_and":
            parts.append(all_of([holds(row, part) for part in value]))
        elif name == "_or":
            parts.append(not_(all_of([not_(holds(row, part)) for part in value])))
        elif name == "_not":
            parts.append(not_(holds(row, value)))
        else:
            parts.append(all_of([compare(name, operator, row[name], operand) for operator, operand in value.items()]))
    return all_of(parts)


@given(rows=rows, condition=conditions, related=st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_a_condition_chooses_the_rows_for_which_it_is_true(
    db: Database, rows: list[Row], condition: Row, related: bool
) -> None:
    client = Client(GraphQLService(db))
    await client.data(
        """mutation { delete_StopTransactions(where: {}) { affected_rows } delete_Transactions(where: {}) { affected_rows } }"""
    )
    numbered = [{"id": number, **row} for number, row in enumerate(rows, 1)]
    await client.insert("Transactions", *numbered)
    expected = [row["id"] for row in numbered if holds(row, condition) is True]
    if related:
        await client.insert(
            "StopTransactions", *({"id": row["id"], "transactionDatabaseId": row["id"]} for row in numbered)
        )
        assert await client.ids("StopTransactions", {"Transaction": condition}) == expected
    else:
        assert await client.ids("Transactions", condition) == expected
