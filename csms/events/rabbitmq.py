"""Events to a RabbitMQ headers exchange: never in the publisher's way, resumed by itself when the broker returns."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aio_pika
import msgspec
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from csms.events.envelope import body_of, headers_of
from csms.events.mailbox import Mailbox
from csms.ports import Envelope
from csms.tasks import Tasks

log = logging.getLogger("csms.events")

BATCH = 100
"""Events under way to the broker at a time: their confirmations are awaited together."""

HEARTBEAT_S = 10
FIRST_RETRY_S = 0.2
LAST_RETRY_S = 2.0

_encode = msgspec.json.Encoder(decimal_format="number").encode


class RabbitMQBus:
    """A Bus on a broker. Use as an async context manager: it owns the one task that connects and sends.

    Every event is sent until the broker confirms it, so a lost connection can repeat one but neither loses nor
    reorders any. While the broker is away the newest `capacity` events wait. Opening does not wait for the broker.
    A plain connection in our own loop, because a robust one replays no publishing and logs each attempt.
    """

    def __init__(
        self,
        url: str,
        exchange: str = "citrineos",
        *,
        capacity: int = 10_000,
        connect_timeout_s: float = 10.0,
        confirm_timeout_s: float = 10.0,
        flush_s: float = 2.0,
        last_retry_s: float = LAST_RETRY_S,
    ) -> None:
        self._url, self._exchange_name = url, exchange
        self._connect_timeout_s, self._confirm_timeout_s, self._flush_s = connect_timeout_s, confirm_timeout_s, flush_s
        self._last_retry_s = last_retry_s
        parts = urlsplit(url)
        self.broker = f"{parts.hostname}:{parts.port or (5671 if parts.scheme == 'amqps' else 5672)}"
        self._mailbox: Mailbox[Envelope] = Mailbox(f"the queue to the broker {self.broker}", capacity)
        self._tasks: Tasks | None = None
        self._sender: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._connected = False
        self._told_away = False
        self.reason = "not connected yet"

    async def __aenter__(self) -> Self:
        self._tasks = Tasks()
        await self._tasks.__aenter__()
        self._sender = self._tasks.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
        if self._tasks is not None:
            await self._tasks.__aexit__(kind, error, trace)

    def publish(self, envelope: Envelope) -> None:
        """Queues the event for the broker."""
        self._mailbox.put(envelope)

    def healthy(self) -> bool:
        """Whether the broker is connected now; `reason` says why not."""
        return self._connected

    @property
    def dropped(self) -> int:
        """How many events were given up because the broker was away for too long."""
        return self._mailbox.dropped

    async def aclose(self) -> None:
        """Sends what is queued, for a bounded time, and disconnects."""
        self._closing.set()
        self._mailbox.close()
        if self._sender is None:
            return
        _, late = await asyncio.wait({self._sender}, timeout=self._flush_s)
        if late:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        if len(self._mailbox):
            log.warning("Broker %s: closed with %d events unsent", self.broker, len(self._mailbox))

    async def _run(self) -> None:
        pause_s = FIRST_RETRY_S
        while not self._closing.is_set() or len(self._mailbox):
            try:
                await self._session()
            except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
                pause_s = FIRST_RETRY_S if self._connected else min(2 * pause_s, self._last_retry_s)
                self._away(error)
            except asyncio.CancelledError as error:
                # aiormq ends what waits on a dying connection with CancelledError; only our own cancel counts here.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                self._away(error)
            else:
                return
            await self._pause(pause_s)

    async def _session(self) -> None:
        """Connects and sends until the mailbox is closed and empty; raises when the broker goes away."""
        self._mailbox.interrupt(None)
        connection = await aio_pika.connect(self._url, timeout=self._connect_timeout_s, **self._heartbeat())
        connection.close_callbacks.add(self._on_lost)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                channel = await connection.channel()
                exchange = await channel.declare_exchange(
                    self._exchange_name, aio_pika.ExchangeType.HEADERS, durable=False, auto_delete=False
                )
            self._back()
            while await self._mailbox.filled():
                await self._send(exchange, self._mailbox.take(BATCH))
        finally:
            connection.close_callbacks.discard(self._on_lost)
            await _hang_up(connection)
        self._connected, self.reason = False, "closed"

    async def _send(self, exchange: AbstractExchange, batch: list[Envelope]) -> None:
        """Returns when the broker has confirmed all of `batch`; else puts back the first unconfirmed and all after it."""
        confirmed = 0
        try:
            outcomes = await asyncio.gather(
                *(
                    exchange.publish(_message(envelope), "", mandatory=False, timeout=self._confirm_timeout_s)
                    for envelope in batch
                ),
                return_exceptions=True,
            )
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
                confirmed += 1
        finally:
            self._mailbox.put_back(batch[confirmed:])

    async def _pause(self, seconds: float) -> None:
        if self._closing.is_set():
            await asyncio.sleep(FIRST_RETRY_S)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    def _heartbeat(self) -> dict[str, Any]:
        return {} if "heartbeat=" in self._url else {"heartbeat": HEARTBEAT_S}

    def _on_lost(self, _connection: object, error: BaseException | None) -> None:
        self._mailbox.interrupt(ConnectionError(str(error) or type(error).__name__))

    def _back(self) -> None:
        self._connected, self.reason = True, ""
        if self._told_away:
            log.warning("Broker %s: connected again, %d events waiting", self.broker, len(self._mailbox))
        else:
            log.info("Broker %s: connected, exchange %s", self.broker, self._exchange_name)
        self._told_away = False

    def _away(self, error: BaseException) -> None:
        self._connected, self.reason = False, str(error) or type(error).__name__
        if not self._told_away:
            self._told_away = True
            log.warning("Broker %s: away (%s); events are kept and it is tried again", self.broker, self.reason)


def _message(envelope: Envelope) -> aio_pika.Message:
    return aio_pika.Message(
        _encode(body_of(envelope)), content_type="application/json", headers=dict(headers_of(envelope))
    )


async def _hang_up(connection: AbstractConnection) -> None:
    try:
        async with asyncio.timeout(1.0):
            await connection.close()
    except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
        log.debug("The connection to the broker did not close cleanly: %s", error)
