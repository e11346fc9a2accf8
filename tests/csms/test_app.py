"""The composed CSMS: a real station, real HTTP, a real database; an orderly start and end."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from csms.app import Csms
from csms.errors import PortUnavailable
from csms.ports import Json
from csms.settings import CsmsSettings
from optivgi.clock import WallClock
from tests.csms.api.fakes import Receiver
from tests.csms.events.tcp_proxy import TcpProxy
from tests.csms.events.witness import consuming, eventually

DATABASE = "csms.sqlite3"
PROFILE: Json = {
    "connectorId": 1,
    "csChargingProfiles": {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 7.7}]},
    },
}


def settings(tmp_path: Path, **change: Any) -> CsmsSettings:
    given: dict[str, Any] = {
        "database_url": f"sqlite:///{tmp_path / DATABASE}",
        "amqp_url": "",
        "citrineos_port": 0,
        "ocpp16_port": 0,
        "hasura_port": 0,
    } | change
    make: Callable[..., CsmsSettings] = CsmsSettings
    return make(_env_file=None, **given)


@pytest.fixture(autouse=True)
def migrated(tmp_path: Path, sqlite_template: Path) -> None:
    """Puts the database where `settings` will look for it."""
    shutil.copy(sqlite_template, tmp_path / DATABASE)


class Station:
    """An OCPP 1.6 station at the other end of a websocket, word by word."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket

    async def request(self, action: str, payload: Json, message_id: str = "1") -> Json:
        await self._websocket.send(json.dumps([2, message_id, action, payload]))
        kind, answered, answer = json.loads(await self._websocket.recv())
        assert (kind, answered) == (3, message_id)
        return dict(answer)

    async def called(self) -> list[Any]:
        async with asyncio.timeout(10):
            return list(json.loads(await self._websocket.recv()))

    async def answer(self, call: list[Any], payload: Json) -> None:
        await self._websocket.send(json.dumps([3, call[1], payload]))

    async def closed(self) -> None:
        async with asyncio.timeout(10):
            await self._websocket.wait_closed()


@asynccontextmanager
async def station(csms: Csms, station_id: str = "ST-01") -> AsyncIterator[Station]:
    uri = f"ws://127.0.0.1:{csms.ocpp_port}/{station_id}"
    async with connect(uri, subprotocols=[Subprotocol("ocpp1.6")], proxy=None) as websocket:
        yield Station(websocket)


@asynccontextmanager
async def http(port: int) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client


