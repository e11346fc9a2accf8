"""The time grid of a plan: cells between the instants at which something changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from optivgi.model.limit_series import LimitSeries
from optivgi.model.problem import Bools, Floats
from optivgi.model.units import seconds_after

NOISE_S = 1e-6
EVENNESS = 0.4
"""How much instants are spread evenly over time, against their weights."""
CELLS_OF_MANY_LIMITS = 36

Telling = Callable[[Floats], tuple[Floats, Bools]]
"""Of some instants (seconds after now, in order): how much each tells, and which must not be lost."""


@dataclass(frozen=True, slots=True)
class GridSettings:
    """How finely and how far a plan looks ahead.

    The first cell is what is acted on: it ends at the next event, at the latest after `replan_s` and not before
    `shortest_s` because of an EV. A change of a limit or price ends it wherever that is, if it is more than `lead_s` away;
    a nearer one is part of the first cell, with the strictest limit: so long it takes until everybody has followed a cut.
    `assumed_stay_s` is how long an EV without a (credible) departure is expected to stay from now on. Cells in which the
    minimum powers do not all fit are cut to `turn_s`, so that EVs can take turns.
    """

    replan_s: float = 300.0
    shortest_s: float = 60.0
    lead_s: float = 60.0
    turn_s: float = 900.0
    assumed_stay_s: float = 8 * 3600.0
    longest_horizon_s: float = 48 * 3600.0
    most_cells: int = 50
    most_entries: int = 40_000
    many_limits: bool = False
    """Whether there are circuits below the first, or limits in amperes: then each cell costs several times as much."""

    def cells_for(self, evs: int) -> int:
        """The largest number of cells for a site of `evs` EVs: fewer when there are very many EVs."""
        most = min(self.most_cells, CELLS_OF_MANY_LIMITS) if self.many_limits else self.most_cells
        return min(most, max(40, self.most_entries // max(evs, 1)))


def seconds_ahead(moments: Sequence[datetime], now: datetime) -> Floats:
    """[N], seconds from `now` to each moment in whole milliseconds, so that what happens together falls together."""
    seconds: Floats = np.array([round(seconds_after(moment, now), 3) for moment in moments], dtype=np.float64)
    return seconds


def departures(stated_s: Floats, arrival_s: Floats, settings: GridSettings) -> tuple[Floats, Bools]:
    """(departure [S] in seconds after now, whether somebody stated it [S]).

    nan is unknown: `assumed_stay_s` from now, or from its arrival if that is ahead. An EV that is still plugged in after its stated departure is overdue: it
    goes on being served as if nobody had stated one.
    """
    credible = ~(np.isnan(stated_s) | ((arrival_s <= NOISE_S) & (stated_s <= NOISE_S)))
    return np.where(credible, stated_s, np.maximum(arrival_s, 0.0) + settings.assumed_stay_s), credible


def edges(
    arrival_s: Floats, departure_s: Floats, changes_s: Floats, settings: GridSettings, telling: Telling | None = None
) -> Floats:
    """[K+1] cell boundaries from 0 to the last departure (at most `longest_horizon_s`), strictly increasing.

    Boundaries are arrivals, departures and `changes_s` (limits and prices), all in whole milliseconds. When there are too
    many, cells are merged: first at events that `telling` gives a small weight, last between changes.
    """
    end = float(np.clip(departure_s.max(initial=0.0), settings.replan_s, settings.longest_horizon_s))
    first = _first_edge(np.concatenate((arrival_s, departure_s)), changes_s, end, settings)
    changes = _between(changes_s, first, end)
    events = np.setdiff1d(_between(np.concatenate((arrival_s, departure_s)), first, end), changes)
    room = settings.cells_for(len(arrival_s)) - 2
    changes = _thinned(changes, room)
    room = max(0, room - len(changes))
    weight = None
    if len(events) > room and telling is not None:
        weight, tight = telling(events)
        kept = _thinned(events[tight], room)
        events, weight, room = events[~tight], weight[~tight], room - len(kept)
        changes = np.concatenate((changes, kept))
    events = _thinned(events, room, weight)
    grid = np.unique(np.round(np.concatenate(([0.0, first, end], changes, events)), 3))
    return np.asarray(grid[np.concatenate(([True], np.diff(grid) > NOISE_S))], dtype=np.float64)


def _first_edge(events_s: Floats, changes_s: Floats, end_s: float, settings: GridSettings) -> float:
    event_s = float(events_s[events_s > NOISE_S].min(initial=settings.replan_s))
    change_s = float(changes_s[changes_s > settings.lead_s + NOISE_S].min(initial=np.inf))
    first_s = min(change_s, max(settings.shortest_s, event_s))
    return min(end_s, max(settings.lead_s, first_s))


def _between(instants_s: Floats, low_s: float, high_s: float) -> Floats:
    return np.unique(instants_s[(instants_s > low_s) & (instants_s < high_s)])


def _thinned(instants_s: Floats, most: int, weight: Floats | None = None) -> Floats:
    """At most `most` of the instants, those with more `weight` and less near each other."""
    count = len(instants_s)
    if count <= most:
        return instants_s
    if most <= 0:
        return instants_s[:0]
    elapsed = (instants_s - instants_s[0]) / max(instants_s[-1] - instants_s[0], NOISE_S)
    number = np.linspace(0.0, 1.0, count) if weight is None else np.cumsum(weight) / weight.sum()
    chosen = np.searchsorted(EVENNESS * elapsed + number, np.linspace(0.0, 1.0 + EVENNESS, most))
    return np.asarray(instants_s[np.unique(np.minimum(chosen, count - 1))], dtype=np.float64)


def subdivided(edges_s: Floats, busy: Bools, settings: GridSettings, evs: int) -> Floats:
    """The grid with the cells marked in `busy` [K] cut into turns, as far as the number of cells allows."""
    lengths = np.diff(edges_s)
    spare = settings.cells_for(evs) - len(lengths)
    turn_s = settings.turn_s
    while True:
        parts = np.where(busy, np.ceil(lengths / turn_s - NOISE_S), 1.0).clip(min=1.0).astype(int)
        if parts.sum() - len(parts) <= spare:
            break
        turn_s *= 2.0
        if turn_s > lengths.max(initial=0.0):
            return edges_s
    pieces = [np.linspace(edges_s[k], edges_s[k + 1], parts[k], endpoint=False) for k in range(len(lengths))]
    return np.concatenate([*pieces, edges_s[-1:]])


def stays(arrival_s: Floats, departure_s: Floats, edges_s: Floats) -> Floats:
    """[S, K], hours of each cell in which an EV is there. The first cell is acted on at once, so it belongs to those who are
    there now, wholly, and to nobody else."""
    start, end = edges_s[:-1], edges_s[1:]
    present = np.minimum(departure_s[:, None], end) - np.maximum(arrival_s[:, None], start)
    present[present < NOISE_S] = 0.0
    present[:, 0] = np.where(arrival_s <= NOISE_S, end[0], 0.0)
    present /= 3600.0
    return present


def whole(stay_h: Floats, edges_s: Floats) -> Floats:
    """[S, K], `stay_h` of the EVs that are there all the time in a cell, 0 for others."""
    return np.where(_partly(stay_h, edges_s), 0.0, stay_h)


def whole_only(stay_h: Floats, edges_s: Floats, contended: Bools) -> Floats:
    """`stay_h` without the EVs that come or leave within a cell in which others could use their power (`contended` [K])."""
    partly = contended & _partly(stay_h, edges_s)
    partly[:, 0] = False
    stay_h[partly] = 0.0
    return stay_h


def _partly(stay_h: Floats, edges_s: Floats) -> Bools:
    """[S, K], whether it is not there for the whole of a cell."""
    return np.asarray(stay_h < (np.diff(edges_s) - NOISE_S) / 3600.0)


def asked_kw(arrival_s: Floats, departure_s: Floats, max_kw: Floats, at_s: Floats) -> Floats:
    """[N], the sum of the maxima of the EVs that are there just before each of the instants `at_s`."""
    come, gone = np.argsort(arrival_s), np.argsort(departure_s)
    total = np.concatenate(([0.0], np.cumsum(max_kw[come])))
    left = np.concatenate(([0.0], np.cumsum(max_kw[gone])))
    came = total[np.searchsorted(arrival_s[come], at_s, side="left")]
    went = left[np.searchsorted(departure_s[gone], at_s, side="left")]
    return np.asarray(came - went, dtype=np.float64)


def limit_on(series: LimitSeries, now: datetime, edges_s: Floats) -> Floats:
    """[K], the strictest limit in force during each cell; np.inf is no limit."""
    starts = seconds_ahead([step.start for step in series.steps], now)
    values = np.array([np.inf if step.limit_kw is None else step.limit_kw for step in series.steps])
    at_start = np.searchsorted(starts, edges_s[:-1] + NOISE_S, side="right") - 1
    result: Floats = values[np.maximum(at_start, 0)].astype(float)
    inside = (starts > edges_s[0] + NOISE_S) & (starts < edges_s[-1] - NOISE_S)
    cell = np.searchsorted(edges_s, starts[inside] + NOISE_S, side="right") - 1
    np.minimum.at(result, cell, values[inside])
    return result


def mean_on(starts_s: Floats, values: Floats, edges_s: Floats) -> Floats:
    """[K], the time-weighted mean over each cell of a piecewise-constant series (the first value also holds before)."""
    if len(values) == 0:
        return np.zeros(len(edges_s) - 1)
    knots = np.unique(np.concatenate((edges_s, starts_s[(starts_s > edges_s[0]) & (starts_s < edges_s[-1])])))
    index = np.maximum(np.searchsorted(starts_s, knots[:-1] + NOISE_S, side="right") - 1, 0)
    running = np.concatenate(([0.0], np.cumsum(values[index] * np.diff(knots))))
    at_edges = np.interp(edges_s, knots, running)
    mean: Floats = np.diff(at_edges) / np.diff(edges_s)
    return mean
