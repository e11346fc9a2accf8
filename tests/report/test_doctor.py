"""The doctor says of each configured service whether it answers, and what to do if it does not."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
import websockets
from rich.console import Console

from optivgi import doctor
from optivgi.clock import WallClock
from optivgi.errors import Refused
from optivgi.settings import OptimizerSettings
from optivgi.translation import probes
from optivgi.translation.probes import Diagnosis, Probe
from tests.report.http_service import serving

NOBODY = "http://127.0.0.1:9"


async def diagnose(probe: Probe) -> Diagnosis:
    (found,) = await probes.examine([probe])
    return found


def settings(**values: Any) -> OptimizerSettings:
    return OptimizerSettings(_env_file=None, **values)  # type: ignore[call-arg]


async def test_a_rest_api_that_is_healthy() -> None:
    with serving(lambda path, _: (200 if path == "/health" else 404, {"status": "healthy"})) as url:
        assert (await diagnose(probes.rest(url))).healthy


async def test_a_rest_api_that_says_it_is_not_healthy() -> None:
    with serving(lambda *_: (503, {"status": "unhealthy", "database": {"reason": "gone"}})) as url:
        found = await diagnose(probes.rest(url))

    assert not found.healthy
    assert "503" in found.detail
    assert "gone" in found.detail


async def test_nobody_at_the_address() -> None:
    found = await diagnose(probes.rest(NOBODY))

    assert not found.healthy
    assert "cannot be reached" in found.detail
    assert "CITRINEOS_API_URL" in found.remedy


async def test_a_data_service_with_the_tables_and_one_without() -> None:
    with serving(lambda *_: (200, {"data": {"Transactions": []}})) as url:
        assert (await diagnose(probes.graphql(url, "", WallClock()))).healthy
    with serving(lambda *_: (200, {"errors": [{"message": "field 'Transactions' not found"}]})) as url:
        found = await diagnose(probes.graphql(url, "", WallClock()))
    assert not found.healthy
    assert "field 'Transactions' not found" in found.detail
    assert "HASURA_ADMIN_SECRET" in found.remedy


async def test_the_port_for_charging_stations() -> None:
    async def hang_up(connection: websockets.ServerConnection) -> None:
        await connection.close()

    async with websockets.serve(hang_up, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        found = await diagnose(probes.websocket(f"ws://127.0.0.1:{port}"))
    assert found.healthy, found.detail
    assert not (await diagnose(probes.websocket("ws://127.0.0.1:9"))).healthy


@pytest.mark.rabbitmq
async def test_a_broker_with_the_csms_exchange_and_one_without(amqp_url: str) -> None:
    assert (await diagnose(probes.amqp(amqp_url, "amq.headers"))).healthy

    found = await diagnose(probes.amqp(amqp_url, "no-such-exchange"))
    assert not found.healthy
    assert "has no exchange 'no-such-exchange'" in found.detail


async def test_no_broker_and_no_password_in_what_is_shown() -> None:
    found = await diagnose(probes.amqp("amqp://guest:guest-secret@127.0.0.1:9"))

    assert not found.healthy
    assert "guest-secret" not in f"{found.address} {found.detail} {found.remedy}"
    assert found.address == "amqp://guest:***@127.0.0.1:9"


async def test_a_service_that_never_answers_costs_one_deadline_and_holds_up_nobody() -> None:
    async def forever() -> str:
        await asyncio.Event().wait()
        return ""

    async def at_once() -> str:
        return "fine"

    silent, quick = Probe("silent", "", "wake it", forever), Probe("quick", "", "", at_once)
    async with asyncio.timeout(5):
        found = await probes.examine([silent, quick, silent], timeout_s=0.05)

    assert [one.healthy for one in found] == [False, True, False]
    assert found[0].detail == "no answer within 0.05 s"


def test_what_is_asked_follows_the_settings() -> None:
    def services(**values: Any) -> list[str]:
        return [probe.service for probe in doctor.probes_for(settings(**values), WallClock())]

    assert services() == ["REST API", "GraphQL", "AMQP broker"]
    assert services(amqp_url="") == ["REST API", "GraphQL"]
    assert services(translation="http_api", http_api_url="http://h:1") == ["JSON service"]
    with_ocpp = doctor.probes_for(settings(), WallClock(), "ws://citrineos:8092")
    assert [probe.service for probe in with_ocpp][-1] == "OCPP 1.6 websocket"


async def test_the_files_that_settings_name_are_read(tmp_path: Path) -> None:
    site, schedule = tmp_path / "site.toml", tmp_path / "limits.csv"
    site.write_text('[[circuit]]\nid = "main"\n\n[[evse]]\nstation_id = "ST-01"\n')
    schedule.write_text("from,to,kw\n17:00,20:00,-5\n")

    named = settings(site_file=site, limit_schedule_file=schedule, station_ids=("ST-01",))
    good, bad = await probes.examine(doctor.file_probes(named))

    assert (good.healthy, good.detail) == (True, "makes sense: circuits 1, EVSEs 1")
    assert not bad.healthy
    assert "limits.csv line 2: kw is '-5'; it must be a number of kW, 0 or more" in bad.detail
    assert "LIMIT_SCHEDULE_FILE" in bad.remedy
    assert doctor.file_probes(settings()) == []


async def test_the_callers_own_probes_are_asked_too() -> None:
    async def refuse() -> str:
        raise Refused("the database does not answer")

    found = await doctor.checkup(
        settings(citrineos_api_url=NOBODY, hasura_url=NOBODY, amqp_url=""),
        WallClock(),
        more=[Probe("Database", "postgresql://postgres", "start PostgreSQL, or set DATABASE_URL", refuse)],
    )

    assert [one.service for one in found] == ["REST API", "GraphQL", "Database"]
    assert found[-1].detail == "the database does not answer"


@pytest.mark.parametrize(("healthy", "code"), [(True, 0), (False, 1)])
def test_the_table_names_every_service_and_the_exit_code_says_whether_all_is_well(healthy: bool, code: int) -> None:
    text = io.StringIO()
    one = Diagnosis(
        "GraphQL", "http://graphql-engine:8080", healthy, "whatever [was] found", "" if healthy else "do this"
    )

    assert doctor.show([one], Console(file=text, width=120)) == code
    assert "http://graphql-engine:8080" in text.getvalue()
    assert "whatever [was] found" in text.getvalue()
    assert ("GraphQL: do this" in text.getvalue()) is not healthy


async def test_a_database_is_asked_for_its_port_or_its_folder(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert (await diagnose(probes.database(f"postgresql://u:p@127.0.0.1:{port}/db"))).healthy
    assert not (await diagnose(probes.database("postgresql://u:p@127.0.0.1:9/db"))).healthy
    assert (await diagnose(probes.database(f"sqlite:///{tmp_path}/new.sqlite3"))).healthy
    found = await diagnose(probes.database(f"sqlite:///{tmp_path}/no/where.sqlite3"))
    assert (found.healthy, found.detail) == (False, f"folder {tmp_path}/no does not exist")


async def test_a_name_that_only_containers_know_is_said_to_be_one() -> None:
    async def refuse() -> str:
        raise Refused("cannot be reached: name unknown")

    found = await diagnose(Probe("REST API", "http://citrineos:8080", "start the CSMS", refuse))
    assert "the name citrineos is known to the containers only" in found.remedy


def test_the_command_examines_what_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/csms.sqlite3")
    monkeypatch.setenv("CITRINEOS_WS_URL", "ws://127.0.0.1:9")
    for name in ("CITRINEOS_API_URL", "HASURA_URL"):
        monkeypatch.setenv(name, NOBODY)
    monkeypatch.setenv("AMQP_URL", "")

    assert doctor.main() == 1

    printed = capsys.readouterr().out
    for service in ("REST API", "GraphQL", "OCPP 1.6 websocket", "Database"):
        assert service in printed
