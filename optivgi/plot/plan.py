"""One picture of a plan: what each EV is to draw over time, under the limit, and what energy costs meanwhile."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from optivgi.model.plan import Plan
from optivgi.model.problem import Floats, Problem
from optivgi.plot.style import INK, LIMIT, MOST_NAMED, MUTED, RULE, colors

HEADROOM = 1.16
LONGEST_NAME = 18


def save(problem: Problem, plan: Plan, file: Path) -> None:
    """Writes the picture as PNG (or what the file's suffix says). The same plan always gives the same bytes."""
    metadata = {"Software": None} if file.suffix in ("", ".png") else None
    figure(problem, plan).savefig(file, dpi=150, facecolor="white", metadata=metadata)


def figure(problem: Problem, plan: Plan) -> Figure:
    """Powers stacked on one time axis; below them the price, if there is one."""
    picture = Figure(figsize=(12.8, 7.2))
    FigureCanvasAgg(picture)
    priced = bool(problem.price_per_kwh.any())
    right = 0.83 if len(problem.ev_ids) <= MOST_NAMED else 0.97
    layout = {"left": 0.065, "right": right, "top": 0.86, "bottom": 0.08, "hspace": 0.15}
    rows = picture.subplots(2 if priced else 1, 1, sharex=True, squeeze=False, height_ratios=(4, 1)[: 1 + priced])
    picture.subplots_adjust(**layout)
    times = _times(problem)
    upper = rows[0, 0]
    _powers(upper, problem, plan, times)
    if priced:
        _price(rows[1, 0], problem, times)
    _time_axis(rows[-1, 0], problem, times)
    _headline(picture, problem, plan)
    return picture


def _times(problem: Problem) -> Floats:
    moments = [problem.now + timedelta(seconds=edge) for edge in problem.edges_s.tolist()]
    return np.array([date2num(moment) for moment in moments])  # type: ignore[no-untyped-call]


def _powers(axes: Axes, problem: Problem, plan: Plan, times: Floats) -> None:
    base = np.zeros(len(times))
    names = colors(len(problem.ev_ids))
    order = sorted(range(len(problem.ev_ids)), key=lambda row: (problem.arrival_s[row], problem.ev_ids[row]))
    handles = []
    for color, row in zip(names, order, strict=True):
        top = base + _held(plan.power_kw[row])
        axes.fill_between(times, base, top, step="post", color=color, edgecolor="white", linewidth=0.4)
        energy = f"{plan.energy_kwh[row]:.1f} of {problem.need_kwh[row]:.1f} kWh"
        handles.append(Patch(color=color, label=f"{problem.ev_ids[row][:LONGEST_NAME]}  {energy}"))
        base = top
    limit_kw = _held(problem.limit_kw[0])
    highest = float(base.max(initial=0.0))
    if np.isfinite(limit_kw).any():
        shown = np.where(np.isfinite(limit_kw), limit_kw, np.nan)
        axes.plot(times, shown, drawstyle="steps-post", color=LIMIT, linewidth=1.8, zorder=5)
        highest = max(highest, float(np.nanmax(shown)))
        axes.annotate(
            problem.limit_source[0], (times[0], shown[0]), xytext=(4, 4), textcoords="offset points", color=LIMIT
        )
    axes.set_ylim(0, max(highest, 1.0) * HEADROOM)
    _frame(axes, "Planned power (kW)")
    if len(handles) <= MOST_NAMED:
        axes.legend(
            handles=handles[::-1],
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            frameon=False,
            fontsize=9,
            labelcolor=INK,
        )


def _held(values: Floats) -> Floats:
    """Values at the edges: each cell's holds until its end."""
    return np.append(values, values[-1:])


def _price(axes: Axes, problem: Problem, times: Floats) -> None:
    price = _held(problem.price_per_kwh)
    axes.fill_between(times, 0, price, step="post", color=RULE, linewidth=0)
    axes.plot(times, price, drawstyle="steps-post", color=MUTED, linewidth=1.2)
    _frame(axes, "Price per kWh")


def _frame(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK, pad=6)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=10, length=3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)


def _time_axis(axes: Axes, problem: Problem, times: Floats) -> None:
    locator = AutoDateLocator(tz=problem.now.tzinfo, minticks=5, maxticks=12)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=problem.now.tzinfo, show_offset=False))  # type: ignore[no-untyped-call]
    axes.set_xlim(times[0], times[-1])
    axes.set_xlabel(f"Time ({problem.now.tzname()})", fontsize=10, color=MUTED)


def _headline(picture: Figure, problem: Problem, plan: Plan) -> None:
    picture.text(0.065, 0.945, "Charging plan", fontsize=17, fontweight="bold", color=INK)
    short = float(plan.shortfall_kwh.sum())
    words = [
        f"{problem.now.day} {problem.now:%B %Y}",
        f"algorithm {plan.algorithm}",
        f"{len(problem.ev_ids)} EVs",
        f"{float(plan.energy_kwh.sum()):.1f} kWh",
        f"{short:.1f} kWh short" if short >= 0.05 else "every EV gets what it needs",
    ]
    picture.text(0.065, 0.908, " · ".join(words), fontsize=10.5, color=MUTED)
