"""Two optimizers for one site, started by mistake or on purpose: one leads, the other waits and takes over."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bench.stack import Stack, free_port
from tests.e2e.conftest import ScenarioFile

pytestmark = [pytest.mark.e2e, pytest.mark.chaos, pytest.mark.postgres, pytest.mark.rabbitmq]

FAST = {"METER_VALUES_INTERVAL": "1", "SCENARIO_START_DELAY_S": "0", "SETTLE_S": "1", "RECONNECT_MAX_S": "2"}
FIRST, SECOND = "run", "run-two"


class Pair:
    """A stack with two optimizers, of which the first one leads."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ports = {FIRST: free_port(), SECOND: free_port()}

    def start(self, scenario: str) -> None:
        self.stack.start("csms")
        self.stack.wait_healthy()
        self.start_optimizer(FIRST)
        self.stack.wait_for_log(FIRST, "Leading")
        self.start_optimizer(SECOND)
        self.stack.wait_for_log(SECOND, "Waiting to lead")
        self.stack.start("simulate", SCENARIO_FILE=scenario)
        self.stack.wait_for_log(FIRST, "6 EVs requesting 43.2 kW")

    def start_optimizer(self, name: str) -> None:
        self.stack.start(name, STATUS_PORT=str(self.ports[name]))

    def health(self, name: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.ports[name]}/health", timeout=5) as answer:
            return json.load(answer)

    def role(self, name: str) -> str:
        return str(self.health(name)["groups"]["default"]["role"])

    def commands(self, name: str) -> int:
        """How many the optimizer has sent with its last 50 plans."""
        with urlopen(f"http://127.0.0.1:{self.ports[name]}/cycles?last=50", timeout=5) as answer:
            return sum(cycle["commands"] for cycle in json.load(answer)["cycles"])


@pytest.fixture
def pair(tmp_path: Path, postgres_url: str, amqp_url: str, exchange_name: str) -> Iterator[Pair]:
    settings = {"DATABASE_URL": postgres_url, "AMQP_URL": amqp_url, "AMQP_EXCHANGE": exchange_name, **FAST}
    with Stack(tmp_path, **settings) as processes:
        yield Pair(processes)


def test_the_second_one_waits_and_leads_within_seconds_of_the_first_ones_death(
    pair: Pair, scenario_file: ScenarioFile
) -> None:
    pair.start(scenario_file(evs=6, every_s=0.2, stay_s=120))
    stack = pair.stack
    first, second = pair.health(FIRST), pair.health(SECOND)
    assert (first["status"], first["ready"], first["groups"]["default"]["role"]) == ("ok", True, "leads")
    assert (second["status"], second["ready"], second["groups"]["default"]["role"]) == ("ok", False, "waits")
    assert f"process {stack.pid(FIRST)} leads it" in second["groups"]["default"]["why"]
    stack.wait_for_log(FIRST, f"process {stack.pid(SECOND)} waits for it", within_s=10)
    assert "CURTAILMENT" not in stack.log(SECOND)
    stack.kill(FIRST, signal.SIGKILL)
    stack.wait_for_log(SECOND, "CURTAILMENT ON — 6 EVs requesting 43.2 kW", within_s=8)
    assert pair.role(SECOND) == "leads"
    pair.start_optimizer(FIRST)
    stack.wait_for_log(FIRST, "Waiting to lead", times=1)
    assert stack.kill(SECOND, signal.SIGTERM) == 0
    stack.wait_for(lambda: pair.role(FIRST) == "leads", "the restarted one to lead", 8)
    assert "Traceback" not in stack.log(FIRST) + stack.log(SECOND)


@pytest.mark.quiet
def test_a_leader_that_was_paused_for_long_sends_nothing_when_it_goes_on(
    pair: Pair, scenario_file: ScenarioFile
) -> None:
    pair.start(scenario_file(evs=6, every_s=0.2, stay_s=120))
    stack = pair.stack
    sent = pair.commands(FIRST)
    os.kill(stack.pid(FIRST), signal.SIGSTOP)
    try:
        stack.wait_for_log(SECOND, "CURTAILMENT ON", within_s=30)
        stack.wait_for_log(SECOND, "Safe start confirmed", within_s=10)
    finally:
        os.kill(stack.pid(FIRST), signal.SIGCONT)
    stack.wait_for_log(FIRST, "Waiting to lead", within_s=10)
    assert pair.role(FIRST) == "waits"
    assert pair.role(SECOND) == "leads"
    assert pair.commands(FIRST) == sent
