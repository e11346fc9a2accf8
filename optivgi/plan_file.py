"""One planning problem as JSON, and its plan as JSON: pure, without any service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from optivgi.document import Located, Must, Table, json_document, moment, number, optional, shown, tables, text
from optivgi.errors import SettingsError
from optivgi.model.checks import violations
from optivgi.model.ev import EV
from optivgi.model.framing import UNKNOWN_PHASE, Framing, Price, Tariff, frame
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.plan import Plan
from optivgi.model.problem import PHASES, Problem
from optivgi.model.site import ROOT, Circuit, Site
from optivgi.model.snapshot import RefusedEV, Snapshot
from optivgi.model.wire import LEAST_PILOT_A

MOST_KW = 100_000.0
DEFAULT_VOLTAGE_V = 240.0
EXAMPLE_TIME = "2026-03-03T08:00:00Z"
DIGITS = 6
ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a file asks for. `refused` are the EVs of which it says nothing that makes sense."""

    now: datetime
    """In the offset in which the file says it; answers are given in the same."""
    site: Site
    evs: tuple[EV, ...]
    tariff: Tariff
    refused: tuple[RefusedEV, ...] = ()

    def framing(self) -> Framing:
        """The problem; everything else is refused by name."""
        snapshot = Snapshot("plan", self.now, self.evs, (), self.refused)
        return frame(snapshot, self.site, self.now, tariff=self.tariff)


_LIMIT = optional(number(f"a number of kW from 0 to {MOST_KW:g}", 30, high=MOST_KW))
_STEP: dict[str, Must] = {
    "start": moment(EXAMPLE_TIME, required=True),
    "limit_kw": replace(_LIMIT, required=True),
}
_CIRCUIT: dict[str, Must] = {
    "id": text("a name of 1 to 64 characters", "main", required=True),
    "parent": optional(text("the id of the circuit above it, or nothing for the grid connection", "main")),
    "label": text("words for people", "panel A fuse"),
    "limit_kw": _LIMIT,
    "limit_a": optional(number("a number of amperes on each phase from 0 to 100000", 63, high=100_000)),
    "limits": tables("a list of steps, each with start and limit_kw"),
}
_PRICE: dict[str, Must] = {
    "start": moment(EXAMPLE_TIME, required=True),
    "per_kwh": number("a price from -1000 to 1000", 0.31, -1000, 1000, required=True),
}
_TOP: dict[str, Must] = {
    "now": moment(EXAMPLE_TIME, required=True),
    "limit_kw": _LIMIT,
    "limits": tables("a list of steps, each with start and limit_kw"),
    "circuits": tables("a list of circuits, each with id and parent"),
    "unbalance_kw": optional(number("a number of kW from 0 to 100000", 4.6, high=MOST_KW)),
    "prices": tables("a list of prices, each with start and per_kwh"),
    "demand_charge_per_kw": number("a price from 0 to 10000", 12, high=10_000),
    "peak_so_far_kw": number(f"a number of kW from 0 to {MOST_KW:g}", 18, high=MOST_KW),
    "window_so_far_kwh": number(f"a number of kWh from 0 to {MOST_KW / 4:g}", 2.5, high=MOST_KW / 4),
    "evs": tables("a list of EVs", required=True),
}


def _phases(value: object) -> tuple[str, ...]:
    listed = [value[at : at + 2] for at in range(0, len(value), 2)] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or len(set(map(str, listed))) < len(listed):
        raise ValueError
    if any(phase not in PHASES for phase in listed):
        raise ValueError
    return tuple(listed)


_EV: dict[str, Must] = {
    "ev_id": text("a name of 1 to 64 characters", "1", required=True),
    "arrival": moment(EXAMPLE_TIME),
    "departure": optional(moment("2026-03-03T17:00:00Z")),
    "energy_kwh": number("a number of kWh from 0 to 10000 still to deliver", 20, high=10_000, required=True),
    "min_kw": number(f"a number of kW from 0 to {MOST_KW:g}", 1.4, high=MOST_KW),
    "max_kw": number(f"a number of kW above 0 and at most {MOST_KW:g}", 7.2, above=True, high=MOST_KW, required=True),
    "phases": optional(
        Must('a list of the site\'s phases it draws from, or a rotation such as "L2L3L1"', ["L1"], _phases)
    ),
    "voltage_v": number("a number of volts above 0 and at most 1000 (phase voltage)", 240, above=True, high=1000),
    "circuit": text("the id of a circuit", "main"),
    "priority": number("a number above 0 and at most 1000; 1 is normal", 1, above=True, high=1000),
    "step_a": number("a number of amperes from 0 (any) to 100", 1, high=100),
}


