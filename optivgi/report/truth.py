"""What really flowed, from the trace that a simulator writes: what each connector draws, ten times a second.

The file is CSV with the columns t (seconds since 1970), station_id, connector_id and kw. A row holds until the
connector's next one, and a connector without a row yet draws nothing. A last line without its end was cut off. Connector 0
is the building behind the same grid connection.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from optivgi.errors import OptiVGIError
from optivgi.model.history import Key
from optivgi.report.bounds import Bound
from optivgi.report.curve import DIGITS, Floats, LimitCurve, Signal

BUILDING = 0
COLUMNS = ("t", "station_id", "connector_id", "kw")


class TraceError(OptiVGIError):
    """A trace that cannot be read; the message says where and what was expected."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One connector's power: `kw[i]` from second `at[i]` until the next."""

    at: Floats
    kw: Floats

    def energy_kwh(self, begin: float, end: float) -> float:
        """What flowed from `begin` to `end`."""
        edges = np.clip(np.append(self.at, np.inf), begin, end)
        return float(np.diff(edges) @ self.kw) / 3600


@dataclass(frozen=True, slots=True)
class Truth:
    """A whole trace. `doubt_kw` is what rounding may have added to each value; it holds from `begin` to `end`."""

    name: str
    curves: dict[Key, Curve]
    begin: float
    end: float
    rows: int
    doubt_kw: float
    building: LimitCurve | None = None
    """What the building draws that shares the grid connection: connector 0."""

    def signal(self, begin: float, end: float, bound: Bound | None = None) -> Signal:
        """The sum over all connectors, or over those of a bound in its unit, from `begin` to `end`."""
        ats, deltas, busy = [], [], []
        for key, curve in self.curves.items():
            weight = 1.0 if bound is None else bound.weight(key)
            if weight > 0:
                ats.append(curve.at)
                deltas.append(np.diff(curve.kw, prepend=0.0) * weight)
                busy.append(np.diff((curve.kw > 0) * weight, prepend=0.0))
        if not ats or end <= begin:
            none = np.zeros(0)
            return Signal.exact(none, none, none)
        at, position = np.unique(np.concatenate(ats), return_inverse=True)
        level = np.round(np.cumsum(np.bincount(position, np.concatenate(deltas))), DIGITS).astype(np.float64)
        doubt = (np.cumsum(np.bincount(position, np.concatenate(busy))) * self.doubt_kw).astype(np.float64)
        following = np.append(at[1:], np.inf)
        shown = (following > begin) & (at < end)
        return Signal(np.maximum(at[shown], begin), np.minimum(following[shown], end), level[shown], doubt[shown])

    def known(self, key: Key, until: float) -> bool:
        """Whether the connector was watched before second `until`."""
        return key in self.curves and float(self.curves[key].at[0]) <= until


def read_trace(path: Path) -> Truth:
    """The trace in a file. Raises TraceError if it is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TraceError(f"the trace {str(path)!r} cannot be read ({error})") from error
    return parse_trace(text, path.name)


def parse_trace(text: str, name: str) -> Truth:
    """The trace that `text` is. Raises TraceError if it is none."""
    whole = text[: text.rfind("\n") + 1]
    try:
        table = pd.read_csv(io.StringIO(whole), dtype={"station_id": str, "kw": str}, keep_default_na=False)
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TraceError(f"the trace {name} is no CSV: {error}") from error
    if tuple(table.columns) != COLUMNS:
        raise TraceError(
            f"the trace {name} has the columns {','.join(map(str, table.columns))}: {','.join(COLUMNS)} are needed"
        )
    try:
        table["t"] = table["t"].astype("float64")
        table["connector_id"] = table["connector_id"].astype("int64")
        decimals = table["kw"].str.partition(".")[2].str.len().max() if len(table) else 0
        table["kw"] = table["kw"].astype("float64")
    except ValueError as error:
        raise TraceError(f"the trace {name} has a row that makes no sense: {error}") from error
    if not np.isfinite(table[["t", "kw"]].to_numpy()).all():
        raise TraceError(f"the trace {name} has a row without a time or a power")
    curves: dict[Key, Curve] = {}
    table = table.sort_values(["station_id", "connector_id", "t"], kind="stable")
    for _, rows_of_one in table.groupby(["station_id", "connector_id"], sort=False):
        rows = rows_of_one.drop_duplicates("t", keep="last")
        key = str(rows["station_id"].iloc[0]), int(rows["connector_id"].iloc[0])
        curves[key] = Curve(rows["t"].to_numpy("float64"), rows["kw"].to_numpy("float64"))
    buildings = [curves.pop(key) for key in list(curves) if key[1] == BUILDING]
    building = None
    for one in buildings:
        drawn = LimitCurve.of(zip(one.at.tolist(), one.kw.tolist(), strict=True))
        building = drawn if building is None else building + drawn
    return Truth(
        name,
        curves,
        begin=float(table["t"].min()) if len(table) else np.inf,
        end=float(table["t"].max()) if len(table) else -np.inf,
        rows=len(table),
        doubt_kw=0.5 * 10.0 ** -int(decimals),
        building=building,
    )
