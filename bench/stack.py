"""The services as separate processes on free ports, for measurements and end-to-end tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import Request, urlopen

START_TIMEOUT_S = 60.0
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "COVERAGE_PROCESS_START")


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Stack:
    """`csms`, `run` and `simulate`, each `optivgi <name>` in a process of its own with one shared environment.

    Logs go to `<folder>/<name>.log`. Use as a context manager: leaving it ends every process.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.rest_port, self.ocpp_port, self.graphql_port = free_port(), free_port(), free_port()
        self.environment = {
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            "CITRINEOS_PORT": str(self.rest_port),
            "OCPP16_PORT": str(self.ocpp_port),
            "HASURA_PORT": str(self.graphql_port),
            "CITRINEOS_API_URL": f"http://127.0.0.1:{self.rest_port}",
            "HASURA_URL": f"http://127.0.0.1:{self.graphql_port}",
            "CITRINEOS_WS_URL": f"ws://127.0.0.1:{self.ocpp_port}",
            **environment,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *details: object) -> None:
        for name in reversed(list(self._processes)):
            self.kill(name, signal.SIGTERM)
        for log in self._logs:
            log.close()

    def start(self, name: str, *arguments: str, **extra: str) -> None:
        """Starts `optivgi <name> <arguments>`; does not wait for it. "run-two" is another `optivgi run`."""
        log = (self.folder / f"{name}.log").open("ab")
        self._logs.append(log)
        self._processes[name] = subprocess.Popen(
            [str(Path(sys.executable).with_name("optivgi")), name.partition("-")[0], *arguments],
            cwd=self.folder,
            env={**self.environment, **extra},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def kill(self, name: str, sign: signal.Signals = signal.SIGKILL, within_s: float = 15.0) -> int:
        """Signals the process and waits for its end; returns its exit code."""
        process = self._processes.pop(name)
        process.send_signal(sign)
        try:
            return process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(within_s)
            raise

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def log(self, name: str) -> str:
        """Everything that the process has printed so far."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_healthy(self, within_s: float = START_TIMEOUT_S) -> None:
        """Returns when the CSMS says that it, its database and its broker are well."""
        self.wait_for(self.healthy, "the CSMS to be healthy", within_s)

    def wait_for_log(self, name: str, text: str, within_s: float = START_TIMEOUT_S, times: int = 1) -> None:
        """Returns when `text` has appeared `times` times in the process's log."""
        self.wait_for(lambda: self.log(name).count(text) >= times, f"{text!r} in the log of {name}", within_s)

    def wait_for(self, condition: Callable[[], bool], what: str, within_s: float) -> None:
        """Polls `condition()`; on failure raises with the tails of all logs."""
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                tails = "\n".join(
                    f"--- {path.stem}\n{self.log(path.stem)[-1500:]}" for path in self.folder.glob("*.log")
                )
                raise TimeoutError(f"waited {within_s:g} s for {what}\n{tails}")
            time.sleep(0.05)

    def graphql(self, query: str) -> dict[str, list[dict[str, object]]]:
        """`data` of a GraphQL query to the CSMS."""
        body = json.dumps({"query": query}).encode()
        url = f"http://127.0.0.1:{self.graphql_port}/v1/graphql"
        with urlopen(Request(url, data=body, headers={"content-type": "application/json"}), timeout=10) as answer:
            document = json.load(answer)
        if "errors" in document:
            raise ValueError(document["errors"])
        data: dict[str, list[dict[str, object]]] = document["data"]
        return data

    def healthy(self) -> bool:
        """Whether /health answers 200."""
        try:
            with urlopen(f"http://127.0.0.1:{self.rest_port}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False
