"""Scenarios: which EV arrives where and when. Read from JSON; a broken file is refused with all its problems at once."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Any

from simulator import building
from simulator.building import BuildingSpec
from simulator.errors import ScenarioError
from simulator.faults.catalogue import FaultSpec, ev_faults, problems, specs
from simulator.faults.vehicle import vehicle_with
from simulator.vehicle import Vehicle, VehicleSpec


@dataclass(frozen=True, slots=True)
class _Must:
    """What a field must be: its type, the bounds of a number or of a text's length, an example."""

    kind: type
    words: str
    example: object
    low: float = -math.inf
    high: float = math.inf


def _field(must: _Must, **default: Any) -> Any:
    return field(metadata={"must": must}, **default)


def _number(words: str, example: float, low: float, high: float, kind: type = float) -> _Must:
    return _Must(kind, words, example, low, high)


@dataclass(frozen=True, slots=True)
class Session:
    """One EV's stay at one connector; offsets are seconds from the scenario's start. `soc` values are 0..1.

    `auto_start`: its driver presents `id_tag` on arrival; otherwise the EV waits for a RemoteStartTransaction.
    """

    station_id: str = _field(_Must(str, "a station's id of 1 to 48 characters", "OPTIVGI-STATION-01", 1, 48))
    connector_id: int = _field(_number("a connector's number", 1, 1, 100, kind=int))
    arrive_offset_s: float = _field(_number("seconds from 0 to 31536000", 0, 0, 31_536_000))
    depart_offset_s: float = _field(_number("seconds from 0 to 31536000", 600, 0, 31_536_000))
    capacity_kwh: float = _field(_number("kWh from 0.1 to 2000", 60.0, 0.1, 2000))
    arrival_soc: float = _field(_number("a share from 0 to 1", 0.2, 0, 1))
    target_soc: float = _field(_number("a share from 0 to 1", 1.0, 0, 1))
    max_charge_rate_kw: float = _field(_number("kW from 0.1 to 1000", 7.2, 0.1, 1000))
    id_tag: str = _field(_Must(str, "an idTag of 1 to 20 characters", "OPTIVGI-01", 1, 20))
    auto_start: bool = _field(_Must(bool, "true or false", True), default=True)
    phases: int = _field(_number("1, 2 or 3", 1, 1, 3, kind=int), default=1)
    min_current_a: float = _field(_number("amperes from 0 to 32", 6, 0, 32), default=6.0)
    efficiency: float = _field(_number("a share from 0.1 to 1", 0.92, 0.1, 1), default=0.92)
    ramp_up_kw_per_s: float = _field(_number("kW per second from 0.01 to 1000", 2.0, 0.01, 1000), default=2.0)
    ramp_down_s: float = _field(_number("seconds from 0 to 60", 1.0, 0, 60), default=1.0)
    faults: tuple[FaultSpec, ...] = _field(_Must(list, "a list of faults", ["ignores_zero"]), default=())

    def arriving(self, voltage_v: float, station_faults: Iterable[FaultSpec] = ()) -> Vehicle:
        """Its EV as it arrives, with its own faults and those that its station gives to every EV."""
        return vehicle_with(ev_faults((*self.faults, *station_faults)), self.vehicle(voltage_v), self.arrival_soc)

    def vehicle(self, voltage_v: float) -> VehicleSpec:
        """The EV of this session, at an EVSE of `voltage_v` per phase."""
        return VehicleSpec(
            capacity_kwh=self.capacity_kwh,
            max_charge_rate_kw=self.max_charge_rate_kw,
            target_soc=self.target_soc,
            phases=self.phases,
            voltage_v=voltage_v,
            min_current_a=self.min_current_a,
            efficiency=self.efficiency,
            ramp_up_kw_per_s=self.ramp_up_kw_per_s,
            ramp_down_s=self.ramp_down_s,
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens at a site, and what is wrong with which station. `meter_interval_s` None leaves it to METER_VALUES_INTERVAL.

    `limit_kw` and `outcome` are for whoever judges the run: the site limit that the scenario is made for, what is to come of
    it, and for how many seconds physics lets the site be over the limit at most.
    """

    description: str
    sessions: tuple[Session, ...]
    meter_interval_s: int | None = None
    stations: Mapping[str, tuple[FaultSpec, ...]] = field(default_factory=dict)
    limit_kw: float | None = None
    outcome: str = ""
    over_s: float = 0.0
    building: BuildingSpec | None = None
    """What else hangs on the grid connection."""
    message_s: float = 0.0
    """How long a station takes over each message of the CSMS."""

    def faults_of(self, station_id: str) -> tuple[tuple[int | None, FaultSpec], ...]:
        """A station's faults, each with the only connector that it concerns: those of its sessions concern theirs."""
        own = tuple((None, spec) for spec in self.stations.get(station_id, ()))
        return own + tuple(
            (session.connector_id, spec)
            for session in self.sessions
            if session.station_id == station_id
            for spec in session.faults
        )

    @property
    def duration_s(self) -> float:
        """From the start to the last departure."""
        return max((session.depart_offset_s for session in self.sessions), default=0.0)


def load_scenario(path: str | Path, station_ids: Sequence[str], connectors_per_station: int) -> Scenario:
    """The scenario in a file. Raises ScenarioError with every problem: file, place, value, bound and remedy."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ScenarioError(
            f"{path}: cannot be read ({reason}); set SCENARIO_FILE to a scenario, or to nothing for manual mode"
        ) from None
    return parse_scenario(text, str(path), station_ids, connectors_per_station)


def parse_scenario(text: str, name: str, station_ids: Sequence[str], connectors_per_station: int) -> Scenario:
    """The scenario in `text`; `name` is what problems call it."""
    try:
        document = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"{name}: is not JSON: {error}") from None
    found = [f"{name}: {problem}" for problem in _problems(document, station_ids, connectors_per_station)]
    if found:
        raise ScenarioError(*found)
    named = document.get("stations", {})
    return Scenario(
        document.get("description", ""),
        tuple(_session(session) for session in document["sessions"]),
        document.get("meter_interval_s"),
        {
            station_id: specs([*document.get("faults", []), *named.get(station_id, {"faults": []})["faults"]])
            for station_id in station_ids
        },
        document.get("limit_kw"),
        document.get("outcome", ""),
        document.get("over_s", 0.0),
        building.building_spec(document["building"]) if "building" in document else None,
        document.get("message_s", 0.0),
    )


def _session(given: Mapping[str, Any]) -> Session:
    return Session(**{**given, "faults": specs(given.get("faults", []))})


def _no_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} is there more than once in one object")
    return dict(pairs)


_TOP = {
    "description": _Must(str, "a text", "Six EVs, one after the other"),
    "sessions": _Must(list, "a list of sessions", []),
    "meter_interval_s": _number("whole seconds from 1 to 86400", 10, 1, 86_400, kind=int),
    "message_s": _number("seconds from 0 to 60", 0.3, 0, 60),
    "faults": _Must(list, "a list of faults of every station", ["meter_doubled"]),
    "stations": _Must(dict, "an object of stations", {"OPTIVGI-STATION-01": {"faults": ["rejects_zero"]}}),
    "limit_kw": _number("kW above 0 and at most 1000000", 12, 0.001, 1_000_000),
    "outcome": _Must(str, "a text", "the site stays under its limit"),
    "over_s": _number("seconds from 0 to 86400", 0, 0, 86_400),
    "building": _Must(dict, "an object", {"station_id": "METER-01", "base_load_kw": [[0, 5]], "max_kw": 20}),
}


def _problems(document: Any, station_ids: Sequence[str], connectors_per_station: int) -> Iterator[str]:
    if not isinstance(document, dict):
        yield f'is {_shown(document)}; it must be an object, e.g. {{"description": "...", "sessions": []}}'
        return
    yield from _field_problems("", document, _TOP, required={"sessions"})
    if isinstance(document.get("faults"), list):
        yield from problems("faults", document["faults"])
    if isinstance(document.get("stations"), dict):
        for station_id, station in document["stations"].items():
            yield from _station_problems(station_id, station, station_ids)
    if isinstance(document.get("building"), dict):
        yield from building.problems(document["building"])
        if document["building"].get("station_id") in station_ids:
            yield (
                f"building.station_id is {document['building']['station_id']!r}, which is a station of STATION_IDS: its "
                "meter is a station of its own, so choose another name"
            )
    sessions = document.get("sessions")
    if not isinstance(sessions, list):
        return
    if not sessions:
        yield "sessions is empty; give at least one session, or set SCENARIO_FILE to nothing for manual mode"
    musts = {f.name: f.metadata["must"] for f in fields(Session)}
    required = {f.name for f in fields(Session) if f.default is MISSING}
    sound: list[tuple[int, Session]] = []
    for index, session in enumerate(sessions):
        place = f"sessions[{index}]"
        if not isinstance(session, dict):
            yield f"{place} is {_shown(session)}; it must be an object"
            continue
        found = list(_field_problems(f"{place}.", session, musts, required))
        if isinstance(session.get("faults"), list):
            found += problems(f"{place}.faults", session["faults"])
        yield from found
        if not found:
            sound.append((index, _session(session)))
    for index, session in sound:
        yield from _session_problems(f"sessions[{index}]", session, station_ids, connectors_per_station)
    yield from _clashes(sound)


def _station_problems(station_id: str, station: Any, station_ids: Sequence[str]) -> Iterator[str]:
    place = f"stations.{station_id}"
    if station_id not in station_ids:
        yield f"{place} is a station that STATION_IDS does not have; {_near(station_id, station_ids)}"
    if not isinstance(station, dict) or station.keys() != {"faults"}:
        yield f'{place} is {_shown(station)}; it must be an object with faults, e.g. {{"faults": ["rejects_zero"]}}'
        return
    yield from problems(f"{place}.faults", station["faults"])


def _near(station_id: str, station_ids: Sequence[str]) -> str:
    near = get_close_matches(station_id, station_ids, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(station_ids[:10])}"


def _field_problems(
    place: str, given: Mapping[str, Any], musts: Mapping[str, _Must], required: set[str]
) -> Iterator[str]:
    for name in sorted(given.keys() - musts.keys()):
        near = get_close_matches(name, musts, n=1)
        yield f"{place}{name} is not a field; " + (
            f"did you mean {near[0]}?" if near else f"known are {', '.join(musts)}"
        )
    for name, must in musts.items():
        example = json.dumps(must.example)
        if name not in given:
            if name in required:
                yield f"{place}{name} is missing; it must be {must.words}, e.g. {example}"
        elif not _fits(given[name], must):
            yield f"{place}{name} is {_shown(given[name])}; it must be {must.words}, e.g. {example}"


def _fits(value: Any, must: _Must) -> bool:
    if must.kind is str:
        return isinstance(value, str) and must.low <= len(value) <= must.high and value.strip() == value
    if must.kind in (bool, list, dict):
        return isinstance(value, must.kind)
    if isinstance(value, bool) or not isinstance(value, int if must.kind is int else int | float):
        return False
    return must.low <= value <= must.high


def _session_problems(place: str, session: Session, station_ids: Sequence[str], connectors: int) -> Iterator[str]:
    if session.station_id not in station_ids:
        hint = _near(session.station_id, station_ids)
        yield f"{place}.station_id is {session.station_id!r}, which STATION_IDS does not have; {hint}"
    if session.connector_id > connectors:
        yield (
            f"{place}.connector_id is {session.connector_id}; it must be from 1 to {connectors}, or raise "
            f"CONNECTORS_PER_STATION"
        )
    if session.depart_offset_s <= session.arrive_offset_s:
        yield (
            f"{place}.depart_offset_s is {session.depart_offset_s:g}; it must be above arrive_offset_s "
            f"{session.arrive_offset_s:g}"
        )
    if session.arrival_soc > session.target_soc:
        yield f"{place}.arrival_soc is {session.arrival_soc:g}; it must be at most target_soc {session.target_soc:g}"


def _clashes(sessions: list[tuple[int, Session]]) -> Iterator[str]:
    in_order = sorted(sessions, key=lambda one: one[1].arrive_offset_s)
    groups: dict[tuple[str, str], list[tuple[int, Session]]] = {}
    for index, session in in_order:
        connector = f"connector {session.connector_id} of {session.station_id}"
        groups.setdefault((connector, "is taken"), []).append((index, session))
        groups.setdefault((f"id_tag {session.id_tag}", "charges"), []).append((index, session))
    for (what, verb), group in groups.items():
        for (first, one), (second, other) in combinations(group, 2):
            if other.arrive_offset_s < one.depart_offset_s and one.arrive_offset_s < other.depart_offset_s:
                yield (
                    f"sessions[{second}].arrive_offset_s is {other.arrive_offset_s:g}, but {what} {verb} by "
                    f"sessions[{first}] until {one.depart_offset_s:g}: let it arrive later or elsewhere"
                )


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
