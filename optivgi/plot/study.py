"""Pictures of a study: energy served against the limit, and the site's power through the day."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from optivgi.plot.style import INK, LIMIT, MUTED, RULE, colors

if TYPE_CHECKING:
    from optivgi.study.command import Studied

MARKS = "os^Dv<>PX*"
ENERGY_FILE, DAY_FILE = "energy_by_limit.png", "day_profile.png"


def save(studied: Sequence[Studied], folder: Path) -> tuple[Path, ...]:
    """Writes both pictures into `folder`, which is made if need be. The same study always gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    files = (folder / ENERGY_FILE, folder / DAY_FILE)
    for file, figure in zip(files, (energy_by_limit(studied), day_profiles(studied)), strict=True):
        figure.savefig(file, dpi=150, facecolor="white", metadata={"Software": None})
    return files


def energy_by_limit(studied: Sequence[Studied]) -> Figure:
    """Energy served (left) and the worst-served EV's part (right) for each limit, one curve per algorithm."""
    picture = _figure()
    left, right = picture.subplots(1, 2, gridspec_kw={"left": 0.06, "right": 0.985, "top": 0.86, "bottom": 0.1})
    limits = list(dict.fromkeys(one.case.limit.name for one in studied))
    numbers = [_number(name) for name in limits]
    places = numbers if all(number is not None for number in numbers) else list(range(len(limits)))
    place_of = dict(zip(limits, places, strict=True))
    curves = _curves(studied)
    for number, (algorithm, those) in enumerate(curves.items()):
        style = {"color": colors(len(curves))[number], "marker": MARKS[number % len(MARKS)], "label": algorithm}
        chosen = sorted(those, key=lambda one: place_of[one.case.limit.name] or 0.0)
        at = [place_of[one.case.limit.name] for one in chosen]
        left.plot(at, [one.outcome.energy_pct for one in chosen], linewidth=1.8, **style)
        right.plot(at, [100 * one.outcome.worst_ev for one in chosen], linewidth=1.8, **style)
    for axes, title in ((left, "Energy served (%)"), (right, "Worst-served EV (%)")):
        _frame(axes, title)
        axes.set_xlabel("Site limit (kW)" if places is numbers else "Site limit", color=MUTED)
        if places is not numbers:
            axes.set_xticks(range(len(limits)), limits)
        bottom = max(0.0, axes.get_ylim()[0])
        axes.set_yticks([tick for tick in axes.get_yticks() if bottom <= tick <= 100])
        axes.set_ylim(bottom, 101)
    left.legend(frameon=False, labelcolor=INK, loc="lower right")
    picture.text(0.06, 0.93, "What a limit costs the drivers", fontsize=17, fontweight="bold", color=INK)
    return picture


def day_profiles(studied: Sequence[Studied]) -> Figure:
    """Mean site power through the day, one panel per limit, one line per algorithm (and tariff, if there are several)."""
    limits = list(dict.fromkeys(one.case.limit.name for one in studied))
    picture = _figure(3.2 + 3.0 * len(limits))
    grid = {"left": 0.06, "right": 0.985, "top": 1 - 1.1 / (3.2 + 3.0 * len(limits)), "bottom": 0.08, "hspace": 0.35}
    panels = picture.subplots(len(limits), 1, sharex=True, squeeze=False, gridspec_kw=grid)[:, 0]
    hours = np.arange(97) / 4
    curves = _curves(studied)
    color_of = dict(zip(curves, colors(len(curves)), strict=True))
    for axes, limit in zip(panels, limits, strict=True):
        for name, those in curves.items():
            for one in those:
                if one.case.limit.name == limit:
                    power = np.append(one.profile_kw, one.profile_kw[-1])
                    axes.plot(hours, power, drawstyle="steps-post", color=color_of[name], linewidth=1.4, label=name)
        _frame(axes, f"Mean site power (kW), limit {limit}")
        number = _number(limit)
        if number is not None:
            axes.axhline(number, color=LIMIT, linewidth=3.0, alpha=0.35, zorder=1)
        axes.set_ylim(bottom=0)
        axes.set_xlim(0, 24)
        axes.set_xticks(range(0, 25, 2))
    panels[0].legend(frameon=False, labelcolor=INK, loc="upper right")
    panels[-1].set_xlabel("Hour of the day", color=MUTED)
    picture.text(0.06, 1 - 0.6 / (3.2 + 3.0 * len(limits)), "The site's day", fontsize=17, fontweight="bold", color=INK)
    return picture


def _curves(studied: Sequence[Studied]) -> dict[str, list[Studied]]:
    several = len({one.case.tariff.name for one in studied}) > 1
    curves: dict[str, list[Studied]] = {}
    for one in studied:
        name = f"{one.case.algorithm}, {one.case.tariff.name}" if several else one.case.algorithm
        curves.setdefault(name, []).append(one)
    return curves


def _number(limit: str) -> float | None:
    """The kW of a constant limit's name."""
    return float(limit.removesuffix(" kW")) if limit.endswith(" kW") else None


def _figure(height: float = 5.6) -> Figure:
    picture = Figure(figsize=(12.8, height))
    FigureCanvasAgg(picture)
    return picture


def _frame(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK, pad=6)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=10, length=3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
