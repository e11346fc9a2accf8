"""What can go wrong with a site's parts, each as something to do and something to undo."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from bench.chaos.proxy import StationProxy
from bench.stack import Stack
from tests.services import PrivateProcess

SERVERS = {"database": signal.SIGINT, "broker": signal.SIGTERM}
"""How each is told to end at once, in good order."""


@dataclass(slots=True)
class Parts:
    """A running site: its services, its database and broker, and the wire to its stations."""

    stack: Stack
    database: PrivateProcess | None
    broker: PrivateProcess | None
    proxy: StationProxy
    station_ids: Sequence[str]
    start: Callable[[str], None]
    """Starts a service with its settings."""
    chance: random.Random

    def freeze(self, part: str) -> None:
        """Stops every process of a part without ending it."""
        for process in self._processes(part):
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self, part: str) -> None:
        for process in reversed(self._processes(part)):
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def some_stations(self) -> tuple[str, ...]:
        """A third of them."""
        return tuple(self.chance.sample(list(self.station_ids), max(1, len(self.station_ids) // 3)))

    def server(self, part: str) -> PrivateProcess:
        """The database server or the broker; only those of one's own can be harmed."""
        server = {"database": self.database, "broker": self.broker}[part]
        if server is None:
            raise RuntimeError(f"the {part} is not ours to harm")
        return server

    def _processes(self, part: str) -> list[psutil.Process]:
        if part in SERVERS:
            process = self.server(part).process
            if process is None:
                raise RuntimeError(f"the {part} does not run")
            pid = process.pid
        else:
            pid = self.stack.pid(part)
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]


@dataclass(frozen=True, slots=True)
class Fault:
    """`strike` breaks something, `mend` repairs it `down_s` later; from then on the site has to recover by itself."""

    name: str
    strike: Callable[[Parts], None]
    mend: Callable[[Parts], None]
    down_s: float


def _kill(part: str) -> Callable[[Parts], None]:
    return lambda parts: _ignore(parts.stack.kill(part, signal.SIGKILL))


def _start(part: str) -> Callable[[Parts], None]:
    return lambda parts: parts.start(part)


def _freeze(part: str) -> Callable[[Parts], None]:
    return lambda parts: parts.freeze(part)


def _thaw(part: str) -> Callable[[Parts], None]:
    return lambda parts: parts.thaw(part)


def _stop_server(part: str) -> Callable[[Parts], None]:
    return lambda parts: parts.server(part).stop(SERVERS[part])


def _start_server(part: str) -> Callable[[Parts], None]:
    return lambda parts: parts.server(part).start()


def _restore(parts: Parts) -> None:
    parts.proxy.restore()


def _ignore(_: object) -> None:
    return None


LONG_S, FROZEN_S = 100.0, 30.0
FAULTS = (
    Fault("kill-optimizer", _kill("run"), _start("run"), 5.0),
    Fault("kill-csms", _kill("csms"), _start("csms"), 5.0),
    Fault("stop-broker", _stop_server("broker"), _start_server("broker"), 10.0),
    Fault("stop-database", _stop_server("database"), _start_server("database"), 10.0),
    Fault("cut-stations", lambda parts: parts.proxy.cut(parts.some_stations()), _restore, 20.0),
    Fault("stall-stations", lambda parts: parts.proxy.stall(parts.some_stations()), _restore, 15.0),
    Fault("freeze-optimizer", _freeze("run"), _thaw("run"), FROZEN_S),
    Fault("freeze-csms", _freeze("csms"), _thaw("csms"), FROZEN_S),
    Fault("freeze-broker", _freeze("broker"), _thaw("broker"), FROZEN_S),
    Fault("freeze-database", _freeze("database"), _thaw("database"), FROZEN_S),
    Fault("freeze-stations", _freeze("simulate"), _thaw("simulate"), FROZEN_S),
    Fault("optimizer-away", _kill("run"), _start("run"), LONG_S),
    Fault("csms-away", _kill("csms"), _start("csms"), LONG_S),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
FOR_SEQUENCES = tuple(fault for fault in FAULTS if fault.down_s < LONG_S)
