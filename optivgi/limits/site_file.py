"""Reads a site from TOML; whatever is wrong in the file is named at once, with its line."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from optivgi.document import Must, Table, number, tables, text, toml_lines
from optivgi.errors import SettingsError
from optivgi.limits import registers
from optivgi.limits.env import ALWAYS
from optivgi.limits.schedule_file import ScheduledLimit, Window, load_windows, read_window
from optivgi.limits.site_tree import EVSE, ScheduledCircuit, SiteFile, Tree
from optivgi.model.ev_config import SiteView
from optivgi.model.framing import UNKNOWN_PHASE
from optivgi.model.limit_series import LimitSeries
from optivgi.model.problem import PHASES
from optivgi.model.site import ROOT, Circuit

MOST_KW = 100_000.0
ROTATIONS = ("L1L2L3", "L2L3L1", "L3L1L2", "L1L3L2", "L3L2L1", "L2L1L3")


def load_site(path: Path, view: SiteView) -> SiteFile:
    """The file's content; `view` says which stations and groups there are. Raises SettingsError with all problems."""
    try:
        source = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"SITE_FILE is {str(path)!r}, which cannot be read ({error}): name a readable .toml file, or none"
        ) from error
    try:
        document = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name} is not TOML: {error}") from error
    return _Reader(path, source, document, view).site_file()


_TOP = {
    "description": text("a text", "Depot with two panels", 1000),
    "circuit": tables("tables [[circuit]], one of them without a parent", required=True),
    "evse": tables("tables [[evse]]"),
    "id_tag": tables("tables [[id_tag]]"),
    "register": tables("tables [[register]]"),
}
_CIRCUIT: dict[str, Must] = {
    "id": text("a name of 1 to 64 characters", "panel-a", required=True),
    "parent": text("the id of the circuit above it; the grid connection has none", "main"),
    "label": text("words for people", "panel A fuse"),
    "limit_kw": number(f"a number of kW from 0 to {MOST_KW:g} over all phases", 100, high=MOST_KW),
    "limit_a": number("a number of amperes on each phase from 0 to 100000", 63, high=100_000),
    "unbalance_kw": number("a number of kW from 0 to 100000 between two phases", 4.6, high=MOST_KW),
    "group": text("the station group of this grid connection", "default"),
    "schedule": tables("a list of windows with from, to, kw and perhaps days"),
    "schedule_file": text("the path of a CSV or TOML file with from, to, kw, seen from this file", "limits.csv", 1000),
}
_PRIORITY = number("a number above 0 and at most 1000; 1 is normal", 2, above=True, high=1000)
_ID_TAG: dict[str, Must] = {
    "id_tag": text("an idTag of 1 to 36 characters", "VAN-7", 36, required=True),
    "priority": replace(_PRIORITY, required=True),
}


def _rotation(value: object) -> tuple[str, ...]:
    if isinstance(value, str) and (value in ROTATIONS or value in PHASES):
        return tuple(value[at : at + 2] for at in range(0, len(value), 2))
    raise ValueError


_EVSE_FIELDS: dict[str, Must] = {
    "station_id": text("a station's id of 1 to 48 characters", "ST-01", 48, required=True),
    "connector_id": number(
        "a connector's number from 1 to 1000; without it all of the station", 1, 1, 1000, whole=True
    ),
    "circuit": text("the id of a circuit", "panel-a"),
    "rotation": Must(
        f"the site's phases behind its L1, L2, L3: {', '.join(ROTATIONS)}, or L1, L2, L3 alone", "L2L3L1", _rotation
    ),
    "phases": number(
        "how many phases EVs there draw from: 1, 2 or 3, at most those of its rotation", 3, 1, 3, whole=True
    ),
    "priority": _PRIORITY,
}


