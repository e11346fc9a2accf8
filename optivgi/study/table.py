"""The study's results for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from rich.table import Table

from optivgi.study.metrics import Outcome

HEADINGS = (
    "algorithm", "limit", "tariff", "energy %", "worst EV", "Jain", "peak kW", "cost", "over limit min",
    "pauses per EV", "ms per cycle",
)  # fmt: skip


def cells(one: Outcome) -> tuple[str, ...]:
    """One line of the table, in the order of HEADINGS."""
    return (
        one.algorithm,
        one.limit,
        one.tariff,
        f"{one.energy_pct:.2f}",
        f"{one.worst_ev:.3f}",
        f"{one.jain:.4f}",
        f"{one.peak_kw:.1f}",
        f"{one.cost:.2f}",
        f"{one.over_limit_min:.1f}",
        f"{one.pauses_per_ev:.2f}",
        f"{one.ms_per_cycle:.2f}",
    )


def table(outcomes: Sequence[Outcome]) -> Table:
    """All outcomes, for a terminal."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(HEADINGS):
        words = number < 3
        shown.add_column(heading, justify="left" if words else "right", overflow="fold", no_wrap=not words)
    for one in outcomes:
        over = one.over_limit_min > 0
        shown.add_row(*cells(one), style="red" if over else None)
    return shown


def as_csv(outcomes: Sequence[Outcome]) -> str:
    """All outcomes, with every measure, one line each."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(outcomes[0].as_json()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(one.as_json() for one in outcomes)
    return text.getvalue()


def as_json(sessions: dict[str, object], outcomes: Sequence[Outcome]) -> str:
    """What was replayed and all outcomes."""
    return json.dumps({"sessions": sessions, "outcomes": [one.as_json() for one in outcomes]}, indent=2) + "\n"
