"""An OCPP server on a loopback port, and stations that say exactly what a test wants them to say."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import pytest_asyncio
from sqlalchemy import Table, insert, select
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from csms.events.bus import InProcessBus
from csms.ports import Json
from csms.rpc.timestamps import format_timestamp
from csms.stations.listener import OcppServer
from csms.store import tables
from csms.store.database import Database
from optivgi.clock import WallClock
from optivgi.model.clock import Clock
from tests.csms.events.tcp_proxy import TcpProxy

PATIENCE_S = 10.0
OCPP16 = [Subprotocol("ocpp1.6")]


class Station:
    """The far end of one websocket."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self._ids = itertools.count(1)

    async def say(self, text: str) -> None:
        await self.websocket.send(text)

    async def hear(self) -> list[Any]:
        async with asyncio.timeout(PATIENCE_S):
            frame: list[Any] = json.loads(await self.websocket.recv())
        return frame

    async def ask(self, action: str, payload: Json, message_id: str | None = None) -> list[Any]:
        message_id = message_id or f"m{next(self._ids)}"
        await self.say(json.dumps([2, message_id, action, payload]))
        answer = await self.hear()
        assert answer[1] == message_id
        return answer

    async def beats(self) -> bool:
        """Whether the connection still does its work."""
        return "currentTime" in (await self.ask("Heartbeat", {}))[2]

    async def reply(self, payload: Json) -> list[Any]:
        """Answers the next CALL and returns it."""
        call = await self.hear()
        assert call[0] == 2
        await self.say(json.dumps([3, call[1], payload]))
        return call


def start(connector: int = 1, *, tag: str = "FLEET", meter: int = 0, at: datetime | None = None) -> Json:
    timestamp = format_timestamp(at or datetime.now(UTC))  # noqa: TID251
    return {"connectorId": connector, "idTag": tag, "meterStart": meter, "timestamp": timestamp}


def meter(value: int, transaction_id: int = 1) -> Json:
    timestamp = format_timestamp(datetime.now(UTC))  # noqa: TID251
    entry = {"timestamp": timestamp, "sampledValue": [{"value": str(value)}]}
    return {"connectorId": 1, "transactionId": transaction_id, "meterValue": [entry]}


async def rows_of(db: Database, table: Table, **equals: Any) -> list[Json]:
    async with db.connect() as connection:
        wanted = [table.c[name] == value for name, value in equals.items()]
        rows = await connection.execute(select(table).where(*wanted).order_by(*table.primary_key.columns))
        return [dict(row._mapping) for row in rows]


@asynccontextmanager
async def fragile(url: str) -> AsyncIterator[tuple[TcpProxy, str]]:
    """A proxy before the database server of `url`, and the URL that leads through it."""
    parts = urlsplit(url)
    async with TcpProxy(parts.hostname or "", parts.port or 5432) as proxy:
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        yield proxy, urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{proxy.port}"))


@dataclass
class Yard:
    """A database with idTag FLEET, a bus, and the servers opened on them."""

    db: Database
    bus: InProcessBus
    clock: Clock
    events: list[tuple[dict[str, str], Json]] = field(default_factory=list)

    @asynccontextmanager
    async def server(self, **options: Any) -> AsyncIterator[OcppServer]:
        settings: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "clock": self.clock, "db": self.db, "bus": self.bus}
        async with OcppServer(**(settings | options)) as server:
            yield server

    @asynccontextmanager
    async def station(self, server: OcppServer, station_id: str = "ST-1", **options: Any) -> AsyncIterator[Station]:
        url = f"ws://127.0.0.1:{server.port}/{station_id}"
        async with connect(url, subprotocols=OCPP16, proxy=None, **options) as websocket:
            yield Station(websocket)

    async def rows(self, table: Table, **equals: Any) -> list[Json]:
        return await rows_of(self.db, table, **equals)

    async def online(self, station_id: str = "ST-1") -> bool | None:
        found = await self.rows(tables.charging_stations, id=station_id)
        return found[0]["isOnline"] if found else None


@asynccontextmanager
async def open_yard(url: str, clock: Clock) -> AsyncIterator[Yard]:
    async with AsyncExitStack() as stack:
        db = await Database.open(url, clock)
        stack.push_async_callback(db.close)
        async with db.begin() as connection:
            await connection.execute(insert(tables.authorizations).values(idToken="FLEET", concurrentTransaction=True))
        bus = await stack.enter_async_context(InProcessBus())
        yard = Yard(db, bus, clock)
        bus.subscribe(lambda headers, body: yard.events.append((dict(headers), body)))
        yield yard


@pytest.fixture
def clock() -> Clock:
    """Real time; a test module may override it."""
    return WallClock()


@pytest_asyncio.fixture
async def yard(sqlite_template: Path, tmp_path: Path, clock: Clock) -> AsyncIterator[Yard]:
    shutil.copy(sqlite_template, tmp_path / "csms.sqlite")
    async with open_yard(f"sqlite:///{tmp_path}/csms.sqlite", clock) as yard:
        yield yard


@pytest_asyncio.fixture
async def server(yard: Yard) -> AsyncIterator[OcppServer]:
    async with yard.server() as server:
        yield server


async def eventually(condition: Any) -> None:
    """Returns once the asynchronous `condition` holds; it fails the test after a while."""
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 (the condition is in a database)
            await asyncio.sleep(0.01)
