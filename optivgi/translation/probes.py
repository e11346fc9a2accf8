"""Asks each service of the stack whether it answers, and says what is wrong if it does not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import httpx
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity

from optivgi.errors import OptiVGIError, Refused, Unreachable
from optivgi.model.clock import Clock
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.http import Patience, fetch

TIMEOUT_S = 5.0
POSTGRES_PORT = 5432
WEBSOCKET_SCHEMES = {"ws": "http", "wss": "https"}
COMPOSE_NAMES = frozenset({"citrineos", "graphql-engine", "amqp-broker", "postgres"})
"""Host names that only the containers of docker-compose.yml know."""
TABLES_QUERY = "{ Transactions(limit: 1) { id } ChargingStations(limit: 1) { id } MeterValues(limit: 1) { id } }"


@dataclass(frozen=True, slots=True)
class Probe:
    """A question to one service. `ask` answers with what was found, or raises OptiVGIError with what is wrong."""

    service: str
    address: str
    remedy: str
    ask: Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a probe found. `detail` is what the service said or what is wrong; `remedy` is empty where all is well."""

    service: str
    address: str
    healthy: bool
    detail: str
    remedy: str


async def examine(probes: Sequence[Probe], timeout_s: float = TIMEOUT_S) -> tuple[Diagnosis, ...]:
    """One Diagnosis per probe, in their order. All are asked at once, none for longer than `timeout_s`."""
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_diagnose(probe, timeout_s)) for probe in probes]
    return tuple(task.result() for task in asked)


async def _diagnose(probe: Probe, timeout_s: float) -> Diagnosis:
    where = without_password(probe.address)
    try:
        async with asyncio.timeout(timeout_s):
            return Diagnosis(probe.service, where, True, await probe.ask(), "")
    except TimeoutError:
        wrong = f"no answer within {timeout_s:g} s"
    except OptiVGIError as error:
        wrong = str(error)
        if wrong.startswith(where):
            _, _, wrong = wrong.partition(" ")
    remedy = probe.remedy
    if (host := urlsplit(probe.address).hostname) in COMPOSE_NAMES:
        remedy += f"; the name {host} is known to the containers only: `docker compose exec optivgi optivgi doctor`"
    return Diagnosis(probe.service, where, False, wrong, remedy)


def rest(url: str, service: str = "REST API", setting: str = "CITRINEOS_API_URL", path: str = "/health") -> Probe:
    """The CSMS's message API, by its /health."""

    async def ask() -> str:
        async with httpx.AsyncClient() as http:
            response = await fetch(http, "GET", f"{url}{path}", timeout_s=TIMEOUT_S, check=setting)
        return f"answers {response.status_code}"

    return Probe(service, url, f"start the CSMS (optivgi csms), or set {setting}", ask)


def http_api(url: str) -> Probe:
    """The JSON service that TRANSLATION=http_api reads."""
    probe = rest(url, "JSON service", "HTTP_API_URL", "/evs")
    return Probe(probe.service, url, "start the service that answers GET /evs, or set HTTP_API_URL", probe.ask)


def graphql(url: str, secret: str, clock: Clock) -> Probe:
    """The data service: reachable, with the right secret, and with CitrineOS's tables."""

    async def ask() -> str:
        async with httpx.AsyncClient() as http:
            service = GraphQL(
                http, f"{url}/v1/graphql", clock, admin_secret=secret or None, patience=Patience(TIMEOUT_S, tries=1)
            )
            await service.query(TABLES_QUERY, {})
        return "answers queries"

    return Probe("GraphQL", url, "start the data service, or set HASURA_URL and HASURA_ADMIN_SECRET", ask)


def amqp(url: str, exchange: str = "citrineos") -> Probe:
    """The broker: reachable, with the right user, and with the CSMS's exchange."""

    async def ask() -> str:
        try:
            connection = await aio_pika.connect(url, timeout=TIMEOUT_S)
            async with connection:
                channel = await connection.channel()
                await channel.get_exchange(exchange, ensure=True)
        except ChannelNotFoundEntity:
            raise Refused(f"the broker answers, but has no exchange {exchange!r}: is the CSMS running?") from None
        except (AMQPError, OSError, ConnectionError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        return f"has exchange {exchange!r}"

    return Probe("AMQP broker", url, "start RabbitMQ and then the CSMS, or set AMQP_URL (empty for none)", ask)


def websocket(url: str, setting: str = "CITRINEOS_WS_URL") -> Probe:
    """The port for charging stations. It speaks HTTP before the upgrade, so that any HTTP answer is a good one."""

    async def ask() -> str:
        parts = urlsplit(url)
        plain = urlunsplit(parts._replace(scheme=WEBSOCKET_SCHEMES.get(parts.scheme, parts.scheme)))
        try:
            async with httpx.AsyncClient() as http:
                response = await http.get(plain)
        except (httpx.RequestError, ssl.SSLError) as error:
            raise Unreachable(f"cannot be reached: {str(error) or type(error).__name__}") from error
        return f"listens (HTTP {response.status_code} without an upgrade)"

    return Probe("OCPP 1.6 websocket", url, f"start the CSMS (optivgi csms), or set {setting}", ask)


def database(url: str) -> Probe:
    """Where the CSMS of this host keeps its data: the server's port, or the folder of an SQLite file."""

    async def ask() -> str:
        parts = urlsplit(url)
        if parts.scheme.startswith("sqlite"):
            folder = await asyncio.to_thread(Path(parts.path.removeprefix("/") or ".").resolve)
            if not await asyncio.to_thread(folder.parent.is_dir):
                raise Refused(f"folder {folder.parent} does not exist")
            return "its folder exists"
        try:
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or POSTGRES_PORT)
        except OSError as error:
            raise Unreachable(f"cannot be reached: {error}") from error
        writer.close()
        await writer.wait_closed()
        return "its port answers (the CSMS's /health says whether it can work with it)"

    return Probe("Database", url, "start PostgreSQL, or set DATABASE_URL", ask)


def without_password(address: str) -> str:
    """The address as it may be shown."""
    parts = urlsplit(address)
    if parts.password is None:
        return address
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))
