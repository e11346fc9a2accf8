"""Answers that are read from the CSMS's record of messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from optivgi.clock import ManualClock
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.citrineos.recorded import RecordedAnswers
from optivgi.translation.http import Patience

BODY = {"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 12}}
OTHER = {"connectorId": 2, "csChargingProfiles": {"chargingProfileId": 22}}
ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}
SENT_AT = datetime(2026, 3, 3, 8, tzinfo=UTC)


def call(message_id: str, body: dict[str, Any]) -> list[Any]:
    return [2, message_id, "SetChargingProfile", body]


@pytest.mark.parametrize(
    ("frames", "answer"),
    [
        ([], None),
        ([call("a", BODY)], None),
        ([call("a", BODY), [3, "a", ACCEPTED]], ACCEPTED),
        ([call("a", OTHER), [3, "a", ACCEPTED]], None),
        ([call("a", BODY), [3, "a", REJECTED], call("b", BODY)], None),
        ([call("a", BODY), [3, "a", REJECTED], call("b", BODY), [3, "b", ACCEPTED]], ACCEPTED),
        ([call("a", BODY), call("b", OTHER), [3, "b", REJECTED], [3, "a", ACCEPTED]], ACCEPTED),
        (
            [call("a", BODY), [4, "a", "InternalError", "no memory", {}]],
            {"errorCode": "InternalError", "errorDescription": "no memory"},
        ),
        ([call("a", BODY), [4, "a", "InternalError"]], {"errorCode": "InternalError", "errorDescription": ""}),
        ([None, "text", [3], {"a": 1}, call("a", BODY), [3, "a", ACCEPTED]], ACCEPTED),
    ],
)
async def test_the_answer_to_the_newest_call_with_this_payload_is_found(frames: list[object], answer: object) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": {"OCPPMessages": [{"message": frame} for frame in frames]}})

    graphql = GraphQL(
        httpx.AsyncClient(transport=httpx.MockTransport(respond)), "http://csms/v1/graphql", ManualClock()
    )
    assert await RecordedAnswers(graphql).find("ST-1", BODY, SENT_AT) == answer
    await graphql.aclose()


async def test_a_record_that_cannot_be_read_has_no_answer() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(500))
    graphql = GraphQL(
        httpx.AsyncClient(transport=transport), "http://csms/v1/graphql", ManualClock(), patience=Patience(tries=1)
    )
    assert await RecordedAnswers(graphql).find("ST-1", BODY, SENT_AT) is None
    await graphql.aclose()
