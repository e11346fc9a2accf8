"""Every OCPP frame, in the order in which it travelled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.store import tables

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

    Call `committed` after the transaction of an `append` has been committed; without it the append is forgotten.
    """

    def __init__(self, remembered: int = 10_000) -> None:
        self._remembered = remembered
        self._requests: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._new: dict[tuple[str, str, str], int] = {}
        self._answered: set[tuple[str, str, str]] = set()

    async def append(self, connection: AsyncConnection, messages: Sequence[Message]) -> None:
        """Row ids rise in the order of `messages`."""
        if not messages:
            return
        log = tables.ocpp_messages
        rows = [
            {
                "stationId": message.station_id,
                "correlationId": message.correlation_id,
                "origin": message.origin,
                "protocol": message.protocol,
                "action": message.action or None,
                "message": message.frame,
                "timestamp": message.timestamp,
                "state": message.state,
            }
            for message in messages
        ]
        ids = (await connection.scalars(insert(log).returning(log.c.id, sort_by_parameter_order=True), rows)).all()
        self._new, self._answered, pairs = {}, set(), []
        for row_id, message in zip(ids, messages, strict=True):
            if message.state == REQUEST:
                self._new[message.station_id, message.origin, message.correlation_id] = row_id
                continue
            asker = "cs" if message.origin == "csms" else "csms"
            key = (message.station_id, asker, message.correlation_id)
            request_id = self._new.pop(key, None) or self._requests.get(key)
            if request_id is not None:
                self._answered.add(key)
                pairs.append({"answer": row_id, "request": request_id})
        if pairs:
            statement = update(log).where(log.c.id == bindparam("answer"))
            await connection.execute(statement.values(requestMessageId=bindparam("request")), pairs)

    def committed(self) -> None:
        """What was appended last is in the database for good."""
        for key in self._answered:
            self._requests.pop(key, None)
        self._requests.update(self._new)
        self._new, self._answered = {}, set()
        while len(self._requests) > self._remembered:
            self._requests.popitem(last=False)
