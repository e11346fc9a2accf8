"""One picture of a run: what the EVs drew over what they were allowed, against the site limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from optivgi.model.history import Key
from optivgi.plot.style import GREEN, INK, LIMIT, MOST_NAMED, MUTED, RED, RULE, colors
from optivgi.report import Facts, Report
from optivgi.report.curve import LimitCurve

TOP_TALKERS = 6
MOST_INSTANTS = 2000
INDICATIVE_STEP_S = 10
HEADROOM = 1.16
LONGEST_LABEL = 22
MOST_LIMIT_WORDS = 8

Seconds = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Band:
    """One connector's power over time, stacked above the bands before it; NaN where nobody knows."""

    key: Key
    label: str
    color: str


def save(report: Report, file: Path) -> None:
    """Writes the picture as PNG (or what the file's suffix says). The same report always gives the same bytes."""
    metadata = {"Software": None} if file.suffix in ("", ".png") else None
    figure(report).savefig(file, dpi=150, facecolor="white", metadata=metadata)


def figure(report: Report) -> Figure:
    """Metered power above, allocated power below, on one time axis."""
    facts = report.facts
    picture = Figure(figsize=(12.8, 7.6))
    FigureCanvasAgg(picture)
    upper, lower = picture.subplots(
        2,
        1,
        sharex=True,
        height_ratios=(3, 2),
        gridspec_kw={"left": 0.065, "right": 0.785, "top": 0.865, "bottom": 0.075},
    )
    picture.subplots_adjust(hspace=0.12)
    bands = _bands(facts)
    metered, allocated = _metered(facts), _allocated(facts)
    judged_by_power = facts.metering.step_s is not None
    _stack(upper, metered, bands, facts.limits.site if judged_by_power else None, stepped=False)
    _stack(lower, _stepping(allocated, facts), bands, facts.limits.site, stepped=True)
    _mark_metered(upper, facts)
    _mark_allocated(lower, facts)
    for axes, title in ((upper, "Metered power (kW)"), (lower, "Allocated power (kW)")):
        draw_limit(axes, facts.limit, facts)
        frame(axes, title)
    _time_axis(lower, facts)
    _headline(picture, report)
    _legend(picture, bands, facts)
    return picture


def _bands(facts: Facts) -> list[_Band]:
    """One band per connector, the first arrival at the bottom."""
    labels = facts.labels()
    keys = list(dict.fromkeys(tx.key for tx in sorted(facts.history.transactions, key=lambda tx: tx.start)))
    return [_Band(key, labels[key], color) for key, color in zip(keys, colors(len(keys)), strict=True)]


def _metered(facts: Facts) -> pd.DataFrame:
    """kW by second (rows) and connector (columns); a row with a missing sample is NaN as a whole.

    Samples that are not clock-aligned are shown by the latest one of each EV, which is indicative only.
    """
    keys = {tx.row_id: tx.key for tx in facts.history.transactions}
    taken = pd.DataFrame(
        [
            (keys[one.transaction_row_id], one.at.timestamp(), one.power_kw)
            for one in facts.history.samples
            if one.transaction_row_id in keys and one.power_kw is not None
        ],
        columns=["key", "second", "kw"],
    )
    if taken.empty:
        return pd.DataFrame()
    if facts.metering.step_s is None:
        taken["second"] = np.ceil(taken["second"] / INDICATIVE_STEP_S) * INDICATIVE_STEP_S
    taken["second"] = taken["second"].round().astype("int64")
    table = taken.pivot_table(index="second", columns="key", values="kw", aggfunc="last")
    instants = facts.metering.instants
    if facts.metering.step_s is None:
        table = table.ffill(limit=3).fillna(0.0)
    else:
        table = table.reindex(instants.index).fillna(0.0)
        table[~instants["complete"].to_numpy(dtype=bool)] = np.nan
    return _closed(_thinned(table), facts.metering.step_s or INDICATIVE_STEP_S)


