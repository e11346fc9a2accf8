"""The message log: frames in order, answers tied to requests, and nothing twice."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from csms.store import tables
from csms.store.database import Database
from csms.store.messages import ANSWER, REQUEST, Message, MessageLog, State

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


def message(correlation_id: str, state: State = REQUEST) -> Message:
    asks = state == REQUEST
    frame: list[Any] = [2 if asks else 3, correlation_id, "Heartbeat", {}]
    return Message("ST-1", correlation_id, "cs" if asks else "csms", "ocpp1.6", "Heartbeat", frame, NOON, state)


async def appended(db: Database, log: MessageLog, *messages: Message) -> None:
    """In a transaction that is committed, which the log is not told."""
    async with db.begin() as connection:
        await log.append(connection, messages)


async def rows(db: Database) -> list[tuple[str, str, bool]]:
    """(correlation id, state, whether it is tied to a request), by row id."""
    columns = tables.ocpp_messages.c
    query = select(columns.correlationId, columns.state, columns.requestMessageId).order_by(columns.id)
    async with db.connect() as connection:
        return [(name, state, request is not None) for name, state, request in await connection.execute(query)]


async def test_a_commit_that_went_through_unnoticed_is_not_made_twice(db: Database) -> None:
    log, first, answer, more = MessageLog(), message("a"), message("a", ANSWER), message("b")
    await appended(db, log, first, answer)
    await appended(db, log, first, answer, more)
    log.committed()
    assert await rows(db) == [("a", "1", False), ("a", "2", True), ("b", "1", False)]


async def test_what_was_rolled_back_is_written_with_what_came_since(db: Database) -> None:
    log, first, more = MessageLog(), message("a"), message("b")
    with suppress(ZeroDivisionError):
        async with db.begin() as connection:
            await log.append(connection, [first])
            raise ZeroDivisionError
    assert await rows(db) == []
    await appended(db, log, first, more)
    log.committed()
    await appended(db, log, message("b", ANSWER))
    assert await rows(db) == [("a", "1", False), ("b", "1", False), ("b", "2", True)]


async def test_of_a_batch_that_may_be_there_only_what_was_kept_is_written_again(db: Database) -> None:
    log, dropped, kept = MessageLog(), message("a"), message("b")
    await appended(db, log, dropped, kept)
    await appended(db, log, kept, message("c"))
    log.committed()
    assert [name for name, _, _ in await rows(db)] == ["a", "b", "c"]
