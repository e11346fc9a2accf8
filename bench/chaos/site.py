"""A whole site as processes, with a scene under way: started, watched, and ended with its books closed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import asyncpg

from bench.chaos.books import BEGINS, ENDED, ROWS, Difference, compared, of_the_chargers, of_the_csms
from bench.chaos.faults import Parts
from bench.chaos.proxy import StationProxy
from bench.chaos.scenes import Scene
from bench.chaos.truth import Step, Truth
from bench.stack import Stack, free_port
from tests.services import PrivateProcess, private_postgres, private_rabbitmq

START_DELAY_S = 6
SETTINGS = {
    "PLANNING_INTERVAL_S": "10",
    "RECONNECT_MAX_S": "5",
    "SCENARIO_START_DELAY_S": str(START_DELAY_S),
    "LOG_LEVEL": "INFO",
}
"""What differs from the defaults: shorter intervals, so that more can go wrong in a minute."""
LIMITS_FILE, TRACE_FILE, SCENARIO_FILE = "limits.csv", "truth.csv", "scenario.json"
FRAMES_FILE = "frames.json"
FRAMES = "{ OCPPMessages(order_by: {id: asc}) { timestamp stationId origin action correlationId message } }"
"""Every OCPP frame that the CSMS remembers, for whoever looks into a failure."""
FIGURE = re.compile(r"^(optivgi_\w+?)(?:\{.*\})? (\S+)$", re.MULTILINE)
GIVE_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class Servers:
    """Where database server and broker are; those of one's own can be stopped at will."""

    postgres_url: str
    """Without a database: postgresql+asyncpg://user@host:port."""
    amqp_url: str
    database: PrivateProcess | None = None
    broker: PrivateProcess | None = None


@contextmanager
def own_servers() -> Iterator[Servers]:
    """Both, started."""
    with private_postgres() as database, private_rabbitmq() as broker:
        yield Servers(
            f"postgresql+asyncpg://postgres@127.0.0.1:{database.port}",
            f"amqp://guest:guest@127.0.0.1:{broker.port}/",
            database,
            broker,
        )


@dataclass(slots=True)
class Window:
    """A limit that the schedule file says; epoch seconds."""

    begin: float
    end: float
    kw: float


@dataclass(slots=True)
class Site:
    """A site while a scene is played on it. Instants named `..._s` count from the scene's start."""

    parts: Parts
    scene: Scene
    folder: Path
    started_at: float = 0.0
    windows: list[Window] = field(default_factory=list)
    unannounced: list[Window] = field(default_factory=list)

    def now_s(self) -> float:
        return time.time() - self.started_at

    def wait_until(self, at_s: float) -> None:
        time.sleep(max(0.0, at_s - self.now_s()))

    def limit(self, kw: float, lasts_s: float, ahead_s: float = 0.0) -> None:
        """Writes a limit into the schedule file, for `ahead_s` from now; with 0 nobody was told before."""
        now = time.time()
        window = Window(now + ahead_s, now + ahead_s + lasts_s, kw)
        self.windows.append(window)
        if ahead_s == 0:
            self.unannounced.append(window)
        write_limits(self.folder / LIMITS_FILE, self.windows)

    def running(self) -> int:
        """How many transactions the chargers have now, by their own account."""
        log = self.parts.stack.log("simulate")
        return len(BEGINS.findall(log)) - len(ENDED.findall(log))

    def quiet(self, for_s: float, until_s: float) -> float:
        """Waits until no transaction began or ended for `for_s`, at most until `until_s`; the moment."""
        seen, since_s = -1, self.now_s()
        while (now_s := self.now_s()) < until_s:
            log = self.parts.stack.log("simulate")
            if (changes := len(BEGINS.findall(log)) + len(ENDED.findall(log))) != seen:
                seen, since_s = changes, now_s
            if now_s - since_s >= for_s:
                break
            time.sleep(0.2)
        return self.now_s()

    def figures(self) -> dict[str, float]:
        """The optimizer's metrics; empty if it does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self.parts.stack.environment['METRICS_PORT']}/metrics", timeout=1) as page:
                return {name: float(value) for name, value in FIGURE.findall(page.read().decode())}
        except (URLError, OSError):
            return {}

    def not_recovered(self, before: dict[str, float]) -> str:
        """What is still missing until the site is under control again; `before` are the figures at the part's return."""
        now = self.figures()
        if not now:
            return "the optimizer does not answer"
        fresh = now.get("optivgi_cycles_total", 0) < before.get("optivgi_cycles_total", 0)
        base = {} if fresh else before
        cycles = now.get("optivgi_cycles_total", 0) - base.get("optivgi_cycles_total", 0)
        failed = now.get("optivgi_read_failures_total", 0) - base.get("optivgi_read_failures_total", 0)
        if cycles - failed < 1:
            return "no cycle with fresh facts"
        evs, running = now.get("optivgi_evs", 0), self.running()
        if evs != running:
            return f"{evs:.0f} EVs known of {running}"
        if lost := now.get("optivgi_uncontrolled_evs", 0) + now.get("optivgi_refused_evs", 0):
            return f"{lost:.0f} EVs out of control"
        if not self.parts.stack.healthy():
            return "the CSMS is not healthy"
        try:
            rows = self.parts.stack.graphql("{ ChargingStations(where: {isOnline: {_eq: true}}) { id } }")
        except (URLError, OSError, ValueError):
            return "GraphQL does not answer"
        if len(rows["ChargingStations"]) < self.scene.stations:
            return f"{len(rows['ChargingStations'])} stations online of {self.scene.stations}"
        return ""

    def recover(self, before: dict[str, float], returned: float) -> tuple[float | None, str]:
        """Seconds from `returned` (epoch) until the site was under control, or None; and what was missing last."""
        missing = ""
        while time.time() - returned < GIVE_UP_S:
            lacks = self.not_recovered(before)
            if not lacks:
                return time.time() - returned, missing
            missing = lacks
            time.sleep(0.1)
        return None, missing

    def allowed(self) -> list[Step]:
        """The limit over time, as it was set."""
        edges = sorted({0.0, *(edge for window in self.windows for edge in (window.begin, window.end))})
        return [
            Step(at, min([self.scene.limit_kw, *(one.kw for one in self.windows if one.begin <= at < one.end)]))
            for at in edges
        ]

    def close(self) -> tuple[Truth, Difference]:
        """Waits for the scene's end; the truth, and how the CSMS's books differ from the chargers'."""
        stack = self.parts.stack
        stack.wait_for_log("simulate", "the scenario is over", self.scene.duration_s - self.now_s() + GIVE_UP_S)
        rows = stack.graphql(ROWS)
        (self.folder / FRAMES_FILE).write_text(json.dumps(stack.graphql(FRAMES)["OCPPMessages"], indent=0))
        stack.kill("simulate", signal.SIGTERM)
        truth = Truth.read(self.folder / TRACE_FILE)
        return truth, compared(of_the_chargers(stack.log("simulate")), of_the_csms(rows))


