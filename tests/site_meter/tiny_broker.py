"""As much of an MQTT 3.1.1 broker as a subscriber needs: CONNECT with a password, SUBSCRIBE, PINGREQ, and PUBLISH to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CONNECT, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 8, 12, 14
ACCEPTED, BAD_CREDENTIALS = 0, 4
RETAIN = 1


class TinyBroker:
    """Subscribers get what is published to their topic from then on, at most once, and what was retained there before."""

    def __init__(self, user: str | None = None, password: str | None = None) -> None:
        self._credentials = (user, password)
        self._subscribers: dict[asyncio.StreamWriter, str] = {}
        self._connections: set[asyncio.StreamWriter] = set()
        self._retained: dict[str, bytes] = {}
        self.subscribed = asyncio.Event()
        self.port = 0

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if retain:
            self._retained[topic] = payload
        for writer, wanted in self._subscribers.items():
            if wanted == topic:
                writer.write(_publish(topic, payload, 0))

    def drop(self) -> None:
        """Every connection breaks."""
        self.subscribed.clear()
        for writer in self._connections:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readexactly(1))[0]
                body = await reader.readexactly(await _length(reader))
                if not self._answer(head >> 4, body, writer):
                    break
        self._connections.discard(writer)
        self._subscribers.pop(writer, None)
        writer.close()

    def _answer(self, kind: int, body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        if kind == CONNECT:
            known = _credentials(body) == self._credentials
            writer.write(bytes([0x20, 2, 0, ACCEPTED if known else BAD_CREDENTIALS]))
            return known
        if kind == SUBSCRIBE:
            topic = _text(body, 2)[0]
            writer.write(bytes([0x90, 3]) + body[:2] + b"\0")
            self._subscribers[writer] = topic
            if topic in self._retained:
                writer.write(_publish(topic, self._retained[topic], RETAIN))
            self.subscribed.set()
        elif kind == PINGREQ:
            writer.write(bytes([0xD0, 0]))
        return kind != DISCONNECT


@asynccontextmanager
async def serving(broker: TinyBroker, tls: ssl.SSLContext | None = None) -> AsyncIterator[TinyBroker]:
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0, ssl=tls)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
        broker.drop()


def _publish(topic: str, payload: bytes, flags: int) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic.encode() + payload
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([0x30 | flags]) + bytes(digits) + body


async def _length(reader: asyncio.StreamReader) -> int:
    length = shift = 0
    while True:
        digit = (await reader.readexactly(1))[0]
        length |= (digit & 0x7F) << shift
        shift += 7
        if not digit & 0x80:
            return length


def _text(body: bytes, at: int) -> tuple[str, int]:
    length = int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : at + 2 + length].decode(), at + 2 + length


def _credentials(body: bytes) -> tuple[str | None, str | None]:
    _, at = _text(body, 0)
    flags = body[at + 1]
    _, at = _text(body, at + 4)
    user = password = None
    if flags & 0x80:
        user, at = _text(body, at)
    if flags & 0x40:
        password, at = _text(body, at)
    return user, password
