"""The message API replays what a running CitrineOS 1.8.3 answered, with stations that a test scripts."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from csms.api.callbacks import CallbackPolicy, CallbackSender
from csms.api.http import rest_app
from csms.api.message_api import MAX_WAITING, MessageApi
from csms.handlers.table import OUTGOING
from csms.ports import CallError, CallResult, Json, NoReply, Reply
from optivgi.clock import ManualClock, settle
from tests.csms.api.fakes import FakeStations, Receiver, RecordingBus

SAMPLES: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parent / "rest_samples.json").read_text())

DIFFERENCES = {
    "fractional limit 5.8": "taken: multiples of 0.1 are exact here",
    "GetConfiguration": "no payload: CitrineOS adds the text [object Object]",
    "does 1.6 have it?": "taken: CitrineOS has no such routes for 1.6",
    "after FIRST of two same-id connections closed": "needs the stations layer",
    "offline station (was connected)": "needs the stations layer",
}
"""Samples that the CSMS answers otherwise on purpose, and why."""


def is_sample_of_16(sample: dict[str, Any]) -> bool:
    return str(sample["path"]).startswith("/ocpp/1.6/")


def replayed(sample: dict[str, Any]) -> bool:
    return sample["label"] not in DIFFERENCES and "getConfiguration" not in sample["path"]


REPLAYED = [s for part in ("rest", "errors") for s in SAMPLES[part] if is_sample_of_16(s) and replayed(s)]


@dataclass
class Api:
    client: httpx.AsyncClient
    stations: FakeStations
    bus: RecordingBus
    messages: MessageApi

    async def post(self, path: str, body: object = None) -> httpx.Response:
        return await self.client.post(path, json=body)

    async def set_profile(self, query: str = "identifier=CT16-01", **change: Any) -> httpx.Response:
        return await self.post(f"/ocpp/1.6/smartcharging/setChargingProfile?{query}", PROFILE | change)


PROFILE: Json = {
    "connectorId": 1,
    "csChargingProfiles": {
        "chargingProfileId": 1,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5.8}],
        },
    },
}


@asynccontextmanager
async def serving(stations: FakeStations | None = None, *callback_hosts: str) -> AsyncIterator[Api]:
    stations, bus = stations or FakeStations(), RecordingBus()
    async with (
        CallbackSender(CallbackPolicy(callback_hosts), timeout_s=1.0) as sender,
        asyncio.TaskGroup() as tasks,
    ):
        messages = MessageApi(stations, bus, ManualClock(), sender, tasks)
        transport = httpx.ASGITransport(rest_app(messages.operations(OUTGOING.values())))
        async with httpx.AsyncClient(transport=transport, base_url="http://csms") as client:
            yield Api(client, stations, bus, messages)
        await messages.finish(within_s=1.0)


@pytest.mark.parametrize("sample", REPLAYED, ids=lambda s: f"{s['path'].split('?')[0][10:]}-{s['label'] or 'plain'}")
async def test_a_captured_call_is_answered_as_it_was(sample: dict[str, Any]) -> None:
    path = sample["path"].split("&callbackUrl=")[0]
    async with serving() as api:
        response = await api.post(path, sample["body"])
        await settle()
        assert response.status_code == sample["status"]
        assert response.headers["content-type"] == sample["content_type"]
        assert response.json() == (sample["response"] if path == sample["path"] else [{"success": True}])
        asked = [[2, action, payload] for _, action, payload, _ in api.stations.called]
    frame = sample.get("station_frame")
    assert asked == ([[2, *frame[2:]]] if frame else [])


@pytest.mark.parametrize("label", ["does 1.6 have it?", "fractional limit 5.8"])
async def test_calls_that_citrineos_refuses_for_no_good_reason_are_taken(label: str) -> None:
    bodies: dict[str, Json] = {
        "sendLocalList": {"listVersion": 1, "updateType": "Full"},
        "reserveNow": {
            "connectorId": 1,
            "expiryDate": "2026-03-03T09:00:00Z",
            "idTag": "OPTIVGI-01",
            "reservationId": 7,
        },
        "cancelReservation": {"reservationId": 7},
    }
    samples = [s for part in ("rest", "errors") for s in SAMPLES[part] if s["label"] == label and is_sample_of_16(s)]
    assert samples
    async with serving() as api:
        for sample in samples:
            action = sample["path"].split("?")[0].rsplit("/", 1)[1]
            response = await api.post(sample["path"], bodies.get(action, sample["body"]))
            assert (response.status_code, response.json()) == (200, [{"success": True}])


@pytest.mark.parametrize("connector_id", [2**31, -(2**31) - 1, "2147483648", 1e12, "1e300"])
async def test_an_integer_that_ocpp_does_not_have_is_refused(connector_id: object) -> None:
    async with serving() as api:
        response = await api.set_profile(connectorId=connector_id)
        assert api.stations.called == []
    assert response.status_code == 400
    assert response.json()["message"].startswith("body/connectorId must be ")


async def test_every_route_of_the_contract_for_16_is_there() -> None:
    listed = [s["path"].split("?")[0] for s in SAMPLES["rest"] if is_sample_of_16(s)]
    async with serving() as api:
        for path in set(listed):
            response = await api.post(f"{path}?identifier=CT16-01", [])
            assert response.json()["message"] == "body must be object", path


async def test_the_answer_comes_before_the_station_is_asked() -> None:
    release = asyncio.Event()

    async def hold(*_: object) -> Reply:
        await release.wait()
        return CallResult({"status": "Accepted"})

    async with serving(FakeStations(answer=hold)) as api:
        response = await api.set_profile()
        assert response.json() == [{"success": True}]
        release.set()


async def test_a_call_is_first_published_as_the_request_of_its_module() -> None:
    async with serving() as api:
        await api.set_profile()
        await settle()
        [envelope] = api.bus.published
        [(station_id, action, payload, correlation_id)] = api.stations.called
    assert (envelope.origin, envelope.event_group, envelope.state) == ("csms", "smartcharging", 1)
    assert (envelope.station_id, envelope.action, envelope.payload) == (station_id, action, payload)
    assert envelope.correlation_id == correlation_id == str(uuid.UUID(correlation_id))
    assert envelope.timestamp == ManualClock().now()


async def test_nothing_is_published_for_a_station_that_is_not_called() -> None:
    async with serving() as api:
        await api.set_profile("identifier=NOSUCH")
        assert api.bus.published == []


async def test_each_identifier_gets_its_own_call_and_its_own_element_in_their_order() -> None:
    stations = FakeStations({"A": "ocpp1.6", "C": "ocpp1.6"})
    async with serving(stations) as api:
        response = await api.set_profile("identifier=A&identifier=B&identifier=C")
        await settle()
    assert [element["success"] for element in response.json()] == [True, False, True]
    assert [called[0] for called in stations.called] == ["A", "C"]
    assert len({called[3] for called in stations.called}) == 2


async def test_calls_reach_the_stations_layer_in_the_order_of_their_requests() -> None:
    async with serving() as api:
        for connector_id in range(20):
            await api.set_profile(connectorId=connector_id)
        await settle()
        assert [payload["connectorId"] for _, _, payload, _ in api.stations.called] == list(range(20))


async def test_a_station_of_another_version_is_not_called() -> None:
    async with serving(FakeStations({"CT16-01": "ocpp2.0.1"})) as api:
        response = await api.set_profile()
        assert api.stations.called == []
    assert response.json() == [{"success": False, "payload": "Station CT16-01 speaks ocpp2.0.1, not ocpp1.6"}]


async def test_calls_for_a_silent_station_are_bounded_and_those_for_others_are_not_concerned() -> None:
    release = asyncio.Event()

    async def hold(*_: object) -> Reply:
        await release.wait()
        return NoReply("timeout")

    async with serving(FakeStations({"A": "ocpp1.6", "B": "ocpp1.6"}, hold)) as api:
        await api.set_profile("&".join(["identifier=A"] * MAX_WAITING))
        refused, taken = await api.set_profile("identifier=A"), await api.set_profile("identifier=B")
        release.set()
        await settle()
        again = await api.set_profile("identifier=A")
    assert refused.json() == [{"success": False, "payload": f"{MAX_WAITING} calls already wait for station A"}]
    assert taken.json() == again.json() == [{"success": True}]


CALLBACKS: dict[str, Reply] = {
    "/cb16": CallResult({"status": "Accepted"}),
    "/cbrej": CallResult({"status": "Rejected"}),
    "/cberr": CallError("InternalError", "boom", {}),
}


@pytest.mark.parametrize("path", CALLBACKS)
async def test_the_stations_answer_is_posted_to_the_callback_as_captured(path: str) -> None:
    [captured] = [json.loads(c["body"]) for c in SAMPLES["callbacks"] if c["path"] == path]

    async def answer(*_: object) -> Reply:
        return CALLBACKS[path]

    async with Receiver() as receiver, serving(FakeStations(answer=answer)) as api:
        await api.set_profile(f"identifier=CT16-01&callbackUrl={receiver.url}{path}?token=x")
        received = await receiver.next()
        [(_, _, _, correlation_id)] = api.stations.called
    assert received.path == f"{path}?token=x"
    assert received.headers["content-type"] == "application/json"
    assert received.body == captured | ({"_messageId": correlation_id} if "_messageId" in captured else {})


async def test_a_station_that_does_not_answer_posts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def silent(*_: object) -> Reply:
        return NoReply("no answer within 20 s")

    caplog.set_level(logging.INFO, "csms.api")
    async with Receiver() as receiver, serving(FakeStations(answer=silent)) as api:
        await api.set_profile(f"identifier=CT16-01&callbackUrl={receiver.url}/cb")
        await api.messages.finish(within_s=1.0)
        assert receiver.empty()
    assert "SetChargingProfile to CT16-01: no answer (no answer within 20 s)" in caplog.text


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://127.0.0.1/x", "must be an http or https URL with a host"),
        ("file:///etc/passwd", "must be an http or https URL with a host"),
        ("http:///x", "must be an http or https URL with a host"),
        ("//127.0.0.1/x", "must be an http or https URL with a host"),
        ("http://127.0.0.1:70000/", "must be a URL"),
        ("http://[::1/", "must be a URL"),
        ("", "must be an http or https URL with a host"),
    ],
)
async def test_a_callback_address_that_is_none_is_refused_and_nothing_called(url: str, told: str) -> None:
    async with serving() as api:
        response = await api.set_profile(f"identifier=CT16-01&callbackUrl={url}")
        assert api.stations.called == []
    assert response.status_code == 400
    assert response.json()["message"] == f"querystring/callbackUrl {told}"


async def test_with_named_hosts_no_other_host_is_called_back() -> None:
    async with serving(None, "optivgi") as api:
        refused = await api.set_profile("identifier=CT16-01&callbackUrl=http://127.0.0.1:1/x")
    assert refused.json()["message"].endswith("must not call 127.0.0.1: CALLBACK_HOSTS does not name it")


async def test_finishing_is_bounded_when_a_station_hangs() -> None:
    async def hang(*_: object) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    async with asyncio.timeout(5), serving(FakeStations(answer=hang)) as api:
        await api.set_profile()
        await settle()
        await api.messages.finish(within_s=0.01)
