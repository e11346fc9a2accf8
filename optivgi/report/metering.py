"""What the meters say the whole site drew.

Two witnesses. Power: the sum over all active transactions at an instant, only from samples that the stations took by
the clock at that same instant; where one is missing the instant is incomplete, and what is missing is never 0. Energy:
the mean power over windows from register differences, see `energy`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from optivgi.model.history import History, MeterSample, Register, Transaction
from optivgi.report.bounds import Bound
from optivgi.report.curve import LimitCurve
from optivgi.report.energy import Grid, Windows, windows
from optivgi.report.overshoot import Overshoot, spells

UNALIGNED_GRID = Grid(60, 0)


@dataclass(frozen=True, slots=True)
class Metering:
    """The site's metered power. `step_s` is the clock interval of the samples; None if none were clock-aligned.

    `instants` has one row per clock instant with an active transaction, by second since 1970: power_kw (sum of the
    samples there are), present and expected (how many), complete. `windows` is as of `energy.windows`.
    """

    step_s: int | None
    instants: pd.DataFrame
    windows: Windows
    samples: int
    aligned_samples: int
    resolution_wh: float | None

    @property
    def complete(self) -> pd.DataFrame:
        return self.instants[self.instants["complete"]]

    def rows(self) -> list[tuple[int, float, int, int, bool]]:
        """The instants as plain numbers: second, power_kw, present, expected, complete."""
        return [
            (int(second), float(power_kw), int(present), int(expected), bool(complete))
            for second, power_kw, present, expected, complete in self.instants.reset_index().to_numpy().tolist()
        ]

    @property
    def missing(self) -> int:
        """Samples that active transactions should have taken at the clock's instants but that are not there."""
        return int((self.instants["expected"] - self.instants["present"]).clip(lower=0).sum())

    @property
    def coverage(self) -> float:
        """The share of the instants at which every active transaction has a sample."""
        return float(self.instants["complete"].mean()) if len(self.instants) else 0.0

    def worst_instant(self, limit: LimitCurve) -> tuple[int, float] | None:
        """The second whose sum is nearest to `limit` or furthest above it, and that sum; what is missing is left out."""
        powers = self.instants["power_kw"].to_numpy(dtype="float64")
        known = np.isfinite(powers)
        if not known.any():
            return None
        seconds = self.instants.index.to_numpy()
        excess = powers - limit.at(seconds.astype(np.float64))
        if not np.isfinite(excess[known]).any():
            excess = powers
        worst = int(np.nanargmax(excess))
        return int(seconds[worst]), float(powers[worst])

    def over(self, limit: LimitCurve) -> Overshoot:
        """The instants above `limit`, each standing for one step under the limit that was in force at it.

        What is missing at an instant is left out, not guessed.
        """
        powers = self.instants["power_kw"].to_numpy(dtype="float64")
        seconds = self.instants.index.to_numpy(dtype="float64")
        half = (self.step_s or 0) / 2
        position = np.searchsorted(limit.starts, seconds, side="right")
        begin = np.maximum(seconds - half, limit.starts[position - 1])
        end = np.minimum(seconds + half, np.append(limit.starts, np.inf)[position])
        return spells(begin, end, np.nan_to_num(powers - limit.at(seconds), nan=-1.0))

    def seconds_over(self, limit: LimitCurve) -> tuple[float, int]:
        """Site seconds above `limit`: by the instants (each stands for one step), and within windows that prove it."""
        proven = self.windows.proven(self.windows.allowed(limit))
        return self.over(limit).seconds, sum(stop - start for start, stop in proven)

    def back_under(self, limit: LimitCurve, begin: float, end: float) -> float | None:
        """Seconds from `begin` to the first complete instant before `end` that is within `limit`; None if none is."""
        table = self.complete
        seconds = table.index.to_numpy(dtype="float64")
        within = table["power_kw"].to_numpy(dtype="float64") <= limit.at(seconds)
        found = seconds[within & (seconds >= begin) & (seconds < end)]
        return float(found[0]) - begin if len(found) else None


def metering(history: History, begin: datetime, end: datetime, bound: Bound | None = None) -> Metering:
    """What the samples of `history` show from `begin` to `end`; of a bound only what it weighs, in its unit for kW."""
    if bound is not None:
        history = replace(history, transactions=tuple(tx for tx in history.transactions if bound.weight(tx.key) > 0))
    transactions = {tx.row_id: tx for tx in history.transactions}
    samples = _finest([sample for sample in history.samples if sample.transaction_row_id in transactions], transactions)
    resolutions = [sample.register.resolution_wh for sample in samples if sample.register is not None]
    if bound is not None:
        weights = {tx.row_id: bound.weight(tx.key) for tx in history.transactions}
        samples = [_weighed(sample, weights[sample.transaction_row_id]) for sample in samples]
        history = replace(
            history, transactions=tuple(_weighed_meters(tx, weights[tx.row_id]) for tx in history.transactions)
        )
    aligned = [sample for sample in samples if sample.clock_aligned and sample.power_kw is not None]
    grid = _grid(aligned)
    return Metering(
        step_s=None if grid is None else grid.step_s,
        instants=_instants(history.transactions, aligned, grid, begin.timestamp(), end.timestamp()),
        windows=windows(history.transactions, samples, grid or UNALIGNED_GRID, begin.timestamp(), end.timestamp()),
        samples=len(samples),
        aligned_samples=len(aligned),
        resolution_wh=max(resolutions, default=None),
    )


