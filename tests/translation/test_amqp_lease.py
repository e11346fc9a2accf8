"""Leases on a real broker: one holder, who loses it by dying, and who hears of those that wait."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import aio_pika
import pytest

from optivgi.clock import ManualClock, WallClock
from optivgi.leadership import Answer
from optivgi.translation.amqp_lease import FREED_AFTER_S, AmqpLease
from tests.csms.events.tcp_proxy import TcpProxy
from tests.services import free_port

pytestmark = pytest.mark.rabbitmq


def a_lease(url: str, exchange_name: str, me: str) -> AmqpLease:
    return AmqpLease(url, WallClock(), f"optivgi.lead.{exchange_name}.default", me)


async def test_the_first_one_has_it_and_each_hears_of_the_other(amqp_url: str, exchange_name: str) -> None:
    first, second = (a_lease(amqp_url, exchange_name, me) for me in ("host-a process 1", "host-b process 2"))
    assert [(await first.ask()).answer for _ in range(2)] == [Answer.HELD, Answer.RENEWED]
    refused = await second.ask()
    assert (refused.answer, refused.why) == (Answer.TAKEN, "host-a process 1 leads it")
    assert (await first.ask()).why == "host-b process 2 waits for it"
    assert first.waiter_heard_at > 0
    await first.aclose()
    assert (await second.ask()).answer is Answer.HELD
    assert (await first.ask()).answer is Answer.TAKEN
    await first.aclose()
    await second.aclose()


async def test_another_group_has_another_lease(amqp_url: str, exchange_name: str) -> None:
    north, south = (AmqpLease(amqp_url, WallClock(), f"optivgi.lead.{exchange_name}.{n}", "me") for n in ("n", "s"))
    assert [(await lease.ask()).answer for lease in (north, south)] == [Answer.HELD, Answer.HELD]
    await north.aclose()
    await south.aclose()


async def test_without_a_broker_nobody_can_tell(exchange_name: str) -> None:
    lease = a_lease(f"amqp://guest:secret@127.0.0.1:{free_port()}/", exchange_name, "me")
    report = await lease.ask()
    assert report.answer is Answer.UNKNOWN
    assert "127.0.0.1" in report.why
    assert "secret" not in report.why


async def test_a_lost_connection_is_made_anew_within_one_question(amqp_url: str, exchange_name: str) -> None:
    parts = urlsplit(amqp_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        url = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()
        lease = a_lease(url, exchange_name, "me")
        assert (await lease.ask()).answer is Answer.HELD
        await proxy.down()
        assert (await lease.ask()).answer is Answer.UNKNOWN
        await proxy.up()
        async with asyncio.timeout(10):
            while (report := await lease.ask()).answer is Answer.UNKNOWN:  # noqa: ASYNC110 - the broker notices in its own time
                await asyncio.sleep(0)
        assert report.answer is Answer.HELD
        await lease.aclose()


async def test_a_queue_kept_by_ones_own_dead_connection_is_not_taken_for_a_rival(
    amqp_url: str, exchange_name: str
) -> None:
    clock, queue = ManualClock(), f"optivgi.lead.{exchange_name}.default"
    lease = AmqpLease(amqp_url, clock, queue, "me")
    assert (await lease.ask()).answer is Answer.HELD
    await lease.aclose()
    async with await aio_pika.connect(amqp_url) as mute, mute.channel() as channel:
        await channel.declare_queue(queue, exclusive=True)
        assert (await lease.ask()).answer is Answer.UNKNOWN
        await clock.advance(FREED_AFTER_S)
        assert (await lease.ask()).answer is Answer.TAKEN
    assert (await lease.ask()).answer is Answer.HELD
    await lease.aclose()


async def test_a_queue_that_the_broker_refuses_comes_with_a_remedy(amqp_url: str) -> None:
    lease = AmqpLease(amqp_url, WallClock(), "amq.reserved", "me")
    report = await lease.ask()
    assert report.answer is Answer.TAKEN
    assert "ACCESS_REFUSED" in report.why
    assert "LEASE=none" in report.why
    await lease.aclose()
