"""What CitrineOS says at once to a command: the captured answers, and no answer at all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from optivgi.translation.base import OutcomeStatus
from optivgi.translation.citrineos.message_api import MessageAPI, Undelivered, read_confirmation

CAPTURED = {
    entry["label"]: entry for entry in json.loads((Path(__file__).parent / "samples" / "rest.json").read_text())
}
BODY: dict[str, Any] = CAPTURED[None]["body"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (None, None),
        ("with callbackUrl", None),
        ("fractional limit 16.1", None),
        (
            "fractional limit 5.8",
            Undelivered(
                OutcomeStatus.FAILED,
                "the CSMS answered 400: body/csChargingProfiles/chargingSchedule/chargingSchedulePeriod/0/limit "
                "must be multiple of 0.1",
            ),
        ),
        ("unknown station", Undelivered(OutcomeStatus.OFFLINE, "No connection found for identifier: 1:NOSUCH")),
        (
            "offline station (was connected)",
            Undelivered(OutcomeStatus.OFFLINE, "No connection found for identifier: 1:CT16-01"),
        ),
        (
            "missing csChargingProfiles",
            Undelivered(
                OutcomeStatus.FAILED, "the CSMS answered 400: body must have required property 'csChargingProfiles'"
            ),
        ),
        (
            "unknown endpoint",
            Undelivered(
                OutcomeStatus.FAILED,
                "the CSMS answered 404: Route POST:/ocpp/1.6/smartcharging/nope?identifier=CT16-01&tenantId=1 not found",
            ),
        ),
    ],
)
def test_captured_answers(label: str | None, expected: Undelivered | None) -> None:
    entry = CAPTURED[label]
    assert read_confirmation(httpx.Response(entry["status"], json=entry["response"])) == expected


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (httpx.Response(200, json=[{"success": False, "payload": "the module is tired"}]), OutcomeStatus.FAILED),
        (httpx.Response(200, json=[{"success": False}]), OutcomeStatus.FAILED),
        (httpx.Response(500, text="boom"), OutcomeStatus.UNKNOWN),
        (httpx.Response(502, json={"message": "bad gateway"}), OutcomeStatus.UNKNOWN),
        (httpx.Response(200, text="fine"), OutcomeStatus.UNKNOWN),
        (httpx.Response(200, json=[]), OutcomeStatus.UNKNOWN),
        (httpx.Response(200, json=[{"success": "true"}]), OutcomeStatus.UNKNOWN),
        (httpx.Response(200, json={"success": True}), OutcomeStatus.UNKNOWN),
        (httpx.Response(401, text="who"), OutcomeStatus.FAILED),
    ],
)
def test_only_a_clear_yes_is_a_yes(response: httpx.Response, status: OutcomeStatus) -> None:
    undelivered = read_confirmation(response)
    assert undelivered is not None
    assert undelivered.status is status
    assert undelivered.reason


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (httpx.ConnectError("refused"), OutcomeStatus.FAILED),
        (httpx.ConnectTimeout(""), OutcomeStatus.FAILED),
        (httpx.ReadTimeout(""), OutcomeStatus.UNKNOWN),
        (httpx.ReadError("reset"), OutcomeStatus.UNKNOWN),
        (httpx.RemoteProtocolError("cut"), OutcomeStatus.UNKNOWN),
    ],
)
async def test_only_a_request_that_cannot_have_arrived_has_failed(
    failure: httpx.TransportError, status: OutcomeStatus
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    api = MessageAPI(httpx.AsyncClient(transport=httpx.MockTransport(fail)), "http://csms")
    undelivered = await api.set_charging_profile("ST-A", BODY)
    assert undelivered is not None
    assert undelivered.status is status


async def test_the_request_is_the_captured_one() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=[{"success": True}])

    api = MessageAPI(httpx.AsyncClient(transport=httpx.MockTransport(answer)), "http://csms/")
    assert await api.set_charging_profile("CT16-01", BODY, "http://127.0.0.1:9099/cb16") is None
    captured = httpx.URL("http://csms" + CAPTURED["with callbackUrl"]["path"])
    assert (asked[0].url.path, asked[0].url.params) == (captured.path, captured.params)
    assert json.loads(asked[0].content) == BODY
    await api.aclose()


async def test_requests_go_out_together_up_to_a_bound() -> None:
    under_way, most, release = 0, 0, asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 3:
            release.set()
        await release.wait()
        under_way -= 1
        return httpx.Response(200, json=[{"success": True}])

    api = MessageAPI(httpx.AsyncClient(transport=httpx.MockTransport(answer)), "http://csms", concurrency=3)
    async with asyncio.TaskGroup() as tasks:
        for number in range(9):
            tasks.create_task(api.set_charging_profile(f"ST-{number}", BODY))
    assert most == 3
