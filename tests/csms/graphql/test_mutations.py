"""Mutations in Hasura's dialect, on both databases."""

from __future__ import annotations

import pytest

from optivgi.clock import ManualClock
from tests.csms.graphql.client import Client, Row

STATIONS: list[Row] = [{"id": "North", "isOnline": True}, {"id": "South"}]


async def test_an_insert_answers_with_the_rows_as_the_database_has_them(client: Client, clock: ManualClock) -> None:
    data = await client.data(
        """mutation ($new: [ChargingStations_insert_input!]!) {
          insert_ChargingStations(objects: $new) {
            affected_rows
            returning { id isOnline createdAt use16StatusNotification0 tenantId Connectors { id } __typename }
            __typename
          }
        }""",
        new=STATIONS,
    )
    same = {
        "createdAt": "2026-03-03T08:00:00+00:00",
        "use16StatusNotification0": True,
        "tenantId": 1,
        "Connectors": [],
        "__typename": "ChargingStations",
    }
    assert data["insert_ChargingStations"] == {
        "affected_rows": 2,
        "returning": [{"id": "North", "isOnline": True, **same}, {"id": "South", "isOnline": None, **same}],
        "__typename": "ChargingStations_mutation_response",
    }


async def test_an_insert_of_one_answers_with_it(client: Client) -> None:
    await client.insert("ChargingStations", *STATIONS)
    data = await client.data(
        """mutation { insert_Connectors_one(object: {stationId: "North", connectorId: 2}) {
             connectorId status ChargingStation { id isOnline } } }"""
    )
    assert data["insert_Connectors_one"] == {
        "connectorId": 2,
        "status": "Unknown",
        "ChargingStation": {"id": "North", "isOnline": True},
    }


async def test_objects_with_different_members_are_inserted_in_their_order(client: Client) -> None:
    data = await client.data(
        """mutation { insert_Boots(objects: [
             {id: "3"}, {id: "1", status: "Accepted"}, {id: "2", heartbeatInterval: 60}, {id: "0"}
           ]) { returning { id status } } }"""
    )
    assert [row["id"] for row in data["insert_Boots"]["returning"]] == ["3", "1", "2", "0"]


UPSERT = """mutation ($on: Boots_on_conflict) {
  insert_Boots(objects: [{id: "A", status: "Rejected", heartbeatInterval: 9}], on_conflict: $on) {
    affected_rows returning { id status heartbeatInterval } } }"""


@pytest.mark.parametrize(
    ("conflict", "affected", "kept"),
    [
        ({"update_columns": ["status"]}, 1, {"status": "Rejected", "heartbeatInterval": 60}),
        ({"update_columns": []}, 0, {"status": "Accepted", "heartbeatInterval": 60}),
        ({}, 0, {"status": "Accepted", "heartbeatInterval": 60}),
        (
            {"update_columns": ["status"], "where": {"heartbeatInterval": {"_lt": 60}}},
            0,
            {"status": "Accepted", "heartbeatInterval": 60},
        ),
        (
            {"update_columns": ["heartbeatInterval"], "where": {"status": {"_eq": "Accepted"}}},
            1,
            {"status": "Accepted", "heartbeatInterval": 9},
        ),
    ],
)
async def test_on_conflict_changes_the_named_columns_of_the_row_that_is_there(
    client: Client, conflict: dict[str, object], affected: int, kept: dict[str, object]
) -> None:
    await client.insert("Boots", {"id": "A", "status": "Accepted", "heartbeatInterval": 60})
    data = await client.data(UPSERT, on={"constraint": "Boots_pkey", **conflict})
    assert data["insert_Boots"]["affected_rows"] == affected
    assert len(data["insert_Boots"]["returning"]) == affected
    found = await client.data("{ Boots { status heartbeatInterval } }")
    assert found["Boots"] == [kept]


