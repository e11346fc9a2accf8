"""The facts about one run that the checks judge and the picture shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

import numpy as np

from optivgi.model.history import History, Key, Transaction
from optivgi.report.aggregate import SiteStep, allocated_signal, site_steps
from optivgi.report.allocation import Allocation, allocations, station_caps
from optivgi.report.bounds import Bound, Circuit, Limits
from optivgi.report.curve import LimitCurve, Signal
from optivgi.report.metering import Metering, metering
from optivgi.report.overshoot import Overshoot, overshoot
from optivgi.report.response import Response, responses
from optivgi.report.sessions import Session, sessions
from optivgi.report.truth import Truth

HELD_AT_LIMIT = 0.95

StatedMax = Callable[[str], float | None]
"""The highest power in kW of the EVs at a station, as somebody configured it; None if nobody did."""


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What may be held against one bound, all in its unit. `flowing` is the truth, if there is a trace."""

    bound: Bound
    allocated: Signal
    metering: Metering
    flowing: Signal | None

    @property
    def over_allocated(self) -> Overshoot:
        return overshoot(self.allocated, self.bound.limit)

    @property
    def over_metered(self) -> Overshoot:
        return self.metering.over(self.bound.limit)

    @property
    def over_truth(self) -> Overshoot | None:
        return None if self.flowing is None else overshoot(self.flowing, self.bound.limit)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the site with limits of its own, and what is known of each."""

    circuit: Circuit
    witnesses: tuple[Witnesses, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """A history with what follows from it. `can_take_kw`, `allocated` and `sessions` are in the order of its transactions."""

    history: History
    limits: Limits
    voltage_v: float
    end: datetime
    allocated: tuple[Allocation, ...]
    can_take_kw: tuple[float, ...]
    site: tuple[SiteStep, ...]
    whole: Witnesses
    parts: tuple[Part, ...]
    sessions: tuple[Session, ...]
    responses: tuple[Response, ...]
    truth: Truth | None = None
    zone: tzinfo | None = None
    """For showing times; None is the machine's own."""

    @property
    def limit(self) -> LimitCurve:
        """The limit of the whole site in kW, as far as the window shows it."""
        return self.limits.site.within(self.begin.timestamp(), self.end.timestamp())

    @property
    def metering(self) -> Metering:
        return self.whole.metering

    @property
    def begin(self) -> datetime:
        """The start of the window; without one, of the first transaction."""
        return _begin(self.history, self.end)

    def lasted_s(self, index: int) -> float:
        """For how many seconds of the window site step `index` lasted."""
        following = self.site[index + 1].start if index + 1 < len(self.site) else self.end
        return max(0.0, (min(following, self.end) - max(self.site[index].start, self.begin)).total_seconds())

    def used_of_limit(self) -> float | None:
        """The mean share of the limit that the meters show while the EVs could take more than it; None if never known."""
        starts = np.array([step.start.timestamp() for step in self.site])
        wanting = np.array([step.requested_kw > step.limit_kw > 0 for step in self.site])
        shares = []
        for second, power_kw, *_, complete in self.metering.rows():
            index = int(np.searchsorted(starts, second, side="right")) - 1
            if complete and index >= 0 and wanting[index]:
                shares.append(power_kw / self.site[index].limit_kw)
        return float(np.mean(shares)) if shares else None

    def clock(self, moment: datetime | float, *, tenths: bool = False) -> str:
        """The time of day of a moment, or of seconds since 1970."""
        at = (
            moment
            if isinstance(moment, datetime)
            else datetime.fromtimestamp(round(moment, 1) if tenths else moment, UTC)
        )
        text = at.astimezone(self.zone).strftime("%H:%M:%S")
        return f"{text}.{at.microsecond // 100_000}" if tenths else text

    def labels(self) -> dict[Key, str]:
        """A short unique name per connector: the station's id, with the connector's number where it needs one."""
        return labels(self.history.transactions)


