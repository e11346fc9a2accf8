"""The electrical site: a tree of circuits with limits, from the grid connection down to the feeders."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from optivgi.errors import SettingsError
from optivgi.model.limit_series import LimitSeries
from optivgi.model.problem import Ints

ROOT = "site"


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit. What flows through it is the sum of everything below it.

    `limit` is in kW over all phases, `limit_a` in amperes on each phase; None is no limit of that kind. `parent` None
    marks the grid connection. `label` names the limit in words ("panel A fuse").
    """

    circuit_id: str
    parent: str | None = None
    limit: LimitSeries | None = None
    limit_a: float | None = None
    label: str = ""
    taken_a: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Amperes of `limit_a` on L1, L2 and L3 that others than EVs draw; below 0 where they feed in."""

    @property
    def room_a(self) -> tuple[float, float, float] | None:
        """What EVs may draw on L1, L2 and L3, in amperes; None if there is no such limit."""
        if self.limit_a is None:
            return None
        first, second, third = (max(self.limit_a - taken, 0.0) for taken in self.taken_a)
        return first, second, third


@dataclass(frozen=True, slots=True)
class Site:
    """Circuits, parents before children, the first one the grid connection. Raises SettingsError with all problems."""

    circuits: tuple[Circuit, ...]
    unbalance_kw: float | None = None

    def __post_init__(self) -> None:
        problems = tuple(_problems(self.circuits, self.unbalance_kw))
        if problems:
            raise SettingsError(*problems)
        object.__setattr__(self, "circuits", _parents_first(self.circuits))

    @classmethod
    def single(cls, limit: LimitSeries, label: str = "") -> Site:
        """One circuit for everything."""
        return cls((Circuit(ROOT, limit=limit, label=label),))

    @property
    def root(self) -> Circuit:
        """The grid connection."""
        return self.circuits[0]

    def index(self) -> dict[str, int]:
        """Position of each circuit by its id."""
        return {circuit.circuit_id: position for position, circuit in enumerate(self.circuits)}

    def parents(self) -> Ints:
        """[C], the position of the circuit above each, -1 for the grid connection."""
        positions = self.index()
        return np.array([-1 if c.parent is None else positions[c.parent] for c in self.circuits], dtype=np.int64)

    def tightened(self, limit: LimitSeries, circuit_id: str | None = None) -> Site:
        """The site with `limit` also in force at a circuit (the grid connection if none is named)."""
        name = circuit_id or self.root.circuit_id
        return replace(self, circuits=tuple(_tightened(c, limit) if c.circuit_id == name else c for c in self.circuits))


def _tightened(circuit: Circuit, limit: LimitSeries) -> Circuit:
    return replace(circuit, limit=limit if circuit.limit is None else circuit.limit.tightest_with(limit))


def _problems(circuits: tuple[Circuit, ...], unbalance_kw: float | None) -> Iterable[str]:
    if not circuits:
        yield "the site has no circuits: name at least one, the grid connection, without a parent"
    names = [circuit.circuit_id for circuit in circuits]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"circuit {name!r} is there {names.count(name)} times: give each circuit its own id"
    roots = [circuit.circuit_id for circuit in circuits if circuit.parent is None]
    if circuits and len(roots) != 1:
        listed = ", ".join(repr(name) for name in roots) or "none"
        yield f"{len(roots)} circuits have no parent ({listed}): exactly one, the grid connection, must have none"
    parents = {circuit.circuit_id: circuit.parent for circuit in circuits}
    for circuit in circuits:
        if circuit.parent is not None and circuit.parent not in parents:
            yield f"circuit {circuit.circuit_id!r} has parent {circuit.parent!r}, which is not a circuit of this site"
        elif _in_a_loop(circuit.circuit_id, parents):
            yield f"circuit {circuit.circuit_id!r} is its own ancestor: parents must lead to the grid connection"
        yield from _limit_problems(circuit)
    if unbalance_kw is not None and not (unbalance_kw >= 0 and math.isfinite(unbalance_kw)):
        yield f"unbalance limit is {unbalance_kw:g} kW; it must be 0 or more: leave it out for none"


def _limit_problems(circuit: Circuit) -> Iterable[str]:
    name = circuit.circuit_id
    if circuit.limit_a is not None and not (circuit.limit_a >= 0 and math.isfinite(circuit.limit_a)):
        yield f"circuit {name!r} has limit {circuit.limit_a:g} A; it must be 0 or more: leave it out for none"
    if circuit.limit is None:
        return
    if not circuit.limit.steps:
        yield f"circuit {name!r} has a limit series without steps: give at least one, or leave the limit out"
    for step in circuit.limit.steps:
        if step.limit_kw is not None and not (step.limit_kw >= 0 and math.isfinite(step.limit_kw)):
            yield (
                f"circuit {name!r} has limit {step.limit_kw:g} kW from {step.start.isoformat()}; "
                "it must be 0 or more: leave it out for none"
            )


def _in_a_loop(name: str, parents: dict[str, str | None]) -> bool:
    seen = {name}
    above = parents[name]
    while above is not None and above in parents:
        if above in seen:
            return above == name
        seen.add(above)
        above = parents[above]
    return False


def _parents_first(circuits: tuple[Circuit, ...]) -> tuple[Circuit, ...]:
    children: dict[str | None, list[Circuit]] = {}
    for circuit in circuits:
        children.setdefault(circuit.parent, []).append(circuit)
    ordered = list(children[None])
    for circuit in ordered:
        ordered.extend(children.get(circuit.circuit_id, ()))
    return tuple(ordered)