def read_request(source: str, name: str) -> PlanRequest:
    """What the JSON text asks for. Raises SettingsError with every problem of the file, each with line and field.

    A problem of a single EV only refuses that EV.
    """
    try:
        document = json_document(source)
    except SettingsError as error:
        raise SettingsError(*(f"{name} {problem}" for problem in error.problems)) from error
    return _Reader(document, name).request()


class _Reader:
    def __init__(self, document: object, name: str) -> None:
        self._name = name
        self._problems: list[str] = []
        self._document = document

    def request(self) -> PlanRequest:
        if not isinstance(self._document, Located):
            raise SettingsError(f'{self._name} is {shown(self._document)}; it must be an object, e.g. {{"now": ...}}')
        given = _table("", self._document).take(_TOP, self._problems)
        circuits = [
            circuit for table in self._tables("circuits", given) if (circuit := self._circuit(table)) is not None
        ]
        now = given.get("now", ALWAYS)
        extra = self._series(Table("", {}), given, f"{circuits[0].circuit_id if circuits else 'site'} limit")
        prices = [p for table in self._tables("prices", given) if (p := table.take(_PRICE, self._problems))]
        site = self._site(circuits, given, extra)
        if self._problems or site is None:
            raise SettingsError(*(f"{self._name} {problem}" for problem in self._problems))
        evs, refused = self._evs(given, site, now)
        tariff = Tariff(
            tuple(sorted((Price(p["start"], p["per_kwh"]) for p in prices), key=lambda price: price.start)),
            given.get("demand_charge_per_kw", 0.0),
            given.get("peak_so_far_kw", 0.0),
            given.get("window_so_far_kwh", 0.0),
        )
        return PlanRequest(now, site, tuple(evs), tariff, tuple(refused))

    def _tables(self, name: str, given: Mapping[str, Any], inside: str = "") -> list[Table]:
        found = []
        for position, entry in enumerate(given.get(name, ())):
            place = f"{inside}{name}[{position}]"
            if isinstance(entry, Located):
                found.append(_table(place, entry))
            else:
                self._problems.append(f"{place} is {shown(entry)}; it must be an object")
        return found

    def _circuit(self, table: Table) -> Circuit | None:
        known = len(self._problems)
        given = table.take(_CIRCUIT, self._problems)
        label = given.get("label", f"{given.get('id', '')} limit")
        series = self._series(table, given, label)
        if len(self._problems) > known:
            return None
        amps = given.get("limit_a")
        return Circuit(given["id"], given.get("parent"), series, amps, label if amps is not None else "")

    def _series(self, table: Table, given: Mapping[str, Any], source: str) -> LimitSeries | None:
        """`limit_kw` at all times, and where the steps of `limits` say less, that."""
        inside = f"{table.place}." if table.place else ""
        rows = [step.take(_STEP, self._problems) for step in self._tables("limits", given, inside)]
        sound = [row for row in rows if len(row) == len(_STEP)]
        constant = given.get("limit_kw")
        if constant is None and not sound:
            return None
        always = LimitSeries.constant(constant, ALWAYS, source)
        steps = [LimitStep(row["start"], row["limit_kw"], source) for row in sound]
        if not steps:
            return always
        steps.sort(key=lambda step: step.start)
        return always.tightest_with(LimitSeries((LimitStep(ALWAYS, None, source), *steps)))

    def _site(self, circuits: list[Circuit], given: Mapping[str, Any], extra: LimitSeries | None) -> Site | None:
        if given.get("circuits") and not circuits:
            return None
        try:
            site = Site(tuple(circuits) or (Circuit(ROOT),), given.get("unbalance_kw"))
        except SettingsError as error:
            self._problems.extend(f"circuits: {problem}" for problem in error.problems)
            return None
        return site if extra is None else site.tightened(extra)

    def _evs(self, given: Mapping[str, Any], site: Site, now: datetime) -> tuple[list[EV], list[RefusedEV]]:
        evs: dict[str, EV] = {}
        refused = []
        for position, entry in enumerate(given["evs"]):
            place = f"evs[{position}]"
            wrong: list[str] = []
            if isinstance(entry, Located):
                table = _table(place, entry)
                taken = table.take(_EV, wrong)
                ev_id = str(taken.get("ev_id", place))
                if ev_id in evs:
                    wrong.append(table.problem("ev_id", f"is {ev_id!r} for a second time: give each EV its own"))
                circuit = taken.get("circuit", site.root.circuit_id)
                if circuit not in site.index():
                    known = ", ".join(site.index())
                    wrong.append(table.problem("circuit", f"is {circuit!r}, which is no circuit; known are {known}"))
            else:
                ev_id = place
                wrong.append(f"{place} is {shown(entry)}; it must be an object")
            if wrong:
                refused.append(RefusedEV(ev_id, ev_id, 1, "", "; ".join(wrong)))
            else:
                evs[ev_id] = _ev(taken, circuit, now)
        return list(evs.values()), refused