def _thinned(table: pd.DataFrame) -> pd.DataFrame:
    """At most about MOST_INSTANTS rows; of each stretch the one with the highest sum, so that no peak is lost."""
    stretch = -(-len(table) // MOST_INSTANTS)
    if stretch <= 1:
        return table
    total = table.sum(axis=1, skipna=False).fillna(-1.0).to_numpy()
    starts = range(0, len(table), stretch)
    return table.iloc[[start + int(np.argmax(total[start : start + stretch])) for start in starts]]


def _closed(table: pd.DataFrame, step_s: int) -> pd.DataFrame:
    """The table with a zero at both ends, so that areas rise from the axis and fall back to it."""
    first, last = int(table.index[0]), int(table.index[-1])
    zeros = pd.DataFrame(0.0, index=[first - step_s, last + step_s], columns=table.columns)
    return pd.concat([zeros.iloc[:1], table, zeros.iloc[1:]])


def _allocated(facts: Facts) -> pd.DataFrame:
    """kW by second and connector at every change; without any limit it shows what the EV can take."""
    columns: dict[Key, dict[float, float]] = {}
    for allocation, can_take_kw in zip(facts.allocated, facts.can_take_kw, strict=True):
        column = columns.setdefault(allocation.transaction.key, {})
        column[allocation.end.timestamp()] = 0.0
        column.update(
            (start.timestamp(), can_take_kw if allowed_kw is None else allowed_kw)
            for start, allowed_kw in allocation.steps
        )
    if not columns:
        return pd.DataFrame()
    table = pd.DataFrame({key: pd.Series(column) for key, column in columns.items()}).sort_index()
    return table.ffill().fillna(0.0)


def _stepping(table: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """The same with rows where the limit changes, so that what is above it begins there."""
    if table.empty:
        return table
    changes = [change.second for change in facts.limits.site.changes(float(table.index[0]), float(table.index[-1]))]
    return table.reindex(table.index.union(pd.Index(changes, dtype="float64"))).ffill() if changes else table


def _stack(axes: Axes, table: pd.DataFrame, bands: Sequence[_Band], limit: LimitCurve | None, *, stepped: bool) -> None:
    """The bands on top of each other, their sum, and in red what of it is above the limit."""
    if table.empty:
        axes.text(0.5, 0.5, "nothing recorded", transform=axes.transAxes, ha="center", va="center", color=MUTED)
        return
    seconds = table.index.to_numpy(dtype="float64")
    at = days(seconds)
    limit_kw = np.full(len(table), np.inf) if limit is None else limit.at(seconds)
    base = np.zeros(len(table))
    few = len(bands) <= MOST_NAMED
    for band in bands:
        if band.key not in table:
            continue
        top = base + table[band.key].to_numpy(dtype="float64")
        axes.fill_between(
            at,
            base,
            top,
            step="post" if stepped else None,
            color=band.color,
            edgecolor="white" if few else band.color,
            linewidth=0.6 if few else 0.3,
        )
        base = top
    axes.fill_between(
        at,
        np.minimum(base, limit_kw),
        base,
        step="post" if stepped else None,
        color=RED,
        alpha=0.85,
        linewidth=0,
        zorder=3,
    )
    axes.plot(at, base, color=INK, linewidth=0.9, drawstyle="steps-post" if stepped else "default", zorder=4)


def _mark_metered(axes: Axes, facts: Facts) -> None:
    meters = facts.metering
    half = (meters.step_s or INDICATIVE_STEP_S) / 2
    over: list[tuple[float, float]] = [
        (spell.begin, spell.begin + spell.seconds) for spell in facts.whole.over_metered.spells
    ]
    over += meters.windows.proven(meters.windows.allowed(facts.limits.site))
    shade(axes, merged(over), RED, 0.22)
    missing = [(second - half, second + half) for second, *_, complete in meters.rows() if not complete]
    shade(axes, merged(missing), MUTED, 0.12, hatch="////")


def _mark_allocated(axes: Axes, facts: Facts) -> None:
    over = []
    for index, step in enumerate(facts.site):
        if step.is_over and facts.lasted_s(index) > 0:
            begin = step.start.timestamp()
            over.append((begin, begin + facts.lasted_s(index)))
    shade(axes, merged(over), RED, 0.22)
    if facts.site:
        at = days(np.array([step.start.timestamp() for step in facts.site]))
        wanted = [step.requested_kw for step in facts.site]
        axes.plot(at, wanted, drawstyle="steps-post", color=MUTED, linewidth=1.1, linestyle=(0, (1, 1.5)), zorder=3)


def shade(axes: Axes, spans: Sequence[tuple[float, float]], color: str, alpha: float, hatch: str | None = None) -> None:
    """Bands over the whole height; each is at least visible, however short."""
    for begin, end in spans:
        first, last = days(np.array([begin, end]))
        axes.axvspan(first, last, color=color, alpha=alpha, linewidth=1.0, hatch=hatch, zorder=0.5)


def merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same spans in order, without overlap."""
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def frame(axes: Axes, title: str) -> None:
    """Title, grid and ticks, the same for all pictures of a run."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, pad=6)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=10, length=3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)


def draw_limit(axes: Axes, limit: LimitCurve, facts: Facts, unit: str = "kW") -> None:
    """The limit as a line with steps, its value at each, and room above it and what is drawn."""
    finite = limit.levels[np.isfinite(limit.levels)]
    _, highest = axes.get_ylim()
    axes.set_ylim(0, max(highest / 1.05, float(finite.max(initial=0.0))) * HEADROOM)
    begin, end = facts.begin.timestamp(), facts.end.timestamp()
    seconds = np.append(np.maximum(limit.starts, min(begin, end)), end)
    levels = np.where(np.isfinite(limit.levels), limit.levels, np.nan)
    if limit.is_constant and len(finite):
        axes.axhline(float(finite[0]), color=LIMIT, linewidth=1.8, zorder=5)
    else:
        held = np.append(levels, levels[-1])
        axes.plot(days(seconds), held, color=LIMIT, linewidth=1.8, drawstyle="steps-post", zorder=5)
    if len(levels) > MOST_LIMIT_WORDS:
        return
    first = begin if limit.is_constant else None
    for second, level in zip(seconds.tolist(), levels.tolist(), strict=False):
        if np.isfinite(level):
            axes.annotate(
                f"limit {level:g} {unit}",
                (0.004, level) if first is not None else (float(days(np.array([second]))[0]), level),
                xycoords=("axes fraction", "data") if first is not None else "data",
                xytext=(0 if first is not None else 4, 4),
                textcoords="offset points",
                color=LIMIT,
                fontsize=10,
                fontweight="bold",
                zorder=6,
                annotation_clip=True,
            )


def _time_axis(axes: Axes, facts: Facts) -> None:
    shown = zone(facts)
    if not facts.history.transactions:
        axes.set_xticks([])
        return
    locator = AutoDateLocator(tz=shown, minticks=5, maxticks=12)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=shown, show_offset=False))  # type: ignore[no-untyped-call]
    begin = min(tx.start for tx in facts.history.transactions)
    first, last = days(np.array([max(begin, facts.begin).timestamp(), facts.end.timestamp()]))
    margin = max((last - first) * 0.01, 1e-5)
    axes.set_xlim(first - margin, last + margin)
    axes.set_xlabel(f"Time ({facts.begin.astimezone(shown).tzname()})", fontsize=10, color=MUTED)


