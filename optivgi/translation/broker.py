"""What every connection to a RabbitMQ broker needs: a deadline, an end, and a name without its password."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import TypeVar
from urllib.parse import urlsplit

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

CLOSE_TIMEOUT_S = 2.0

_T = TypeVar("_T")


class BrokerAway(Exception):
    """The connection died while something was awaited on it."""


AWAY = (*CONNECTION_EXCEPTIONS, TimeoutError, BrokerAway)
"""What is raised where a broker cannot be reached."""


async def within(seconds: float, work: Awaitable[_T]) -> _T:
    """What `work` answers; one of AWAY if there is no answer in time or the connection is lost."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except asyncio.CancelledError as error:
        # aiormq ends what waits on a dying connection with CancelledError; only our own cancel counts here.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BrokerAway("the connection was lost") from error


async def close(connection: AbstractConnection) -> None:
    """Ends the connection, even if the broker does not answer."""
    with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await connection.close()


def where(url: str) -> str:
    """The broker's host and port."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (5671 if parts.scheme == 'amqps' else 5672)}"
