"""Whether the metered sum of a circuit is over its limit, whoever is to blame. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optivgi.account import Key
from optivgi.model.limit_series import LimitSeries
from optivgi.model.site import Site

NOISE_KW = 0.25
NOISE_SHARE = 0.02
"""Meters and voltages are not exact: a sum so much above its limit is still at its limit."""
FOLLOW_S = 15.0
"""How long a site may take to be under a limit that has just been lowered."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one EV draws by all that is known, and whether that is more than it may (or nobody knows what it may)."""

    key: Key
    ev_id: str
    circuit: str
    drawn_kw: float
    excess: bool


@dataclass(frozen=True, slots=True)
class Overload:
    """A circuit that is over its limit, and those of its EVs that draw more than they may."""

    circuit_id: str
    drawn_kw: float
    limit_kw: float
    by: tuple[Drawn, ...]

    def __str__(self) -> str:
        who = ", ".join(f"EV {one.ev_id} at {one.key[0]} draws {one.drawn_kw:.1f} kW" for one in self.by)
        return f"meters below {self.circuit_id} show {self.drawn_kw:.1f} kW of {self.limit_kw:.1f} kW; " + (
            f"{who}, which is more than it may" if who else "no EV draws more than it may"
        )


def overloads(site: Site, evs: Sequence[Drawn], now: datetime) -> tuple[Overload, ...]:
    """Every circuit whose EVs draw more together than any limit that it had within FOLLOW_S before `now`."""
    above = {circuit.circuit_id: circuit.parent for circuit in site.circuits}
    found = []
    for circuit in site.circuits:
        limit_kw = None if circuit.limit is None else _loosest(circuit.limit, now)
        if limit_kw is None:
            continue
        here = [ev for ev in evs if circuit.circuit_id in _chain(ev.circuit, above, site.root.circuit_id)]
        drawn_kw = sum(ev.drawn_kw for ev in here)
        if drawn_kw > limit_kw + max(NOISE_KW, NOISE_SHARE * limit_kw):
            by = tuple(sorted((ev for ev in here if ev.excess), key=lambda ev: -ev.drawn_kw))
            found.append(Overload(circuit.circuit_id, drawn_kw, limit_kw, by))
    return tuple(found)


def _loosest(series: LimitSeries, now: datetime) -> float | None:
    """The highest limit in force within FOLLOW_S before `now`; None if there was a time without one."""
    begin = now - timedelta(seconds=FOLLOW_S)
    limits = [series.at(at).limit_kw for at in (begin, now, *_between(series, begin, now))]
    known = [limit for limit in limits if limit is not None]
    return max(known) if len(known) == len(limits) else None


def _between(series: LimitSeries, begin: datetime, end: datetime) -> Iterable[datetime]:
    return (at for at in series.changes_after(begin) if at <= end)


def _chain(circuit: str, above: dict[str, str | None], root: str) -> list[str]:
    """A circuit and all above it; one that the site does not know hangs on the grid connection."""
    chain: list[str] = []
    name: str | None = circuit if circuit in above else root
    while name is not None:
        chain.append(name)
        name = above[name]
    return chain
