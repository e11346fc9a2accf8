"""Events from CitrineOS's exchange on a RabbitMQ broker, through every loss of the connection."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from optivgi.model.clock import Clock
from optivgi.translation.backoff import Backoff
from optivgi.translation.base import Event
from optivgi.translation.broker import AWAY, close, where, within
from optivgi.translation.envelope import Sink, bindings, event_of, is_answered, is_sent
from optivgi.translation.events import RESYNC

log = logging.getLogger("optivgi.translation")

EXCHANGE = "citrineos"
CONNECT_TIMEOUT_S = 10.0
HEARTBEAT_S = 10
LOST = object()
"""In the inbox: this connection is gone."""


class AmqpEventSource:
    """Session events from the broker. What concerns commands goes to `on_answer` as it comes.

    Connects again by itself, with one log line when the broker goes and one when it is back. It does so with a new
    connection each time, because queue and bindings are its own and nothing of the old one is worth restoring.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        exchange: str = EXCHANGE,
        on_answer: Sink | None = None,
        meter_values: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        self._url, self._clock, self._exchange = url, clock, exchange
        self._on_answer = on_answer
        self._bindings = bindings(meter_values)
        self._backoff = backoff or Backoff(first_s=0.2, limit_s=5.0)
        self._inbox: asyncio.Queue[object] = asyncio.Queue()
        self._closed = asyncio.Event()
        self.connected = asyncio.Event()
        """Set while messages arrive."""

    async def events(self) -> AsyncIterator[Event]:
        """Yields a "resync" after each connecting, also the first: nothing is known of the time before."""
        failures = 0
        while not self._closed.is_set():
            try:
                connection = await self._connect()
            except AWAY as error:
                failures += 1
                if failures == 1:
                    log.warning("The broker at %s cannot be reached (%s); trying on", where(self._url), _said(error))
                await self._pause(self._backoff.delay_s(failures))
                continue
            log.info("Connected to the broker at %s", where(self._url))
            failures = 0
            self.connected.set()
            try:
                yield Event(RESYNC, "", self._clock.now())
                while isinstance(item := await self._inbox.get(), Event):
                    yield item
            finally:
                self.connected.clear()
                await close(connection)
            if not self._closed.is_set():
                log.warning("The broker at %s is gone; trying again until it is back", where(self._url))
                failures = 1
                await self._pause(self._backoff.delay_s(failures))

    async def aclose(self) -> None:
        self._closed.set()
        self._inbox.put_nowait(LOST)

    async def _connect(self) -> AbstractConnection:
        connection = await within(CONNECT_TIMEOUT_S, self._open())
        if self._closed.is_set():
            self._inbox.put_nowait(LOST)
        return connection

    async def _open(self) -> AbstractConnection:
        connection = await aio_pika.connect(self._url, heartbeat=HEARTBEAT_S)
        try:
            await self._bind(connection)
        except BaseException:
            await close(connection)
            raise
        return connection

    async def _bind(self, connection: AbstractConnection) -> None:
        inbox = self._inbox = asyncio.Queue()
        connection.close_callbacks.add(lambda *_: inbox.put_nowait(LOST))
        channel = await connection.channel(publisher_confirms=False)
        channel.close_callbacks.add(lambda *_: inbox.put_nowait(LOST))
        exchange = await channel.declare_exchange(
            self._exchange, aio_pika.ExchangeType.HEADERS, durable=False, auto_delete=False
        )
        queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        for binding in self._bindings:
            await queue.bind(exchange, routing_key="", arguments={"x-match": "all", **binding})
        await queue.consume(self._take, no_ack=True)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        try:
            body = json.loads(message.body)
        except ValueError:
            body = None
        if not isinstance(body, Mapping):
            log.debug("An event with headers %s has no JSON object as its body", message.headers)
            body = {}
        if is_sent(message.headers) or is_answered(message.headers):
            if self._on_answer is not None:
                self._on_answer(message.headers, body)
            return
        event = event_of(message.headers, body, self._clock.now())
        if event is not None:
            self._inbox.put_nowait(event)

    async def _pause(self, seconds: float) -> None:
        try:
            async with self._clock.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            pass


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