def nobody_said(_station_id: str) -> None:
    """A StatedMax that knows nothing."""


def gather(
    history: History,
    limits: Limits,
    voltage_v: float,
    stated_max_kw: StatedMax = nobody_said,
    *,
    truth: Truth | None = None,
    zone: tzinfo | None = None,
) -> Facts:
    """All facts of `history`.

    What an EV can take is the highest power its own meter showed. An EV that took all it was allowed when it drew the
    most could take more, but its meter cannot show it: there what is stated for its station counts, if it is higher.
    """
    end = history.end() or datetime.fromtimestamp(0, UTC)
    history = _cut_off(history)
    begin = _begin(history, end)
    allocated = allocations(history, voltage_v, end)
    can_take_kw = _can_take_kw(history, allocated, stated_max_kw)
    caps = station_caps(history, voltage_v, min([begin, *(tx.start for tx in history.transactions)]), end)
    site = tuple(site_steps(allocated, can_take_kw, caps, limits.site))

    def witnesses(bound: Bound, meters: Metering) -> Witnesses:
        return Witnesses(
            bound,
            allocated_signal(allocated, caps, bound, begin, end),
            meters,
            None if truth is None else truth.signal(begin.timestamp(), end.timestamp(), bound),
        )

    everywhere = {tx.key: 1.0 for tx in history.transactions}
    if truth is not None:
        everywhere |= dict.fromkeys(truth.curves, 1.0)
    whole = witnesses(Bound("", limits.site, everywhere), metering(history, begin, end))
    return Facts(
        history=history,
        limits=limits,
        voltage_v=voltage_v,
        end=end,
        allocated=allocated,
        can_take_kw=can_take_kw,
        site=site,
        whole=whole,
        parts=tuple(
            Part(circuit, tuple(witnesses(bound, metering(history, begin, end, bound)) for bound in circuit.bounds))
            for circuit in limits.circuits
        ),
        sessions=sessions(history, allocated, can_take_kw, site, truth),
        responses=responses(
            limits.announced, whole.allocated, whole.metering, whole.flowing, (begin.timestamp(), end.timestamp())
        ),
        truth=truth,
        zone=zone,
    )


def labels(transactions: Sequence[Transaction]) -> dict[Key, str]:
    """The station's id alone for connector 1; another connector adds its number."""
    return {
        tx.key: tx.station_id if tx.connector_id == 1 else f"{tx.station_id}/{tx.connector_id}" for tx in transactions
    }


def _begin(history: History, end: datetime) -> datetime:
    return history.since or min((tx.start for tx in history.transactions), default=end)


def _cut_off(history: History) -> History:
    """What ended after the window still ran in it."""
    if (until := history.until) is None:
        return history
    return replace(
        history,
        transactions=tuple(
            replace(tx, end=None, meter_stop=None) if tx.end is not None and tx.end > until else tx
            for tx in history.transactions
        ),
    )


def _can_take_kw(history: History, allocated: Sequence[Allocation], stated_max_kw: StatedMax) -> tuple[float, ...]:
    peaks: dict[int, tuple[float, datetime]] = {}
    for sample in history.samples:
        highest_kw, _ = peaks.get(sample.transaction_row_id, (0.0, sample.at))
        if sample.power_kw is not None and sample.power_kw > highest_kw:
            peaks[sample.transaction_row_id] = sample.power_kw, sample.at
    found = []
    for allocation in allocated:
        peak_kw, at = peaks.get(allocation.transaction.row_id, (0.0, allocation.transaction.start))
        allowed_kw = allocation.at(max(at, allocation.transaction.start))
        held = peak_kw > 0 and allowed_kw is not None and peak_kw >= HELD_AT_LIMIT * allowed_kw
        stated_kw = stated_max_kw(allocation.transaction.station_id) if held else None
        found.append(peak_kw if stated_kw is None else max(peak_kw, stated_kw))
    return tuple(found)
