"""The promises of the Bus port, kept by the in-process bus and by the one on RabbitMQ."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from csms.events.bus import InProcessBus
from csms.events.rabbitmq import RabbitMQBus
from csms.ports import Bus
from tests.csms.events.witness import Witness, consuming, event, sample_envelope

SAMPLES: dict[str, Any] = json.loads((Path(__file__).parent / "amqp_samples.json").read_text())

OpenBus = Callable[[], AbstractAsyncContextManager[tuple[Bus, Witness]]]


@asynccontextmanager
async def in_process() -> AsyncIterator[tuple[Bus, Witness]]:
    witness = Witness()
    async with InProcessBus() as bus:
        bus.subscribe(witness.note)
        yield bus, witness


@pytest.fixture(params=["in-process", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def open_bus(request: pytest.FixtureRequest) -> OpenBus:
    if request.param == "in-process":
        return in_process
    url: str = request.getfixturevalue("amqp_url")
    name: str = request.getfixturevalue("exchange_name")

    @asynccontextmanager
    async def rabbitmq() -> AsyncIterator[tuple[Bus, Witness]]:
        async with consuming(url, name) as witness, RabbitMQBus(url, name) as bus:
            yield bus, witness

    return rabbitmq


async def test_captured_events_arrive_with_their_headers_and_bodies_in_order(open_bus: OpenBus) -> None:
    async with open_bus() as (bus, witness):
        for sample in SAMPLES.values():
            bus.publish(sample_envelope(sample))
        events = await witness.receive(len(SAMPLES))
    assert [e.headers for e in events] == [sample["headers"] for sample in SAMPLES.values()]
    assert [e.body for e in events] == [sample["body"] for sample in SAMPLES.values()]


async def test_the_order_of_each_station_is_kept_through_a_burst(open_bus: OpenBus) -> None:
    sent = [event(number, f"ST-{number % 7}") for number in range(700)]
    async with open_bus() as (bus, witness):
        for envelope in sent:
            bus.publish(envelope)
        events = await witness.receive(len(sent))
    assert [e.headers["correlationId"] for e in events] == [e.correlation_id for e in sent]


async def test_closing_first_hands_over_what_is_queued(open_bus: OpenBus) -> None:
    async with open_bus() as (bus, witness):
        bus.publish(event(0))
        await witness.receive(1)
        for number in range(1, 51):
            bus.publish(event(number))
        await bus.aclose()
        events = await witness.receive(50)
    assert [e.headers["correlationId"] for e in events] == [str(number) for number in range(1, 51)]


async def test_a_bus_is_healthy_while_it_delivers_and_not_after_closing(open_bus: OpenBus) -> None:
    async with open_bus() as (bus, witness):
        bus.publish(event(0))
        await witness.receive(1)
        assert bus.healthy()
        await bus.aclose()
        assert not bus.healthy()


async def test_closing_twice_does_no_harm(open_bus: OpenBus) -> None:
    async with open_bus() as (bus, _):
        await bus.aclose()
        await bus.aclose()
