"""The bus of one process: subscribers get every event exactly as a broker's consumer would, without a broker."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from csms.events.envelope import body_of, headers_of
from csms.events.mailbox import Mailbox
from csms.ports import Envelope, Subscriber
from csms.tasks import Tasks

log = logging.getLogger("csms.events")


class InProcessBus:
    """A Bus whose subscribers live in this process; each has its own queue, so a slow one delays nobody.

    Use as an async context manager: it owns the tasks that serve the subscribers. Events reach a subscriber in the
    order of publishing. A subscriber that raises is logged and gets the next event all the same.
    """

    def __init__(self, capacity: int = 10_000, flush_s: float = 1.0) -> None:
        self._capacity, self._flush_s = capacity, flush_s
        self._tasks: Tasks | None = None
        self._readers: dict[asyncio.Task[None], Mailbox[Envelope]] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        self._tasks = Tasks()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
        if self._tasks is not None:
            await self._tasks.__aexit__(kind, error, trace)

    def publish(self, envelope: Envelope) -> None:
        """Hands the event to every subscriber there is now; with none it goes nowhere, as on a broker without queues."""
        for mailbox in self._readers.values():
            mailbox.put(envelope)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Calls `subscriber` with headers and body of every later event, until the returned function is called."""
        if self._tasks is None or self._closed:
            raise RuntimeError("subscribe to an InProcessBus inside its async with block")
        mailbox: Mailbox[Envelope] = Mailbox("the queue of a subscriber", self._capacity)
        reader = self._tasks.create_task(_serve(mailbox, subscriber))
        self._readers[reader] = mailbox

        def unsubscribe() -> None:
            if self._readers.pop(reader, None) is not None:
                reader.cancel()

        return unsubscribe

    def healthy(self) -> bool:
        """True from open to close: there is no broker to lose."""
        return self._tasks is not None and not self._closed

    @property
    def dropped(self) -> int:
        """How many events did not fit into the queues of the present subscribers."""
        return sum(mailbox.dropped for mailbox in self._readers.values())

    async def aclose(self) -> None:
        """Lets subscribers take what is queued, for a bounded time, and ends their tasks."""
        self._closed = True
        readers = dict(self._readers)
        self._readers.clear()
        for mailbox in readers.values():
            mailbox.close()
        if readers:
            _, late = await asyncio.wait(readers, timeout=self._flush_s)
            for reader in late:
                reader.cancel()
                log.warning("%s was closed with %d events unread", readers[reader].name, len(readers[reader]))
            await asyncio.gather(*late, return_exceptions=True)


async def _serve(mailbox: Mailbox[Envelope], subscriber: Subscriber) -> None:
    while await mailbox.filled():
        for envelope in mailbox.take(1):
            try:
                outcome = subscriber(headers_of(envelope), body_of(envelope))
                if inspect.isawaitable(outcome):
                    await outcome
            except Exception:
                log.exception("A subscriber failed on %s of %s", envelope.action, envelope.station_id)
        await asyncio.sleep(0)
