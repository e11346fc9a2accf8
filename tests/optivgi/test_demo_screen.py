"""The demo's progress display, without a terminal and with one."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

from rich.console import Console

from optivgi.demo_screen import EVRow, Screen, SiteView, bar


def a_view(seconds: float, *powers_kw: float) -> SiteView:
    rows = tuple(EVRow(str(i + 1), "Charging", power, power, 0.5) for i, power in enumerate(powers_kw))
    start = datetime(2026, 3, 3, 8, tzinfo=UTC)
    return SiteView(start + timedelta(seconds=seconds), timedelta(seconds=seconds), 30.0, rows)


def test_without_a_terminal_one_line_appears_every_half_minute() -> None:
    output = io.StringIO()
    with Screen(Console(file=output, width=200)) as screen:
        for second in range(0, 61, 10):
            screen.show(a_view(second, 7.2, 5.0))
    assert output.getvalue().splitlines() == [
        f"  {moment}  site  12.2 of 30.0 kW  EV 1 7.2  EV 2 5.0" for moment in ("0:00", "0:30", "1:00")
    ]


def test_a_terminal_shows_every_ev_and_the_bar() -> None:
    output = io.StringIO()
    with Screen(Console(file=output, width=100, force_terminal=True, color_system=None)) as screen:
        screen.show(a_view(0, 7.2, 5.0))
    assert "12.2 of 30.0 kW" in output.getvalue()
    assert "Charging" in output.getvalue()


def test_sixty_evs_are_summed_up_instead_of_scrolling_away() -> None:
    output = io.StringIO()
    with Screen(Console(file=output, width=100, force_terminal=True, color_system=None)) as screen:
        screen.show(a_view(0, *[0.5] * 60))
    assert "and 40 more" in output.getvalue()


def test_the_bar_is_full_at_the_limit_and_does_not_overflow() -> None:
    assert bar(0, 30, 10) == "░" * 10
    assert bar(15, 30, 10) == "█" * 5 + "░" * 5
    assert bar(45, 30, 10) == "█" * 10
    assert bar(0, 0, 10) == "█" * 10
