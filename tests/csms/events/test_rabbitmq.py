"""What the bus on RabbitMQ promises when the broker goes away, comes back, or refuses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from csms.events.rabbitmq import RabbitMQBus
from tests.csms.events.tcp_proxy import TcpProxy
from tests.csms.events.witness import consuming, event, eventually
from tests.services import free_port

pytestmark = pytest.mark.rabbitmq


@pytest_asyncio.fixture
async def proxy(amqp_url: str) -> AsyncIterator[TcpProxy]:
    parts = urlsplit(amqp_url)
    async with TcpProxy(parts.hostname or "127.0.0.1", parts.port or 5672) as proxy:
        yield proxy


def through(proxy: TcpProxy) -> str:
    return f"amqp://guest:guest@127.0.0.1:{proxy.port}/"


def state_changes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage().split(": ", 1)[1].split(" ")[0] for r in caplog.records if r.name == "csms.events"]


async def test_an_event_is_json_on_the_wire(amqp_url: str, exchange_name: str) -> None:
    async with consuming(amqp_url, exchange_name) as witness, RabbitMQBus(amqp_url, exchange_name) as bus:
        bus.publish(event(1))
        [arrived] = await witness.receive(1)
    assert arrived.content_type == "application/json"


async def test_consumers_choose_by_headers(amqp_url: str, exchange_name: str) -> None:
    async with (
        consuming(amqp_url, exchange_name, action="Heartbeat", state="1", origin="cs", stationId="ST-02") as witness,
        RabbitMQBus(amqp_url, exchange_name) as bus,
    ):
        bus.publish(event(1, "ST-01"))
        bus.publish(event(2, "ST-02"))
        bus.publish(event(3, "ST-01"))
        bus.publish(event(4, "ST-02"))
        arrived = await witness.receive(2)
    assert [e.headers["correlationId"] for e in arrived] == ["2", "4"]


async def test_events_without_any_consumer_are_no_trouble(amqp_url: str, exchange_name: str) -> None:
    async with RabbitMQBus(amqp_url, exchange_name) as bus:
        bus.publish(event(1))
    async with consuming(amqp_url, exchange_name) as witness, RabbitMQBus(amqp_url, exchange_name) as bus:
        bus.publish(event(2))
        [arrived] = await witness.receive(1)
    assert arrived.headers["correlationId"] == "2"


async def test_after_a_cut_connection_nothing_is_lost_and_the_order_holds(
    amqp_url: str, exchange_name: str, proxy: TcpProxy
) -> None:
    async with consuming(amqp_url, exchange_name) as witness, RabbitMQBus(through(proxy), exchange_name) as bus:
        arrived = []
        for burst in range(5):
            for number in range(100):
                bus.publish(event(100 * burst + number))
            await asyncio.sleep(0)
            proxy.cut()
            arrived += await witness.receive_until(str(100 * burst + 99))
    numbers = [int(e.headers["correlationId"]) for e in arrived]
    first_seen = list(dict.fromkeys(numbers))
    assert first_seen == list(range(500))


async def test_events_of_an_outage_wait_and_each_change_of_state_is_one_line(
    amqp_url: str, exchange_name: str, proxy: TcpProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "csms.events")
    async with (
        consuming(amqp_url, exchange_name) as witness,
        RabbitMQBus(through(proxy), exchange_name, last_retry_s=0.1) as bus,
    ):
        bus.publish(event(0))
        await witness.receive(1)
        proxy.refuse(True)
        for number in range(1, 11):
            bus.publish(event(number))
        await eventually(lambda: proxy.refused >= 3)
        assert not bus.healthy()
        assert bus.reason
        proxy.refuse(False)
        arrived = await witness.receive(10)
        assert bus.healthy()
    assert [e.headers["correlationId"] for e in arrived] == [str(number) for number in range(1, 11)]
    assert state_changes(caplog) == ["connected,", "away", "connected"]


async def test_an_idle_bus_notices_that_its_broker_went_away(exchange_name: str, proxy: TcpProxy) -> None:
    async with RabbitMQBus(through(proxy), exchange_name, flush_s=0.1) as bus:
        await eventually(bus.healthy)
        await proxy.down()
        await eventually(lambda: not bus.healthy())


async def test_opening_does_not_wait_for_a_broker_that_is_down(amqp_url: str, exchange_name: str) -> None:
    parts = urlsplit(amqp_url)
    proxy = TcpProxy(parts.hostname or "127.0.0.1", parts.port or 5672)
    proxy.port = free_port()
    async with consuming(amqp_url, exchange_name) as witness, RabbitMQBus(through(proxy), exchange_name) as bus:
        assert not bus.healthy()
        bus.publish(event(1))
        async with proxy:
            [arrived] = await witness.receive(1)
            await bus.aclose()
    assert arrived.headers["correlationId"] == "1"


async def test_in_a_long_outage_the_oldest_are_dropped_and_counted(
    amqp_url: str, exchange_name: str, proxy: TcpProxy
) -> None:
    await proxy.down()
    async with (
        consuming(amqp_url, exchange_name) as witness,
        RabbitMQBus(through(proxy), exchange_name, capacity=5) as bus,
    ):
        for number in range(8):
            bus.publish(event(number))
        assert bus.dropped == 3
        await proxy.up()
        arrived = await witness.receive(5)
    assert [e.headers["correlationId"] for e in arrived] == ["3", "4", "5", "6", "7"]


async def test_closing_with_the_broker_away_is_bounded_and_says_what_is_lost(
    exchange_name: str, proxy: TcpProxy, caplog: pytest.LogCaptureFixture
) -> None:
    await proxy.down()
    async with asyncio.timeout(5):
        async with RabbitMQBus(through(proxy), exchange_name, flush_s=0.05) as bus:
            bus.publish(event(1))
            bus.publish(event(2))
    assert "closed with 2 events unsent" in caplog.text


async def test_a_refused_password_is_told_and_not_shown(
    amqp_url: str, exchange_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = amqp_url.replace("guest:guest@", "guest:wrong-secret@")
    async with RabbitMQBus(url, exchange_name, flush_s=0.1) as bus:
        await eventually(lambda: "away" in caplog.text)
        assert not bus.healthy()
    assert "REFUSED" in caplog.text
    assert "wrong-secret" not in "".join(r.getMessage() for r in caplog.records if r.name == "csms.events")
