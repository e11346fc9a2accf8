"""The websocket server that stations connect to."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from csms.errors import DatabaseUnreachable, PortUnavailable
from csms.handlers.meter_reports import MeterReports
from csms.ports import Bus, Stations
from csms.rpc.dialects import DIALECTS
from csms.rules.boot import BootPolicy
from csms.stations.connection import Connection, Limits
from csms.stations.deferral import Deferral
from csms.stations.desk import Desk
from csms.stations.journal import Journal
from csms.stations.observer import Observer
from csms.stations.registry import Registry
from csms.store import stations
from csms.store.database import Database
from csms.tasks import Tasks
from optivgi.model.clock import Clock

log = logging.getLogger("csms.stations")

MAX_CONNECTIONS = 10_000
HANDSHAKE_TIMEOUT_S = 10.0
PING_INTERVAL_S = 30.0
PING_TIMEOUT_S = 20.0
CLOSE_TIMEOUT_S = 2.0
"""Real seconds: the network knows nothing of site time."""

IDENTITY_TAKEN = 4001
"""Close code for a station whose identity was taken by another between its handshake and its first message."""

_identity = re.compile(r"[A-Za-z0-9*_=+|@.-]{1,36}")

Authenticate = Callable[[str, Headers], Awaitable[str | None]]
"""Takes the station id and the request's headers; returns why the station is refused, None when it is let in."""


