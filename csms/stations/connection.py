"""One station's websocket: its messages are handled in order, our calls wait their turn, both ways at once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import State

from csms import ports
from csms.errors import DatabaseUnreachable
from csms.events.envelope import ROUTER
from csms.handlers.context import Exchange
from csms.handlers.table import OUTGOING
from csms.rpc.dialects import Dialect
from csms.rpc.frames import Call, CallError, CallResult, Frame, as_list, encode
from csms.rpc.schemas import known_actions, violation
from csms.rpc.session import Answered, Dropped, Expired, Outgoing, Refused, Repeated, Request, Session
from csms.stations.desk import Desk
from csms.stations.observer import SeenFrame
from csms.stations.pace import TokenBucket
from csms.store.messages import ANSWER, REQUEST, Message

log = logging.getLogger("csms.stations")

INBOX = 32
Origin = Literal["cs", "csms"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one station may ask of the CSMS. Times in site seconds, except those of the network (see the listener)."""

    call_timeout_s: float = 20.0
    probe_timeout_s: float = 5.0
    message_bytes: int = 64 * 1024
    messages_per_s: float = 50.0
    burst: int = 200


class Connection:
    """A connected station. `finished` is set by the owner when nothing of it is left to be done."""

    def __init__(
        self, websocket: ServerConnection, station_id: str, dialect: Dialect, desk: Desk, limits: Limits
    ) -> None:
        self.station_id, self.dialect = station_id, dialect
        self.finished = asyncio.Event()
        self._websocket, self._desk, self._limits = websocket, desk, limits
        self._clock = desk.clock
        self._session = Session(dialect, timeout_s=limits.call_timeout_s, max_size=limits.message_bytes)
        self._inbox: asyncio.Queue[tuple[Request | Answered, datetime] | None] = asyncio.Queue(INBOX)
        self._replies: dict[str, asyncio.Future[ports.Reply]] = {}
        self._called = asyncio.Event()
        self._sending = asyncio.Lock()
        self._probing = asyncio.Lock()
        self._registered = False
        self._warned = False

    @property
    def open(self) -> bool:
        """Whether frames can still travel."""
        return self._websocket.state is State.OPEN

    async def run(self, previous: Connection | None) -> None:
        """Serves the station until its websocket ends and the messages in hand are handled.

        They wait until those of `previous` are handled, so that a station is dealt with in one order also when it
        reconnects in the middle of a transaction.
        """
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._work(previous))
                timekeeper = self._tasks.create_task(self._keep_time())
                await self._read()
                timekeeper.cancel()
                self._hang_up()
                await self._inbox.put(None)
        finally:
            self._hang_up()

    async def call(self, action: str, payload: Json, correlation_id: str) -> ports.Reply:
        """See ports.Stations.call."""
        if wrong := violation(self.dialect, action, "request", payload):
            return ports.NoReply(f"not sent: {wrong.description}")
        if refusal := self._session.call(Call(correlation_id, action, payload), self._clock.monotonic()):
            return ports.NoReply(f"not sent: {refusal}")
        reply: asyncio.Future[ports.Reply] = asyncio.get_running_loop().create_future()
        self._replies[correlation_id] = reply
        self._called.set()
        try:
            # In a task of its own: a station that does not read must not keep the caller beyond the timeout.
            self._tasks.create_task(self._flush())
            return await reply
        finally:
            self._replies.pop(correlation_id, None)

    async def alive(self) -> bool:
        """Whether the station answers a ping within the probe's time. Several may ask at once."""
        async with self._probing:
            if not self.open:
                return False
            try:
                async with self._clock.timeout(self._limits.probe_timeout_s):
                    pong = await self._websocket.ping()
                    await pong
            except (TimeoutError, ConnectionClosed):
                return False
            return True

    async def close(self, reason: str) -> None:
        """Ends the connection with a closing handshake; the station may come back at once."""
        await self._websocket.close(CloseCode.NORMAL_CLOSURE, reason)

    def abort(self) -> None:
        """Cuts the connection without a closing handshake: the other end does not answer."""
        self._websocket.transport.abort()

    async def _read(self) -> None:
        pace = TokenBucket(self._clock, self._limits.messages_per_s, self._limits.burst)
        try:
            while True:
                text = await self._websocket.recv(decode=True)
                await self._receive(text)
                await pace.take()
                await self._desk.journal.room()
        except ConnectionClosed as closed:
            log.debug("%s closed its connection: %s", self.station_id, closed)

    async def _receive(self, text: str) -> None:
        now = self._clock.now()
        self._desk.journal.heard(self.station_id, now)
        event = self._session.receive(text, self._clock.monotonic())
        match event:
            case Request(call):
                self._journal("cs", call, call.action, now, len(text))
                await self._inbox.put((event, now))
            case Answered(call, reply):
                self._journal("cs", reply, call.action, now, len(text))
                await self._inbox.put((event, now))
            case Repeated(call):
                log.info("%s repeated its %r", self.station_id, call.action[:50])
            case Refused(reply):
                self._warn(f"unreadable message answered with {reply.code}: {reply.description}")
            case Dropped(reason):
                self._warn(f"message dropped: {reason}")
        await self._flush()

    async def _work(self, previous: Connection | None) -> None:
        if previous is not None:
            await previous.finished.wait()
        await self._register()
        self._desk.observer.on_connect(self.station_id)
        while (item := await self._inbox.get()) is not None:
            event, received = item
            match event:
                case Request():
                    await self._handle(event, received)
                case Answered():
                    await self._conclude(event, received)

    async def _handle(self, request: Request, received: datetime) -> None:
        call = request.call
        if call.action != "Heartbeat":
            await self._register()
        reply = await self._desk.answer(self.station_id, self.dialect, call, received)
        # After the handler's commit: whoever is woken by the event finds the facts in the database.
        known = call.action in known_actions(self.dialect)
        if known:
            self._publish("cs", 1, call, call.action, received)
        self._observe("cs", call, call.action, received)
        self._session.answer(request, reply)
        await self._flush()
        if known:
            self._publish("csms", 2, reply, call.action, received)

    async def _conclude(self, answered: Answered, received: datetime) -> None:
        call, frame = answered.call, answered.reply
        reply = self._judged(call, frame)
        action = OUTGOING.get((self.dialect.version, call.action))
        if isinstance(reply, ports.CallResult) and action is not None and action.after is not None:
            exchange = Exchange(call.message_id, call.payload, reply.payload)
            await self._desk.record(self.station_id, action.after, exchange, received)
        self._publish("cs", 2, frame, call.action, received)
        self._observe("cs", frame, call.action, received)
        self._settle(call.message_id, reply)

    def _judged(self, call: Call, frame: CallResult | CallError) -> ports.Reply:
        if isinstance(frame, CallError):
            return ports.CallError(frame.code, frame.description, frame.details)
        if wrong := violation(self.dialect, call.action, "response", frame.payload):
            self._warn(f"answer to {call.action} breaks its schema: {wrong.description}")
            return ports.NoReply(f"the station's answer breaks its schema: {wrong.description}")
        return ports.CallResult(frame.payload)

    async def _register(self) -> None:
        """Makes the station known and online; tried again with its next message when the database is away.

        Not with a Heartbeat, which needs no database and should not wait for one.
        """
        if self._registered:
            return
        try:
            await self._desk.set_online(self.station_id, self.dialect.subprotocol)
            self._registered = True
        except (DatabaseUnreachable, TimeoutError) as error:
            log.warning("%s is connected, which could not be written: %s", self.station_id, error)

    async def _keep_time(self) -> None:
        while True:
            deadline_s = self._session.deadline_s
            if deadline_s is None:
                self._called.clear()
                await self._called.wait()
                continue
            await self._clock.sleep(deadline_s - self._clock.monotonic())
            for expired in self._session.expire(self._clock.monotonic()):
                self._settle(expired.call.message_id, ports.NoReply(self._too_late(expired)))
            self._tasks.create_task(self._flush())

    def _hang_up(self) -> None:
        for expired in self._session.close():
            self._settle(expired.call.message_id, ports.NoReply("the connection was lost"))

    def _too_late(self, expired: Expired) -> str:
        what = "no answer" if expired.sent else "not sent, as earlier calls were not answered"
        return f"{what} within {self._limits.call_timeout_s:g} s"

    async def _flush(self) -> None:
        async with self._sending:
            for outgoing in self._session.outbox():
                try:
                    await self._websocket.send(outgoing.text)
                except ConnectionClosed:
                    return
                self._sent(outgoing)

    def _sent(self, outgoing: Outgoing) -> None:
        now = self._clock.now()
        self._journal("csms", outgoing.frame, outgoing.action, now, len(outgoing.text))
        self._observe("csms", outgoing.frame, outgoing.action, now, outgoing.text)

    def _settle(self, correlation_id: str, reply: ports.Reply) -> None:
        waiting = self._replies.get(correlation_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def _journal(self, origin: Origin, frame: Frame, action: str, at: datetime, size: int) -> None:
        self._desk.journal.message(
            Message(
                station_id=self.station_id,
                correlation_id=frame.message_id,
                origin=origin,
                protocol=self.dialect.subprotocol,
                action=action[:255],
                frame=as_list(frame),
                timestamp=at,
                state=REQUEST if isinstance(frame, Call) else ANSWER,
            ),
            size,
        )

    def _publish(self, origin: Origin, state: Literal[1, 2], frame: Frame, action: str, at: datetime) -> None:
        self._desk.bus.publish(
            ports.Envelope(
                origin=origin,
                event_group=ROUTER,
                action=action,
                state=state,
                station_id=self.station_id,
                correlation_id=frame.message_id,
                timestamp=at,
                protocol=self.dialect.subprotocol,
                payload=_event_payload(frame),
            )
        )

    def _observe(self, origin: Origin, frame: Frame, action: str, at: datetime, text: str | None = None) -> None:
        self._desk.observer.on_frame(
            SeenFrame(
                station_id=self.station_id,
                origin=origin,
                text=text or encode(frame),
                action=action,
                correlation_id=frame.message_id,
                timestamp=at,
                protocol=self.dialect.subprotocol,
            )
        )

    def _warn(self, what: str) -> None:
        """Once per connection at WARNING: a station must not be able to fill the log."""
        log.log(logging.DEBUG if self._warned else logging.WARNING, "%s: %s", self.station_id, what)
        self._warned = True


def _event_payload(frame: Frame) -> Json:
    """The payload of an event; a CALLERROR in the contract's spelling."""
    if not isinstance(frame, CallError):
        return frame.payload
    error: Json = {
        "_messageId": frame.message_id,
        "_errorCode": frame.code,
        "_errorDetails": frame.details,
        "name": "OcppError",
    }
    return error | {"message": frame.description} if frame.description else error
