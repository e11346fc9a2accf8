"""Both event sources, over one suite: captured messages in, session events out, each once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import aio_pika
import pytest
from aio_pika.abc import AbstractExchange

from optivgi.clock import ManualClock, WallClock
from optivgi.translation.amqp import AmqpEventSource
from optivgi.translation.backoff import Backoff
from optivgi.translation.base import Event, EventSource
from optivgi.translation.events import RESYNC
from optivgi.translation.inprocess import InProcessEventSource
from tests.csms.events.tcp_proxy import TcpProxy
from tests.services import free_port

Message = dict[str, Any]
CAPTURED: dict[str, Message] = json.loads((Path(__file__).parent / "samples" / "amqp.json").read_text())
BOOT, STATUS, START, STOP = (
    CAPTURED[f"ocpp1.6/{action}/1/cs"]
    for action in ("BootNotification", "StatusNotification", "StartTransaction", "StopTransaction")
)
SENT, ANSWERED = CAPTURED["ocpp1.6/SetChargingProfile/1/csms"], CAPTURED["ocpp1.6/SetChargingProfile/2/cs"]
PROMPTLY_S = 10.0


class Exchange(Protocol):
    """Somewhere to publish captured messages, and the source under test."""

    commands: list[Message]
    source: EventSource

    async def publish(self, *messages: Message) -> None: ...


class InProcessExchange:
    def __init__(self, meter_values: bool) -> None:
        self.commands: list[Message] = []
        self.subscribers: list[Callable[..., Any]] = []
        self.source: EventSource = InProcessEventSource(
            self.subscribe,
            ManualClock(),
            on_answer=lambda headers, body: self.commands.append({"headers": dict(headers), "body": dict(body)}),
            meter_values=meter_values,
        )

    def subscribe(self, subscriber: Callable[..., Any]) -> Callable[[], None]:
        self.subscribers.append(subscriber)
        return lambda: self.subscribers.remove(subscriber)

    async def publish(self, *messages: Message) -> None:
        for message in messages:
            for subscriber in self.subscribers:
                subscriber(message["headers"], message["body"])


class BrokerExchange:
    def __init__(self, url: str, name: str, exchange: AbstractExchange, meter_values: bool) -> None:
        self.commands: list[Message] = []
        self.exchange = exchange
        self.source: EventSource = AmqpEventSource(
            url,
            ManualClock(),
            exchange=name,
            on_answer=lambda headers, body: self.commands.append({"headers": dict(headers), "body": dict(body)}),
            meter_values=meter_values,
        )

    async def publish(self, *messages: Message) -> None:
        for message in messages:
            body = json.dumps(message["body"]).encode()
            await self.exchange.publish(aio_pika.Message(body, headers=message["headers"]), routing_key="")


@asynccontextmanager
async def broker_exchange(url: str, name: str, meter_values: bool) -> AsyncIterator[BrokerExchange]:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.HEADERS, durable=False)
        yield BrokerExchange(url, name, exchange, meter_values)
        await exchange.delete()


Open = Callable[..., Any]


@pytest.fixture(params=["in-process", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
async def open_exchange(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:
        if request.param == "in-process":

            async def make(meter_values: bool = False) -> Exchange:
                return InProcessExchange(meter_values)
        else:
            url, name = request.getfixturevalue("amqp_url"), request.getfixturevalue("exchange_name")

            async def make(meter_values: bool = False) -> Exchange:
                return await stack.enter_async_context(broker_exchange(url, name, meter_values))

        yield make


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    async with asyncio.timeout(PROMPTLY_S):
        return [await anext(events) for _ in range(count)]


async def test_each_session_event_comes_once_although_the_exchange_carries_it_twice(open_exchange: Open) -> None:
    exchange = await open_exchange()
    events = exchange.source.events()
    assert [event.action for event in await take(events, 1)] == [RESYNC]
    answers = [CAPTURED[f"ocpp1.6/{action}/2/csms"] for action in ("BootNotification", "StartTransaction")]
    heartbeat, meter = CAPTURED["ocpp1.6/Heartbeat/1/cs"], CAPTURED["ocpp1.6/MeterValues/1/cs"]
    await exchange.publish(BOOT, answers[0], STATUS, heartbeat, START, answers[1], meter, STOP)
    assert await take(events, 4) == [
        Event("BootNotification", "CT16-01", datetime.fromisoformat("2026-11-20T23:16:24.172Z")),
        Event("StatusNotification", "CT16-01", datetime.fromisoformat("2026-11-20T23:16:24.181Z"), 0),
        Event("StartTransaction", "CT16-01", datetime.fromisoformat("2026-11-20T23:16:24.234Z"), 1),
        Event("StopTransaction", "CT16-01", datetime.fromisoformat("2026-11-20T23:17:09.765Z")),
    ]
    await exchange.source.aclose()
    assert [event async for event in events] == []


async def test_meter_values_wake_only_if_asked_for(open_exchange: Open) -> None:
    exchange = await open_exchange(meter_values=True)
    events = exchange.source.events()
    await take(events, 1)
    await exchange.publish(CAPTURED["ocpp1.6/MeterValues/1/cs"])
    assert [event.action for event in await take(events, 1)] == ["MeterValues"]
    await exchange.source.aclose()
    assert [event async for event in events] == []


async def test_commands_and_their_answers_go_to_whoever_waits_for_them(open_exchange: Open) -> None:
    exchange = await open_exchange()
    events = exchange.source.events()
    await take(events, 1)
    await exchange.publish(SENT, ANSWERED, START)
    assert [event.action for event in await take(events, 1)] == ["StartTransaction"]
    assert exchange.commands == [SENT, ANSWERED]
    await exchange.source.aclose()
    assert [event async for event in events] == []


async def test_a_message_that_makes_no_sense_stops_nothing(open_exchange: Open) -> None:
    exchange = await open_exchange()
    events = exchange.source.events()
    await take(events, 1)
    nameless = {"headers": {**START["headers"], "stationId": ""}, "body": START["body"]}
    timeless = {"headers": {**START["headers"], "timestamp": "yesterday"}, "body": START["body"]}
    bodiless = {"headers": START["headers"], "body": {}}
    await exchange.publish(nameless, timeless, bodiless)
    first, second = await take(events, 2)
    assert first.at == ManualClock().now()
    assert (second.action, second.connector_id) == ("StartTransaction", None)
    await exchange.source.aclose()
    assert [event async for event in events] == []


async def test_closing_ends_a_source_that_cannot_reach_its_broker(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    source = AmqpEventSource(f"amqp://guest:guest@127.0.0.1:{free_port()}", clock)

    async def follow() -> list[Event]:
        return [event async for event in source.events()]

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow())
        for _ in range(5):
            while not clock.sleeping:  # noqa: ASYNC110 - real refusals of a connection come in their own time
                await asyncio.sleep(0)
            await clock.advance(10)
        await source.aclose()
    assert following.result() == []
    ours = [record for record in caplog.records if record.name == "optivgi.translation"]
    assert len(ours) == 1
    assert "cannot be reached" in ours[0].getMessage()
    assert "guest" not in ours[0].getMessage()


@pytest.mark.rabbitmq
async def test_after_a_lost_connection_one_resync_comes_and_then_the_next_events(
    caplog: pytest.LogCaptureFixture, amqp_url: str, exchange_name: str
) -> None:
    caplog.set_level(logging.INFO, "optivgi.translation")
    parts = urlsplit(amqp_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        url = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()
        quick = Backoff(first_s=0.05, limit_s=0.05)
        source = AmqpEventSource(url, WallClock(), exchange=exchange_name, backoff=quick)
        events = source.events()
        assert [event.action for event in await take(events, 1)] == [RESYNC]
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(take(events, 2))
            await proxy.down()
            while source.connected.is_set():  # noqa: ASYNC110 - the loss is noticed in its own time
                await asyncio.sleep(0)
            await proxy.up()
            await source.connected.wait()
            async with broker_exchange(amqp_url, exchange_name, meter_values=False) as exchange:
                await exchange.publish(START)
                await following
        assert [event.action for event in following.result()] == [RESYNC, "StartTransaction"]
        await source.aclose()
        assert [event async for event in events] == []
    said = [record.getMessage().split(" (")[0] for record in caplog.records if record.name == "optivgi.translation"]
    where = f"127.0.0.1:{proxy.port}"
    assert said == [
        f"Connected to the broker at {where}",
        f"The broker at {where} is gone; trying again until it is back",
        f"Connected to the broker at {where}",
    ]
