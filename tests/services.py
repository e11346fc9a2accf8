"""Where tests find PostgreSQL and RabbitMQ: environment, local default port, installed binaries, a container, else a skip.

With CI set, a missing service is a failure and not a skip.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

START_TIMEOUT_S = 90.0
IDLE_ERLANG = "+sbwt none +sbwtdcpu none +sbwtdio none"
"""Erlang's threads spin before they sleep, on processors that tests have better use for."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(host: str, port: int) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def missing(service: str, tried: str) -> NoReturn:
    """Ends the test: a skip with the reason, or a failure where CI says that nothing may be missing."""
    reason = f"no {service}: {tried}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class PrivateProcess:
    """A server started for the tests alone; `stop` and `start` keep its port and its data.

    It has started when its port is open and it has printed `ready`: PostgreSQL accepts connections before it serves them.
    """

    command: list[str]
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    home: Path = Path()
    ready: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        printed = self.home / "output.log"
        with printed.open("ab") as output:
            said_before = output.tell()
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                user=self.user,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (answers("127.0.0.1", self.port) and self.ready.encode() in printed.read_bytes()[said_before:]):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command[0]} did not start: {printed.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        os.killpg(self.process.pid, sign)
        self.process.wait(timeout=60)
        self.process = None


def _workplace() -> Path:
    home = Path(tempfile.mkdtemp(prefix="optivgi-test-"))
    home.chmod(0o777)
    return home


def _unprivileged(*candidates: str) -> str | None:
    return next((name for name in candidates if os.geteuid() == 0 and _user_exists(name)), None)


def _user_exists(name: str) -> bool:
    return subprocess.run(["id", name], capture_output=True, check=False).returncode == 0


def _binary(name: str, *places: str) -> str | None:
    found = shutil.which(name)
    if found:
        return found
    return next((str(path) for place in places for path in sorted(Path("/").glob(place.lstrip("/")))), None)


def _rabbitmq_binary() -> str | None:
    """The server's own script: Debian's wrapper on PATH would switch user and data folder."""
    places = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")
    return next((place for place in places if Path(place).exists()), None)


@contextmanager
def private_rabbitmq() -> Iterator[PrivateProcess]:
    """A broker of one's own, to stop and start at will; raises the skip or the failure where none can be had."""
    server = _rabbitmq_binary()
    if server is None:
        missing("RabbitMQ server binary", "looked in /usr/lib/rabbitmq and /opt/rabbitmq; install rabbitmq-server")
    home, port = _workplace(), free_port()
    (home / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    broker = PrivateProcess(
        [server],
        port,
        {
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"optivgi-{uuid.uuid4().hex[:8]}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": IDLE_ERLANG,
        },
        home=home,
    )
    broker.start()
    try:
        yield broker
    finally:
        broker.stop(signal.SIGKILL)
        shutil.rmtree(home, ignore_errors=True)


def url_of(broker: PrivateProcess) -> str:
    """Where the clients of a private broker find it."""
    return f"amqp://guest:guest@127.0.0.1:{broker.port}/"


@contextmanager
def private_postgres() -> Iterator[PrivateProcess]:
    """A PostgreSQL of one's own (trust authentication, user postgres), to stop and start at will."""
    initdb = _binary("initdb", "/usr/lib/postgresql/*/bin/initdb")
    server = _binary("postgres", "/usr/lib/postgresql/*/bin/postgres")
    if initdb is None or server is None:
        missing("PostgreSQL server binary", "looked on PATH and in /usr/lib/postgresql; install postgresql")
    user = _unprivileged("postgres", "nobody")
    home, port = _workplace(), free_port()
    data = home / "data"
    subprocess.run(
        [initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"],
        user=user,
        cwd=home,
        check=True,
        capture_output=True,
    )
    command = [
        server,
        "-D",
        str(data),
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-k",
        str(home),
        "-c",
        "max_connections=200",
        "-c",
        "lc_messages=C",
    ]
    database = PrivateProcess(command, port, user=user, home=home, ready="ready to accept connections")
    database.start()
    try:
        yield database
    finally:
        database.stop(signal.SIGINT)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _container(image: str, inner_port: int, environment: dict[str, str]) -> Iterator[int]:
    port = free_port()
    variables = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
    run = subprocess.run(
        ["docker", "run", "-d", "--rm", "-p", f"127.0.0.1:{port}:{inner_port}", *variables, image],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip())
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers("127.0.0.1", port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{image} did not answer in {START_TIMEOUT_S:g} s")
            time.sleep(0.2)
        yield port
    finally:
        subprocess.run(["docker", "rm", "-f", run.stdout.strip()], capture_output=True, check=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Base URL of a PostgreSQL server, without a database name: postgresql+asyncpg://user@host:port."""
    stated = os.environ.get("TEST_POSTGRES_URL")
    if stated:
        yield stated.rstrip("/")
        return
    if answers("127.0.0.1", 5432):
        yield "postgresql+asyncpg://postgres@127.0.0.1:5432"
        return
    if _binary("initdb", "/usr/lib/postgresql/*/bin/initdb"):
        with private_postgres() as database:
            yield f"postgresql+asyncpg://postgres@127.0.0.1:{database.port}"
        return
    try:
        with _container("postgres:16-alpine", 5432, {"POSTGRES_HOST_AUTH_METHOD": "trust"}) as port:
            yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}"
    except (OSError, RuntimeError) as error:
        missing("PostgreSQL", f"TEST_POSTGRES_URL, 127.0.0.1:5432, local binaries, container ({error})")


@pytest_asyncio.fixture
async def postgres_url(postgres_server: str) -> AsyncIterator[str]:
    """URL of a fresh, empty database: postgresql+asyncpg://.../optivgi_<random>."""
    name = f"optivgi_{uuid.uuid4().hex[:12]}"
    plain = postgres_server.replace("+asyncpg", "") + "/postgres"
    await _administer(plain, f'CREATE DATABASE "{name}"')
    try:
        yield f"{postgres_server}/{name}"
    finally:
        await _administer(plain, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _administer(url: str, statement: str) -> None:
    async with asyncio.timeout(30):
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def session_broker() -> Iterator[PrivateProcess]:
    """A private broker that the tests of a session share, one after the other."""
    with private_rabbitmq() as broker:
        yield broker


@pytest.fixture
def broker(session_broker: PrivateProcess) -> Iterator[PrivateProcess]:
    """A private broker, to stop and start at will: whoever comes next finds it running."""
    yield session_broker
    if session_broker.process is None:
        session_broker.start()


@pytest.fixture(scope="session")
def amqp_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a RabbitMQ broker; use an exchange name of your own."""
    stated = os.environ.get("TEST_AMQP_URL")
    if stated:
        parts = urlsplit(stated)
        assert answers(parts.hostname or "", parts.port or 5672), f"TEST_AMQP_URL {parts.hostname} does not answer"
        yield stated
        return
    if answers("127.0.0.1", 5672):
        yield "amqp://guest:guest@127.0.0.1:5672/"
        return
    if _rabbitmq_binary():
        yield url_of(request.getfixturevalue("session_broker"))
        return
    try:
        with _container("rabbitmq:3-alpine", 5672, {}) as port:
            yield f"amqp://guest:guest@127.0.0.1:{port}/"
    except (OSError, RuntimeError) as error:
        missing("RabbitMQ", f"TEST_AMQP_URL, 127.0.0.1:5672, local binaries, container ({error})")


@pytest.fixture
def exchange_name() -> str:
    """An exchange that no other test uses."""
    return f"citrineos-{uuid.uuid4().hex[:12]}"
