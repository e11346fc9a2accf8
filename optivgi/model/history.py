"""What happened at a site, as recorded by its CSMS: the facts that the verifier judges.

Times are aware UTC site time. Registers are watt-hours as the meter printed them, with the resolution it printed them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optivgi.model.charging_profile import ChargingProfile, Purpose

IDLE_BETWEEN_RUNS = timedelta(minutes=10)

Key = tuple[str, int]
"""Station id and connector number."""


@dataclass(frozen=True, slots=True)
class Register:
    """An energy register reading: the truth lies within one `resolution_wh` of `energy_wh`."""

    energy_wh: float
    resolution_wh: float


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction. `end` None means that it still ran when the history was read."""

    row_id: int
    station_id: str
    connector_id: int
    transaction_id: str
    start: datetime
    end: datetime | None
    meter_start: Register | None = None
    meter_stop: Register | None = None

    @property
    def key(self) -> Key:
        return self.station_id, self.connector_id


@dataclass(frozen=True, slots=True)
class ProfileSent:
    """A SetChargingProfile CALL and what became of it. `status` None means that no answer was recorded."""

    station_id: str
    connector_id: int
    profile: ChargingProfile
    sent_at: datetime
    answered_at: datetime | None
    status: str | None


@dataclass(frozen=True, slots=True)
class ProfilesCleared:
    """A ClearChargingProfile that a station accepted; a criterion that is None matches everything."""

    station_id: str
    answered_at: datetime
    profile_id: int | None = None
    connector_id: int | None = None
    purpose: Purpose | None = None
    stack_level: int | None = None


@dataclass(frozen=True, slots=True)
class MeterSample:
    """One reading of one transaction's meter. `clock_aligned` if the station took it by the clock (Sample.Clock)."""

    transaction_row_id: int
    at: datetime
    clock_aligned: bool
    power_kw: float | None = None
    register: Register | None = None


@dataclass(frozen=True, slots=True)
class History:
    """All facts of one window. `profiles` and `cleared` reach back to the beginning: what was installed before still holds.

    `unreadable` names each record that could not be understood; whoever judges must not take it for "nothing happened".
    """

    since: datetime | None
    until: datetime | None
    transactions: tuple[Transaction, ...]
    profiles: tuple[ProfileSent, ...]
    cleared: tuple[ProfilesCleared, ...] = ()
    samples: tuple[MeterSample, ...] = ()
    unreadable: tuple[str, ...] = ()

    def end(self) -> datetime | None:
        """The newest moment that anything in this history tells of; None if it tells of nothing."""
        times = [sample.at for sample in self.samples]
        times += [moment for tx in self.transactions for moment in (tx.start, tx.end) if moment]
        times += [sent.answered_at or sent.sent_at for sent in self.profiles]
        if self.until is not None:
            times = [self.until if moment > self.until else moment for moment in times]
        return max(times, default=None)


def last_run(transactions: Sequence[Transaction], boots: Sequence[datetime]) -> datetime | None:
    """When the newest run began; None without transactions.

    Runs are separated by a stretch without any transaction that lasted IDLE_BETWEEN_RUNS or in which a station booted.
    A run begins with the first boot of the stretch before its first transaction, or with that transaction.
    """
    begin: datetime | None = None
    busy_until: datetime | None = None
    for tx in sorted(transactions, key=lambda tx: tx.start):
        if begin is None or (busy_until is not None and tx.start > busy_until):
            idle_boots = [moment for moment in boots if moment <= tx.start and (not busy_until or moment > busy_until)]
            if begin is None or idle_boots or (busy_until and tx.start - busy_until >= IDLE_BETWEEN_RUNS):
                begin = min(idle_boots, default=tx.start)
        if tx.end is None:
            return begin
        busy_until = max(busy_until or tx.end, tx.end)
    return begin
