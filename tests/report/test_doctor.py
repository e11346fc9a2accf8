"""The doctor says of each configured service whether it answers, and what to do if it does not."""

from __future__ import annotations

import asyncio
import io
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