async def test_a_conflict_can_be_about_any_unique_constraint(client: Client) -> None:
    mutation = """mutation ($value: String) { insert_ChangeConfigurations_one(
        object: {stationId: "S", key: "K", value: $value},
        on_conflict: {constraint: ChangeConfigurations_stationId_key_key, update_columns: [value]}) { value } }"""
    await client.data(mutation, value="1")
    data = await client.data(mutation, value="2")
    assert data["insert_ChangeConfigurations_one"] == {"value": "2"}
    assert len(await client.ids("ChangeConfigurations")) == 1


async def test_an_update_changes_what_matches_and_dates_it(client: Client, clock: ManualClock) -> None:
    await client.insert("ChargingStations", *STATIONS)
    await client.insert("Connectors", {"id": 1, "stationId": "North", "connectorId": 1})
    await clock.advance(60)
    data = await client.data(
        """mutation { update_ChargingStations(where: {Connectors: {connectorId: {_eq: 1}}}, _set: {isOnline: false, protocol: null}) {
             affected_rows returning { id isOnline createdAt updatedAt } } }"""
    )
    assert data["update_ChargingStations"] == {
        "affected_rows": 1,
        "returning": [
            {
                "id": "North",
                "isOnline": False,
                "createdAt": "2026-03-03T08:00:00+00:00",
                "updatedAt": "2026-03-03T08:01:00+00:00",
            }
        ],
    }


async def test_numbers_can_be_incremented(client: Client) -> None:
    await client.insert("Transactions", {"id": 1, "totalKwh": 1.5}, {"id": 2, "totalKwh": None})
    data = await client.data(
        """mutation { update_Transactions(where: {}, _inc: {totalKwh: 0.25}, _set: {isActive: true}) { affected_rows }
                      update_Transactions_by_pk(pk_columns: {id: 1}, _inc: {totalKwh: -1}) { totalKwh isActive } }"""
    )
    assert data["update_Transactions"] == {"affected_rows": 2}
    assert data["update_Transactions_by_pk"] == {"totalKwh": 0.75, "isActive": True}


async def test_an_update_by_key_of_nothing_is_null(client: Client) -> None:
    data = await client.data('mutation { update_Boots_by_pk(pk_columns: {id: "?"}, _set: {status: "x"}) { id } }')
    assert data == {"update_Boots_by_pk": None}


async def test_a_delete_answers_with_what_was_there(client: Client) -> None:
    await client.insert("Boots", {"id": "A", "status": "Accepted"}, {"id": "B"}, {"id": "C"})
    data = await client.data(
        """mutation { delete_Boots(where: {id: {_in: ["A", "B"]}}) { affected_rows returning { id status } }
                      again: delete_Boots(where: {id: {_eq: "A"}}) { affected_rows }
                      one: delete_Boots_by_pk(id: "C") { id } none: delete_Boots_by_pk(id: "C") { id } }"""
    )
    gone = data.pop("delete_Boots")
    assert gone["affected_rows"] == 2
    assert sorted(row["id"] for row in gone["returning"]) == ["A", "B"]
    assert data == {"again": {"affected_rows": 0}, "one": {"id": "C"}, "none": None}
    assert await client.ids("Boots") == []


async def test_rows_without_a_key_of_their_own_are_deleted_by_both_columns(client: Client) -> None:
    await client.insert("Components", {"id": 1}, {"id": 2})
    await client.insert("Variables", {"id": 1})
    await client.insert("ComponentVariables", *({"componentId": number, "variableId": 1} for number in (1, 2)))
    data = await client.data(
        """mutation { delete_ComponentVariables(where: {componentId: {_eq: 2}}) {
             affected_rows returning { componentId Variable { id } } } }"""
    )
    assert data["delete_ComponentVariables"] == {
        "affected_rows": 1,
        "returning": [{"componentId": 2, "Variable": {"id": 1}}],
    }
    assert await client.ids("ComponentVariables", key="componentId") == [1]


