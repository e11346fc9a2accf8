"""A consumer of events that keeps what it gets, over either kind of bus."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika

from csms.events.envelope import parse
from csms.ports import Envelope, Json

START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)


@dataclass
class Event:
    headers: dict[str, Any]
    body: Json
    content_type: str | None = None


class Witness:
    """What has arrived, in order; `receive` waits for it."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[Event] = asyncio.Queue()

    def note(self, headers: Mapping[str, Any], body: Json, content_type: str | None = None) -> None:
        self._arrived.put_nowait(Event(dict(headers), body, content_type))

    async def receive(self, count: int) -> list[Event]:
        async with asyncio.timeout(20):
            return [await self._arrived.get() for _ in range(count)]

    async def receive_until(self, correlation_id: str) -> list[Event]:
        """Everything up to the event with `correlation_id`, repeats included."""
        events: list[Event] = []
        async with asyncio.timeout(20):
            while not events or events[-1].headers["correlationId"] != correlation_id:
                events.append(await self._arrived.get())
        return events

    def empty(self) -> bool:
        return self._arrived.empty()


@asynccontextmanager
async def consuming(url: str, exchange_name: str, **binding: str) -> AsyncIterator[Witness]:
    """A witness on a queue of its own, bound to the exchange by headers (all events when none is given)."""
    witness = Witness()

    async def note(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        witness.note(message.headers, json.loads(message.body), message.content_type)

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(exchange_name, "headers", durable=False, auto_delete=False)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, "", arguments={"x-match": "all", **binding})
        await queue.consume(note, no_ack=True)
        try:
            yield witness
        finally:
            if not connection.is_closed and connection.connected.is_set():
                await exchange.delete()


def event(number: int, station_id: str = "ST-01", payload: Json | None = None) -> Envelope:
    """A Heartbeat request whose correlation id is its number."""
    return Envelope(
        origin="cs",
        event_group="router",
        action="Heartbeat",
        state=1,
        station_id=station_id,
        correlation_id=str(number),
        timestamp=START + timedelta(seconds=number),
        protocol="ocpp1.6",
        payload=payload or {},
    )


def sample_envelope(sample: Mapping[str, Any]) -> Envelope:
    return parse(sample["body"])


async def eventually(holds: Callable[[], bool]) -> None:
    """Returns when `holds` does; for what another process does in its own time."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - the other side is a process, which sets no Event
            await asyncio.sleep(0.01)
