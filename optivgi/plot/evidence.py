"""The pictures of a verification page: the run, each limit against its witnesses, closer looks, and who waited when."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from optivgi.plot.run import days, draw_limit, figure, frame, merged, shade, zone
from optivgi.plot.style import INK, LIMIT, MUTED, NAMED_COLORS, RED
from optivgi.report import Facts, Report
from optivgi.report.curve import Floats, Signal
from optivgi.report.facts import Witnesses
from optivgi.report.page import Picture

DPI = 110
TRUTH_COLOR, ALLOCATED_COLOR, METER_COLOR = "#2f6db5", "#8394a8", "#e08a1e"
CHARGING, WAITING, PAUSED = NAMED_COLORS[2], "#c4ccd4", NAMED_COLORS[1]
MOST_LOOKS, MOST_PARTS, MOST_ROWS = 4, 12, 80
BEFORE_S, AFTER_S = 10.0, 30.0
MOST_POINTS = 4000


def pictures(report: Report) -> tuple[Picture, ...]:
    """All pictures that there is something to show in; the same report always gives the same."""
    facts = report.facts
    if not facts.history.transactions:
        return ()
    found = [
        Picture(
            "What the EVs drew and what they were allowed",
            "Stacked by EV in order of arrival; red is above the limit, hatched is where a sample is missing.",
            _png(figure(report)),
        ),
        Picture("The site against its limit", _witness_words(facts), _png(_witnesses(facts, facts.whole))),
    ]
    looks = _moments(facts)
    if looks:
        found.append(
            Picture(
                "A closer look",
                f"From {BEFORE_S:g} s before to {AFTER_S:g} s after: "
                + "; ".join(f"{words} at {facts.clock(second)}" for second, words in looks)
                + ".",
                _png(_looks(facts, looks)),
            )
        )
    if facts.parts:
        found.append(Picture("Each part of the site against its limits", _parts_words(facts), _png(_parts(facts))))
    found.append(
        Picture(
            "Who charged, waited and paused",
            "One row per session: green while it was allowed to charge (darker is more of what it could take), grey while "
            "it waited for its first allowance, orange while it was paused."
            + (f" The first {MOST_ROWS} of {len(facts.sessions)} sessions." if len(facts.sessions) > MOST_ROWS else ""),
            _png(_timeline(facts)),
        )
    )
    return tuple(found)


def _png(picture: Figure) -> bytes:
    file = io.BytesIO()
    picture.savefig(file, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return file.getvalue()


def _canvas(width: float, height: float) -> Figure:
    picture = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(picture)
    return picture


def _witness_words(facts: Facts) -> str:
    seen = "what really flowed (blue), " if facts.truth is not None else ""
    return f"The sum of all EVs: {seen}what their meters showed (orange), and what they were allowed (grey)."


def _witnesses(facts: Facts, witnesses: Witnesses) -> Figure:
    picture = _canvas(12.8, 4.4)
    axes = picture.subplots()
    _draw(axes, witnesses)
    frame(axes, f"Power ({witnesses.bound.unit})")
    draw_limit(axes, facts.limit, facts)
    _time(axes, facts, facts.begin.timestamp(), facts.end.timestamp())
    picture.legend(handles=list(_handles(facts)), loc="outside upper right", ncols=5, frameon=False, fontsize=9)
    return picture


def _handles(facts: Facts) -> Iterator[Artist]:
    if facts.truth is not None:
        yield Line2D([], [], color=TRUTH_COLOR, linewidth=1.6, label="what really flowed")
    yield Line2D([], [], color=METER_COLOR, marker="o", markersize=4, linestyle="", label="metered")
    yield Line2D([], [], color=ALLOCATED_COLOR, linewidth=1.2, label="allowed")
    yield Line2D([], [], color=LIMIT, linewidth=1.8, label="limit")
    yield Patch(facecolor=RED, alpha=0.5, label="over the limit by any of them")


def _draw(axes: Axes, witnesses: Witnesses, first: float = -np.inf, last: float = np.inf) -> None:
    """All that is known of one bound from `first` to `last`, with red wherever any witness is over."""
    _step(axes, witnesses.allocated, ALLOCATED_COLOR, first, last)
    if witnesses.flowing is not None:
        _step(axes, witnesses.flowing, TRUTH_COLOR, first, last)
    metered = witnesses.metering.instants
    seconds, powers = metered.index.to_numpy(dtype="float64"), metered["power_kw"].to_numpy(dtype="float64")
    shown = (seconds >= first) & (seconds <= last) & metered["complete"].to_numpy(dtype=bool)
    axes.plot(
        days(seconds[shown]), powers[shown], color=METER_COLOR, marker="o", markersize=3.2, linestyle="", zorder=4
    )
    overs = (witnesses.over_allocated, witnesses.over_metered, witnesses.over_truth)
    spans = [
        (max(one.begin, first), min(one.begin + one.seconds, last)) for over in overs if over for one in over.spells
    ]
    shade(axes, merged([span for span in spans if span[0] < span[1]]), RED, 0.2)


def _step(axes: Axes, signal: Signal, color: str, first: float, last: float) -> None:
    here = (signal.end > first) & (signal.begin < last)
    if not here.any():
        return
    begin, level = _thinned(signal.begin[here], np.where(np.isfinite(signal.level[here]), signal.level[here], np.nan))
    begin, level = np.append(begin, min(float(signal.end[here][-1]), last)), np.append(level, level[-1])
    axes.plot(days(begin), level, color=color, linewidth=1.4, drawstyle="steps-post", zorder=3)


def _thinned(seconds: Floats, levels: Floats) -> tuple[Floats, Floats]:
    """At most about MOST_POINTS steps; of each stretch the lowest and the highest, so that no peak is lost."""
    stretch = -(-2 * len(seconds) // MOST_POINTS)
    if stretch <= 2:
        return seconds, levels
    kept: set[int] = set()
    for start in range(0, len(seconds), stretch):
        here = np.nan_to_num(levels[start : start + stretch], nan=-1.0)
        kept |= {start + int(here.argmax()), start + int(here.argmin())}
    chosen = sorted(kept)
    return seconds[chosen], levels[chosen]


def _moments(facts: Facts) -> list[tuple[float, str]]:
    """What deserves a closer look: where it was most over the limit, and where the limit fell."""
    found: list[tuple[float, str]] = []
    true = facts.whole.over_truth
    over = facts.whole.over_metered if true is None else true
    if over.worst is not None:
        found.append((over.worst.begin, "the worst overshoot"))
    known = {round(second, 1) for second, _ in found}
    found += [
        (one.second, f"the limit falls from {one.before_kw:g} to {one.after_kw:g} kW")
        for one in facts.responses
        if round(one.second, 1) not in known
    ]
    return found[:MOST_LOOKS]


def _looks(facts: Facts, moments: Sequence[tuple[float, str]]) -> Figure:
    rows = -(-len(moments) // 2)
    picture = _canvas(12.8, 3.4 * rows)
    grid = picture.subplots(rows, min(2, len(moments)), squeeze=False)
    for axes in grid.flat[len(moments) :]:
        axes.set_visible(False)
    for axes, (second, words) in zip(grid.flat, moments, strict=False):
        first, last = second - BEFORE_S, second + AFTER_S
        _draw(axes, facts.whole, first, last)
        frame(axes, f"{words[0].upper()}{words[1:]}")
        draw_limit(axes, facts.limits.announced.within(first, last), facts)
        _time(axes, facts, first, last)
    return picture


def _parts_words(facts: Facts) -> str:
    words = "As above, by circuit or station group."
    bounds = sum(len(part.witnesses) for part in facts.parts)
    return words + (f" The first {MOST_PARTS} of {bounds} limits." if bounds > MOST_PARTS else "")


def _parts(facts: Facts) -> Figure:
    shown = [(part.circuit.name, one) for part in facts.parts for one in part.witnesses][:MOST_PARTS]
    rows = -(-len(shown) // 2)
    picture = _canvas(12.8, 2.9 * rows)
    grid = picture.subplots(rows, min(2, len(shown)), squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    begin, end = facts.begin.timestamp(), facts.end.timestamp()
    for axes, (name, witnesses) in zip(grid.flat, shown, strict=False):
        bound = witnesses.bound
        _draw(axes, witnesses)
        frame(axes, f"{name} {bound.name} ({bound.unit})".replace("  ", " "))
        draw_limit(axes, bound.limit.within(begin, end), facts, bound.unit)
        _time(axes, facts, begin, end)
    return picture


def _timeline(facts: Facts) -> Figure:
    order = sorted(range(len(facts.sessions)), key=lambda index: facts.sessions[index].transaction.start)[:MOST_ROWS]
    picture = _canvas(12.8, 0.9 + 0.24 * len(order))
    axes = picture.subplots()
    labels = facts.labels()
    for row, index in enumerate(order):
        session, allocation = facts.sessions[index], facts.allocated[index]
        bars: list[tuple[float, float, str, float]] = []
        edges = [*(start for start, _ in allocation.steps), allocation.end]
        for position, (start, allowed_kw) in enumerate(allocation.steps):
            end = min(edges[position + 1], allocation.end)
            share = 1.0 if allowed_kw is None else min(1.0, allowed_kw / max(session.can_take_kw, 1e-9))
            color = RED if allowed_kw is None else CHARGING
            if end > start and allowed_kw != 0:
                bars.append((start.timestamp(), end.timestamp(), color, 0.25 + 0.75 * share))
        bars += [
            (
                pause.begin.timestamp(),
                pause.begin.timestamp() + pause.seconds,
                WAITING if pause.at_start else PAUSED,
                1.0,
            )
            for pause in session.pauses
        ]
        edges_in_days = days(np.array([[begin, finish] for begin, finish, *_ in bars]).reshape(-1, 2))
        axes.broken_barh(
            [(first, last - first) for first, last in edges_in_days.tolist()],
            (row - 0.36, 0.72),
            facecolors=[to_rgba(color, alpha) for _, _, color, alpha in bars],
            linewidth=0,
        )
    axes.set_yticks(range(len(order)), [labels[facts.sessions[index].transaction.key] for index in order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    frame(axes, "")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", labelsize=8, length=0)
    _time(axes, facts, facts.begin.timestamp(), facts.end.timestamp())
    return picture


def _time(axes: Axes, facts: Facts, first: float, last: float) -> None:
    shown = zone(facts)
    locator = AutoDateLocator(tz=shown, minticks=4, maxticks=10)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=shown, show_offset=False))  # type: ignore[no-untyped-call]
    begin, end = days(np.array([first, last]))
    axes.set_xlim(begin, max(end, begin + 1e-5))
    axes.tick_params(axis="x", colors=MUTED, labelcolor=INK)
