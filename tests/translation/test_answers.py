"""Learning what stations answered, over events and over callbacks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from optivgi.clock import ManualClock
from optivgi.translation.base import OutcomeStatus
from optivgi.translation.citrineos.answers import AnswersByCallback, AnswersByEvents, StationAnswer, read_answer
from optivgi.translation.citrineos.callback_listener import CallbackListener, callback_app

CAPTURED = json.loads((Path(__file__).parent / "samples" / "amqp.json").read_text())
SENT = CAPTURED["ocpp1.6/SetChargingProfile/1/csms"]
ANSWERED = CAPTURED["ocpp1.6/SetChargingProfile/2/cs"]
BODY = SENT["body"]["payload"]
ACCEPTED = StationAnswer(OutcomeStatus.ACCEPTED)


def take(answers: AnswersByEvents, *messages: dict[str, Any]) -> None:
    for message in messages:
        answers.take(message["headers"], message["body"])


def about(message: dict[str, Any], correlation_id: str, payload: object = None) -> dict[str, Any]:
    """The captured message with another correlation id, and perhaps another payload."""
    body = {**message["body"], "context": {**message["body"]["context"], "correlationId": correlation_id}}
    if payload is not None:
        body["payload"] = payload
    return {"headers": {**message["headers"], "correlationId": correlation_id}, "body": body}


async def test_the_captured_messages_give_the_answer(clock: ManualClock) -> None:
    answers = AnswersByEvents(clock)
    with answers.expect("CT16-01", BODY) as expectation:
        take(answers, SENT, ANSWERED)
        assert await expectation.wait(22) == ACCEPTED


async def test_an_answer_seen_before_its_command_counts(clock: ManualClock) -> None:
    answers = AnswersByEvents(clock)
    with answers.expect("CT16-01", BODY) as expectation:
        take(answers, ANSWERED, SENT)
        assert await expectation.wait(22) == ACCEPTED


async def test_a_body_in_underscored_spelling_is_read(clock: ManualClock) -> None:
    answers = AnswersByEvents(clock)
    with answers.expect("CT16-01", BODY) as expectation:
        for message in (SENT, ANSWERED):
            answers.take(message["headers"], {f"_{name}": value for name, value in message["body"].items()})
        assert await expectation.wait(22) == ACCEPTED


@pytest.mark.parametrize(
    "station_id_and_body",
    [("OTHER", BODY), ("CT16-01", {**BODY, "connectorId": 2})],
    ids=["another station", "another command"],
)
async def test_what_answers_something_else_is_not_ours(
    clock: ManualClock, station_id_and_body: tuple[str, dict[str, Any]]
) -> None:
    answers = AnswersByEvents(clock)
    with answers.expect(*station_id_and_body) as expectation:
        take(answers, SENT, ANSWERED)
        assert not expectation.answer.done()


async def test_equal_commands_are_answered_in_their_order(clock: ManualClock) -> None:
    answers = AnswersByEvents(clock)
    with answers.expect("CT16-01", BODY) as first, answers.expect("CT16-01", BODY) as second:
        take(answers, about(SENT, "a"), about(SENT, "b"))
        take(answers, about(ANSWERED, "b", {"status": "Rejected"}), about(ANSWERED, "a"))
        assert await first.wait(22) == ACCEPTED
        assert (await second.wait(22) or ACCEPTED).status is OutcomeStatus.REJECTED


async def test_silence_ends_with_the_deadline_in_site_time(clock: ManualClock) -> None:
    answers = AnswersByEvents(clock)
    with answers.expect("CT16-01", BODY) as expectation:
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(expectation.wait(22))
            await clock.advance(21.9)
            assert not waiting.done()
            await clock.advance(0.1)
        assert waiting.result() is None


async def test_messages_that_make_no_sense_change_nothing(clock: ManualClock) -> None:
    answers = AnswersByEvents(clock)
    with answers.expect("CT16-01", BODY) as expectation:
        answers.take({}, {})
        answers.take({**SENT["headers"], "correlationId": 7}, SENT["body"])
        answers.take(SENT["headers"], {})
        for number in range(2000):
            take(answers, about(ANSWERED, f"of others {number}"))
        take(answers, SENT, ANSWERED, ANSWERED)
        assert await expectation.wait(22) == ACCEPTED


@pytest.mark.parametrize(
    ("payload", "status", "reason"),
    [
        ({"status": "Accepted"}, OutcomeStatus.ACCEPTED, ""),
        ({"status": "Rejected"}, OutcomeStatus.REJECTED, "the station answered Rejected"),
        ({"status": "NotSupported"}, OutcomeStatus.NOT_SUPPORTED, "the station answered NotSupported"),
        (
            {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}},
            OutcomeStatus.REJECTED,
            "the station answered Rejected (TxNotFound)",
        ),
        (
            {"_messageId": "1", "_errorCode": "InternalError", "_errorDetails": {}, "name": "OcppError"},
            OutcomeStatus.FAILED,
            "the station answered CALLERROR InternalError",
        ),
        *(
            ({"errorCode": code}, OutcomeStatus.REJECTED, f"the station answered CALLERROR {code}")
            for code in ("PropertyConstraintViolation", "FormationViolation", "FormatViolation", "ProtocolError")
        ),
        (
            {"errorCode": "NotImplemented", "errorDescription": "no such action", "errorDetails": {}},
            OutcomeStatus.NOT_SUPPORTED,
            "the station answered CALLERROR NotImplemented: no such action",
        ),
        (CAPTURED["ocpp1.6/FirmwareStatusNotification/2/csms"]["body"]["_payload"], OutcomeStatus.NOT_SUPPORTED, None),
        ({"status": "Perhaps"}, OutcomeStatus.FAILED, "the station answered Perhaps"),
        ({}, OutcomeStatus.FAILED, "the station answered None"),
        ("Accepted", OutcomeStatus.FAILED, "the station answered 'Accepted'"),
    ],
)
def test_only_accepted_is_accepted(payload: object, status: OutcomeStatus, reason: str | None) -> None:
    answer = read_answer(payload)
    assert answer.status is status
    assert reason in (None, answer.reason)


async def post(app: Any, url: str, content: bytes = b'{"status":"Accepted"}') -> int:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        return (await http.post(url, content=content)).status_code


async def test_a_callback_with_the_commands_own_token_gives_the_answer(clock: ManualClock) -> None:
    answers = AnswersByCallback(clock, "http://optivgi:8085/answers/")
    app = callback_app(answers, "/answers")
    with answers.expect("ST-A", BODY) as expectation, answers.expect("ST-A", BODY) as other:
        url = expectation.callback_url or ""
        assert url.startswith("http://optivgi:8085/answers/")
        assert url != other.callback_url
        assert await post(app, url) == 204
        assert await expectation.wait(22) == ACCEPTED
        assert not other.answer.done()
    assert await post(app, url) == 404


@pytest.mark.parametrize(
    ("url", "content", "status"),
    [
        ("http://optivgi:8085/answers/guessed", b'{"status":"Accepted"}', 404),
        ("http://optivgi:8085/elsewhere", b"{}", 404),
        (None, b"not json", 400),
        (None, b" " * 70_000, 413),
    ],
)
async def test_a_callback_that_makes_no_sense_changes_nothing(
    clock: ManualClock, url: str | None, content: bytes, status: int
) -> None:
    answers = AnswersByCallback(clock, "http://optivgi:8085/answers")
    with answers.expect("ST-A", BODY) as expectation:
        assert await post(callback_app(answers, "/answers"), url or expectation.callback_url or "", content) == status
        assert not expectation.answer.done()


async def test_the_listener_takes_callbacks_from_its_making_on_until_it_is_cancelled(clock: ManualClock) -> None:
    answers = AnswersByCallback(clock, "http://unused")
    listener = CallbackListener(answers, "127.0.0.1", 0)
    with answers.expect("ST-A", BODY) as expectation:
        path = (expectation.callback_url or "").removeprefix("http://unused")
        serving = asyncio.create_task(listener.serve())
        async with httpx.AsyncClient() as http:
            response = await http.post(f"http://127.0.0.1:{listener.port}{path}", json={"status": "Rejected"})
        assert response.status_code == 204
        assert (await expectation.wait(22) or ACCEPTED).status is OutcomeStatus.REJECTED
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
