"""The data endpoints: rows in CitrineOS's shape, empty answers for what is not there, clear refusals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from csms.api import webhooks as hooks
from csms.api.callbacks import CallbackPolicy, CallbackSender
from csms.api.data_api import DataApi
from csms.api.http import rest_app
from csms.api.webhooks import Webhooks
from csms.events.envelope import to_wire_time
from csms.ports import Json
from csms.store import records, stations, tables
from csms.store.database import Database
from csms.store.seeding import seed
from optivgi.clock import ManualClock
from tests.csms.api.fakes import Receiver

SAMPLES: list[Json] = json.loads((Path(__file__).parent / "rest_samples.json").read_text())["rest"]
NOW = ManualClock().now()
LISTENERS: list[Json] = [
    {"id": "0", "host": "127.0.0.1", "port": 8092, "protocol": "ocpp1.6", "securityProfile": 0, "tenantId": 1}
]


@dataclass
class Api:
    client: httpx.AsyncClient
    database: Database
    connected: set[str] = field(default_factory=lambda: {"CT16-01"})
    webhooks: Webhooks | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a 200 answer; None for an empty body."""
        response = await self.client.request(method, f"/data/{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json() if response.content else None

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        response = await self.client.request(method, f"/data/{path}", json=body)
        answer = response.json()
        assert set(answer) <= {"statusCode", "code", "error", "message"}
        assert answer["statusCode"] == response.status_code
        return response.status_code, answer["message"]


@asynccontextmanager
async def aclosing_database(database: Database) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await database.close()


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[Api]:
    database = await Database.open(url, ManualClock())
    async with database.begin() as connection:
        await seed(connection, ["OPTIVGI-01"])

    async def subscriptions(station_id: str) -> list[Json]:
        async with database.connect() as connection:
            return await records.find(connection, tables.subscriptions, stationId=station_id)

    async def disconnect(station_id: str) -> bool:
        was_there = station_id in api.connected
        api.connected.discard(station_id)
        return was_there

    async with aclosing_database(database), CallbackSender(CallbackPolicy()) as sender, asyncio.TaskGroup() as tasks:
        webhooks = Webhooks(subscriptions, sender)
        tasks.create_task(webhooks.run())
        data = DataApi(database, webhooks, CallbackPolicy(), disconnect, lambda: LISTENERS)
        transport = httpx.ASGITransport(rest_app(data.operations()))
        async with httpx.AsyncClient(transport=transport, base_url="http://csms") as client:
            api = Api(client, database, webhooks=webhooks)
            try:
                yield api
            finally:
                webhooks.close()


async def test_captured_empty_answers_are_empty_here_too(database_url: str) -> None:
    empty = [s for s in SAMPLES if s["method"] == "GET" and s["status"] == 200 and s["response"] in ("", [])]
    assert len(empty) == 3
    async with serving(database_url) as api:
        for sample in empty:
            response = await api.client.get(sample["path"])
            assert response.status_code == 200
            assert response.headers.get("content-type") == sample["content_type"]
            assert (response.json() if response.content else "") == sample["response"]


async def test_a_transaction_has_the_captured_members(database_url: str) -> None:
    [captured] = [s["response"] for s in SAMPLES if "tx-201-1" in s["path"]]
    async with serving(database_url) as api:
        async with api.database.begin() as connection:
            await stations.ensure(connection, "CT201-01")
            row = {
                "stationId": "CT201-01",
                "transactionId": "tx-201-1",
                "isActive": False,
                "startTime": NOW,
                "meterStart": 1.0,
                "totalKwh": 0.335,
            }
            await records.add(connection, tables.transactions, row)
        answer = await api.ask("GET", "transactions/transaction?tenantId=1&stationId=CT201-01&transactionId=tx-201-1")
        other = await api.ask("GET", "transactions/transaction?tenantId=2&stationId=CT201-01&transactionId=tx-201-1")
    assert set(answer) == set(captured)
    assert (answer["meterStart"], answer["totalKwh"], answer["timeSpentCharging"]) == ("1", "0.335", None)
    assert answer["startTime"] == to_wire_time(NOW) == answer["createdAt"]
    assert other is None


async def test_a_boot_is_decided_read_and_forgotten(database_url: str) -> None:
    [captured] = [s["response"] for s in SAMPLES if "configuration/boot" in s["path"]]
    path = "configuration/boot?tenantId=1&stationId=CT16-01"
    async with serving(database_url) as api:
        assert await api.ask("GET", path) is None
        put = await api.ask("PUT", path, {"status": "Pending", "heartbeatInterval": 60, "bogus": 1})
        assert set(put) == set(captured)
        assert (put["id"], put["status"], put["heartbeatInterval"]) == ("CT16-01", "Pending", 60)
        await api.ask("PUT", path, {"status": "Accepted"})
        read = await api.ask("GET", path)
        assert (read["status"], read["heartbeatInterval"]) == ("Accepted", 60)
        assert await api.ask("DELETE", path) == read
        assert await api.ask("DELETE", path) is None


async def test_a_subscription_has_the_captured_shape_and_is_then_told(database_url: str) -> None:
    [captured] = [s["response"][0] for s in SAMPLES if s["method"] == "GET" and "subscription" in s["path"]]
    async with serving(database_url) as api, Receiver() as receiver:
        body = {"stationId": "CT16-01", "onClose": True, "url": f"{receiver.url}/sub"}
        assert await api.ask("POST", "ocpprouter/subscription?tenantId=1", body) == 1
        [row] = await api.ask("GET", "ocpprouter/subscription?tenantId=1&stationId=CT16-01")
        assert set(row) == set(captured)
        assert {name: row[name] for name in body} == body
        assert (row["id"], row["onConnect"], row["messageRegexFilter"]) == (1, False, None)
        assert api.webhooks
        api.webhooks.note(hooks.closed("CT16-01"))
        assert (await receiver.next()).body == {"stationId": "CT16-01", "event": "closed"}
        assert await api.ask("DELETE", "ocpprouter/subscription?id=1&tenantId=1") is True
        assert await api.ask("DELETE", "ocpprouter/subscription?id=1&tenantId=1") is False
        assert await api.ask("GET", "ocpprouter/subscription?stationId=CT16-01") == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"url": "ftp://x/"}, "body/url must be an http or https URL with a host"),
        ({"messageRegexFilter": "("}, 'body/messageRegexFilter must match format "regex"'),
        ({"stationId": "x" * 37}, "body/stationId must NOT have more than 36 characters"),
        ({"onConnect": "perhaps"}, "body/onConnect must be boolean"),
    ],
    ids=str,
)
async def test_a_subscription_that_could_not_work_is_refused(tmp_path: Path, change: Json, told: str) -> None:
    async with serving(f"sqlite:///{tmp_path}/csms.sqlite3") as api:
        body = {"stationId": "CT16-01", "url": "http://127.0.0.1:1/"} | change
        assert await api.refused("POST", "ocpprouter/subscription", body) == (400, told)


