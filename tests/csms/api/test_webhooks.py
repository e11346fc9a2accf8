"""Webhook subscribers are told what happens at their station, in the captured words and in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from csms.api import webhooks
from csms.api.callbacks import CallbackPolicy, CallbackSender
from csms.api.webhooks import Happening, Webhooks
from csms.errors import DatabaseUnreachable
from csms.events.envelope import from_wire_time
from optivgi.clock import settle
from tests.csms.api.fakes import Receiver

CAPTURED = [
    json.loads(callback["body"])
    for callback in json.loads((Path(__file__).parent / "rest_samples.json").read_text())["callbacks"]
    if callback["path"] == "/sub"
]

Rows = dict[str, list[dict[str, Any]]]


def subscription(url: str, row_id: int = 1, **change: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"id": row_id, "url": url, "messageRegexFilter": None, **dict.fromkeys(webhooks.KINDS, True)}
    return row | change


def frame(
    number: int, origin: Literal["cs", "csms"] = "cs", action: str = "Heartbeat", station: str = "A"
) -> Happening:
    return webhooks.message(
        station,
        origin,
        f'[2,"{number}","{action}",{{}}]',
        action=action,
        correlation_id=str(number),
        timestamp=datetime(2026, 3, 3, 8, tzinfo=UTC),
        protocol="ocpp1.6",
    )


@asynccontextmanager
async def running(rows: Rows) -> AsyncIterator[Webhooks]:
    async def load(station_id: str) -> list[Mapping[str, Any]]:
        return [dict(row) for row in rows.get(station_id, [])]

    async with asyncio.timeout(10), CallbackSender(CallbackPolicy()) as sender, asyncio.TaskGroup() as tasks:
        hooks = Webhooks(load, sender)
        tasks.create_task(hooks.run())
        try:
            yield hooks
        finally:
            hooks.close()


async def test_happenings_are_told_in_the_captured_words() -> None:
    async with Receiver() as receiver, running({"CT16-01": [subscription(receiver.url)]}) as hooks:
        for captured in CAPTURED:
            match captured["event"]:
                case "connected":
                    hooks.note(webhooks.connected("CT16-01"))
                case "closed":
                    hooks.note(webhooks.closed("CT16-01"))
                case _:
                    info = captured["info"]
                    hooks.note(
                        webhooks.message(
                            "CT16-01",
                            captured["origin"],
                            captured["message"],
                            action=info["action"],
                            correlation_id=info["correlationId"],
                            timestamp=from_wire_time(info["timestamp"]),
                            protocol=info["protocol"],
                        )
                    )
        assert [(await receiver.next()).body for _ in CAPTURED] == CAPTURED


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("onConnect", ["connected"]),
        ("onClose", ["closed"]),
        ("onMessage", ["cs"]),
        ("sentMessage", ["csms"]),
    ],
)
async def test_a_subscriber_is_told_only_what_it_wants(wanted: str, told: list[str]) -> None:
    async with Receiver() as receiver, Receiver() as everything:
        rows = [
            subscription(receiver.url, **(dict.fromkeys(webhooks.KINDS, False) | {wanted: True})),
            subscription(everything.url, 2),
        ]
        async with running({"A": rows}) as hooks:
            for happening in (webhooks.connected("A"), frame(1, "cs"), frame(2, "csms"), webhooks.closed("A")):
                hooks.note(happening)
            for _ in range(4):
                await everything.next()
        received = [(await receiver.next()).body for _ in told]
        assert receiver.empty()
    assert [body.get("origin", body["event"]) for body in received] == told


async def test_a_filter_lets_only_messages_that_match_through() -> None:
    async with Receiver() as receiver:
        rows = {"A": [subscription(receiver.url, onConnect=False, messageRegexFilter="(Start|Stop)Transaction")]}
        async with running(rows) as hooks:
            hooks.changed("A")
            hooks.note(frame(1))
            hooks.note(frame(2, action="StartTransaction"))
            hooks.note(frame(3, station="B"))
        assert (await receiver.next()).body["info"]["action"] == "StartTransaction"
        assert receiver.empty()


async def test_a_subscription_made_or_ended_while_the_station_is_connected_counts_from_then_on() -> None:
    rows: Rows = {"A": []}
    async with Receiver() as receiver, running(rows) as hooks:
        hooks.note(webhooks.connected("A"))
        hooks.note(frame(1))
        await settle()
        rows["A"].append(subscription(receiver.url))
        hooks.changed("A")
        hooks.note(frame(2))
        assert (await receiver.next()).body["info"]["correlationId"] == "2"
        rows["A"].clear()
        hooks.changed("A")
        hooks.note(frame(3))
    assert receiver.empty()


async def test_a_reconnecting_station_keeps_its_subscribers_and_their_order() -> None:
    async with Receiver() as receiver, running({"A": [subscription(receiver.url)]}) as hooks:
        for _ in range(10):
            hooks.note(webhooks.connected("A"))
            hooks.note(webhooks.closed("A"))
        events = [(await receiver.next()).body["event"] for _ in range(20)]
    assert events == ["connected", "closed"] * 10


async def test_a_subscriber_that_hangs_delays_no_other() -> None:
    async with Receiver() as slow, Receiver() as quick:
        slow.hold.clear()
        async with running({"A": [subscription(slow.url), subscription(quick.url, 2)]}) as hooks:
            hooks.note(webhooks.connected("A"))
            for number in range(5):
                hooks.note(frame(number))
            for _ in range(6):
                await quick.next()
            slow.hold.set()


async def test_a_row_with_a_broken_filter_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async with Receiver() as receiver:
        rows = {"A": [subscription(receiver.url, 1, messageRegexFilter="("), subscription(receiver.url, 2)]}
        async with running(rows) as hooks:
            hooks.note(webhooks.connected("A"))
        await receiver.next()
        assert receiver.empty()
    assert "Subscription 1 of A is left out" in caplog.text


async def test_with_the_database_away_known_subscribers_stay(caplog: pytest.LogCaptureFixture) -> None:
    away = False

    async with Receiver() as receiver:

        async def load(_: str) -> list[Mapping[str, Any]]:
            if away:
                raise DatabaseUnreachable("no answer")
            return [subscription(receiver.url)]

        async with CallbackSender(CallbackPolicy()) as sender, asyncio.TaskGroup() as tasks:
            hooks = Webhooks(load, sender)
            tasks.create_task(hooks.run())
            hooks.note(webhooks.connected("A"))
            await receiver.next()
            away = True
            hooks.note(webhooks.connected("A"))
            await receiver.next()
            hooks.close()
    assert "Webhooks of A stay as they were: no answer" in caplog.text


def test_a_filter_that_would_run_for_ever_elsewhere_is_quick_here() -> None:
    assert webhooks.filter_problem("(a+)+$") is None
    assert webhooks.filter_problem("(") == 'must match format "regex"'