def write_limits(path: Path, windows: Sequence[Window]) -> None:
    """The schedule file, in one piece."""
    lines = ["from,to,kw", *(f"{_iso(one.begin)},{_iso(one.end)},{one.kw:g}" for one in windows)]
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join(lines) + "\n")
    os.replace(fresh, path)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@contextmanager
def site(servers: Servers, scene: Scene, folder: Path, chance: random.Random, **settings: str) -> Iterator[Site]:
    """A site on a fresh database, at the moment at which the scene starts."""
    name = f"chaos_{uuid.uuid4().hex[:12]}"
    _administer(servers.postgres_url, f'CREATE DATABASE "{name}"')
    scene.write(folder / SCENARIO_FILE)
    write_limits(folder / LIMITS_FILE, ())
    with ExitStack() as parts_in_use:
        parts_in_use.callback(_drop_database, servers.postgres_url, name)
        stack = Stack(
            folder,
            **{
                **SETTINGS,
                "DATABASE_URL": f"{servers.postgres_url}/{name}",
                "AMQP_URL": servers.amqp_url,
                "AMQP_EXCHANGE": name,
                "STATION_IDS": ",".join(scene.station_ids),
                "SEED_ID_TAGS": ",".join(scene.id_tags),
                "SITE_POWER_LIMIT_KW": f"{scene.limit_kw:g}",
                "LIMIT_SCHEDULE_FILE": LIMITS_FILE,
                "SCENARIO_FILE": SCENARIO_FILE,
                "METRICS_PORT": str(free_port()),
                "STATUS_PORT": "0",
                **settings,
            },
        )
        proxy = parts_in_use.enter_context(StationProxy(stack.ocpp_port))
        parts_in_use.enter_context(stack)
        stack.environment["CITRINEOS_WS_URL"] = f"ws://127.0.0.1:{proxy.port}"
        parts = Parts(stack, servers.database, servers.broker, proxy, scene.station_ids, stack.start, chance)
        stack.start("csms")
        stack.wait_healthy()
        stack.start("run")
        stack.wait_for_log("run", "Connected to the broker")
        stack.start("simulate", "--trace", TRACE_FILE)
        stack.wait_for_log("run", "Safe start confirmed")
        stack.wait_for_log("simulate", "the scenario starts:")
        yield Site(parts, scene, folder, time.time())


def _drop_database(postgres_url: str, name: str) -> None:
    """Whatever became of the server."""
    with suppress(OSError, asyncpg.PostgresError):
        _administer(postgres_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(postgres_url: str, statement: str) -> None:
    asyncio.run(_execute(postgres_url.replace("+asyncpg", "") + "/postgres", statement))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=30)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
