"""The bounded queue between publishers that must not wait and readers that may be away."""

from __future__ import annotations

import asyncio
import logging

import pytest

from csms.events.mailbox import Mailbox


def mailbox_with(*items: int, capacity: int = 3) -> Mailbox[int]:
    mailbox: Mailbox[int] = Mailbox("the box", capacity)
    for item in items:
        mailbox.put(item)
    return mailbox


def test_items_are_taken_in_the_order_they_were_put() -> None:
    mailbox = mailbox_with(1, 2, 3)
    assert mailbox.take(2) == [1, 2]
    assert mailbox.take(9) == [3]
    assert mailbox.take(9) == []


def test_when_full_the_oldest_make_room_and_are_counted() -> None:
    mailbox = mailbox_with(1, 2, 3, 4, 5)
    assert mailbox.dropped == 2
    assert mailbox.take(9) == [3, 4, 5]


def test_items_put_back_come_first_and_only_the_oldest_are_lost() -> None:
    mailbox = mailbox_with(1, 2)
    taken = mailbox.take(2)
    mailbox.put(3)
    mailbox.put(4)
    mailbox.put_back(taken)
    assert mailbox.take(9) == [2, 3, 4]
    assert mailbox.dropped == 1


def test_overflow_is_logged_once_when_it_begins_and_once_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    mailbox = mailbox_with(1, 2, 3, 4, 5, 6)
    assert [r.getMessage() for r in caplog.records] == ["the box is full at 3 events: the oldest are dropped"]
    mailbox.take(3)
    assert caplog.records[-1].getMessage() == "the box has caught up; 3 events were dropped so far"
    assert all(r.levelno == logging.WARNING for r in caplog.records)
    assert len(caplog.records) == 2


async def test_a_reader_wakes_for_an_item_and_ends_when_a_closed_mailbox_is_empty() -> None:
    mailbox = mailbox_with()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(mailbox.filled())
        await asyncio.sleep(0)
        mailbox.put(1)
        assert await waiting is True
        mailbox.close()
        assert await mailbox.filled() is True
        mailbox.take(1)
        assert await mailbox.filled() is False
