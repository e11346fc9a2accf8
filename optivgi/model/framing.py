"""From facts to arrays: a snapshot and a site become a Problem; EVs whose data make no sense become named refusals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from optivgi.errors import PlanningError
from optivgi.model import horizon
from optivgi.model.bottlenecks import Departures
from optivgi.model.ev import EV
from optivgi.model.horizon import GridSettings
from optivgi.model.problem import PHASES, Bools, Floats, Ints, Problem
from optivgi.model.site import Site
from optivgi.model.snapshot import RefusedEV, Snapshot
from optivgi.model.units import is_aware

UNKNOWN_PHASE = "?"
FEW = 10
CROWDED = 2.0
"""Few EVs under one limit take turns where minimum powers are more than 1 / this of it: whose turn it is tells on each of them."""


@dataclass(frozen=True, slots=True)
class EVState:
    """What control remembers of an EV between two cycles.

    `allowed_kw` is what its installed profile allows now, `worst_kw` the most that it may be drawing until the next
    confirmation; None is not known. `waiting_s` is how long it has been paused, `running_s` how long it has not.
    `usable_kw` is the most that it can use, as its meter shows; None is all. Not `pausable`: its station ignores 0.
    """

    allowed_kw: float | None = None
    worst_kw: float | None = None
    waiting_s: float = 0.0
    running_s: float = math.inf
    usable_kw: float | None = None
    pausable: bool = True


@dataclass(frozen=True, slots=True)
class Price:
    """From `start` on, one kWh costs `per_kwh`."""

    start: datetime
    per_kwh: float


@dataclass(frozen=True, slots=True)
class Tariff:
    """What energy costs over time, and the charge per kW of the month's highest mean over a billing window.

    Billing windows are the quarter hours of the clock; `window_so_far_kwh` was drawn in the running one.
    """

    prices: tuple[Price, ...] = ()
    demand_charge_per_kw: float = 0.0
    peak_so_far_kw: float = 0.0
    window_so_far_kwh: float = 0.0


@dataclass(frozen=True, slots=True)
class Framing:
    """A problem that can be planned, and the EVs that were left out of it with the reason for each."""

    problem: Problem
    refused: tuple[RefusedEV, ...]


def frame(
    snapshot: Snapshot,
    site: Site,
    now: datetime,
    *,
    states: Mapping[str, EVState] | None = None,
    grid: GridSettings | None = None,
    tariff: Tariff | None = None,
    refused_kw: float = 0.0,
) -> Framing:
    """The problem of `snapshot` at `now`, EVs in the order of their ids.

    A refused EV goes on at what it may be doing: the worst case in `states`, else `refused_kw`, is taken off the limits
    above it, so that the others are planned around it. An expected EV is planned for from its arrival on; it plays no part
    once it is there, nor when it is late: nobody knows then whether it still comes.
    """
    if not is_aware(now):
        raise PlanningError(f"now is {now.isoformat()} without a time zone: pass aware UTC")
    known = states or {}
    settings = grid or GridSettings()
    positions = site.index()
    listed = (*snapshot.evs, *_still_to_come(snapshot, now))
    complaints = _complaints(listed, positions)
    evs = sorted((ev for ev, why in zip(listed, complaints, strict=True) if not why), key=lambda ev: ev.ev_id)
    own = tuple(_refusal(ev, why) for ev, why in zip(listed, complaints, strict=True) if why)
    refused = tuple(sorted((*snapshot.refused, *own), key=lambda r: (r.ev_id, r.station_id, r.connector_id)))
    taken = _taken(refused, snapshot, known, refused_kw, positions)
    columns = _columns(evs, known, now, positions)
    return Framing(problem_of(columns, site, now, settings=settings, tariff=tariff or Tariff(), taken=taken), refused)


def _still_to_come(snapshot: Snapshot, now: datetime) -> Iterator[EV]:
    there = {ev.ev_id for ev in snapshot.evs} | {ev.ev_id for ev in snapshot.refused}
    for ev in snapshot.expected:
        if ev.ev_id not in there and not (is_aware(ev.arrival) and ev.arrival <= now):
            yield ev


@dataclass(frozen=True, slots=True)
class Columns:
    """EVs that make sense, and what control remembers of them, in arrays [S] in the order of their ids; see Problem."""

    ev_ids: tuple[str, ...]
    arrival_s: Floats
    stated_s: Floats
    """When it leaves, in seconds after now, as somebody stated; nan if nobody did."""
    need_kwh: Floats
    delivered_kwh: Floats
    measured_kw: Floats
    min_kw: Floats
    max_kw: Floats
    volts: Floats
    on_phase: Bools
    lines: Ints
    circuit: Ints
    priority: Floats
    step_kw: Floats
    current_kw: Floats
    waiting_s: Floats
    running_s: Floats
    pausable: Bools


def _columns(evs: list[EV], states: Mapping[str, EVState], now: datetime, positions: Mapping[str, int]) -> Columns:
    state = [states.get(ev.ev_id, _UNKNOWN) for ev in evs]
    on_phase, lines = phase_columns([ev.phases for ev in evs])
    stated_s = np.full(len(evs), np.nan)
    stated = [row for row, ev in enumerate(evs) if ev.departure is not None]
    stated_s[stated] = horizon.seconds_ahead([ev.departure for ev in evs if ev.departure is not None], now)
    return Columns(
        ev_ids=tuple(ev.ev_id for ev in evs),
        arrival_s=horizon.seconds_ahead([ev.arrival for ev in evs], now),
        stated_s=stated_s,
        need_kwh=_column([ev.energy_needed_kwh for ev in evs]),
        delivered_kwh=_column([ev.delivered_kwh for ev in evs]),
        measured_kw=_column([math.nan if ev.measured_kw is None else ev.measured_kw for ev in evs]),
        min_kw=_column([ev.min_kw for ev in evs]),
        max_kw=_column([_usable_kw(ev, known) for ev, known in zip(evs, state, strict=True)]),
        volts=_column([ev.voltage_v for ev in evs]),
        on_phase=on_phase,
        lines=lines,
        circuit=np.array([positions[ev.circuit] for ev in evs], dtype=np.int64),
        priority=_column([ev.priority for ev in evs]),
        step_kw=_column([ev.step_a * ev.volts / 1000.0 for ev in evs]),
        current_kw=_column([math.nan if s.allowed_kw is None else s.allowed_kw for s in state]),
        waiting_s=_column([s.waiting_s for s in state]),
        running_s=_column([s.running_s for s in state]),
        pausable=np.array([s.pausable for s in state], dtype=bool),
    )


def problem_of(
    evs: Columns,
    site: Site,
    now: datetime,
    *,
    settings: GridSettings,
    tariff: Tariff,
    taken: Sequence[tuple[int, float, float]] = (),
) -> Problem:
    """The problem of EVs in columns; `taken` is what others draw: (circuit, kW, A on each phase)."""
    departure_s, departure_known = horizon.departures(evs.stated_s, evs.arrival_s, settings)
    price_s = horizon.seconds_ahead([price.start for price in tariff.prices], now)
    limit_changes = [at for c in site.circuits if c.limit is not None for at in c.limit.changes_after(now)]
    changes_s = np.concatenate((horizon.seconds_ahead(limit_changes, now), price_s))
    parent = site.parents()

    def telling(at_s: Floats) -> tuple[Floats, Bools]:
        root_kw = _limits(Site(site.circuits[:1]), now, np.concatenate(([0.0], at_s)), parent[:1], ())[0][0]
        if site.root.limit_a is not None:
            root_kw = np.minimum(root_kw, len(PHASES) * site.root.limit_a * float(np.median(evs.volts)) / 1000.0)
        asked_kw = horizon.asked_kw(evs.arrival_s, departure_s, evs.max_kw, at_s)
        leaving = Departures.of(departure_s, evs.need_kwh, evs.max_kw)
        return leaving.telling(at_s, np.minimum(root_kw, asked_kw))

    if len(site.circuits) > 1 or site.circuits[0].limit_a is not None:
        settings = replace(settings, many_limits=True)
    edges_s = horizon.edges(evs.arrival_s, departure_s, changes_s, settings, telling)
    limit_kw, limit_a = _limits(site, now, edges_s, parent, taken)
    stay_h = horizon.stays(evs.arrival_s, departure_s, edges_s)
    least_kw = np.where(evs.need_kwh > 0, evs.min_kw, 0.0)
    if len(evs.ev_ids) <= FEW and not settings.many_limits:
        least_kw *= CROWDED
    busy = _exceed(stay_h, least_kw, evs.circuit, parent, limit_kw)
    if busy.any():
        edges_s = horizon.subdivided(edges_s, busy, settings, len(evs.ev_ids))
        limit_kw, limit_a = _limits(site, now, edges_s, parent, taken)
        stay_h = horizon.stays(evs.arrival_s, departure_s, edges_s)
    contended = _exceed(horizon.whole(stay_h, edges_s), evs.max_kw, evs.circuit, parent, limit_kw) | np.isfinite(
        limit_a
    ).any(axis=0)
    stay_h = horizon.whole_only(stay_h, edges_s, contended)
    return Problem(
        now=now,
        edges_s=edges_s,
        ev_ids=evs.ev_ids,
        stay_h=stay_h,
        need_kwh=evs.need_kwh,
        min_kw=evs.min_kw,
        max_kw=evs.max_kw,
        volts=evs.volts,
        on_phase=evs.on_phase,
        lines=evs.lines,
        circuit=evs.circuit,
        priority=evs.priority,
        delivered_kwh=evs.delivered_kwh,
        measured_kw=evs.measured_kw,
        current_kw=evs.current_kw,
        waiting_s=evs.waiting_s,
        running_s=evs.running_s,
        pausable=evs.pausable,
        step_kw=evs.step_kw,
        arrival_s=evs.arrival_s,
        departure_s=departure_s,
        departure_known=departure_known,
        circuit_ids=tuple(c.circuit_id for c in site.circuits),
        parent=parent,
        limit_kw=limit_kw,
        limit_a=limit_a,
        taken_a=np.array([c.taken_a for c in site.circuits], dtype=np.float64),
        limit_source=tuple(_source(site, position, now) for position in range(len(site.circuits))),
        price_per_kwh=horizon.mean_on(price_s, _column([price.per_kwh for price in tariff.prices]), edges_s),
        unbalance_kw=np.inf if site.unbalance_kw is None else site.unbalance_kw,
        demand_charge_per_kw=tariff.demand_charge_per_kw,
        peak_so_far_kw=tariff.peak_so_far_kw,
        window_so_far_kwh=tariff.window_so_far_kwh,
    )


_UNKNOWN = EVState()


def _usable_kw(ev: EV, state: EVState) -> float:
    """Its maximum, or what its meter shows that it can use if that is less; never below its minimum."""
    return ev.max_kw if state.usable_kw is None else min(ev.max_kw, max(ev.min_kw, state.usable_kw))


def _column(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def _complaints(evs: Sequence[EV], circuits: Mapping[str, int]) -> list[str]:
    """For each EV what is wrong with its data, empty if nothing is."""
    count = Counter(ev.ev_id for ev in evs)
    need, delivered, low, high, volts, weight, step = (
        _column([getattr(ev, name) for ev in evs])
        for name in ("energy_needed_kwh", "delivered_kwh", "min_kw", "max_kw", "voltage_v", "priority", "step_a")
    )
    fine = np.isfinite(need) & (need >= 0) & np.isfinite(delivered) & (delivered >= 0)
    fine &= np.isfinite(low) & (low >= 0) & np.isfinite(high) & (high >= low) & (high > 0)
    fine &= np.isfinite(volts) & (volts > 0) & np.isfinite(weight) & (weight > 0)
    fine &= np.isfinite(step) & (step >= 0)
    return [
        ""
        if good and count[ev.ev_id] == 1 and ev.circuit in circuits and _times_fine(ev) and _phases_fine(ev.phases)
        else _complaint(ev, count[ev.ev_id], circuits)
        for ev, good in zip(evs, fine.tolist(), strict=True)
    ]


def _times_fine(ev: EV) -> bool:
    if not is_aware(ev.arrival):
        return False
    return ev.departure is None or (is_aware(ev.departure) and ev.departure >= ev.arrival)


def _phases_fine(phases: tuple[str, ...]) -> bool:
    if phases in _USUAL_PHASES:
        return True
    known = set(phases) - {UNKNOWN_PHASE}
    return 0 < len(phases) <= 3 and known <= set(PHASES) and len(known) + phases.count(UNKNOWN_PHASE) == len(phases)


_USUAL_PHASES = frozenset({("L1",), ("L2",), ("L3",), PHASES, (UNKNOWN_PHASE,)})


def _complaint(ev: EV, count: int, circuits: Mapping[str, int]) -> str:
    wrong: list[str] = []
    if count > 1:
        wrong.append(f"{count} connectors have the EV id {ev.ev_id!r}: ids must be unique")
    for name, value, least in (
        ("energy need", ev.energy_needed_kwh, "kWh"),
        ("energy delivered", ev.delivered_kwh, "kWh"),
        ("minimum power", ev.min_kw, "kW"),
        ("maximum power", ev.max_kw, "kW"),
    ):
        if not (math.isfinite(value) and value >= 0):
            wrong.append(f"{name} is {value:g} {least}: it must be 0 or more")
    if ev.max_kw == 0:
        wrong.append("maximum power is 0 kW: it must be above 0")
    if ev.min_kw > ev.max_kw:
        wrong.append(f"minimum power {ev.min_kw:g} kW is above maximum power {ev.max_kw:g} kW")
    if not (math.isfinite(ev.voltage_v) and ev.voltage_v > 0):
        wrong.append(f"voltage is {ev.voltage_v:g} V: it must be known and above 0")
    if not (math.isfinite(ev.step_a) and ev.step_a >= 0):
        wrong.append(f"current step is {ev.step_a:g} A: it must be 0 (any) or more")
    if not (math.isfinite(ev.priority) and ev.priority > 0):
        wrong.append(f"priority is {ev.priority:g}: it must be above 0")
    for name, moment in (("arrival", ev.arrival), ("departure", ev.departure)):
        if moment is not None and not is_aware(moment):
            wrong.append(f"{name} {moment.isoformat()} has no time zone: state the offset")
    if ev.departure is not None and is_aware(ev.departure) and is_aware(ev.arrival) and ev.departure < ev.arrival:
        wrong.append(f"departure {ev.departure.isoformat()} is before arrival {ev.arrival.isoformat()}")
    if not _phases_fine(ev.phases):
        wrong.append(f"phases are {ev.phases!r}: name some of L1, L2, L3, or {UNKNOWN_PHASE!r} for one nobody knows")
    if ev.circuit not in circuits:
        wrong.append(f"circuit {ev.circuit!r} is not part of the site")
    return "; ".join(wrong)


def _refusal(ev: EV, why: str) -> RefusedEV:
    return RefusedEV(ev.ev_id, ev.station_id, ev.connector_id, ev.transaction_id, why)


def _taken(
    refused: tuple[RefusedEV, ...],
    snapshot: Snapshot,
    states: Mapping[str, EVState],
    refused_kw: float,
    circuits: Mapping[str, int],
) -> list[tuple[int, float, float]]:
    """What refused EVs may be drawing: (circuit, kW, A on each phase); unknown wiring counts in full on every phase."""
    connectors = {connector.key: connector for connector in snapshot.connectors}
    taken = []
    for ev in refused:
        worst_kw = states.get(ev.ev_id, _UNKNOWN).worst_kw
        power_kw = refused_kw if worst_kw is None else worst_kw
        connector = connectors.get((ev.station_id, ev.connector_id))
        volts = connector.volts if connector is not None and connector.volts > 0 else 100.0
        circuit = circuits.get(connector.circuit, 0) if connector is not None else 0
        taken.append((circuit, power_kw, power_kw * 1000.0 / volts))
    return taken


def _limits(
    site: Site, now: datetime, edges_s: Floats, parent: Ints, taken: Sequence[tuple[int, float, float]]
) -> tuple[Floats, Floats]:
    cells = len(edges_s) - 1
    limit_kw = np.full((len(site.circuits), cells), np.inf)
    limit_a = np.full((len(site.circuits), cells), np.inf)
    for position, circuit in enumerate(site.circuits):
        if circuit.limit is not None:
            limit_kw[position] = horizon.limit_on(circuit.limit, now, edges_s)
        if circuit.limit_a is not None:
            limit_a[position] = circuit.limit_a
    for start, power_kw, current_a in taken:
        position = start
        while position >= 0:
            limit_kw[position] = np.maximum(limit_kw[position] - power_kw, 0.0)
            limit_a[position] = np.maximum(limit_a[position] - current_a, 0.0)
            position = int(parent[position])
    return limit_kw, limit_a


def _exceed(stay_h: Floats, power_kw: Floats, circuit: Ints, parent: Ints, limit_kw: Floats) -> Bools:
    """[K], whether `power_kw` of all who are there would not fit under some circuit's limit."""
    asked = np.zeros_like(limit_kw)
    if len(parent) == 1:
        asked[0] = power_kw @ (stay_h > 0)
    else:
        np.add.at(asked, circuit, power_kw[:, None] * (stay_h > 0))
        for position in range(len(parent) - 1, 0, -1):
            asked[parent[position]] += asked[position]
    return np.asarray((asked > limit_kw + 1e-9).any(axis=0))


def phase_columns(phases: Sequence[tuple[str, ...]]) -> tuple[Bools, Ints]:
    """(may draw from [S, 3], split over how many [S]) of EVs that draw from these phases."""
    rows = {those: [UNKNOWN_PHASE in those or name in those for name in PHASES] for those in set(phases)}
    on_phase = np.array([rows[those] for those in phases], dtype=bool).reshape(len(phases), len(PHASES))
    return on_phase, np.array([len(those) for those in phases], dtype=np.int64)


def _source(site: Site, position: int, now: datetime) -> str:
    circuit = site.circuits[position]
    if circuit.label:
        return circuit.label
    if circuit.limit is not None and circuit.limit.steps and circuit.limit_a is None:
        return circuit.limit.at(now).source
    return f"{circuit.circuit_id} limit"
