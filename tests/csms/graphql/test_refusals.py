"""Whatever a client sends gets an answer that says what is wrong, and harms nobody."""

from __future__ import annotations

from typing import Any

import pytest

from csms.api.graphql import GraphQLService
from csms.store.database import Database
from tests.csms.graphql.client import Client

HOSTILE = [
    '\'; DROP TABLE "Boots"; --',
    '" OR 1=1 --',
    "\\",
    "%",
    ":name",
    "%(x)s",
    "$1",
    "{}",
    "é€😀",
    "a\nb\tc",
    "",
    "' || (SELECT 1) || '",
]


async def test_a_hostile_text_is_a_text(client: Client) -> None:
    await client.insert("Boots", *({"id": text, "status": text, "statusInfo": {text: [text]}} for text in HOSTILE))
    query = """query ($text: String!) {
      Boots(where: {id: {_eq: $text}, status: {_in: [$text]}}) { id status statusInfo }
      Boots_by_pk(id: $text) { id }
      Boots_aggregate(where: {id: {_neq: $text}}) { aggregate { count } }
    }"""
    for text in HOSTILE:
        data = await client.data(query, text=text)
        assert data["Boots"] == [{"id": text, "status": text, "statusInfo": {text: [text]}}]
        assert data["Boots_by_pk"] == {"id": text}
        assert data["Boots_aggregate"] == {"aggregate": {"count": len(HOSTILE) - 1}}


async def test_a_hostile_text_in_a_pattern_or_a_document_is_harmless(client: Client) -> None:
    query = """query ($text: String!, $json: jsonb!) {
      Boots(where: {id: {_like: $text}, status: {_ilike: $text}}) { id }
      ChargingStations(where: {capabilities: {_contains: $json, _has_key: $text}}) { id }
    }"""
    for text in HOSTILE:
        answer = await client.service.execute(query, {"text": text, "json": {text: text}})
        assert answer.get("data", {"Boots": []})["Boots"] == []
    assert await client.ids("Boots") == []


MISFITS = [
    "",
    "{",
    "{ Boots { id }",
    "{ Boots }",
    "{ Boots { nothing } }",
    "{ Nothing { id } }",
    "{ Boots(where: {id: {_eq: 1}}) { id } }",
    '{ Transactions(where: {id: {_eq: "1"}}) { id } }',
    "{ Transactions(where: {id: {_eq: 99999999999}}) { id } }",
    "{ Transactions(where: {timeSpentCharging: {_eq: 9223372036854775808}}) { id } }",
    '{ Transactions(where: {startTime: {_gt: "yesterday"}}) { id } }',
    "{ Transactions(where: {startTime: {_gt: 5}}) { id } }",
    '{ Transactions(where: {totalKwh: {_gt: "NaN"}}) { id } }',
    '{ Transactions(where: {totalKwh: {_gt: "much"}}) { id } }',
    "{ Transactions(where: {isActive: {_eq: 1}}) { id } }",
    '{ Transactions(where: {"id; --": {_eq: 1}}) { id } }',
    "{ Transactions(where: {nothing: {_eq: 1}}) { id } }",
    "{ Transactions(where: {id: {_regex: 1}}) { id } }",
    '{ Transactions(where: {customData: {_like: "x"}}) { id } }',
    "{ Transactions(order_by: {id: sideways}) { id } }",
    "{ Transactions(order_by: {id: null}) { id } }",
    "{ Transactions(limit: -1) { id } }",
    "{ Transactions(offset: -1) { id } }",
    "{ Transactions(limit: 1.5) { id } }",
    "{ Transactions(distinct_on: stationId, order_by: {id: asc}) { id } }",
    "{ Transactions(distinct_on: nothing) { id } }",
    "{ Transactions_by_pk { id } }",
    "{ Transactions_by_pk(id: null) { id } }",
    "query ($id: Int!) { Transactions_by_pk(id: $id) { id } }",
    "query ($id: String!) { Transactions_by_pk(id: $id) { id } }",
    "query A { Boots { id } } query B { Boots { id } }",
    "fragment F on Boots { id }",
    "{ Boots { ...F } } fragment F on Boots { ...F }",
    "{ Boots { ... on Transactions { id } } }",
    "subscription { Boots { id } }",
    "{ a: Boots { id } a: Boots { status id: status } }",
]


async def test_a_request_that_does_not_fit_is_refused(client: Client) -> None:
    refusals = {query: await client.refusal(query) for query in MISFITS}
    assert {query: code for query, (code, _, _) in refusals.items()} == dict.fromkeys(MISFITS, "validation-failed")
    assert all(path.startswith("$") and message for _, path, message in refusals.values())


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"where": {"id": {"_eq": {"a": 1}}}}, "Int cannot represent"),
        ({"where": {"nothing": {}}}, "unknown field"),
        ({"where": 5}, "object"),
        ({"where": {"id": None}}, "unexpected null value for id"),
        ({"where": {"id": {"_in": None}}}, "unexpected null value for _in"),
        ({"where": {"id": {"_in": [1, None]}}}, "null"),
        ({"where": {"customData": {"_contains": None}}}, "unexpected null value"),
    ],
)
async def test_a_variable_that_does_not_fit_is_refused(client: Client, variables: dict[str, Any], says: str) -> None:
    _, _, message = await client.refusal(
        "query ($where: Transactions_bool_exp) { Transactions(where: $where) { id } }", **variables
    )
    assert says in message


