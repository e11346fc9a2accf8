"""Webhooks: every subscriber of a station is told of its connection, its end and its messages, in their order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import jsonschema_rs

from csms.api.callbacks import CallbackSender
from csms.errors import DatabaseUnreachable
from csms.events.envelope import to_wire_time
from csms.events.mailbox import Mailbox
from csms.ports import Json

log = logging.getLogger("csms.api")

QUEUE = 1000

Kind = Literal["onConnect", "onClose", "onMessage", "sentMessage"]
KINDS: tuple[Kind, ...] = ("onConnect", "onClose", "onMessage", "sentMessage")

LoadSubscriptions = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]
"""The rows of Subscriptions for one station id."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something a subscriber may have asked for; `kind` is the flag of Subscriptions that asks for it."""

    station_id: str
    kind: Kind
    body: Json
    text: str | None = None


def connected(station_id: str) -> Happening:
    """The station opened its websocket."""
    return Happening(station_id, "onConnect", {"stationId": station_id, "event": "connected"})


def closed(station_id: str) -> Happening:
    """The station's websocket is gone."""
    return Happening(station_id, "onClose", {"stationId": station_id, "event": "closed"})


def message(
    station_id: str,
    origin: Literal["cs", "csms"],
    text: str,
    *,
    action: str,
    correlation_id: str,
    timestamp: datetime,
    protocol: str,
) -> Happening:
    """One OCPP frame, as text: from the station (onMessage) or to it (sentMessage)."""
    info = {
        "correlationId": correlation_id,
        "origin": origin,
        "timestamp": to_wire_time(timestamp),
        "protocol": protocol,
        "action": action,
    }
    body = {"stationId": station_id, "event": "message", "origin": origin, "message": text, "info": info}
    return Happening(station_id, "onMessage" if origin == "cs" else "sentMessage", body, text)


def filter_problem(pattern: str) -> str | None:
    """Why `pattern` cannot be a messageRegexFilter, or None when it can."""
    try:
        _filter(pattern)
    except ValueError:
        return 'must match format "regex"'
    return None


def _filter(pattern: str) -> jsonschema_rs.Validator:
    """A search for `pattern`, in an engine whose time is linear: patterns come from outside."""
    return jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())


@dataclass(slots=True)
class _Subscriber:
    url: str
    wants: frozenset[str]
    pattern: str | None
    matches: jsonschema_rs.Validator | None
    mailbox: Mailbox[Json] = field(default_factory=lambda: Mailbox("the queue of a webhook", QUEUE))

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> _Subscriber:
        pattern = row["messageRegexFilter"] or None
        wants = frozenset(kind for kind in KINDS if row[kind])
        return cls(row["url"] or "", wants, pattern, _filter(pattern) if pattern else None)

    def asks_as(self, other: _Subscriber) -> bool:
        return (self.url, self.wants, self.pattern) == (other.url, other.wants, other.pattern)


def _end(subscribers: Iterable[_Subscriber]) -> None:
    """They send what waits for them, and then no more."""
    for subscriber in subscribers:
        subscriber.mailbox.close()


class Webhooks:
    """Hands happenings to the subscribers' URLs. `note` never blocks; `run` belongs to the caller's task group."""

    def __init__(self, load: LoadSubscriptions, sender: CallbackSender) -> None:
        self._load, self._sender = load, sender
        self._news: Mailbox[Happening | str] = Mailbox("the queue of webhook events", 10 * QUEUE)
        self._subscribers: dict[str, dict[int, _Subscriber]] = {}

    def note(self, happening: Happening) -> None:
        """Tells whoever subscribed to it, soon."""
        self._news.put(happening)

    def changed(self, station_id: str) -> None:
        """Subscriptions of the station came or went: they are read again before anything noted later is told."""
        self._news.put(station_id)

    def close(self) -> None:
        """Nothing more will be noted; `run` ends when all is told."""
        self._news.close()

    async def run(self) -> None:
        """Serves until `close`."""
        async with asyncio.TaskGroup() as tasks:
            while await self._news.filled():
                for news in self._news.take(1):
                    if isinstance(news, str):
                        await self._refresh(news, tasks)
                        continue
                    if news.kind == "onConnect":
                        await self._refresh(news.station_id, tasks)
                    self._tell(news)
            for subscribers in self._subscribers.values():
                _end(subscribers.values())

    def _tell(self, happening: Happening) -> None:
        for subscriber in self._subscribers.get(happening.station_id, {}).values():
            if happening.kind not in subscriber.wants:
                continue
            if happening.text is None or subscriber.matches is None or subscriber.matches.is_valid(happening.text):
                subscriber.mailbox.put(happening.body)

    async def _refresh(self, station_id: str, tasks: asyncio.TaskGroup) -> None:
        try:
            rows = await self._load(station_id)
        except DatabaseUnreachable as error:
            log.warning("Webhooks of %s stay as they were: %s", station_id, error)
            return
        before = self._subscribers.pop(station_id, {})
        now: dict[int, _Subscriber] = {}
        for row in rows:
            try:
                subscriber = _Subscriber.of(row)
            except ValueError:
                log.warning(
                    "Subscription %s of %s is left out: its filter is no regular expression", row["id"], station_id
                )
                continue
            if (known := before.get(row["id"])) is not None and known.asks_as(subscriber):
                now[row["id"]] = before.pop(row["id"])
            else:
                now[row["id"]] = subscriber
                tasks.create_task(self._serve(subscriber))
        _end(before.values())
        if now:
            self._subscribers[station_id] = now

    async def _serve(self, subscriber: _Subscriber) -> None:
        while await subscriber.mailbox.filled():
            for body in subscriber.mailbox.take(1):
                await self._sender.post(subscriber.url, body)
