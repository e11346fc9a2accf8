"""Who gets in, and what the others are told."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from csms.errors import PortUnavailable
from csms.stations.connection import Limits
from csms.stations.listener import OcppServer, station_id_of
from csms.store import tables
from tests.csms.stations.conftest import OCPP16, PATIENCE_S, Station, Yard, eventually


async def refusal(server: OcppServer, path: str, *subprotocols: str) -> tuple[int, str]:
    offered = [Subprotocol(name) for name in subprotocols] or None
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{server.port}{path}", subprotocols=offered, proxy=None):
            pass
    response = refused.value.response
    return response.status_code, bytes(response.body or b"").decode()


@pytest.mark.parametrize("subprotocols", [[], ["ocpp1.5"], ["ocpp2.0.1", "chat"]])
async def test_without_a_common_subprotocol_there_is_no_upgrade(server: OcppServer, subprotocols: list[str]) -> None:
    status, body = await refusal(server, "/ST-1", *subprotocols)
    assert (status, body) == (400, "Sec-WebSocket-Protocol must offer one of: ocpp1.6\n")


async def test_the_common_subprotocol_is_echoed(yard: Yard, server: OcppServer) -> None:
    offered = [Subprotocol("ocpp2.0.1"), Subprotocol("ocpp1.6")]
    async with connect(f"ws://127.0.0.1:{server.port}/ST-1", subprotocols=offered, proxy=None) as websocket:
        assert websocket.subprotocol == "ocpp1.6"
        assert await Station(websocket).beats()
    assert yard.events[0][1]["protocol"] == "ocpp1.6"


@pytest.mark.parametrize("path", ["/", "/ocpp/", "/" + "x" * 37, "/%00", "/a%2Fb%20c", "/caf%C3%A9", "/a:b"])
async def test_a_path_that_names_no_station_is_not_found(server: OcppServer, yard: Yard, path: str) -> None:
    status, body = await refusal(server, path, "ocpp1.6")
    assert status == 404
    assert "must end with the station's identity" in body
    assert await yard.rows(tables.charging_stations) == []


@pytest.mark.parametrize(
    ("path", "station_id"),
    [
        ("/ST-1", "ST-1"),
        ("/ocpp/site/ST-1?token=x", "ST-1"),
        ("/ST%2D1", "ST-1"),
        ("/" + "x" * 36, "x" * 36),
        ("/a/b%40c.d", "b@c.d"),
        ("/%2Fetc", None),
        ("", None),
    ],
)
def test_the_last_segment_of_the_path_is_the_identity(path: str, station_id: str | None) -> None:
    assert station_id_of(path) == station_id


async def test_unknown_stations_stay_out_and_leave_no_trace_when_only_known_ones_may_come(yard: Yard) -> None:
    async with yard.server() as server, yard.station(server, "KNOWN") as station:
        assert await station.beats()
    async with yard.server(allow_unknown_stations=False) as server:
        assert await refusal(server, "/NEW", "ocpp1.6") == (404, "Station NEW is not known.\n")
        async with yard.station(server, "KNOWN") as station:
            assert await station.beats()
    assert [row["id"] for row in await yard.rows(tables.charging_stations)] == ["KNOWN"]


async def test_a_station_that_fails_to_authenticate_is_unauthorized(yard: Yard) -> None:
    async def authenticate(station_id: str, headers: Headers) -> str | None:
        return None if headers.get("Authorization") == f"Basic {station_id}" else "Wrong password."

    async with yard.server(authenticate=authenticate) as server:
        assert await refusal(server, "/ST-1", "ocpp1.6") == (401, "Wrong password.\n")
        async with yard.station(server, additional_headers={"Authorization": "Basic ST-1"}) as station:
            assert await station.beats()


async def test_more_stations_than_allowed_are_told_to_wait(yard: Yard) -> None:
    async with yard.server(max_connections=1) as server, yard.station(server):
        assert await refusal(server, "/ST-2", "ocpp1.6") == (503, "Too many stations are connected.\n")


async def test_a_handshake_that_never_comes_is_cut(yard: Yard) -> None:
    async with yard.server(handshake_timeout_s=0.05) as server, asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /ST-1 HTTP/1.1\r\nHost:")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_a_taken_port_is_named_with_its_setting(yard: Yard, server: OcppServer) -> None:
    with pytest.raises(PortUnavailable, match=f"127.0.0.1:{server.port}.*OCPP16_PORT"):
        async with yard.server(port=server.port):
            pass


async def test_a_second_connection_of_a_living_station_is_refused_and_the_first_unharmed(
    yard: Yard, server: OcppServer
) -> None:
    async with yard.station(server) as station:
        assert await refusal(server, "/ST-1", "ocpp1.6") == (409, "Station ST-1 is connected already.\n")
        assert await station.beats()
        assert await yard.online()


async def test_a_dead_connection_gives_way_to_the_living_station(yard: Yard) -> None:
    async with yard.server(limits=Limits(probe_timeout_s=0.2)) as server, Corpse(server.port):
        assert server.stations.protocol_of("ST-1") == "ocpp1.6"
        async with yard.station(server, open_timeout=PATIENCE_S) as station:
            assert await station.beats()
            assert await yard.online()


async def test_a_reconnect_storm_ends_with_one_living_connection(yard: Yard) -> None:
    async def attempt() -> Station | None:
        try:
            url = f"ws://127.0.0.1:{server.port}/ST-1"
            return Station(await connect(url, subprotocols=OCPP16, proxy=None, open_timeout=PATIENCE_S))
        except InvalidStatus:
            return None

    async with yard.server(limits=Limits(probe_timeout_s=0.2)) as server, Corpse(server.port):
        attempts = await asyncio.gather(*(attempt() for _ in range(10)))
        connected = [station for station in attempts if station is not None]
        closed = await asyncio.gather(*(stays_closed(station) for station in connected))
        assert closed.count(False) == 1
        survivor = connected[closed.index(False)]
        assert await survivor.beats()
        for station in connected:
            await station.websocket.close()


async def stays_closed(station: Station) -> bool:
    try:
        async with asyncio.timeout(0.5):
            await station.websocket.wait_closed()
    except TimeoutError:
        return False
    return station.websocket.close_code == 4001


async def test_a_station_that_closed_may_come_back_at_once(yard: Yard, server: OcppServer) -> None:
    for _ in range(5):
        async with yard.station(server) as station:
            assert await station.beats()


async def test_online_follows_the_connection_and_a_crash_is_corrected_at_start(yard: Yard) -> None:
    async with yard.server() as server:
        async with yard.station(server) as station:
            assert await station.beats()
            assert await yard.online() is True
            assert (await yard.rows(tables.charging_stations))[0]["protocol"] == "ocpp1.6"

        async def offline() -> bool:
            return await yard.online() is False

        await eventually(offline)
    async with yard.db.begin() as connection:
        await connection.execute(tables.charging_stations.update().values(isOnline=True))
    async with yard.server():
        assert await yard.online() is False


class Corpse:
    """A station whose network died after the handshake: the socket is open, and nobody answers pings."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(
            b"GET /ST-1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        )
        assert b"101" in await reader.readuntil(b"\r\n\r\n")

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