async def test_a_station_is_disconnected_once(tmp_path: Path) -> None:
    async with serving(f"sqlite:///{tmp_path}/csms.sqlite3") as api:
        path = "ocpprouter/connection?stationId=CT16-01"
        gone = {"success": False, "payload": "No connection found for identifier: 1:CT16-01"}
        other = {"success": False, "payload": "No connection found for identifier: 7:CT16-01"}
        assert await api.ask("DELETE", f"{path}&tenantId=7") == other
        assert await api.ask("DELETE", path) == {"success": True}
        assert await api.ask("DELETE", path) == gone


async def test_the_websocket_listeners_are_listed(tmp_path: Path) -> None:
    async with serving(f"sqlite:///{tmp_path}/csms.sqlite3") as api:
        assert await api.ask("GET", "ocpprouter/websocket?tenantId=1") == LISTENERS
        assert await api.ask("GET", "ocpprouter/websocket?id=0") == LISTENERS
        assert await api.ask("GET", "ocpprouter/websocket?id=9") == []
        assert await api.ask("GET", "ocpprouter/websocket?tenantId=2") == []


async def test_a_tariff_is_added_changed_by_id_or_station_and_removed(database_url: str) -> None:
    async with serving(database_url) as api:
        added = await api.ask("PUT", "transactions/tariff", {"currency": "EUR", "pricePerKwh": 0.3})
        assert (added["currency"], added["pricePerKwh"]) == ("EUR", "0.3")
        body = {"id": added["id"], "currency": "EUR", "pricePerKwh": "0.4", "taxRate": 19}
        changed = await api.ask("PUT", "transactions/tariff", body)
        assert (changed["id"], changed["pricePerKwh"], changed["taxRate"]) == (added["id"], "0.4", "19")
        for price in (0.5, 0.6):
            body = {"stationId": "CT16-01", "currency": "EUR", "pricePerKwh": price}
            of_station = await api.ask("PUT", "transactions/tariff", body)
        assert [t["pricePerKwh"] for t in await api.ask("GET", "transactions/tariff?tenantId=1")] == ["0.4", "0.6"]
        assert await api.ask("GET", f"transactions/tariff?id={of_station['id']}") == [of_station]
        assert await api.ask("DELETE", f"transactions/tariff?id={added['id']}") == 1
        assert await api.ask("DELETE", "transactions/tariff") == 1
        assert await api.ask("GET", "transactions/tariff") == []


