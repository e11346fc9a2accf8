"""A site of several circuits, as a file describes it: limits over time, how each EVSE is wired, and who comes first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from optivgi.limits.registers import Register
from optivgi.limits.schedule_file import ScheduledLimit
from optivgi.model.ev_config import SiteView
from optivgi.model.framing import UNKNOWN_PHASE
from optivgi.model.site import Circuit, Site


@dataclass(frozen=True, slots=True)
class ScheduledCircuit:
    """A circuit with what does not change, and the windows in which less is allowed."""

    circuit: Circuit
    schedule: ScheduledLimit | None

    def at(self, group: str, now: datetime) -> Circuit:
        if self.schedule is None:
            return self.circuit
        series = self.schedule.series(group, now)
        limit = self.circuit.limit
        return replace(self.circuit, limit=series if limit is None else limit.tightest_with(series))


@dataclass(frozen=True, slots=True)
class Tree:
    """The circuits of one station group, the grid connection first."""

    circuits: tuple[ScheduledCircuit, ...]
    unbalance_kw: float | None

    @property
    def root(self) -> str:
        return self.circuits[0].circuit.circuit_id


@dataclass(frozen=True, slots=True)
class EVSE:
    """How one EVSE, or all of a station's, hangs on the site."""

    station_id: str
    connector_id: int | None
    circuit: str
    phases: tuple[str, ...]
    priority: float


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A SiteSource that was read from a file."""

    trees: Mapping[str, Tree]
    """By station group."""
    evses: tuple[EVSE, ...]
    id_tags: Mapping[str, float]
    """Priorities, by idTag in lower case."""
    registers: tuple[Register, ...] = ()
    """Where a site meter that is read over Modbus keeps what it shows."""

    def site(self, group: str, now: datetime) -> Site:
        tree = self.trees[group]
        return Site(tuple(circuit.at(group, now) for circuit in tree.circuits), tree.unbalance_kw)

    def limited(self, group: str) -> bool:
        """Whether the grid connection of `group` has a constant limit in kW."""
        return self.trees[group].circuits[0].circuit.limit is not None

    def view(self, base: SiteView) -> SiteView:
        """`base` with circuit, phases and priority of every EVSE. Where the file says nothing the phase is unknown."""
        first = next(iter(self.trees.values()))
        default = replace(base.default_ev, circuit=first.root, phases=(UNKNOWN_PHASE,))
        evs = {
            station_id: replace(config, circuit=first.root, phases=(UNKNOWN_PHASE,))
            for station_id, config in base.evs.items()
        }
        for group, stations in base.groups.items():
            for station_id in stations or ():
                evs[station_id] = replace(evs.get(station_id, default), circuit=self.trees[group].root)
        connectors = {}
        for evse in sorted(self.evses, key=lambda evse: evse.connector_id is not None):
            config = replace(
                evs.get(evse.station_id, default), circuit=evse.circuit, phases=evse.phases, priority=evse.priority
            )
            if evse.connector_id is None:
                evs[evse.station_id] = config
            else:
                connectors[evse.station_id, evse.connector_id] = config
        return replace(base, default_ev=default, evs=evs, connectors=connectors, id_tag_priority=self.id_tags)
