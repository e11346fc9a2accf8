"""The facts about one run that the checks judge and the picture shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from optivgi.model.history import History, Key, Transaction
from optivgi.report.allocation import Allocation, SiteStep, allocations, site_steps
from optivgi.report.metering import Metering, metering

HELD_AT_LIMIT = 0.95

StatedMax = Callable[[str], float | None]
"""The highest power in kW of the EVs at a station, as somebody configured it; None if nobody did."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A history with what follows from it. `can_take_kw` and `allocated` are in the order of its transactions."""

    history: History
    limit_kw: float
    voltage_v: float
    end: datetime
    allocated: tuple[Allocation, ...]
    can_take_kw: tuple[float, ...]
    site: tuple[SiteStep, ...]
    metering: Metering
    zone: tzinfo | None = None
    """For showing times; None is the machine's own."""

    @property
    def begin(self) -> datetime:
        """The start of the window; without one, of the first transaction."""
        return _begin(self.history, self.end)

    def lasted_s(self, index: int) -> float:
        """For how many seconds of the window site step `index` lasted."""
        following = self.site[index + 1].start if index + 1 < len(self.site) else self.end
        return max(0.0, (min(following, self.end) - max(self.site[index].start, self.begin)).total_seconds())

    def clock(self, moment: datetime | float) -> str:
        """The time of day of a moment, or of seconds since 1970."""
        at = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
        return at.astimezone(self.zone).strftime("%H:%M:%S")

    def labels(self) -> dict[Key, str]:
        """A short unique name per connector: the station's id, with the connector's number where it needs one."""
        return labels(self.history.transactions)


def nobody_said(_station_id: str) -> None:
    """A StatedMax that knows nothing."""


def gather(
    history: History,
    limit_kw: float,
    voltage_v: float,
    stated_max_kw: StatedMax = nobody_said,
    zone: tzinfo | None = None,
) -> Facts:
    """All facts of `history`.

    What an EV can take is the highest power its own meter showed. An EV that took all it was allowed when it drew the
    most could take more, but its meter cannot show it: there what is stated for its station counts, if it is higher.
    """
    end = history.end() or datetime.fromtimestamp(0, UTC)
    history = _cut_off(history)
    allocated = allocations(history, voltage_v, end)
    can_take_kw = _can_take_kw(history, allocated, stated_max_kw)
    return Facts(
        history=history,
        limit_kw=limit_kw,
        voltage_v=voltage_v,
        end=end,
        allocated=allocated,
        can_take_kw=can_take_kw,
        site=tuple(site_steps(allocated, can_take_kw)),
        metering=metering(history, _begin(history, end), end),
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
