"""The transaction messages that a station still owes its CSMS, in order, each until it is answered or given up. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.outputs import MeterSampled, TransactionOutput, TransactionStarted, TransactionStopped


@dataclass(slots=True)
class Owed:
    """One message; `failures` counts answers that were errors or never came while the connection stood."""

    order: int
    output: TransactionOutput
    failures: int = 0
    not_before: datetime | None = None


class Outbox:
    """First in, first out. A transaction's later messages wait for its id; if that is never given, they are dropped.

    Being offline costs no attempt: nothing is lost by it.
    """

    def __init__(self) -> None:
        self._owed: deque[Owed] = deque()
        self._ids: dict[int, str | None] = {}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._owed)

    @property
    def owed(self) -> tuple[TransactionOutput, ...]:
        """The messages, first to last."""
        return tuple(one.output for one in self._owed)

    @property
    def ids(self) -> dict[int, str | None]:
        """The CSMS's ids of transactions that are not over; None: it will not give one."""
        return dict(self._ids)

    def put_back(self, owed: Iterable[TransactionOutput], ids: Mapping[int, str | None]) -> None:
        """What an earlier outbox held comes before everything that is said from now on."""
        self._owed = deque(Owed(-1, output) for output in owed)
        self._ids = dict(ids)

    def put(self, order: int, output: TransactionOutput) -> None:
        """Adds a message; `order` is its place among everything the station says."""
        self._owed.append(Owed(order, output))

    def head(self) -> Owed | None:
        """The message that is next, ready or not."""
        while self._owed and self._hopeless(self._owed[0].output):
            self._drop()
        return self._owed[0] if self._owed else None

    def transaction_id(self, tx: int) -> str | None:
        """The CSMS's id of a transaction, if it gave one."""
        return self._ids.get(tx)

    def answered(self, transaction_id: str | None = None) -> None:
        """The head was answered; for a start, with this id."""
        output = self._owed.popleft().output
        if isinstance(output, TransactionStarted):
            self._ids[output.tx] = transaction_id
        self._forget(output)

    def failed(self, now: datetime, attempts: int, interval_s: int) -> bool:
        """The head was answered with an error, or not in time: it waits longer each time, and is dropped in the end."""
        owed = self._owed[0]
        owed.failures += 1
        if owed.failures >= attempts:
            if isinstance(owed.output, TransactionStarted):
                self._ids[owed.output.tx] = None
            self._drop()
            return False
        owed.not_before = now + timedelta(seconds=interval_s * owed.failures)
        return True

    def _hopeless(self, output: TransactionOutput) -> bool:
        if isinstance(output, TransactionStarted) or output.tx is None:
            return False
        return output.tx in self._ids and self._ids[output.tx] is None

    def _drop(self) -> None:
        self.dropped += 1
        self._forget(self._owed.popleft().output)

    def _forget(self, output: TransactionOutput) -> None:
        if isinstance(output, TransactionStopped):
            self._ids.pop(output.tx, None)


def belongs(output: object) -> bool:
    """Whether an output is a transaction message, to be kept while offline."""
    if isinstance(output, MeterSampled):
        return output.tx is not None
    return isinstance(output, TransactionStarted | TransactionStopped)