async def test_a_reference_to_nothing_is_a_conflict_and_writes_nothing(database_url: str) -> None:
    async with serving(database_url) as api:
        body = {"currency": "EUR", "pricePerKwh": 1, "connectorId": 4711}
        status, message = await api.refused("PUT", "transactions/tariff", body)
        assert (status, message.split(":")[0]) == (409, "Tariffs cannot be changed so")
        assert await api.ask("GET", "transactions/tariff") == []


async def test_tenants_come_and_go_but_the_first_stays(database_url: str) -> None:
    async with serving(database_url) as api:
        added = await api.ask("POST", "tenant/tenant", {"name": "Second"})
        assert (added["id"], added["name"], added["isUserTenant"]) == (2, "Second", False)
        assert await api.ask("DELETE", "tenant/tenant?tenantId=2") == added
        assert await api.ask("DELETE", "tenant/tenant?tenantId=2") is None
        told = (409, "tenant 1 owns the stations and cannot be removed")
        assert await api.refused("DELETE", "tenant/tenant?tenantId=1") == told


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("transactions/transaction?stationId=A", "querystring must have required property 'transactionId'"),
        ("configuration/boot", "querystring must have required property 'stationId'"),
        ("configuration/boot?stationId=", "querystring/stationId must NOT have fewer than 1 characters"),
        ("configuration/boot?stationId=A&stationId=B", "querystring/stationId must be string"),
        ("configuration/boot?stationId=A&tenantId=one", "querystring/tenantId must be integer"),
        ("configuration/boot?stationId=A&tenantId=99999999999", "querystring/tenantId must be <= 2147483647"),
        ("configuration/boot?stationId=A%00", 'querystring/stationId must match pattern "^[^\\u0000]*$"'),
    ],
)
async def test_a_query_that_does_not_fit_is_refused(tmp_path: Path, path: str, told: str) -> None:
    async with serving(f"sqlite:///{tmp_path}/csms.sqlite3") as api:
        assert await api.refused("GET", path) == (400, told)


async def test_seeding_again_changes_nothing_and_new_tags_are_added(database_url: str) -> None:
    async with serving(database_url) as api, api.database.begin() as connection:
        assert await seed(connection, ["optivgi-01", "OPTIVGI-02", "OPTIVGI-02"]) == ["OPTIVGI-02"]
        assert await seed(connection, ["OPTIVGI-01", "OPTIVGI-02"]) == []
        tags = await records.find(connection, tables.authorizations)
        assert len(await records.find(connection, tables.tenants)) == 1
    assert [(tag["idToken"], tag["status"]) for tag in tags] == [("OPTIVGI-01", "Accepted"), ("OPTIVGI-02", "Accepted")]
