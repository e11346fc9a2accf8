"""What a person sees while the demo runs: a table of EVs and a bar of site power, or plain lines without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

BAR_CELLS = 40
PLAIN_EVERY = timedelta(seconds=30)
MOST_ROWS = 20


@dataclass(frozen=True, slots=True)
class EVRow:
    """One EV now. `offered_kw` is what its charging profile allows; None is no limit."""

    ev_id: str
    status: str
    power_kw: float
    offered_kw: float | None
    soc: float


@dataclass(frozen=True, slots=True)
class SiteView:
    """The site now, `elapsed` after the demo's start."""

    now: datetime
    elapsed: timedelta
    limit_kw: float
    evs: tuple[EVRow, ...]

    @property
    def power_kw(self) -> float:
        return sum(ev.power_kw for ev in self.evs)


class Screen:
    """Shows successive SiteViews; use as a context manager around the run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=False) if console.is_terminal else None
        self._next_line = timedelta(0)

    def __enter__(self) -> Screen:
        self._context: AbstractContextManager[object] = self._live or nullcontext()
        self._context.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._context.__exit__(None, None, None)

    def show(self, view: SiteView) -> None:
        """Redraws, or prints a line when one is due."""
        if self._live is not None:
            self._live.update(_picture(view))
        elif view.elapsed >= self._next_line:
            self._console.print(plain_line(view), soft_wrap=True, highlight=False, markup=False)
            self._next_line = view.elapsed - view.elapsed % PLAIN_EVERY + PLAIN_EVERY


def bar(power_kw: float, limit_kw: float, cells: int = BAR_CELLS) -> str:
    """Site power against its limit, full at the limit."""
    filled = cells if limit_kw <= 0 else min(cells, round(cells * power_kw / limit_kw))
    return "█" * filled + "░" * (cells - filled)


def plain_line(view: SiteView) -> str:
    """One line for a log file."""
    shares = "  ".join(f"EV {ev.ev_id} {ev.power_kw:.1f}" for ev in view.evs[:MOST_ROWS])
    more = f"  and {len(view.evs) - MOST_ROWS} more" if len(view.evs) > MOST_ROWS else ""
    return f"{_minutes(view.elapsed)}  site {view.power_kw:5.1f} of {view.limit_kw:.1f} kW  {shares}{more}".rstrip()


def _minutes(elapsed: timedelta) -> str:
    minutes, seconds = divmod(int(elapsed.total_seconds()), 60)
    return f"{minutes:3d}:{seconds:02d}"


def _picture(view: SiteView) -> RenderableType:
    over = view.power_kw > view.limit_kw
    title = Text.assemble(
        (_minutes(view.elapsed), "bold"),
        "  ",
        (bar(view.power_kw, view.limit_kw), "red" if over else "green"),
        f"  {view.power_kw:5.1f} of {view.limit_kw:.1f} kW",
    )
    return Group(title, _table(view.evs))


def _table(evs: Sequence[EVRow]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading, justify in (
        ("EV", "left"),
        ("status", "left"),
        ("kW", "right"),
        ("allowed", "right"),
        ("SoC", "right"),
    ):
        table.add_column(heading, justify="left" if justify == "left" else "right")
    for ev in evs[:MOST_ROWS]:
        allowed = "-" if ev.offered_kw is None else f"{ev.offered_kw:.1f}"
        table.add_row(ev.ev_id, ev.status, f"{ev.power_kw:.1f}", allowed, f"{ev.soc:.0%}")
    if len(evs) > MOST_ROWS:
        table.add_row(
            f"and {len(evs) - MOST_ROWS} more", "", f"{sum(ev.power_kw for ev in evs[MOST_ROWS:]):.1f}", "", ""
        )
    return table