def _finest(samples: Sequence[MeterSample], transactions: Mapping[int, Transaction]) -> list[MeterSample]:
    """The samples with the finest resolution that their station ever printed: a register of 20 may mean 20.000."""
    finest: dict[str, float] = {}
    for sample in samples:
        if sample.register is not None:
            station_id = transactions[sample.transaction_row_id].station_id
            finest[station_id] = min(sample.register.resolution_wh, finest.get(station_id, np.inf))
    return [
        replace(sample, register=Register(sample.register.energy_wh, finest[station_id]))
        if sample.register is not None
        and sample.register.resolution_wh > finest[station_id := transactions[sample.transaction_row_id].station_id]
        else sample
        for sample in samples
    ]


def _weighed(sample: MeterSample, weight: float) -> MeterSample:
    power_kw = None if sample.power_kw is None else sample.power_kw * weight
    return replace(sample, power_kw=power_kw, register=_weighed_register(sample.register, weight))


def _weighed_meters(tx: Transaction, weight: float) -> Transaction:
    start, stop = _weighed_register(tx.meter_start, weight), _weighed_register(tx.meter_stop, weight)
    return replace(tx, meter_start=start, meter_stop=stop)


def _weighed_register(register: Register | None, weight: float) -> Register | None:
    return None if register is None else Register(register.energy_wh * weight, register.resolution_wh * weight)


def _second(sample: MeterSample) -> int:
    """The clock's instant of an aligned sample: stations stamp it within a second of the whole second they mean."""
    return round(sample.at.timestamp())


def _grid(aligned: Sequence[MeterSample]) -> Grid | None:
    """By the interval between clock-aligned samples that is most often seen within a transaction."""
    by_transaction: dict[int, set[int]] = defaultdict(set)
    for sample in aligned:
        by_transaction[sample.transaction_row_id].add(_second(sample))
    gaps = [gap for seconds in by_transaction.values() for gap in np.diff(sorted(seconds)).tolist()]
    if not gaps:
        return None
    step_s, _ = Counter(gaps).most_common(1)[0]
    offsets = Counter(second % step_s for seconds in by_transaction.values() for second in seconds)
    return Grid(step_s, offsets.most_common(1)[0][0])


def _instants(
    transactions: Sequence[Transaction], aligned: Sequence[MeterSample], grid: Grid | None, begin: float, end: float
) -> pd.DataFrame:
    """A sample is expected wherever a transaction is strictly between its start and its end."""
    columns = ["power_kw", "present", "expected", "complete"]
    if grid is None:
        return pd.DataFrame(columns=columns, index=pd.Index([], dtype="int64", name="second"))
    starts = {tx.row_id: tx.start.timestamp() for tx in transactions}
    ends = {tx.row_id: np.inf if tx.end is None else tx.end.timestamp() for tx in transactions}
    taken = pd.DataFrame(
        [(sample.transaction_row_id, _second(sample), sample.power_kw) for sample in aligned],
        columns=["transaction", "second", "power_kw"],
    ).drop_duplicates(["transaction", "second"], keep="last")
    begun, over = taken["transaction"].map(starts), taken["transaction"].map(ends)
    taken = taken[(taken["second"] >= begun) & (taken["second"] <= over)]
    inside = taken[(taken["second"] > begun) & (taken["second"] < over)]
    seconds = grid.seconds(max(begin, min(starts.values())), min(end, max(ends.values())))
    active = np.searchsorted(np.sort(list(starts.values())), seconds, side="left") - np.searchsorted(
        np.sort(list(ends.values())), seconds, side="right"
    )
    table = pd.DataFrame({"expected": active}, index=pd.Index(seconds, name="second"))
    table["power_kw"] = taken.groupby("second")["power_kw"].sum().round(6)
    table["present"] = inside.groupby("second").size()
    table = table[(table["expected"] > 0) | table["power_kw"].notna()]
    table["present"] = table["present"].fillna(0).astype("int64")
    table["complete"] = (table["present"] >= table["expected"]) & table["power_kw"].notna()
    return table[columns]
