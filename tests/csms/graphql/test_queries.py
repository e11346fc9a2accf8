"""Queries in Hasura's dialect, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from csms.store.database import Database
from tests.csms.graphql.client import Client


@pytest.fixture
async def site(client: Client) -> Client:
    """Two stations with two connectors each; one charges, with five meter values, one has charged."""
    await client.insert(
        "ChargingStations",
        {"id": "North", "isOnline": True, "protocol": "ocpp1.6", "capabilities": {"tags": ["ac", "slow"], "max": 32}},
        {"id": "South", "isOnline": False, "firmwareVersion": "1_2%"},
    )
    await client.insert("Boots", {"id": "North", "status": "Accepted"})
    await client.insert(
        "ChangeConfigurations",
        {"stationId": "North", "key": "HeartbeatInterval", "value": "60"},
        {"stationId": "North", "key": "NumberOfConnectors", "value": "2", "readonly": True},
    )
    await client.insert(
        "Connectors",
        *(
            {"id": place, "stationId": station, "connectorId": number, "status": status}
            for place, (station, number, status) in enumerate(
                [
                    ("North", 1, "Charging"),
                    ("North", 2, "Available"),
                    ("South", 1, "Available"),
                    ("South", 2, "Faulted"),
                ],
                1,
            )
        ),
    )
    await client.insert("Authorizations", {"id": 1, "idToken": "Tag-1", "allowedConnectorTypes": ["cType2", "sType2"]})
    await client.insert(
        "Transactions",
        {"id": 1, "stationId": "North", "transactionId": "1", "isActive": True, "connectorId": 1, "authorizationId": 1},
        {"id": 2, "stationId": "South", "transactionId": "1", "isActive": False, "connectorId": 3, "totalKwh": 7.5},
    )
    await client.insert(
        "StartTransactions", {"id": 1, "stationId": "North", "transactionDatabaseId": 1, "meterStart": 12}
    )
    await client.insert(
        "MeterValues",
        *(
            {
                "id": number,
                "transactionDatabaseId": 1,
                "timestamp": f"2026-11-20T23:11:{number:02}.500Z",
                "sampledValue": [{"value": number}],
                "connectorId": None if number == 5 else number % 2,
            }
            for number in range(1, 6)
        ),
    )
    await client.insert("ChargingProfiles", {"databaseId": 1, "stationId": "North", "id": 7, "stackLevel": 1})
    await client.insert(
        "ChargingSchedules",
        {"databaseId": 1, "id": 1, "stationId": "North", "chargingProfileDatabaseId": 1, "minChargingRate": 0.1},
    )
    return client


async def test_a_snapshot_of_the_site_is_one_tree(site: Client) -> None:
    data = await site.data(
        """{
          ChargingStations(order_by: {id: asc}) {
            id isOnline
            Boot { status }
            Connectors(order_by: {connectorId: desc}) { connectorId status }
            ChangeConfigurations(order_by: {key: asc}) { key value }
            ChargingProfiles { id ChargingSchedules { minChargingRate } }
            Transactions(where: {isActive: {_eq: true}}) {
              transactionId
              Connector { connectorId }
              Authorization { idToken allowedConnectorTypes }
              StartTransaction { meterStart }
              StopTransaction { meterStop }
              MeterValues(order_by: {timestamp: desc}, limit: 2) { timestamp sampledValue }
            }
          }
        }"""
    )
    assert data == {
        "ChargingStations": [
            {
                "id": "North",
                "isOnline": True,
                "Boot": {"status": "Accepted"},
                "Connectors": [
                    {"connectorId": 2, "status": "Available"},
                    {"connectorId": 1, "status": "Charging"},
                ],
                "ChangeConfigurations": [
                    {"key": "HeartbeatInterval", "value": "60"},
                    {"key": "NumberOfConnectors", "value": "2"},
                ],
                "ChargingProfiles": [{"id": 7, "ChargingSchedules": [{"minChargingRate": 0.1}]}],
                "Transactions": [
                    {
                        "transactionId": "1",
                        "Connector": {"connectorId": 1},
                        "Authorization": {"idToken": "Tag-1", "allowedConnectorTypes": ["cType2", "sType2"]},
                        "StartTransaction": {"meterStart": 12},
                        "StopTransaction": None,
                        "MeterValues": [
                            {"timestamp": "2026-11-20T23:11:05.5+00:00", "sampledValue": [{"value": 5}]},
                            {"timestamp": "2026-11-20T23:11:04.5+00:00", "sampledValue": [{"value": 4}]},
                        ],
                    }
                ],
            },
            {
                "id": "South",
                "isOnline": False,
                "Boot": None,
                "Connectors": [
                    {"connectorId": 2, "status": "Faulted"},
                    {"connectorId": 1, "status": "Available"},
                ],
                "ChangeConfigurations": [],
                "ChargingProfiles": [],
                "Transactions": [],
            },
        ]
    }


async def test_each_root_field_is_one_statement(site: Client, db: Database) -> None:
    statements: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(db.engine.sync_engine, "before_cursor_execute", record)
    await site.data(
        """{
          ChargingStations { Connectors { Transactions { MeterValues { id } Authorization { idToken } } } Boot { id } }
          Transactions_aggregate { aggregate { count } nodes { MeterValues_aggregate { aggregate { count } } } }
          Connectors_by_pk(id: 1) { ChargingStation { Connectors { id } } }
        }"""
    )
    assert len(statements) == 3


CONDITIONS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["North", "South"]),
    ({"id": {"_eq": "North"}}, ["North"]),
    ({"id": {"_neq": "North"}}, ["South"]),
    ({"id": {"_in": ["South", "East"]}}, ["South"]),
    ({"id": {"_in": []}}, []),
    ({"id": {"_nin": ["South"]}}, ["North"]),
    ({"id": {"_nin": []}}, ["North", "South"]),
    ({"id": {"_gt": "North", "_lte": "South"}}, ["South"]),
    ({"id": {"_like": "N%"}}, ["North"]),
    ({"id": {"_like": "n%"}}, []),
    ({"id": {"_ilike": "n%"}}, ["North"]),
    ({"id": {"_nlike": "%orth"}}, ["South"]),
    ({"id": {"_nilike": "S_UTH"}}, ["North"]),
    ({"firmwareVersion": {"_like": "1\\_2\\%"}}, ["South"]),
    ({"firmwareVersion": {"_neq": "x"}}, ["South"]),
    ({"protocol": {"_is_null": True}}, ["South"]),
    ({"protocol": {"_is_null": False}}, ["North"]),
    ({"isOnline": {"_eq": False}}, ["South"]),
    ({"_not": {"isOnline": {"_eq": False}}}, ["North"]),
    ({"_or": [{"id": {"_eq": "South"}}, {"isOnline": {"_eq": True}}]}, ["North", "South"]),
    ({"_or": []}, []),
    ({"_and": []}, ["North", "South"]),
    ({"_and": [{"id": {"_eq": "South"}}, {"isOnline": {"_eq": True}}]}, []),
    ({"capabilities": {"_contains": {"tags": ["slow"]}}}, ["North"]),
    ({"capabilities": {"_contains": {"tags": ["fast"]}}}, []),
    ({"capabilities": {"_contained_in": {"tags": ["ac", "slow"], "max": 32, "more": 1}}}, ["North"]),
    ({"capabilities": {"_has_key": "max"}}, ["North"]),
    ({"capabilities": {"_eq": {"max": 32, "tags": ["ac", "slow"]}}}, ["North"]),
    ({"capabilities": {"_neq": {"max": 32}}}, ["North"]),
    ({"Connectors": {"status": {"_eq": "Faulted"}}}, ["South"]),
    ({"_not": {"Connectors": {"status": {"_eq": "Faulted"}}}}, ["North"]),
    ({"Boot": {}}, ["North"]),
    ({"Transactions": {"Authorization": {"idToken": {"_eq": "TAG-1"}}}}, ["North"]),
    ({"Transactions": {"Authorization": {"allowedConnectorTypes": {"_contains": ["sType2"]}}}}, ["North"]),
    ({"Transactions": {"Authorization": {"allowedConnectorTypes": {"_eq": ["cType2", "sType2"]}}}}, ["North"]),
    ({"Transactions": {"totalKwh": {"_gte": 7.5}}}, ["South"]),
    ({"Transactions": {"MeterValues": {"timestamp": {"_gt": "2026-11-21T00:11:05.4+01:00"}}}}, ["North"]),
    ({"createdAt": {"_lte": "2026-03-03T08:00:00Z"}}, ["North", "South"]),
]


async def test_where_chooses_rows(site: Client) -> None:
    found = [(where, await site.ids("ChargingStations", where)) for where, _ in CONDITIONS]
    assert found == CONDITIONS


ORDERS: list[tuple[str, list[int]]] = [
    ("order_by: {id: desc}", [5, 4, 3, 2, 1]),
    ("order_by: {id: asc}, limit: 2", [1, 2]),
    ("order_by: {id: asc}, limit: 2, offset: 3", [4, 5]),
    ("order_by: {id: asc}, offset: 3", [4, 5]),
    ("order_by: {id: asc}, limit: 0", []),
    ("order_by: [{connectorId: asc}, {id: desc}]", [4, 2, 3, 1, 5]),
    ("order_by: [{connectorId: asc_nulls_first}, {id: asc}]", [5, 2, 4, 1, 3]),
    ("order_by: [{connectorId: desc_nulls_last}, {id: asc}]", [1, 3, 2, 4, 5]),
    ("distinct_on: [connectorId], order_by: [{connectorId: asc}, {id: desc}]", [4, 3, 5]),
    ("distinct_on: connectorId, order_by: [{connectorId: asc}, {id: asc}], limit: 1, offset: 1", [1]),
    ("where: {id: {_gt: 2}}, distinct_on: connectorId, order_by: [{connectorId: asc}, {id: asc}]", [4, 3, 5]),
]


async def test_rows_come_in_the_order_and_number_asked_for(site: Client) -> None:
    query = "{{ MeterValues({0}) {{ id }} Transactions_by_pk(id: 1) {{ MeterValues({0}) {{ id }} }} }}"
    answers = [(arguments, await site.data(query.format(arguments))) for arguments, _ in ORDERS]
    assert [(asked, [row["id"] for row in data["MeterValues"]]) for asked, data in answers] == ORDERS
    related = [(asked, data["Transactions_by_pk"]["MeterValues"]) for asked, data in answers]
    assert [(asked, [row["id"] for row in rows]) for asked, rows in related] == ORDERS


async def test_rows_can_be_ordered_by_what_they_belong_to(site: Client) -> None:
    data = await site.data(
        "{ Connectors(order_by: [{ChargingStation: {Boot: {status: asc_nulls_first}}}, {id: desc}]) { id } }"
    )
    assert [row["id"] for row in data["Connectors"]] == [4, 3, 2, 1]


async def test_aggregates_cover_the_rows_chosen(site: Client) -> None:
    data = await site.data(
        """{
          MeterValues_aggregate(where: {id: {_gt: 1}}, order_by: {id: asc}, limit: 3) {
            __typename
            aggregate {
              __typename count named: count(columns: connectorId) different: count(columns: [connectorId], distinct: true)
              both: count(columns: [connectorId, id]) pairs: count(columns: [connectorId, transactionDatabaseId], distinct: true)
              sum { id connectorId } avg { id } min { timestamp } max { id timestamp transactionId }
            }
            nodes { id } again: nodes { sampledValue }
          }
          nothing: Transactions_aggregate(where: {id: {_lt: 0}}) { aggregate { count sum { id } max { id } } nodes { id } }
        }"""
    )
    assert data == {
        "MeterValues_aggregate": {
            "__typename": "MeterValues_aggregate",
            "aggregate": {
                "__typename": "MeterValues_aggregate_fields",
                "count": 3,
                "named": 3,
                "different": 2,
                "both": 3,
                "pairs": 2,
                "sum": {"id": 9, "connectorId": 1},
                "avg": {"id": 3.0},
                "min": {"timestamp": "2026-11-20T23:11:02.5+00:00"},
                "max": {"id": 4, "timestamp": "2026-11-20T23:11:04.5+00:00", "transactionId": None},
            },
            "nodes": [{"id": 2}, {"id": 3}, {"id": 4}],
            "again": [{"sampledValue": [{"value": number}]} for number in (2, 3, 4)],
        },
        "nothing": {"aggregate": {"count": 0, "sum": {"id": None}, "max": {"id": None}}, "nodes": []},
    }


async def test_aggregates_are_had_per_row_too(site: Client) -> None:
    data = await site.data(
        """{ Transactions(order_by: {id: asc}) {
             MeterValues_aggregate(where: {connectorId: {_eq: 1}}) { aggregate { count max { id } } nodes { id } } } }"""
    )
    assert data["Transactions"][0]["MeterValues_aggregate"]["aggregate"] == {"count": 2, "max": {"id": 3}}
    assert data["Transactions"][1]["MeterValues_aggregate"] == {
        "aggregate": {"count": 0, "max": {"id": None}},
        "nodes": [],
    }


async def test_aliases_fragments_and_directives_are_understood(site: Client) -> None:
    data = await site.data(
        """query ($more: Boolean!, $id: String!) {
          one: ChargingStations_by_pk(id: $id) { ...Name ... on ChargingStations @include(if: $more) { protocol } }
          none: ChargingStations_by_pk(id: "nobody") { id }
          ChargingStations(where: {id: {_eq: $id}}) {
            Connectors(limit: 1, order_by: {id: asc}) { id }
            Connectors(limit: 1, order_by: {id: asc}) { status @skip(if: $more) kind: __typename }
          }
          __typename
        }
        fragment Name on ChargingStations { name: id __typename }""",
        more=True,
        id="North",
    )
    assert data == {
        "one": {"name": "North", "__typename": "ChargingStations", "protocol": "ocpp1.6"},
        "none": None,
        "ChargingStations": [{"Connectors": [{"id": 1, "kind": "Connectors"}]}],
        "__typename": "query_root",
    }


async def test_a_variable_left_out_leaves_its_condition_out(site: Client) -> None:
    query = "query ($id: String) { ChargingStations(where: {id: {_eq: $id}}, order_by: {id: asc}) { id } }"
    assert len((await site.data(query))["ChargingStations"]) == 2
    assert len((await site.data(query, id="South"))["ChargingStations"]) == 1


async def test_more_members_than_a_database_function_takes_arguments(site: Client) -> None:
    members = " ".join(f"m{number}: id" for number in range(45))
    more = " ".join(f"n{number}: isOnline" for number in range(60)) + " capabilities Boot { status }"
    station = (await site.data(f'{{ ChargingStations_by_pk(id: "North") {{ {members} {more} }} }}'))[
        "ChargingStations_by_pk"
    ]
    assert len(station) == 107
    assert station["m44"] == "North"
    assert station["n59"] is True
    assert station["capabilities"] == {"tags": ["ac", "slow"], "max": 32}
    assert station["Boot"] == {"status": "Accepted"}


async def test_the_schema_can_be_asked_for(client: Client) -> None:
    data = await client.data(
        '{ __schema { queryType { name } } __type(name: "Transactions") { fields { name } } __typename }'
    )
    assert data["__schema"] == {"queryType": {"name": "query_root"}}
    assert {"id", "MeterValues", "StartTransaction"} <= {field["name"] for field in data["__type"]["fields"]}
    assert data["__typename"] == "query_root"