def _headline(picture: Figure, report: Report) -> None:
    facts = report.facts
    picture.text(
        0.065,
        0.952,
        "Site power against the limit" + (f" of {facts.limit.highest:g} kW" if facts.limit.is_constant else ""),
        fontsize=17,
        fontweight="bold",
        color=INK,
    )
    color = GREEN if report.passed else RED
    picture.text(
        0.985, 0.952, report.verdict.replace("--", "—"), fontsize=14, fontweight="bold", color=color, ha="right"
    )
    picture.text(0.065, 0.917, " · ".join(_facts_in_words(facts)), fontsize=10.5, color=MUTED)


def _facts_in_words(facts: Facts) -> Iterator[str]:
    if not facts.history.transactions:
        yield "no session in the window"
        return
    day = facts.begin.astimezone(zone(facts))
    yield f"{day.day} {day:%B %Y}"
    most = max((step.active for step in facts.site), default=0)
    yield f"EVs at {len({tx.key for tx in facts.history.transactions})} connectors, at most {most} at once"
    powers = facts.metering.instants["power_kw"].to_numpy(dtype="float64")
    if np.isfinite(powers).any():
        yield f"highest metered sum {np.nanmax(powers):.2f} kW"
    if facts.metering.step_s is None:
        yield "samples not clock-aligned: latest value of each EV, indicative only"
        return
    yield f"sampled every {facts.metering.step_s} s, {facts.metering.missing} missing"
    by_power_s, by_energy_s = facts.metering.seconds_over(facts.limits.site)
    seconds_over = max(by_power_s, by_energy_s)
    yield f"over the limit for {seconds_over:.0f} s" if seconds_over else "never over the limit"


