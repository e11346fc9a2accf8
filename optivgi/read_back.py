"""Asks stations what they have installed, a few at a time, while there is nothing else to tell them."""

from __future__ import annotations

from collections.abc import Callable

from optivgi.account import Instant, Key
from optivgi.cycle import Group, Ports
from optivgi.errors import TranslationError
from optivgi.reconcile import Finding, Match
from optivgi.translation.base import OutcomeStatus, ReadBack

MOST_AT_ONCE = 4


class Reader:
    """The questions of one station group. `quiet` tells whether one may be asked now; `tell` gets what came of each."""

    def __init__(self, group: Group, ports: Ports, quiet: Callable[[], bool], tell: Callable[[Finding], None]) -> None:
        self._group, self._ports, self._quiet, self._tell = group, ports, quiet, tell
        self._under_way = 0

    @property
    def wanted(self) -> int:
        """How many more `read` would find something to ask now, side by side."""
        return min(self._group.reconciler.due, MOST_AT_ONCE) - self._under_way if self._quiet() else 0

    async def read(self) -> None:
        """Asks one question after the other, until there is none or something else is to be sent."""
        self._under_way += 1
        try:
            while self._quiet() and await self._ask():
                pass
        finally:
            self._under_way -= 1

    async def _ask(self) -> bool:
        """Whether there was something to ask."""
        group, clock = self._group, self._ports.clock
        question = group.reconciler.next_question(self._certain, Instant.of(clock))
        if question is None:
            return False
        station_id, connector_id = question.key
        try:
            answer = await self._ports.translation.read_back(
                station_id, connector_id, question.duration_s, question.unit
            )
        except TranslationError as error:
            answer = ReadBack(OutcomeStatus.FAILED, reason=str(error))
        finding = group.reconciler.answered(question, answer, Instant.of(clock))
        if finding.repair and finding.idle:
            group.ledger.spoilt(finding.key)
        elif finding.repair:
            group.ledger.doubt(finding.key)
            if finding.match is Match.MORE:
                group.ledger.overdraw(finding.key, finding.said_kw)
                group.ledger.spoilt(finding.key)
        self._tell(finding)
        return True

    def _certain(self, key: Key) -> bool:
        """Whether it is known what the connector should have."""
        account, entry = self._group.ledger.accounts.get(key), self._group.ledger.safe_starts.get(key)
        return account.certain if account is not None else entry is not None and not entry.stale