def _table(place: str, entry: Located) -> Table:
    return Table(place, entry, entry.line, entry.lines)


def _ev(given: Mapping[str, Any], circuit: str, now: datetime) -> EV:
    phases = given.get("phases") or (UNKNOWN_PHASE,)
    voltage_v = given.get("voltage_v", DEFAULT_VOLTAGE_V)
    pilot_kw = LEAST_PILOT_A * voltage_v * len(phases) / 1000
    return EV(
        ev_id=given["ev_id"],
        station_id=given["ev_id"],
        connector_id=1,
        transaction_id="",
        arrival=given.get("arrival", now),
        departure=given.get("departure"),
        energy_needed_kwh=given["energy_kwh"],
        delivered_kwh=0.0,
        min_kw=given.get("min_kw", min(pilot_kw, given["max_kw"])),
        max_kw=given["max_kw"],
        voltage_v=voltage_v,
        phases=phases,
        circuit=circuit,
        priority=given.get("priority", 1.0),
        step_a=given.get("step_a", 0.0),
    )


def segment_times(problem: Problem) -> list[datetime]:
    """[K+1], when the plan's segments begin, and when the last one ends."""
    return [problem.now + timedelta(seconds=edge) for edge in problem.edges_s.tolist()]


def plan_json(request: PlanRequest, framing: Framing, plan: Plan, solve_ms: float) -> dict[str, Any]:
    """The plan as the file's reader gets it: EVs in the file's order, a power per segment, and what was refused."""
    problem = framing.problem
    times = [when.isoformat() for when in segment_times(problem)]
    rows = {ev_id: row for row, ev_id in enumerate(problem.ev_ids)}
    return {
        "algorithm": plan.algorithm,
        "segments": [{"start": start, "end": end} for start, end in pairwise(times)],
        "evs": [
            {
                "ev_id": ev.ev_id,
                "power_kw": _rounded(plan.power_kw[rows[ev.ev_id]].tolist()),
                "energy_kwh": round(float(plan.energy_kwh[rows[ev.ev_id]]), DIGITS),
                "shortfall_kwh": round(float(plan.shortfall_kwh[rows[ev.ev_id]]), DIGITS),
                "reason": plan.reasons[rows[ev.ev_id]].text,
            }
            for ev in request.evs
            if ev.ev_id in rows
        ],
        "refused": [{"ev_id": one.ev_id, "reason": one.reason} for one in framing.refused],
        "site_kw": _rounded(plan.power_kw.sum(axis=0).tolist()),
        "violations": [str(violation) for violation in violations(problem, plan)],
        "notes": list(plan.notes),
        "solve_ms": round(solve_ms, 3),
    }


def _rounded(values: list[float]) -> list[float]:
    return [round(value, DIGITS) for value in values]