class _Reader:
    """One pass over a document, gathering every problem."""

    def __init__(self, path: Path, source: str, document: Mapping[str, Any], view: SiteView) -> None:
        self._path, self._document, self._view = path, document, view
        self._heads = list(toml_lines(source))
        self._problems: list[str] = []
        self._file_problems: list[str] = []

    def site_file(self) -> SiteFile:
        _, _, lines = self._heads[0]
        heads = {name: line for name, line, _ in reversed(self._heads) if name}
        top = Table("", self._document, None, {**lines, **heads}).take(_TOP, self._problems)
        known = len(self._problems)
        listed = list(self._tables("circuit", top))
        circuits = [circuit for table in listed if (circuit := self._circuit(table)) is not None]
        self._parents(listed)
        sound = "circuit" in top and len(self._problems) == known and not self._file_problems
        trees = self._trees(circuits) if sound else {}
        homes = {one.circuit.circuit_id: group for group, tree in trees.items() for one in tree.circuits}
        homes = homes or {str(table.fields.get("id")): "" for table in listed}
        evses = [evse for table in self._tables("evse", top) if (evse := self._evse(table, homes)) is not None]
        for number_, evse in enumerate(evses):
            if any(
                (evse.station_id, evse.connector_id) == (one.station_id, one.connector_id) for one in evses[:number_]
            ):
                self._problems.append(
                    f"evse {evse.station_id!r}{f' connector {evse.connector_id}' if evse.connector_id else ''} is there "
                    "more than once: keep one"
                )
        id_tags = self._id_tags(self._tables("id_tag", top))
        meter = self._registers(list(self._tables("register", top)))
        problems = [*(f"{self._path.name} {problem}" for problem in self._problems), *self._file_problems]
        if problems:
            raise SettingsError(*problems)
        return SiteFile(trees, tuple(evses), id_tags, meter)

    def _tables(self, name: str, top: Mapping[str, Any]) -> Iterator[Table]:
        listed = top.get(name, [])
        heads = [(line, fields) for head, line, fields in self._heads if head == name]
        for position, fields in enumerate(listed):
            line, lines = heads[position] if len(heads) == len(listed) else (None, {})
            table = Table(f"{name}[{position}]", fields, line, lines)
            if isinstance(fields, dict):
                yield table
            else:
                self._problems.append(table.problem("", f"is {fields!r}; write it as a table [[{name}]]"))

    def _circuit(self, table: Table) -> tuple[ScheduledCircuit, Mapping[str, Any], Table] | None:
        known = len(self._problems)
        given = table.take(_CIRCUIT, self._problems)
        name = given.get("id", "")
        label = given.get("label", f"{name} limit")
        windows = tuple(self._windows(table, given))
        for only in ("group", "unbalance_kw"):
            if only in given and "parent" in given:
                self._problems.append(
                    table.problem(only, f"is for the grid connection alone, but {name!r} has a parent: leave it out")
                )
        if len(self._problems) > known:
            return None
        limit = LimitSeries.constant(given["limit_kw"], ALWAYS, label) if "limit_kw" in given else None
        schedule = ScheduledLimit(windows, self._view.zone, f"{label} by schedule") if windows else None
        amps = given.get("limit_a")
        circuit = Circuit(name, given.get("parent"), limit, amps, label if amps is not None else "")
        return ScheduledCircuit(circuit, schedule), given, table

    def _windows(self, table: Table, given: Mapping[str, Any]) -> Iterator[Window]:
        for number_, row in enumerate(given.get("schedule", ())):
            place = f"schedule[{number_}]"
            if not isinstance(row, dict):
                self._problems.append(table.problem(place, f"is {row!r}; it must be a table with from, to and kw"))
                continue
            window = read_window(table.problem(place, "").rstrip(), row, (), self._problems)
            if window is not None:
                yield window
        if "schedule_file" in given:
            try:
                yield from load_windows(
                    self._path.parent / given["schedule_file"],
                    (),
                    f"{self._path.name} {table.problem('schedule_file', '').rstrip()}",
                )
            except SettingsError as error:
                self._file_problems.extend(error.problems)

    def _trees(self, circuits: Iterable[tuple[ScheduledCircuit, Mapping[str, Any], Table]]) -> dict[str, Tree]:
        """The circuits of each station group; what does not hang together is a problem."""
        known = len(self._problems)
        listed = list(circuits)
        groups = tuple(self._view.groups)
        roots: dict[str, tuple[ScheduledCircuit, Mapping[str, Any]]] = {}
        for circuit, given, table in listed:
            if circuit.circuit.parent is not None:
                continue
            group = given.get("group", groups[0] if len(groups) == 1 else None)
            if group is None:
                self._problems.append(
                    table.problem(
                        "group", f"is missing; with several station groups it must be one of {', '.join(groups)}"
                    )
                )
            elif group not in groups:
                self._problems.append(
                    table.problem(
                        "group", f"is {group!r}, which STATION_GROUPS does not have; known are {', '.join(groups)}"
                    )
                )
            elif group in roots:
                first = roots[group][0].circuit.circuit_id
                self._problems.append(
                    table.problem(
                        "parent",
                        f"is missing, but station group {group!r} has its grid connection in {first!r} already: "
                        f'name what {circuit.circuit.circuit_id!r} hangs on, e.g. "{first}"',
                    )
                )
            else:
                roots[group] = circuit, given
        for group in groups:
            if group not in roots and len(self._problems) == known:
                self._problems.append(
                    f"has no grid connection for station group {group!r}: give one circuit no parent"
                    + (f' and group = "{group}"' if len(groups) > 1 else "")
                )
        if len(self._problems) > known:
            return {}
        try:
            return {
                group: Tree(_below(root, [circuit for circuit, _, _ in listed]), given.get("unbalance_kw"))
                for group, (root, given) in roots.items()
            }
        except SettingsError as error:
            self._problems.extend(error.problems)
            return {}

    def _parents(self, listed: Iterable[Table]) -> None:
        """Names each circuit that has another's id, or hangs on none that there is, or on itself."""
        named = [table for table in listed if isinstance(table.fields.get("id"), str)]
        parents = {table.fields["id"]: table.fields.get("parent") for table in reversed(named)}
        seen: set[str] = set()
        for table in named:
            name, parent = table.fields["id"], table.fields.get("parent")
            if name in seen:
                self._problems.append(
                    table.problem("id", f"is {name!r} for a second time: give each circuit its own id")
                )
            elif isinstance(parent, str) and parent not in parents:
                self._problems.append(
                    table.problem("parent", f"is {parent!r}, which is no circuit; {_nearest(parent, parents)}")
                )
            elif _leads_back(name, parents):
                self._problems.append(
                    table.problem(
                        "parent", f"is {parent!r}, which hangs on {name!r} itself: lead it to the grid connection"
                    )
                )
            seen.add(name)

    def _evse(self, table: Table, homes: Mapping[str, str]) -> EVSE | None:
        known = len(self._problems)
        given = table.take(_EVSE_FIELDS, self._problems)
        station_id, circuit = given.get("station_id", ""), given.get("circuit")
        group = self._view.group_of(station_id)
        listed = self._view.stations(group) if group is not None else ()
        stations = self._view.station_ids if listed is None else listed
        if station_id and station_id not in self._view.station_ids and station_id not in stations:
            self._problems.append(
                table.problem(
                    "station_id",
                    f"is {station_id!r}, which STATION_IDS does not have; {_nearest(station_id, self._view.station_ids)}",
                )
            )
        if circuit is not None and circuit not in homes:
            if homes:
                self._problems.append(
                    table.problem("circuit", f"is {circuit!r}, which is no circuit; {_nearest(circuit, homes)}")
                )
        elif circuit is not None and homes[circuit] and group is not None and homes[circuit] != group:
            self._problems.append(
                table.problem(
                    "circuit",
                    f"is {circuit!r} of station group {homes[circuit]!r}, but {station_id!r} is in {group!r}: "
                    "choose a circuit of its own group",
                )
            )
        rotation = given.get("rotation")
        count = given.get("phases", 1 if rotation is None else len(rotation))
        if rotation is not None and count > len(rotation):
            self._problems.append(
                table.problem(
                    "phases",
                    f"is {count}, but rotation {''.join(rotation)} has {len(rotation)}: lower it, or name three",
                )
            )
        if len(self._problems) > known:
            return None
        unknown = PHASES if count == len(PHASES) else (UNKNOWN_PHASE,) * count
        home = circuit or next((name for name, of in homes.items() if of == group), next(iter(homes), ROOT))
        phases = unknown if rotation is None else rotation[:count]
        return EVSE(station_id, given.get("connector_id"), home, phases, given.get("priority", 1.0))

    def _id_tags(self, listed: Iterable[Table]) -> dict[str, float]:
        priorities: dict[str, float] = {}
        for table in listed:
            given = table.take(_ID_TAG, self._problems)
            name = str(given.get("id_tag", "")).casefold()
            if name in priorities:
                self._problems.append(
                    table.problem("id_tag", f"is {given['id_tag']!r} for a second time: name each once")
                )
            if name and "priority" in given:
                priorities[name] = given["priority"]
        return priorities

    def _registers(self, listed: Sequence[Table]) -> tuple[registers.Register, ...]:
        """The map of the site meter's registers, each quantity once."""
        known = len(self._problems)
        taken = [table.take(registers.FIELDS, self._problems) for table in listed]
        for number_, (table, given) in enumerate(zip(listed, taken, strict=True)):
            if "value" in given and given["value"] in [one.get("value") for one in taken[:number_]]:
                self._problems.append(table.problem("value", f"is {given['value']!r} for a second time: keep one"))
            if given.get("scale") == 0:
                self._problems.append(table.problem("scale", "is 0; it must be a number other than 0, e.g. 0.1"))
        if listed and len(self._problems) == known and (missing := registers.lacking([one["value"] for one in taken])):
            self._problems.append(listed[0].problem("", f"and the others have {missing}"))
        return () if len(self._problems) > known else tuple(registers.register(given) for given in taken)


def _below(root: ScheduledCircuit, circuits: Collection[ScheduledCircuit]) -> tuple[ScheduledCircuit, ...]:
    """`root` and everything that hangs on it, parents first."""
    found = [root]
    for above in found:
        found.extend(one for one in circuits if one.circuit.parent == above.circuit.circuit_id)
    return tuple(found)


def _leads_back(name: str, parents: Mapping[str, str | None]) -> bool:
    seen: set[str] = set()
    above = parents[name]
    while above is not None and above in parents and above not in seen:
        if above == name:
            return True
        seen.add(above)
        above = parents[above]
    return False


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names[:10]) or 'none'}"