def _legend(picture: Figure, bands: Sequence[_Band], facts: Facts) -> None:
    """All connectors by name while there are few; otherwise a colour bar by arrival, and the largest by name."""
    energy = _energy_kwh(facts)
    shown = list(reversed(bands))
    title = "EVs, latest on top"
    if len(bands) > MOST_NAMED:
        shown = sorted(bands, key=lambda band: -energy.get(band.key, 0.0))[:TOP_TALKERS]
        title = f"Most energy of {len(bands)} EVs"
    handles: list[Artist] = [
        Patch(facecolor=band.color, label=f"{_short(band.label)}  {energy.get(band.key, 0.0):.2f} kWh")
        for band in shown
    ]
    handles += _marks(facts)
    legend = picture.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.79, 0.875),
        frameon=False,
        fontsize=9,
        title=title,
        labelcolor=INK,
        handlelength=1.1,
        handleheight=1.1,
        labelspacing=0.55,
    )
    legend.set_alignment("left")
    legend.get_title().set_fontsize(10.5)
    if len(bands) > MOST_NAMED:
        bar = picture.add_axes((0.8, 0.16, 0.014, 0.36))
        by_arrival = ListedColormap([band.color for band in bands])
        scale = picture.colorbar(ScalarMappable(Normalize(1, len(bands)), by_arrival), cax=bar)
        scale.set_label("EV by arrival", color=MUTED, fontsize=10)
        scale.outline.set_visible(False)
        bar.tick_params(colors=MUTED, labelcolor=INK, labelsize=9, length=3)


def _marks(facts: Facts) -> Iterator[Artist]:
    yield Patch(facecolor=RED, alpha=0.85, label="over the limit")
    if facts.metering.missing:
        yield Patch(facecolor=MUTED, alpha=0.3, hatch="////", label="a sample is missing")
    yield Line2D([], [], color=MUTED, linestyle=(0, (1, 1.5)), label="what the EVs could take")


def _energy_kwh(facts: Facts) -> dict[Key, float]:
    """What each connector delivered, by its registers."""
    energy: dict[Key, float] = {}
    for session in facts.sessions:
        key = session.transaction.key
        energy[key] = energy.get(key, 0.0) + (session.energy_kwh or 0.0)
    return energy


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"…{label[1 - LONGEST_LABEL :]}"


def zone(facts: Facts) -> tzinfo:
    """Where the times are shown: as asked for, or the machine's own."""
    return facts.zone or facts.begin.astimezone().tzinfo or UTC


def days(seconds: Seconds) -> Seconds:
    """Seconds since 1970 as matplotlib's days."""
    return seconds / 86_400.0