async def test_many_rows_go_in_and_out_at_once(client: Client) -> None:
    await client.insert("Boots", *({"id": f"{number:04}"} for number in range(1200)))
    data = await client.data("mutation { delete_Boots(where: {}) { affected_rows returning { id } } }")
    assert data["delete_Boots"]["affected_rows"] == 1200
    assert sorted(row["id"] for row in data["delete_Boots"]["returning"])[-1] == "1199"


async def test_the_parts_of_a_mutation_happen_all_or_not_at_all(client: Client) -> None:
    code, path, _ = await client.refusal(
        'mutation { insert_Boots_one(object: {id: "A"}) { id } again: insert_Boots_one(object: {id: "A"}) { id } }'
    )
    assert (code, path) == ("constraint-violation", "$.selectionSet.again")
    assert await client.ids("Boots") == []


async def test_later_parts_of_a_mutation_see_the_earlier_ones(client: Client) -> None:
    data = await client.data(
        """mutation { insert_Boots_one(object: {id: "A"}) { id }
                      update_Boots(where: {id: {_eq: "A"}}, _set: {status: "Accepted"}) { returning { status } } }"""
    )
    assert data["update_Boots"] == {"returning": [{"status": "Accepted"}]}


@pytest.mark.parametrize(
    ("mutation", "code", "says"),
    [
        ('insert_Boots_one(object: {id: "there"}) { id }', "constraint-violation", "Uniqueness violation"),
        (
            'insert_Connectors_one(object: {stationId: "?", connectorId: 1}) { id }',
            "constraint-violation",
            "Foreign key violation",
        ),
        ("insert_Connectors_one(object: {connectorId: 1}) { id }", "constraint-violation", "Not-NULL violation"),
        (
            "update_Boots(where: {}, _set: {id: null}) { affected_rows }",
            "constraint-violation",
            'Not-NULL violation. null value in column "id"',
        ),
        (
            'insert_ChangeConfigurations_one(object: {stationId: "S", key: "' + "k" * 51 + '"}) { id }',
            "data-exception",
            "value too long for type character varying(50)",
        ),
        ("update_Boots(where: {}) { affected_rows }", "validation-failed", "at least one of _set and _inc"),
        (
            "update_Transactions(where: {}, _set: {totalKwh: 1}, _inc: {totalKwh: 1}) { affected_rows }",
            "validation-failed",
            "both _set and _inc: totalKwh",
        ),
        ("delete_Boots(where: null) { affected_rows }", "validation-failed", "non-null"),
        ("delete_Boots { affected_rows }", "validation-failed", "required"),
        ("delete_Boots(where: {id: {}}) { affected_rows }", "validation-failed", "is a variable missing?"),
        (
            "delete_Boots(where: {_not: {_or: [{id: {}}]}}) { affected_rows }",
            "validation-failed",
            "comparison is empty",
        ),
        ("delete_Boots(where: {id: {_eq: null}}) { affected_rows }", "validation-failed", "unexpected null value"),
        ("delete_Boots(where: {_and: null}) { affected_rows }", "validation-failed", "unexpected null value"),
    ],
)
async def test_a_mutation_that_cannot_be_done_is_refused_and_changes_nothing(
    client: Client, mutation: str, code: str, says: str
) -> None:
    await client.insert("Boots", {"id": "there", "status": "Accepted"})
    refused, _, message = await client.refusal(f"mutation {{ {mutation} }}")
    assert refused == code
    assert says in message
    assert (await client.data("{ Boots { id status } }"))["Boots"] == [{"id": "there", "status": "Accepted"}]


async def test_a_missing_variable_never_deletes_everything(client: Client) -> None:
    await client.insert("Boots", {"id": "A"})
    mutation = "mutation ($id: String) { delete_Boots(where: {id: {_eq: $id}}) { affected_rows } }"
    for variables in ({}, {"id": None}):
        await client.refusal(mutation, **variables)
    assert await client.ids("Boots") == ["A"]
