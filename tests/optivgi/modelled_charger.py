"""A charger that goes by its own clock, with an EV that takes all it may and is slow to follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from optivgi.model.charging_profile import Purpose, Schedule
from optivgi.testing import MOMENT
from optivgi.translation.base import OutcomeStatus, PowerCommand

SETTLE_S, EV_MAX_KW, VOLTS = 5.0, 7.2, 240.0
NOISE_S = 1e-6
"""Sums of seconds do not agree to the last digit."""


class Lost(StrEnum):
    """What a reboot costs."""

    NOTHING = "nothing"
    TX = "its TxProfile"
    ALL = "all profiles"


@dataclass(frozen=True)
class Had:
    """The profiles that a charger had from `since` to `until`."""

    since: float
    until: float
    tx: Schedule | None
    default: Schedule | None


@dataclass
class Charger:
    """A charger with an EV that uses all it is allowed and takes the whole settling time to follow a cut.

    Its clock is `ahead_s` off, and it goes by that: a schedule is over when it says so, with nobody there to see it.
    """

    ahead_s: float = 0.0
    default: Schedule | None = None
    transaction: str | None = None
    started: float = 0.0
    tx: Schedule | None = None
    since: float = 0.0
    rejects: bool = False
    had: list[Had] = field(default_factory=list)
    as_if: Charger | None = None
    """The same one, had it not lost its profiles."""

    def allowed_kw(self, at: float, tx: Schedule | None, default: Schedule | None) -> float:
        if tx is not None:
            elapsed_s = at - self._begins(tx)
            if elapsed_s >= 0 and (tx.duration_s is None or elapsed_s < tx.duration_s):
                return kw_of(tx, elapsed_s)
        return EV_MAX_KW if default is None else kw_of(default, at - self.started)

    def _begins(self, tx: Schedule) -> float:
        """When it takes a TxProfile to begin: by its clock, or with the transaction."""
        return self.started if tx.start is None else (tx.start - MOMENT).total_seconds() - self.ahead_s

    def _turns(self, tx: Schedule | None, default: Schedule | None) -> Iterator[float]:
        if tx is not None:
            begin = self._begins(tx)
            yield from (begin + one.start_s for one in tx.periods)
            if tx.duration_s is not None:
                yield begin + tx.duration_s
        if default is not None:
            yield from (self.started + one.start_s for one in default.periods)

    def turns(self) -> Iterator[float]:
        """When what it allows changes by itself."""
        if self.transaction is not None:
            yield from self._turns(self.tx, self.default)
            if self.as_if is not None:
                yield from self.as_if.turns()

    def drawing_kw(self, at: float) -> float:
        """The most that was allowed at any time within the settling time."""
        if self.transaction is None:
            return 0.0
        begin = max(self.started, at - SETTLE_S + NOISE_S)
        self.had = [one for one in self.had if one.until > begin]
        return max(
            min(EV_MAX_KW, self.allowed_kw(moment, one.tx, one.default))
            for one in (*self.had, self._now(at))
            for moment in (
                max(begin, one.since),
                one.until,
                *(turn for turn in self._turns(one.tx, one.default) if max(begin, one.since) < turn < one.until),
            )
        )

    def blamed_kw(self, at: float) -> float:
        """The same, but no more than it would draw had it kept its profiles: nobody can do anything about the rest."""
        drawn_kw = self.drawing_kw(at)
        return drawn_kw if self.as_if is None else min(drawn_kw, self.as_if.drawing_kw(at))

    def begin(self, transaction: str | None, at: float) -> None:
        self.transaction, self.started, self.since, self.tx = transaction, at, at, None
        self.had.clear()
        if self.as_if is not None:
            self.as_if.begin(transaction, at)

    def take(self, command: PowerCommand, at: float) -> OutcomeStatus:
        schedule = command.profile.schedule
        if self.as_if is not None:
            self.as_if.take(command, at)
        if command.profile.purpose is Purpose.TX_DEFAULT:
            self._change(at, self.tx, schedule)
        elif self.rejects or command.profile.transaction_id != self.transaction:
            return OutcomeStatus.REJECTED
        else:
            self._change(at, schedule, self.default)
        return OutcomeStatus.ACCEPTED

    def reboot(self, at: float, lost: Lost) -> None:
        """It is back at once, its transaction goes on, and some of its profiles are gone."""
        if lost is Lost.NOTHING:
            return
        if self.as_if is None:
            self.as_if = replace(self, had=list(self.had))
        self._change(at, None, None if lost is Lost.ALL else self.default)

    def _now(self, at: float) -> Had:
        return Had(self.since, at, self.tx, self.default)

    def _change(self, at: float, tx: Schedule | None, default: Schedule | None) -> None:
        self.had.append(self._now(at))
        self.since, self.tx, self.default = at, tx, default


def kw_of(schedule: Schedule, elapsed_s: float) -> float:
    return [one.limit for one in schedule.periods if one.start_s <= elapsed_s][-1] * VOLTS / 1000
