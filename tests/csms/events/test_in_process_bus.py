"""What only the in-process bus can promise: subscribers that fail, hang, come and go do not touch each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import pytest

from csms.events.bus import InProcessBus
from csms.ports import Json
from tests.csms.events.witness import Witness, event


async def test_a_subscriber_that_raises_is_logged_and_still_gets_the_next_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    good, seen = Witness(), Witness()

    def bad(headers: Mapping[str, str], body: Json) -> None:
        seen.note(headers, body)
        raise ValueError("cannot cope")

    async with InProcessBus() as bus:
        bus.subscribe(bad)
        bus.subscribe(good.note)
        bus.publish(event(1))
        bus.publish(event(2))
        assert len(await good.receive(2)) == 2
        assert len(await seen.receive(2)) == 2
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
        "A subscriber failed on Heartbeat of ST-01"
    ] * 2


async def test_a_hanging_subscriber_delays_nobody_and_loses_only_its_own_oldest() -> None:
    good, release = Witness(), asyncio.Event()
    late: list[str] = []

    async def hang(headers: Mapping[str, str], _: Json) -> None:
        await release.wait()
        late.append(headers["correlationId"])

    async with InProcessBus(capacity=3) as bus:
        bus.subscribe(hang)
        unsubscribe = bus.subscribe(good.note)
        bus.publish(event(0))
        await good.receive(1)
        for number in range(1, 6):
            bus.publish(event(number))
            await good.receive(1)
        unsubscribe()
        assert bus.dropped == 2
        release.set()
    assert late == ["0", "3", "4", "5"]


async def test_a_subscriber_that_never_ends_does_not_hold_up_closing(caplog: pytest.LogCaptureFixture) -> None:
    async def hang(_headers: Mapping[str, str], _body: Json) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        async with InProcessBus(flush_s=0.01) as bus:
            bus.subscribe(hang)
            bus.publish(event(1))
            bus.publish(event(2))
    assert "closed with 1 events unread" in caplog.text


async def test_after_unsubscribing_nothing_arrives_and_doing_it_twice_is_harmless() -> None:
    first, second = Witness(), Witness()
    async with InProcessBus() as bus:
        unsubscribe = bus.subscribe(first.note)
        bus.subscribe(second.note)
        unsubscribe()
        unsubscribe()
        bus.publish(event(1))
        await second.receive(1)
    assert first.empty()


async def test_subscribing_to_a_closed_bus_is_refused() -> None:
    async with InProcessBus() as bus:
        await bus.aclose()
        with pytest.raises(RuntimeError, match="async with"):
            bus.subscribe(Witness().note)
