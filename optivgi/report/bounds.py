"""Which limits a history is judged by: the site's, and those of its station groups and circuits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from optivgi.model.ev_config import SiteView
from optivgi.model.framing import UNKNOWN_PHASE
from optivgi.model.history import Key
from optivgi.model.limit_series import LimitSeries
from optivgi.model.problem import PHASES
from optivgi.model.site import Site
from optivgi.report.curve import NO_LIMIT, LimitCurve, second_of
from optivgi.site_setup import SiteSetup

LOOK_EVERY = timedelta(days=1)
"""Schedules tell at least this far ahead."""

KW, AMPERES = "kW", "A"


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit on a weighted sum of powers, called `name`; `weights` is what one kW at each connector takes of it.

    A connector that is not in `weights` does not draw from it. `limit` is in `unit`.
    """

    name: str
    limit: LimitCurve
    weights: Mapping[Key, float]
    unit: str = KW

    def weight(self, key: Key) -> float:
        return self.weights.get(key, 0.0)


@dataclass(frozen=True, slots=True)
class Circuit:
    """A part of the site with limits of its own, as in "Circuit panel-a" or "Group north"."""

    name: str
    bounds: tuple[Bound, ...]
    keys: frozenset[Key]


@dataclass(frozen=True, slots=True)
class Balance:
    """How far apart the phases of a grid connection may be in kW, and from which of them each connector draws."""

    name: str
    limit_kw: float
    phases: Mapping[Key, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limit of the whole site in kW, and the parts that have their own. `sources` says where they come from.

    `grace_s` is how long after a drop of any limit the power may still be above it.
    """

    site: LimitCurve
    circuits: tuple[Circuit, ...] = ()
    sources: tuple[str, ...] = ()
    grace_s: float = 0.0
    strict: LimitCurve | None = field(default=None)
    """The site's limit without the grace."""
    balances: tuple[Balance, ...] = ()

    @classmethod
    def constant(cls, limit_kw: float, *sources: str) -> Limits:
        return cls(LimitCurve.constant(limit_kw), sources=sources)

    @property
    def announced(self) -> LimitCurve:
        """The site's limit as it was set, whatever the grace."""
        return self.site if self.strict is None else self.strict

    def with_grace(self, seconds: float) -> Limits:
        """The same, with every drop of every limit counting `seconds` later."""
        if seconds <= 0:
            return self
        circuits = tuple(
            Circuit(
                one.name,
                tuple(Bound(b.name, b.limit.held(seconds), b.weights, b.unit) for b in one.bounds),
                one.keys,
            )
            for one in self.circuits
        )
        return Limits(self.site.held(seconds), circuits, self.sources, seconds, self.announced, self.balances)


def limits_of(setup: SiteSetup, keys: Iterable[Key], begin: datetime, end: datetime) -> Limits:
    """The limits that settings and site file say were in force from `begin` to `end`, for the connectors `keys`.

    The site is the sum of its station groups. A group is a part of its own where there are several, and so is every
    circuit below a grid connection. Amperes are judged on each phase, as the powers say by the settings' voltage.
    """
    view, known = setup.view, frozenset(keys)
    groups = tuple(view.groups)
    total = LimitCurve.constant(0.0)
    circuits: list[Circuit] = []
    balances: list[Balance] = []
    for group in groups:
        members = frozenset(key for key in known if view.group_of(key[0]) == group)
        site = _site_at(setup, group, begin)
        chains = _chains(site)
        root = site.root.circuit_id
        homes = {key: chains.get(view.ev(*key).circuit, (root,)) for key in members}
        if site.unbalance_kw is not None:
            name = f"Balance of {group}" if len(groups) > 1 else "Balance of phases"
            balances.append(Balance(name, site.unbalance_kw, {key: view.ev(*key).phases for key in members}))
        for circuit in site.circuits:
            name = circuit.circuit_id
            inside = frozenset(key for key in members if name in homes[key])
            curve = curve_between(partial(_limit_at, setup, group, name), begin, end)
            is_root = circuit.parent is None
            if is_root:
                total = total + curve
            bounds = []
            if math.isfinite(curve.lowest) and (not is_root or len(groups) > 1):
                bounds.append(Bound("", curve, dict.fromkeys(inside, 1.0)))
            if circuit.limit_a is not None:
                bounds += _ampere_bounds(circuit.limit_a, inside, view)
            if bounds:
                title = f"Group {group}" if is_root and len(groups) > 1 else f"Circuit {name}"
                circuits.append(Circuit(title, tuple(bounds), inside))
    return Limits(total, tuple(circuits), balances=tuple(balances))


def _chains(site: Site) -> dict[str, tuple[str, ...]]:
    """Each circuit with all above it."""
    chains: dict[str, tuple[str, ...]] = {}
    for circuit in site.circuits:
        above = () if circuit.parent is None else chains[circuit.parent]
        chains[circuit.circuit_id] = (circuit.circuit_id, *above)
    return chains


def _site_at(setup: SiteSetup, group: str, moment: datetime) -> Site:
    return setup.sites.site(group, moment).tightened(setup.limits.series(group, moment))


def _limit_at(setup: SiteSetup, group: str, circuit_id: str, moment: datetime) -> LimitSeries | None:
    site = _site_at(setup, group, moment)
    return site.circuits[site.index()[circuit_id]].limit


def _ampere_bounds(limit_a: float, keys: frozenset[Key], view: SiteView) -> list[Bound]:
    bounds = []
    for phase in PHASES:
        weights = {}
        for key in keys:
            phases = view.ev(*key).phases
            if phase in phases or UNKNOWN_PHASE in phases:
                weights[key] = 1000.0 / (view.voltage_v * len(phases))
        if weights:
            bounds.append(Bound(phase, LimitCurve.constant(limit_a), weights, AMPERES))
    return bounds


def curve_between(series_at: Callable[[datetime], LimitSeries | None], begin: datetime, end: datetime) -> LimitCurve:
    """A limit from `begin` to `end`, asked for day by day, because schedules tell a few days ahead only."""
    steps: list[tuple[float, float]] = []
    moment = begin
    while True:
        following = moment + LOOK_EVERY
        series = series_at(moment)
        if series is None:
            return LimitCurve.constant(NO_LIMIT)
        steps.append((moment.timestamp(), _kw(series.at(moment).limit_kw)))
        steps += [
            (second_of(step.start), _kw(step.limit_kw)) for step in series.steps if moment < step.start < following
        ]
        if following > end:
            return LimitCurve.of(steps)
        moment = following


def _kw(limit_kw: float | None) -> float:
    return NO_LIMIT if limit_kw is None else limit_kw
