"""A lease kept by the broker: whoever has declared its exclusive queue leads, until that connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import math

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelClosed

from optivgi.leadership import WAITERS_S, Answer, Report
from optivgi.model.clock import Clock
from optivgi.translation.broker import AWAY, close, where, within

HEARTBEAT_S = 5
"""A broker frees the queues of a connection that was silent for two heartbeats: later than `leadership.FENCE_S`."""
FREED_AFTER_S = 3 * HEARTBEAT_S + 1.0
"""By then it has noticed that a connection is dead."""
ASK_TIMEOUT_S = 3.0
REPLY_TIMEOUT_S = 0.5
LOCKED, REFUSED = "RESOURCE_LOCKED", "ACCESS_REFUSED"


class AmqpLease:
    """The lease behind the queue `queue`; `me` is this optimizer's name, for people.

    Whoever does not get the lease tells its holder, which answers with its own name. So both can say who the other is, and
    a queue that is still kept by a dead connection of one's own is not taken for somebody else's.
    """

    def __init__(self, url: str, clock: Clock, queue: str, me: str) -> None:
        self._url, self._clock, self._queue, self._me = url, clock, queue, me
        self._connection: AbstractConnection | None = None
        self._claims: AbstractChannel | None = None
        self._talk: AbstractChannel | None = None
        self._replies = ""
        self._leader: asyncio.Future[str] | None = None
        self._held = False
        self._held_at = -math.inf
        self._waiter = ""
        self.waiter_heard_at = -math.inf

    async def ask(self) -> Report:
        if self._connection is not None:
            with contextlib.suppress(*AWAY):
                return await within(ASK_TIMEOUT_S, self._claim(self._connection))
            await self.aclose()
        try:
            return await within(ASK_TIMEOUT_S, self._connect_and_claim())
        except AWAY:
            await self.aclose()
            return Report(Answer.UNKNOWN, f"the broker at {where(self._url)} is away")

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        self._claims = self._talk = None
        self._held = False
        if connection is not None:
            await close(connection)

    async def _connect_and_claim(self) -> Report:
        self._connection = connection = await aio_pika.connect(self._url, heartbeat=HEARTBEAT_S)
        self._talk = await connection.channel(publisher_confirms=False)
        replies = await self._talk.declare_queue(exclusive=True)
        self._replies = replies.name
        await replies.consume(self._told_leader, no_ack=True)
        return await self._claim(connection)

    async def _claim(self, connection: AbstractConnection) -> Report:
        claims, self._claims = self._claims, None
        if claims is None:
            claims = await connection.channel(publisher_confirms=False)
        try:
            queue = await claims.declare_queue(self._queue, exclusive=True)
        except ChannelClosed as error:
            if LOCKED in str(error):
                return await self._taken()
            if REFUSED not in str(error):
                raise
            remedy = "let AMQP_URL's user declare it, or set LEASE=none for a single optimizer"
            return Report(Answer.TAKEN, f"the broker refuses queue {self._queue} ({error}): {remedy}")
        self._claims = claims
        renewed, self._held = self._held, True
        if not renewed:
            await queue.consume(self._told_waiter, no_ack=True)
        self._held_at = self._clock.monotonic()
        waits = self._held_at - self.waiter_heard_at <= WAITERS_S
        return Report(Answer.RENEWED if renewed else Answer.HELD, f"{self._waiter} waits for it" if waits else "")

    async def _taken(self) -> Report:
        self._held = False
        self._leader = asyncio.get_running_loop().create_future()
        await self._say(self._queue, reply_to=self._replies)
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                return Report(Answer.TAKEN, f"{await self._leader} leads it")
        except TimeoutError:
            pass
        if self._clock.monotonic() - self._held_at < FREED_AFTER_S:
            return Report(Answer.UNKNOWN, "the broker has not noticed yet that an earlier connection ended")
        return Report(Answer.TAKEN, "another optimizer leads it")

    async def _told_waiter(self, message: AbstractIncomingMessage) -> None:
        self._waiter = message.body.decode(errors="replace")
        self.waiter_heard_at = self._clock.monotonic()
        if message.reply_to:
            with contextlib.suppress(*AWAY):
                await self._say(message.reply_to)

    async def _told_leader(self, message: AbstractIncomingMessage) -> None:
        if self._leader is not None and not self._leader.done():
            self._leader.set_result(message.body.decode(errors="replace"))

    async def _say(self, queue: str, reply_to: str | None = None) -> None:
        """Tells my name to whoever reads `queue`."""
        if self._talk is not None:
            message = aio_pika.Message(self._me.encode(), reply_to=reply_to)
            await self._talk.default_exchange.publish(message, queue, mandatory=False)