def nested(levels: int) -> str:
    """A selection that goes back and forth between a station and its connectors."""
    inner = "id"
    for level in range(levels):
        inner = f"Connectors {{ {inner} }}" if level % 2 == 0 else f"ChargingStation {{ {inner} }}"
    return f"{{ ChargingStations {{ {inner} }} }}" if levels % 2 else f"{{ Connectors {{ {inner} }} }}"


def deep_condition(levels: int, operator: str) -> Any:
    condition: Any = {"id": {"_eq": 1}}
    for _ in range(levels):
        condition = {operator: condition if operator == "_not" else [condition]}
    return condition


async def test_relationships_may_be_followed_to_a_reasonable_depth(client: Client, db: Database) -> None:
    assert "data" in await client.service.execute(nested(5 if db.dialect == "sqlite" else 9))


@pytest.mark.parametrize("levels", [15, 200, 5000])
async def test_a_selection_nested_too_deeply_is_refused(client: Client, levels: int) -> None:
    _, _, message = await client.refusal(nested(levels))
    assert "nested" in message or "tokens" in message


@pytest.mark.parametrize("operator", ["_not", "_and", "_or"])
async def test_conditions_may_be_nested_to_a_reasonable_depth(client: Client, operator: str) -> None:
    assert await client.ids("Transactions", deep_condition(18, operator)) == []


@pytest.mark.parametrize("operator", ["_not", "_and"])
@pytest.mark.parametrize("levels", [100, 400, 3000])
async def test_a_condition_nested_too_deeply_is_refused(client: Client, levels: int, operator: str) -> None:
    query = "query ($where: Transactions_bool_exp) { Transactions(where: $where) { id } }"
    _, _, message = await client.refusal(query, where=deep_condition(levels, operator))
    assert "nested" in message


async def test_conditions_on_relationships_nested_deeply_get_an_answer(client: Client) -> None:
    condition: Any = {"id": {"_eq": 1}}
    for level in range(17):
        condition = {"Connectors" if level % 2 == 0 else "ChargingStation": condition}
    query = "query ($where: ChargingStations_bool_exp) { ChargingStations(where: $where) { id } }"
    answer = await client.service.execute(query, {"where": condition})
    assert answer.get("data") == {"ChargingStations": []} or "nested" in answer["errors"][0]["message"]


async def test_a_condition_with_very_many_parts_is_refused(client: Client) -> None:
    where = {"_or": [{"id": {"_eq": number}} for number in range(1000)]}
    _, _, message = await client.refusal(
        "query ($where: Transactions_bool_exp) { Transactions(where: $where) { id } }", where=where
    )
    assert "use _in for many values" in message


async def test_a_long_list_of_values_is_fine(client: Client) -> None:
    await client.insert("Boots", {"id": "7"})
    await client.insert("Transactions", {"id": 7})
    assert await client.ids("Boots", {"id": {"_in": [str(number) for number in range(5000)]}}) == ["7"]
    assert await client.ids("Transactions", {"id": {"_in": list(range(5000))}}) == [7]


async def test_a_request_that_multiplies_itself_by_fragments_is_refused(client: Client) -> None:
    parts = [f"fragment F{number} on Boots {{ ...F{number + 1} ...F{number + 1} }}" for number in range(30)]
    query = "{ Boots { ...F0 } } " + " ".join(parts) + " fragment F30 on Boots { id }"
    _, _, message = await client.refusal(query)
    assert "more than 2000 fields" in message


async def test_an_enormous_request_is_refused(client: Client) -> None:
    _, _, message = await client.refusal("{ Boots { " + "id " * 30_000 + "} }")
    assert "tokens" in message


@pytest.mark.parametrize("value", ["\x00", "\ud800"])
async def test_texts_that_a_database_cannot_hold_are_refused_or_kept(client: Client, value: str) -> None:
    answer = await client.service.execute(
        "mutation ($id: String!) { insert_Boots_one(object: {id: $id}) { id } }", {"id": value}
    )
    assert answer.get("data") == {"insert_Boots_one": {"id": value}} or "errors" in answer


async def test_an_operation_is_chosen_by_name(client: Client) -> None:
    query = "query A { Boots { id } } query B { kind: __typename }"
    assert await client.service.execute(query, None, "B") == {"data": {"kind": "query_root"}}
    answer = await client.service.execute(query, None, "C")
    assert answer["errors"][0]["message"] == "no operation named C"


async def test_the_service_goes_on_after_refusals(db: Database) -> None:
    client = Client(GraphQLService(db))
    for query in ("{", "{ Nothing { id } }", "{ Boots(limit: -1) { id } }"):
        await client.refusal(query)
    assert await client.data("{ Boots { id } }") == {"Boots": []}
