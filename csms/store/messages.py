"""Every OCPP frame, in the order in which it travelled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.store import tables
from csms.store.upsert import insert_many_if_new

State = Literal["1", "2"]
REQUEST: State = "1"
ANSWER: State = "2"


@dataclass(frozen=True, slots=True)
class Message:
    """One frame. `frame` is the OCPP array; `state` tells a request from its answer."""

    station_id: str
    correlation_id: str
    origin: Literal["cs", "csms"]
    protocol: str
    action: str
    frame: list[Any]
    timestamp: datetime
    state: State


class MessageLog:
    """Appends frames and ties each answer to its request, also across batches (the last `remembered` requests).

    Call `committed` after the transaction of an `append` has been committed. Without it the append counts as failed, but it may
    have gone through unnoticed: messages that are appended again keep their row ids, so that none is there twice.
    """

    def __init__(self, remembered: int = 10_000) -> None:
        self._remembered = remembered
        self._requests: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._new: dict[tuple[str, str, str], int] = {}
        self._answered: set[tuple[str, str, str]] = set()
        self._unsure: list[tuple[Message, int]] = []

    async def append(self, connection: AsyncConnection, messages: Sequence[Message]) -> None:
        """Row ids rise in the order of `messages`."""
        self._new, self._answered = {}, set()
        if not messages:
            return
        rows = []
        self._unsure = await self._with_ids(connection, messages)
        for message, row_id in self._unsure:
            rows.append(
                {
                    "id": row_id,
                    "stationId": message.station_id,
                    "correlationId": message.correlation_id,
                    "origin": message.origin,
                    "protocol": message.protocol,
                    "action": message.action or None,
                    "message": message.frame,
                    "timestamp": message.timestamp,
                    "state": message.state,
                    "requestMessageId": self._request_of(message, row_id),
                }
            )
        await insert_many_if_new(connection, tables.ocpp_messages, rows, ["id"])

    async def _with_ids(self, connection: AsyncConnection, messages: Sequence[Message]) -> list[tuple[Message, int]]:
        before = {id(message): row_id for message, row_id in self._unsure}
        highest = max(before.values(), default=0)
        new = await _next_ids(connection, sum(id(message) not in before for message in messages), above=highest)
        following = iter(new)
        return [(message, before.get(id(message)) or next(following)) for message in messages]

    def committed(self) -> None:
        """What was appended last is in the database for good."""
        self._unsure = []
        for key in self._answered:
            self._requests.pop(key, None)
        self._requests.update(self._new)
        self._new, self._answered = {}, set()
        while len(self._requests) > self._remembered:
            self._requests.popitem(last=False)

    def _request_of(self, message: Message, row_id: int) -> int | None:
        """The row of the request that `message` answers; a request is remembered instead."""
        if message.state == REQUEST:
            self._new[message.station_id, message.origin, message.correlation_id] = row_id
            return None
        asker = "cs" if message.origin == "csms" else "csms"
        key = (message.station_id, asker, message.correlation_id)
        self._answered.add(key)
        return self._new.pop(key, None) or self._requests.get(key)


async def _next_ids(connection: AsyncConnection, count: int, *, above: int) -> Sequence[int]:
    """Ids taken before the rows are written: then one statement writes them all, answers and requests together."""
    if connection.dialect.name == "sqlite":
        last = max(await connection.scalar(_LAST_ID_SQLITE) or 0, above)
        return range(last + 1, last + 1 + count)
    return (await connection.scalars(_NEXT_IDS_POSTGRES, {"count": count})).all()


_LAST_ID_SQLITE = text("SELECT seq FROM sqlite_sequence WHERE name = 'OCPPMessages'")
_NEXT_IDS_POSTGRES = text(
    """SELECT nextval(pg_get_serial_sequence('"OCPPMessages"', 'id')) FROM generate_series(1, :count)"""
)
