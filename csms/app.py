"""The whole CSMS: opened in the order in which its parts need each other, closed in the reverse."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from starlette.applications import Starlette

from csms.api import openapi, webhooks
from csms.api.callbacks import CallbackPolicy, CallbackSender
from csms.api.data_api import DataApi
from csms.api.graphql.app import graphql_app
from csms.api.graphql.service import GraphQLService
from csms.api.health import Health
from csms.api.http import rest_app
from csms.api.message_api import MessageApi
from csms.api.server import HttpServer
from csms.api.webhooks import Webhooks
from csms.errors import DatabaseUnreachable
from csms.events.bus import InProcessBus
from csms.events.rabbitmq import RabbitMQBus
from csms.handlers.table import OUTGOING
from csms.ports import Json, Stations
from csms.rules.boot import BootPolicy
from csms.settings import CsmsSettings
from csms.stations.connection import Limits
from csms.stations.listener import OcppServer
from csms.stations.observer import Observer, SeenFrame
from csms.store import records, tables
from csms.store import stations as station_rows
from csms.store.database import Database
from csms.store.seeding import seed
from csms.tasks import Tasks
from optivgi.model.clock import Clock

log = logging.getLogger("csms")

FIRST_RETRY_S = 0.2
LAST_RETRY_S = 5.0
FINISH_S = 1.0
"""How long calls to stations, and webhooks, may take to finish at the end. Together the parts end within 5 s."""


class Csms:
    """Runs while its `async with` block does. With `listen_http` False, REST and GraphQL are only ASGI applications.

    Raises PortUnavailable, DatabaseUnusable or SettingsError at the start; waits for a database that does not answer.
    """

    rest_app: Starlette
    graphql_app: Starlette
    graphql: GraphQLService
    bus: InProcessBus | RabbitMQBus
    stations: Stations
    database: Database
    ocpp_port: int
    rest_port: int
    graphql_port: int

    def __init__(self, settings: CsmsSettings, clock: Clock, *, listen_http: bool = True) -> None:
        self._settings, self._clock, self._listen_http = settings, clock, listen_http
        self.rest_port, self.graphql_port = settings.citrineos_port, settings.hasura_port
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.database = await self._open_database()
            stack.push_async_callback(self.database.close)
            await self._prepare()
            self.bus = await stack.enter_async_context(self._bus())
            policy = CallbackPolicy(self._settings.callback_hosts)
            sender = await stack.enter_async_context(
                CallbackSender(policy, timeout_s=self._settings.callback_timeout_s)
            )
            tasks = await stack.enter_async_context(Tasks())
            hooks = Webhooks(self._subscriptions, sender)
            stack.push_async_callback(_finish, hooks, tasks.create_task(hooks.run()))
            ocpp = await stack.enter_async_context(self._ocpp(hooks))
            self.ocpp_port, self.stations, self._journal = ocpp.port, ocpp.stations, ocpp.journal
            messages = MessageApi(self.stations, self.bus, self._clock, sender, tasks)
            stack.push_async_callback(messages.finish, FINISH_S)
            data = DataApi(self.database, hooks, policy, ocpp.disconnect, self._listeners)
            self.graphql = GraphQLService(self.database)
            secret = self._settings.hasura_admin_secret.get_secret_value()
            self.graphql_app = graphql_app(self.graphql, secret or None)
            self.rest_app = self._rest_app(messages, data, ocpp)
            if self._listen_http:
                await self._listen(stack)
            log.info("OCPP 1.6 stations connect to ws://%s:%d/<station id>", self._settings.bind_host, self.ocpp_port)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def flushed(self) -> None:
        """Returns once everything that stations and CSMS said to each other so far is in the database."""
        await self._journal.flushed()

    async def _open_database(self) -> Database:
        """The database, however long it takes to answer."""
        pause_s = FIRST_RETRY_S
        while True:
            try:
                database = await Database.open(self._settings.database_url, self._clock)
            except DatabaseUnreachable as error:
                if pause_s == FIRST_RETRY_S:
                    log.warning("Waiting for the database: %s", error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LAST_RETRY_S)
            else:
                if pause_s != FIRST_RETRY_S:
                    log.warning("The database answers now: %s", database.name)
                return database

    async def _prepare(self) -> None:
        async with self.database.begin() as connection:
            new = await seed(connection, self._settings.seed_id_tags)
            if not self._settings.allow_unknown_stations:
                for station_id in self._settings.station_ids:
                    await station_rows.ensure(connection, station_id)
        if new:
            log.info("idTags added: %s", ", ".join(new))

    def _bus(self) -> InProcessBus | RabbitMQBus:
        if not self._settings.amqp_url:
            return InProcessBus()
        # The library tells of each attempt to connect; the bus tells once that the broker is away, and why.
        logging.getLogger("aiormq").setLevel(logging.CRITICAL)
        return RabbitMQBus(self._settings.amqp_url, self._settings.amqp_exchange)

    def _ocpp(self, hooks: Webhooks) -> OcppServer:
        settings = self._settings
        return OcppServer(
            host=settings.bind_host,
            port=settings.ocpp16_port,
            clock=self._clock,
            db=self.database,
            bus=self.bus,
            boot_policy=BootPolicy(settings.heartbeat_interval_s, settings.boot_retry_interval_s),
            allow_unknown_stations=settings.allow_unknown_stations,
            limits=Limits(
                call_timeout_s=settings.call_timeout_s,
                message_bytes=settings.max_message_bytes,
                messages_per_s=settings.max_messages_per_s,
            ),
            observer=Observer(
                on_connect=lambda station_id: hooks.note(webhooks.connected(station_id)),
                on_close=lambda station_id: hooks.note(webhooks.closed(station_id)),
                on_frame=lambda frame: hooks.note(_message(frame)),
            ),
            max_connections=settings.max_stations,
            ping_interval_s=settings.ping_interval_s,
        )

    def _rest_app(self, messages: MessageApi, data: DataApi, ocpp: OcppServer) -> Starlette:
        async def database() -> str | None:
            return None if await self.database.healthy() else f"{self.database.name} does not answer"

        async def broker() -> str | None:
            if self.bus.healthy():
                return None
            return f"not connected: {self.bus.reason}" if isinstance(self.bus, RabbitMQBus) else "closed"

        async def listener() -> str | None:
            return None if ocpp.serving else "the listener is closed"

        health = Health({"database": database, "broker": broker, "ocpp": listener})
        operations = [*messages.operations(OUTGOING.values()), *data.operations()]
        document = openapi.openapi(operations, importlib.metadata.version("optivgi"))
        # GraphQL answers here too, so that http://graphql-engine:8080 may be another name for this host.
        return rest_app(operations, health.route(), *openapi.routes(document), *self.graphql_app.routes)

    async def _listen(self, stack: AsyncExitStack) -> None:
        host = self._settings.bind_host
        rest = HttpServer("REST", self.rest_app, host, self._settings.citrineos_port, "CITRINEOS_PORT")
        graphql = HttpServer("GraphQL", self.graphql_app, host, self._settings.hasura_port, "HASURA_PORT")
        for server in (rest, graphql):
            await stack.enter_async_context(server)
        self.rest_port, self.graphql_port = rest.port, graphql.port
        log.info(
            "REST is at http://%s:%d (see /docs), GraphQL at http://%s:%d/v1/graphql",
            host,
            rest.port,
            host,
            graphql.port,
        )

    async def _subscriptions(self, station_id: str) -> Sequence[Json]:
        async with self.database.connect() as connection:
            return await records.find(connection, tables.subscriptions, stationId=station_id)

    def _listeners(self) -> Sequence[Json]:
        return [
            {
                "id": "0",
                "host": self._settings.bind_host,
                "port": self.ocpp_port,
                "pingInterval": round(self._settings.ping_interval_s),
                "protocol": "ocpp1.6",
                "securityProfile": 0,
                "allowUnknownChargingStations": self._settings.allow_unknown_stations,
                "tenantId": 1,
                "dynamicTenantResolution": False,
                "maxConnectionsPerTenant": self._settings.max_stations,
            }
        ]


def _message(frame: SeenFrame) -> webhooks.Happening:
    return webhooks.message(
        frame.station_id,
        frame.origin,
        frame.text,
        action=frame.action,
        correlation_id=frame.correlation_id,
        timestamp=frame.timestamp,
        protocol=frame.protocol,
    )


async def _finish(hooks: Webhooks, running: asyncio.Task[None]) -> None:
    """Lets webhooks tell what waits, for a bounded time."""
    hooks.close()
    _, late = await asyncio.wait({running}, timeout=FINISH_S)
    for task in late:
        task.cancel()
