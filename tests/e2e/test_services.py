"""The parts as separate processes, with PostgreSQL and RabbitMQ: as they run at a site, and through its bad days."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.stack import Stack
from tests.e2e.conftest import ScenarioFile
from tests.services import PrivateProcess, url_of

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.rabbitmq]

OPTIVGI = Path(sys.executable).with_name("optivgi")
FAST = {"METER_VALUES_INTERVAL": "1", "SCENARIO_START_DELAY_S": "1", "SETTLE_S": "1", "RECONNECT_MAX_S": "2"}
"""Cars come when the safe start is everywhere: one that is quicker is for a while under no limit at all."""


@pytest.fixture
def stack(tmp_path: Path, postgres_url: str, amqp_url: str, exchange_name: str) -> Iterator[Stack]:
    """All three parts can be started; nothing runs yet."""
    settings = {"DATABASE_URL": postgres_url, "AMQP_URL": amqp_url, "AMQP_EXCHANGE": exchange_name, **FAST}
    with Stack(tmp_path, **settings) as processes:
        yield processes


def start_all(stack: Stack, scenario: str) -> None:
    stack.start("csms")
    stack.wait_healthy()
    stack.start("run")
    stack.wait_for_log("run", "Connected to the broker")
    stack.start("simulate", SCENARIO_FILE=scenario)
    stack.wait_for_log("run", "Safe start confirmed")


def verified(stack: Stack, *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON and text of `optivgi verify` against the running stack."""
    facts = stack.folder / "verified.json"
    command = [
        str(OPTIVGI),
        "verify",
        "--url",
        f"http://127.0.0.1:{stack.graphql_port}",
        "--json",
        str(facts),
        *options,
    ]
    process = subprocess.run(
        command, cwd=stack.folder, env=stack.environment, capture_output=True, text=True, timeout=60, check=False
    )
    return process.returncode, json.loads(facts.read_text()) if facts.exists() else {}, process.stdout + process.stderr


def highest_kw(facts: dict[str, Any]) -> float:
    return max(float(one["kw"]) for one in facts["site"]["metered"] if one["kw"] is not None)


def active_transactions(stack: Stack) -> list[dict[str, Any]]:
    return stack.graphql("{ Transactions(where: {isActive: {_eq: true}}) { stationId transactionId } }")["Transactions"]


def test_the_services_curtail_six_evs_and_end_cleanly(stack: Stack, scenario_file: ScenarioFile) -> None:
    start_all(stack, scenario_file(evs=6, every_s=0.3, stay_s=7))
    stack.wait_for_log("run", "CURTAILMENT ON — 6 EVs requesting 43.2 kW, site limit 30.0 kW")
    stack.wait_for_log("simulate", "the scenario is over")
    code, facts, text = verified(stack)
    assert code == 0, text + stack.log("run")
    assert highest_kw(facts) <= 30.0
    for name in ("simulate", "run", "csms"):
        assert stack.kill(name, signal.SIGTERM) == 0, stack.log(name)
        assert "Traceback" not in stack.log(name)


def test_a_killed_csms_loses_no_transaction_and_no_limit(stack: Stack, scenario_file: ScenarioFile) -> None:
    start_all(stack, scenario_file(evs=6, every_s=0.3, stay_s=9))
    stack.wait_for_log("run", "6 EVs requesting 43.2 kW")
    before = active_transactions(stack)
    assert len(before) == 6
    stack.kill("csms")
    stack.start("csms")
    stack.wait_healthy()
    assert sorted(map(str, active_transactions(stack))) == sorted(map(str, before))
    stack.wait_for_log("simulate", "the scenario is over")
    stops = stack.graphql("{ StopTransactions { stationId } Transactions { stationId isActive totalKwh } }")
    assert len(stops["StopTransactions"]) == 6
    assert [row["isActive"] for row in stops["Transactions"]] == [False] * 6
    assert all(float(str(row["totalKwh"])) > 0 for row in stops["Transactions"])
    _, facts, text = verified(stack)
    assert highest_kw(facts) <= 30.0, text


@pytest.mark.chaos
def test_after_a_restart_of_the_broker_everything_resumes_by_itself(
    tmp_path: Path, postgres_url: str, broker: PrivateProcess, scenario_file: ScenarioFile
) -> None:
    settings = {"DATABASE_URL": postgres_url, "AMQP_URL": url_of(broker), **FAST}
    with Stack(tmp_path, **settings) as stack:
        start_all(stack, scenario_file(evs=4, every_s=0.3, stay_s=60))
        stack.wait_for_log("run", "EV 4 arrived")
        broker.stop()
        stack.wait_for_log("run", "is gone")
        stack.wait_for(lambda: not stack.healthy(), "/health to tell of the broker", 15)
        broker.start()
        stack.wait_for_log("run", "Connected to the broker", times=2)
        stack.wait_healthy()
        stack.kill("simulate", signal.SIGTERM)
        stack.start("simulate", SCENARIO_FILE=scenario_file(evs=6, every_s=0.3, stay_s=6))
        stack.wait_for_log("run", "6 EVs requesting 43.2 kW")
        stack.wait_for_log("simulate", "the scenario is over")


def test_without_the_csms_verify_exits_2_and_says_what_to_do(stack: Stack) -> None:
    code, _, text = verified(stack)
    assert code == 2
    assert "optivgi doctor" in text


def test_a_wrong_setting_stops_every_part_with_all_problems_at_once(tmp_path: Path) -> None:
    wrong = {"SITE_POWER_LIMIT_KW": "-1", "VOLTAGE": "zero", "PATH": os.environ["PATH"]}
    process = subprocess.run(
        [str(OPTIVGI), "run"], cwd=tmp_path, env=wrong, capture_output=True, text=True, timeout=60, check=False
    )
    assert process.returncode == 2
    assert "SITE_POWER_LIMIT_KW is '-1'" in process.stderr
    assert "VOLTAGE is 'zero'" in process.stderr
    assert "Traceback" not in process.stderr
