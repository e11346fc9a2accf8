"""docker-compose.yml is valid, wires the parts by the settings' default addresses, and publishes no more than it should."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from csms.app import Csms
from csms.settings import CsmsSettings
from optivgi.clock import ManualClock
from optivgi.settings import OptimizerSettings
from simulator.settings import SimulatorSettings

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
EXAMPLE = ROOT / "example.env"
SERVICES = ("postgres", "amqp-broker", "citrineos", "optivgi", "simulator")
CHANGE_ME = ("POSTGRES_PASSWORD", "HASURA_ADMIN_SECRET")


def block(service: str) -> str:
    """The lines of one service, without comments."""
    found = re.search(rf"^  {service}:\n((?:    .*\n|\n| *#.*\n)+)", COMPOSE, re.MULTILINE)
    assert found, service
    return re.sub(r"^ *#.*\n", "", found[1], flags=re.MULTILINE)


def named() -> set[str]:
    """The variables that are taken from .env."""
    return set(re.findall(r"\$\{(\w+)", COMPOSE))


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_docker_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}=change-me\n" for name in CHANGE_ME))

    result = subprocess.run(
        ["docker-compose", "config", "--services"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert sorted(result.stdout.split()) == sorted(SERVICES)


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
@pytest.mark.parametrize("forgotten", CHANGE_ME)
def test_a_forgotten_password_stops_the_start_by_name(forgotten: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}=x\n" for name in CHANGE_ME if name != forgotten))

    result = subprocess.run(
        ["docker-compose", "config"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert result.returncode != 0
    assert forgotten in result.stderr


def test_every_variable_of_the_compose_file_is_in_example_env() -> None:
    example = set(re.findall(r"^#? ?(\w+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))

    assert named() <= example


def test_example_env_has_no_comment_behind_a_value_because_docker_would_take_it_for_the_value() -> None:
    values = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if re.match(r"\w+=", line)]

    assert [line for line in values if " #" in line] == []


def test_no_password_is_written_into_the_file() -> None:
    assert re.findall(r"(?m)^ +\w*(?:PASSWORD|SECRET): (?!\$\{)", COMPOSE) == []
    assert re.findall(r"://\w+:(?!\$\{)[^@\s]+@", COMPOSE) == []


def test_the_addresses_that_the_settings_take_by_default_exist() -> None:
    """Host names are services or aliases of the compose file; ports are those that the CSMS listens on in its container."""
    optimizer = OptimizerSettings(_env_file=None)  # type: ignore[call-arg]
    simulator = SimulatorSettings(_env_file=None)  # type: ignore[call-arg]
    hosts = {*SERVICES, *re.findall(r"aliases:\n +- ([\w-]+)", COMPOSE)}
    csms = block("citrineos")

    for url in (optimizer.citrineos_api_url, optimizer.hasura_url, optimizer.amqp_url, simulator.citrineos_ws_url):
        assert urlsplit(url).hostname in hosts, url
    for setting, url in (
        ("CITRINEOS_PORT", optimizer.citrineos_api_url),
        ("CITRINEOS_PORT", optimizer.hasura_url),
        ("OCPP16_PORT", simulator.citrineos_ws_url),
    ):
        assert f'{setting}: "{urlsplit(url).port}"' in csms, url


async def test_the_port_of_the_rest_interface_answers_graphql_too(tmp_path: Path) -> None:
    """That is why http://citrineos:8080 and http://graphql-engine:8080 can be the same container."""
    settings = CsmsSettings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=f"sqlite:///{tmp_path / 'csms.sqlite3'}",
        amqp_url="",
        ocpp16_port=0,
        hasura_admin_secret=SecretStr("s3cret"),
    )
    async with (
        Csms(settings, ManualClock(), listen_http=False) as csms,
        httpx.AsyncClient(transport=httpx.ASGITransport(csms.rest_app), base_url="http://graphql-engine:8080") as http,
    ):
        query = {"query": "{ Transactions { id } }"}
        answer = await http.post("/v1/graphql", json=query, headers={"x-hasura-admin-secret": "s3cret"})
        assert answer.json() == {"data": {"Transactions": []}}
        assert "errors" in (await http.post("/v1/graphql", json=query)).json()


def test_the_ports_on_the_host_are_the_settings_and_the_database_has_none() -> None:
    published = set(re.findall(r'^ +- "(.+)"$', COMPOSE, re.MULTILINE))

    assert published == {
        "127.0.0.1:${CITRINEOS_PORT:-8080}:8080",
        "127.0.0.1:${HASURA_PORT:-8090}:8090",
        "${OCPP16_PORT:-8092}:8092",
    }
    assert "ports:" not in block("postgres") + block("amqp-broker")


def test_each_part_starts_after_what_it_needs_and_ends_in_its_own_time() -> None:
    needs = {"citrineos": {"postgres", "amqp-broker"}, "optivgi": {"citrineos"}, "simulator": {"citrineos", "optivgi"}}
    for service in SERVICES:
        healthy_first = set(
            re.findall(r"^      ([\w-]+):\n        condition: service_healthy", block(service), re.MULTILINE)
        )
        assert healthy_first == needs.get(service, set()), service
        assert "stop_grace_period:" in block(service)
        assert "healthcheck:" in block(service)


def test_the_image_runs_as_nobody_special_and_brings_what_the_parts_read() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert "FROM python:3.11-slim" in dockerfile
    assert re.search(r"^USER (?!root)\w+$", dockerfile, re.MULTILINE)
    for copied in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE):
        for source in copied.split()[:-1]:
            assert (ROOT / source).exists() or source == "README.md", source
    assert "COPY scenarios scenarios" in dockerfile