class OcppServer:
    """Serves OCPP stations while its `async with` block runs; a port of 0 takes a free one.

    Raises PortUnavailable when the port is taken and DatabaseUnreachable when the database does not answer at start.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        clock: Clock,
        db: Database,
        bus: Bus,
        boot_policy: BootPolicy | None = None,
        allow_unknown_stations: bool = True,
        limits: Limits | None = None,
        observer: Observer | None = None,
        authenticate: Authenticate | None = None,
        max_connections: int = MAX_CONNECTIONS,
        handshake_timeout_s: float = HANDSHAKE_TIMEOUT_S,
        ping_interval_s: float = PING_INTERVAL_S,
    ) -> None:
        self._host, self._asked_port = host, port
        self._allow_unknown, self._authenticate = allow_unknown_stations, authenticate
        self._limits = limits or Limits()
        self._max_connections, self._handshake_timeout_s = max_connections, handshake_timeout_s
        self._ping_interval_s = ping_interval_s
        self._registry = Registry()
        self._observer = observer or Observer()
        journal = Journal(db, clock, lambda station_id: self._registry.protocol_of(station_id) is not None)
        self._desk = Desk(
            clock=clock,
            db=db,
            bus=bus,
            journal=journal,
            deferral=Deferral(clock),
            observer=self._observer,
            meters=MeterReports(db),
            boot_policy=boot_policy or BootPolicy(),
        )
        self._stack = AsyncExitStack()
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The port that stations connect to."""
        if self._server is None:
            return self._asked_port
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def serving(self) -> bool:
        """Whether stations can connect."""
        return self._server is not None and self._server.is_serving()

    @property
    def stations(self) -> Stations:
        """The stations that are connected."""
        return self._registry

    async def disconnect(self, station_id: str) -> bool:
        """Closes the station's connection; False when it has none."""
        return await self._registry.disconnect(station_id, "disconnected by an operator")

    @property
    def journal(self) -> Journal:
        """The message log's writer."""
        return self._desk.journal

    async def __aenter__(self) -> Self:
        async with self._desk.db.begin() as connection:
            await stations.set_all_offline(connection)
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(Tasks())
            tasks.create_task(self._desk.journal.run())
            tasks.create_task(self._desk.deferral.run())
            stack.callback(self._desk.journal.close)
            stack.callback(self._desk.deferral.close)
            try:
                self._server = await stack.enter_async_context(self._listen())
            except OSError as error:
                raise PortUnavailable("OCPP", self._host, self._asked_port, "OCPP16_PORT", error) from error
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def _listen(self) -> Server:
        return serve(
            self._serve,
            self._host,
            self._asked_port,
            subprotocols=[Subprotocol(name) for name in DIALECTS],
            process_request=self._admit,
            compression=None,
            max_size=self._limits.message_bytes,
            open_timeout=self._handshake_timeout_s,
            ping_interval=self._ping_interval_s,
            ping_timeout=PING_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            server_header=None,
            logger=_quiet_logger(),
        )

    async def _admit(self, websocket: ServerConnection, request: Request) -> Response | None:
        """Refuses, in words, whoever must not get in. Nothing is written for a station that is refused."""
        station_id = station_id_of(request.path)
        if station_id is None:
            return websocket.respond(
                HTTPStatus.NOT_FOUND,
                "The path must end with the station's identity: 1 to 36 of A-Z a-z 0-9 * _ = + | @ . -\n",
            )
        offered = {
            name.strip() for value in request.headers.get_all("Sec-WebSocket-Protocol") for name in value.split(",")
        }
        if not offered & DIALECTS.keys():
            return websocket.respond(
                HTTPStatus.BAD_REQUEST,
                f"Sec-WebSocket-Protocol must offer one of: {', '.join(DIALECTS)}\n",
            )
        if len(self._registry) >= self._max_connections:
            return websocket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Too many stations are connected.\n")
        if self._authenticate is not None and (reason := await self._authenticate(station_id, request.headers)):
            response = websocket.respond(HTTPStatus.UNAUTHORIZED, f"{reason}\n")
            response.headers["WWW-Authenticate"] = 'Basic realm="OCPP"'
            return response
        return await self._refuse_unknown(websocket, station_id) or await self._refuse_duplicate(websocket, station_id)

    async def _refuse_unknown(self, websocket: ServerConnection, station_id: str) -> Response | None:
        if self._allow_unknown:
            return None
        try:
            async with self._desk.db.connect() as connection:
                known = await stations.exists(connection, station_id)
        except DatabaseUnreachable:
            return websocket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Try again later.\n")
        return None if known else websocket.respond(HTTPStatus.NOT_FOUND, f"Station {station_id} is not known.\n")

    async def _refuse_duplicate(self, websocket: ServerConnection, station_id: str) -> Response | None:
        if await self._registry.vacant(station_id):
            return None
        log.warning("A second connection as %s from %s was refused", station_id, websocket.remote_address)
        return websocket.respond(HTTPStatus.CONFLICT, f"Station {station_id} is connected already.\n")

    async def _serve(self, websocket: ServerConnection) -> None:
        station_id = station_id_of(websocket.request.path if websocket.request else "")
        if station_id is None or websocket.subprotocol is None:
            return
        dialect = DIALECTS[websocket.subprotocol]
        connection = Connection(websocket, station_id, dialect, self._desk, self._limits)
        if not await self._registry.vacant(station_id):
            await _close(websocket, IDENTITY_TAKEN, "this identity is connected already")
            return
        previous = self._registry.enter(connection)
        log.debug("%s connected from %s", station_id, websocket.remote_address)
        try:
            await connection.run(previous)
        finally:
            try:
                if self._registry.depart(connection):
                    await self._desk.set_offline(station_id)
            finally:
                self._observer.on_close(station_id)
                self._registry.finish(connection)


def station_id_of(path: str) -> str | None:
    """The station's identity: the last segment of the path, percent-decoded; None when it cannot be one."""
    segment = unquote(urlsplit(path).path.rpartition("/")[2])
    return segment if _identity.fullmatch(segment) else None


async def _close(websocket: ServerConnection, code: int, reason: str) -> None:
    try:
        await websocket.close(code, reason)
    except ConnectionClosed:
        return


def _quiet_logger() -> logging.Logger:
    """The library tells of every connection that comes and goes; only what it calls errors is news here."""
    logger = logging.getLogger("csms.stations.websocket")
    logger.setLevel(logging.ERROR)
    return logger
