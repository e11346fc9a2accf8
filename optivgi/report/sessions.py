"""What became of each EV: its energy, what it was allowed, how long it was held, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from optivgi.model.charging_profile import Purpose
from optivgi.model.history import History, Transaction
from optivgi.report.aggregate import SiteStep
from optivgi.report.allocation import Allocation
from optivgi.report.truth import Truth


@dataclass(frozen=True, slots=True)
class Pause:
    """From `begin` on an EV was allowed nothing for `seconds`. `at_start`: it had been allowed nothing before.

    `purpose` is the profile that said so, `others` how many other EVs charged meanwhile, allowed `others_kw` of `limit_kw`.
    """

    begin: datetime
    seconds: float
    at_start: bool
    purpose: Purpose | None
    others: int
    others_kw: float
    limit_kw: float


@dataclass(frozen=True, slots=True)
class Session:
    """One transaction's account. None is not known, or for `allocated_kwh` without any limit."""

    transaction: Transaction
    end: datetime
    energy_kwh: float | None
    true_kwh: float | None
    allocated_kwh: float | None
    can_take_kw: float
    pauses: tuple[Pause, ...]
    spoke_s: Mapping[Purpose | None, float]
    """For how many seconds which purpose gave the limit; None is nothing at all."""

    @property
    def seconds(self) -> float:
        return (self.end - self.transaction.start).total_seconds()

    @property
    def waited_s(self) -> float:
        """From its start until it was first allowed to charge."""
        return sum(pause.seconds for pause in self.pauses if pause.at_start)

    @property
    def paused_s(self) -> float:
        """Held at nothing after it had been allowed to charge."""
        return sum(pause.seconds for pause in self.pauses if not pause.at_start)


def sessions(
    history: History,
    allocated: Sequence[Allocation],
    can_take_kw: Sequence[float],
    site: Sequence[SiteStep],
    truth: Truth | None,
) -> tuple[Session, ...]:
    """One of each transaction, in the history's order."""
    readings: dict[int, list[float]] = defaultdict(list)
    for sample in history.samples:
        if sample.register is not None:
            readings[sample.transaction_row_id].append(sample.register.energy_wh)
    found = []
    for allocation, can_take in zip(allocated, can_take_kw, strict=True):
        tx = allocation.transaction
        known = readings[tx.row_id] + [one.energy_wh for one in (tx.meter_start, tx.meter_stop) if one is not None]
        true_kwh = None
        if truth is not None and truth.known(tx.key, allocation.end.timestamp()):
            true_kwh = truth.curves[tx.key].energy_kwh(tx.start.timestamp(), allocation.end.timestamp())
        found.append(
            Session(
                tx,
                allocation.end,
                energy_kwh=(max(known) - min(known)) / 1000 if known else None,
                true_kwh=true_kwh,
                allocated_kwh=_allocated_kwh(allocation),
                can_take_kw=can_take,
                pauses=tuple(_pauses(allocation, site)),
                spoke_s=_spoke_s(allocation),
            )
        )
    return tuple(found)


def _allocated_kwh(allocation: Allocation) -> float | None:
    total = 0.0
    for index, (start, allowed_kw) in enumerate(allocation.steps):
        if allowed_kw is None:
            return None
        total += allowed_kw * (_ends(allocation, index) - start).total_seconds() / 3600
    return total


def _pauses(allocation: Allocation, site: Sequence[SiteStep]) -> list[Pause]:
    pauses = []
    charged = False
    for index, (start, allowed_kw) in enumerate(allocation.steps):
        end = _ends(allocation, index)
        if allowed_kw != 0:
            charged = True
        elif end > start:
            then = _fullest(site, start, end)
            pauses.append(
                Pause(
                    start,
                    (end - start).total_seconds(),
                    at_start=not charged,
                    purpose=_spoke_at(allocation, start),
                    others=0 if then is None else then.charging,
                    others_kw=0.0 if then is None else then.allocated_kw,
                    limit_kw=float("inf") if then is None else then.limit_kw,
                )
            )
    return pauses


def _fullest(site: Sequence[SiteStep], start: datetime, end: datetime) -> SiteStep | None:
    """When most was allowed to others between `start` and `end`."""
    here = [step for step, after in pairwise(site) if step.start < end and after.start > start]
    return max(here, key=lambda step: step.allocated_kw, default=None)


def _ends(allocation: Allocation, index: int) -> datetime:
    following = allocation.steps[index + 1][0] if index + 1 < len(allocation.steps) else allocation.end
    return min(following, allocation.end)


def _spoke_at(allocation: Allocation, moment: datetime) -> Purpose | None:
    current = None
    for start, purpose in allocation.spoke:
        if start > moment:
            break
        current = purpose
    return current


def _spoke_s(allocation: Allocation) -> dict[Purpose | None, float]:
    seconds: dict[Purpose | None, float] = {}
    for index, (start, purpose) in enumerate(allocation.spoke):
        following = allocation.spoke[index + 1][0] if index + 1 < len(allocation.spoke) else allocation.end
        lasted = (min(following, allocation.end) - start).total_seconds()
        seconds[purpose] = seconds.get(purpose, 0.0) + max(0.0, lasted)
    return seconds