async def boot(station_: Station) -> Json:
    return await station_.request("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})


async def test_a_call_over_http_reaches_the_station_and_its_answer_the_callback_and_the_events(tmp_path: Path) -> None:
    events: asyncio.Queue[tuple[Mapping[str, str], Json]] = asyncio.Queue()
    async with (
        Receiver() as receiver,
        Csms(settings(tmp_path, call_timeout_s=5), WallClock()) as csms,
        http(csms.rest_port) as client,
        station(csms) as charger,
    ):
        assert (await boot(charger))["status"] == "Accepted"
        csms.bus.subscribe(lambda headers, body: events.put_nowait((headers, body)))  # type: ignore[union-attr]
        path = f"/ocpp/1.6/smartcharging/setChargingProfile?identifier=ST-01&callbackUrl={receiver.url}/cb"
        response = await client.post(path, json=PROFILE)
        assert response.json() == [{"success": True}]
        call = await charger.called()
        assert call[2:] == ["SetChargingProfile", PROFILE]
        await charger.answer(call, {"status": "Accepted"})
        assert (await receiver.next()).body == {"status": "Accepted"}
        async with asyncio.timeout(10):
            told = [await events.get() for _ in range(2)]
    assert [(h["origin"], h["eventGroup"], h["state"]) for h, _ in told] == [
        ("csms", "smartcharging", "1"),
        ("cs", "router", "2"),
    ]
    assert {h["correlationId"] for h, _ in told} == {call[1]}
    assert told[1][1]["payload"] == {"status": "Accepted"}


async def test_what_a_station_says_is_read_over_graphql(tmp_path: Path) -> None:
    async with (
        Csms(settings(tmp_path, hasura_admin_secret="s3cret"), WallClock()) as csms,
        http(csms.graphql_port) as client,
        station(csms) as charger,
    ):
        await boot(charger)
        query = {"query": "{ ChargingStations { id isOnline chargePointVendor } Tenants { id name } }"}
        refused = await client.post("/v1/graphql", json=query)
        answer = await client.post("/v1/graphql", json=query, headers={"x-hasura-admin-secret": "s3cret"})
    assert "errors" in refused.json()
    assert answer.json()["data"] == {
        "ChargingStations": [{"id": "ST-01", "isOnline": True, "chargePointVendor": "V"}],
        "Tenants": [{"id": 1, "name": "Default Tenant"}],
    }


async def test_embedded_it_opens_no_http_port_and_serves_the_same_applications(tmp_path: Path) -> None:
    async with Csms(settings(tmp_path), WallClock(), listen_http=False) as csms:
        assert (csms.rest_port, csms.graphql_port) == (0, 0)
        for app, path in ((csms.rest_app, "/health"), (csms.rest_app, "/docs/json"), (csms.graphql_app, "/healthz")):
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://csms") as client:
                assert (await client.get(path)).status_code == 200, path


async def test_a_webhook_is_told_of_a_real_connection_its_frames_and_its_end(tmp_path: Path) -> None:
    async with (
        Receiver() as receiver,
        Csms(settings(tmp_path), WallClock()) as csms,
        http(csms.rest_port) as client,
    ):
        subscription: Json = {"stationId": "ST-01", "url": f"{receiver.url}/sub"}
        subscription |= dict.fromkeys(("onConnect", "onClose", "onMessage", "sentMessage"), True)
        await client.post("/data/ocpprouter/subscription", json=subscription)
        async with station(csms) as charger:
            await charger.request("Heartbeat", {}, "h1")
            answer = await client.delete("/data/ocpprouter/connection?stationId=ST-01")
            assert answer.json() == {"success": True}
            await charger.closed()
        told = [(await receiver.next()).body for _ in range(4)]
    assert [each["event"] for each in told] == ["connected", "message", "message", "closed"]
    assert [each["origin"] for each in told[1:3]] == ["cs", "csms"]
    assert {each["info"]["correlationId"] for each in told[1:3]} == {"h1"}
    assert told[1]["message"] == '[2,"h1","Heartbeat",{}]'


async def test_the_websocket_listener_is_listed_with_its_real_port(tmp_path: Path) -> None:
    async with Csms(settings(tmp_path), WallClock()) as csms, http(csms.rest_port) as client:
        [listener] = (await client.get("/data/ocpprouter/websocket")).json()
    assert (listener["port"], listener["protocol"]) == (csms.ocpp_port, "ocpp1.6")


async def test_what_was_seeded_stays_as_operators_made_it(tmp_path: Path) -> None:
    async with Csms(settings(tmp_path, seed_id_tags="A,B"), WallClock(), listen_http=False) as csms:
        mutation = 'mutation { update_Authorizations(where: {idToken: {_eq: "A"}}, _set: {status: "Blocked"}) { affected_rows } }'
        assert (await csms.graphql.execute(mutation))["data"]["update_Authorizations"]["affected_rows"] == 1
    async with Csms(settings(tmp_path, seed_id_tags="A,B,C"), WallClock(), listen_http=False) as csms:
        answer = await csms.graphql.execute("{ Authorizations(order_by: {id: asc}) { idToken status } }")
    tags = [(row["idToken"], row["status"]) for row in answer["data"]["Authorizations"]]
    assert tags == [("A", "Blocked"), ("B", "Accepted"), ("C", "Accepted")]


async def test_with_unknown_stations_shut_out_only_the_listed_ones_get_in(tmp_path: Path) -> None:
    only = settings(tmp_path, allow_unknown_stations=False, station_ids="ST-01")
    async with Csms(only, WallClock(), listen_http=False) as csms:
        async with station(csms, "ST-01") as charger:
            assert "currentTime" in await charger.request("Heartbeat", {})
        with pytest.raises(Exception, match="404"):
            async with station(csms, "ST-02"):
                pass


@pytest.mark.parametrize(
    ("setting", "listener"), [("citrineos_port", "REST"), ("hasura_port", "GraphQL"), ("ocpp16_port", "OCPP")]
)
async def test_a_port_that_is_taken_stops_the_start_and_names_the_setting(
    tmp_path: Path, setting: str, listener: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortUnavailable) as caught:
            async with Csms(settings(tmp_path, **{setting: port}), WallClock()):
                pass
    told = str(caught.value)
    assert told.startswith(f"{listener} cannot listen on 127.0.0.1:{port}: ")
    assert f"set {setting.upper()} to another one" in told


async def test_after_its_end_no_task_is_left_and_every_port_is_free(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with Csms(settings(tmp_path), WallClock()) as csms:
        ports = (csms.rest_port, csms.graphql_port, csms.ocpp_port)
        async with station(csms) as charger:
            await boot(charger)
    assert asyncio.all_tasks() == before
    for port in ports:
        with socket.create_server(("127.0.0.1", port)):
            pass


async def test_the_end_is_bounded_while_everything_hangs_and_stations_are_told_goodbye(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        csms = Csms(settings(tmp_path, call_timeout_s=600), WallClock())
        await csms.__aenter__()
        async with http(csms.rest_port) as client, station(csms) as charger:
            await boot(charger)
            receiver.hold.clear()
            subscription = {"stationId": "ST-01", "url": f"{receiver.url}/sub", "onMessage": True}
            await client.post("/data/ocpprouter/subscription", json=subscription)
            await charger.request("Heartbeat", {}, "2")
            await receiver.next()
            await client.post("/ocpp/1.6/smartcharging/setChargingProfile?identifier=ST-01", json=PROFILE)
            await charger.called()
            slow = socket.create_connection(("127.0.0.1", csms.rest_port))
            slow.sendall(b"POST /ocpp/1.6/evdriver/clearCache?identifier=A HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
            begun = time.monotonic()
            await csms.__aexit__(None, None, None)
            took_s = time.monotonic() - begun
            await charger.closed()
            slow.close()
    assert took_s < 5


async def test_a_call_under_way_at_the_end_may_still_be_answered(tmp_path: Path) -> None:
    csms = Csms(settings(tmp_path, call_timeout_s=600), WallClock())
    await csms.__aenter__()
    async with Receiver() as receiver, http(csms.rest_port) as client, station(csms) as charger:
        await boot(charger)
        path = f"/ocpp/1.6/smartcharging/setChargingProfile?identifier=ST-01&callbackUrl={receiver.url}/cb"
        await client.post(path, json=PROFILE)
        call = await charger.called()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(csms.__aexit__(None, None, None))
            await eventually(lambda: not listening(csms.rest_port))
            await charger.answer(call, {"status": "Accepted"})
            assert (await receiver.next()).body == {"status": "Accepted"}


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.postgres
async def test_it_waits_for_a_database_that_is_away_and_says_so_once(
    tmp_path: Path, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    parts = urlsplit(postgres_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5432) as proxy:
        url = f"postgresql://{parts.username}@127.0.0.1:{proxy.port}{parts.path}"
        proxy.refuse(True)
        csms = Csms(settings(tmp_path, database_url=url), WallClock(), listen_http=False)
        async with asyncio.TaskGroup() as tasks:
            starting = tasks.create_task(csms.__aenter__())
            await eventually(lambda: proxy.refused >= 2)
            assert not starting.done()
            proxy.refuse(False)
            await starting
        await csms.__aexit__(None, None, None)
    told = [r.getMessage() for r in caplog.records if r.name == "csms" and r.levelno == logging.WARNING]
    assert [text.split(":")[0] for text in told] == ["Waiting for the database", "The database answers now"]


@pytest.mark.postgres
@pytest.mark.rabbitmq
async def test_health_follows_database_and_broker_down_and_up_again(
    tmp_path: Path, postgres_url: str, amqp_url: str, exchange_name: str
) -> None:
    database, broker = urlsplit(postgres_url), urlsplit(amqp_url)
    async with (
        TcpProxy(database.hostname or "", database.port or 5432) as to_database,
        TcpProxy(broker.hostname or "", broker.port or 5672) as to_broker,
    ):
        given = settings(
            tmp_path,
            database_url=f"postgresql://{database.username}@127.0.0.1:{to_database.port}{database.path}",
            amqp_url=f"amqp://guest:guest@127.0.0.1:{to_broker.port}/",
            amqp_exchange=exchange_name,
        )
        async with Csms(given, WallClock()) as csms, http(csms.rest_port) as client:

            async def health() -> tuple[int, dict[str, str]]:
                response = await client.get("/health")
                parts = response.json()
                return response.status_code, {name: parts[name]["status"] for name in ("database", "broker", "ocpp")}

            async def becomes(database: str, broker: str) -> None:
                async with asyncio.timeout(30):
                    while (await health())[1] != {"database": database, "broker": broker, "ocpp": "healthy"}:
                        pass

            await becomes("healthy", "healthy")
            assert (await health())[0] == 200
            to_broker.refuse(True)
            await becomes("healthy", "unhealthy")
            assert (await health())[0] == 503
            to_database.refuse(True)
            await becomes("unhealthy", "unhealthy")
            to_broker.refuse(False)
            to_database.refuse(False)
            await becomes("healthy", "healthy")


@pytest.mark.rabbitmq
async def test_events_of_a_real_station_arrive_at_the_broker(tmp_path: Path, amqp_url: str, exchange_name: str) -> None:
    given = settings(tmp_path, amqp_url=amqp_url, amqp_exchange=exchange_name)
    async with (
        consuming(amqp_url, exchange_name, action="BootNotification", state="1", origin="cs") as witness,
        Csms(given, WallClock(), listen_http=False) as csms,
        station(csms) as charger,
    ):
        await boot(charger)
        [event] = await witness.receive(1)
    assert event.headers["stationId"] == "ST-01"
    assert event.body["payload"] == {"chargePointVendor": "V", "chargePointModel": "M"}
