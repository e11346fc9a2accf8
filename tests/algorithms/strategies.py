"""Hypothesis strategies for sites and EVs, from plain to three phases, trees, steps, dips and pauses."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from hypothesis import strategies as st

from optivgi.model.ev import EV
from optivgi.model.framing import EVState, frame
from optivgi.model.limit_series import LimitSeries
from optivgi.model.problem import Problem
from optivgi.model.site import Circuit, Site
from tests.algorithms.instances import NOW, ev, limit, snapshot

PHASES = [("L1",), ("L2",), ("L3",), ("L1", "L2", "L3"), ("?",)]


# Strategies that are made once: to make them anew for each draw takes as long as to plan.
_FACTS = st.tuples(
    st.sampled_from([0.0, 1.4, 4.1]),
    st.sampled_from([3.6, 7.2, 7.2, 11.0]),
    st.sampled_from([-120, 0, 0, 0, 45, 150]),
    st.integers(5, 600),
    st.booleans(),
    st.sampled_from([0.0, 0.05, 2.0, 8.0, 20.0, 60.0]),
    st.sampled_from([0.0, 0.0, 5.0]),
    st.sampled_from([1.0, 1.0, 1.0, 3.0]),
)
_WIRING = st.tuples(st.sampled_from(PHASES), st.sampled_from([0.0, 0.0, 1.0]))
_STATES = st.builds(
    EVState, waiting_s=st.sampled_from([0.0, 0.0, 400.0, 4000.0]), allowed_kw=st.sampled_from([None, 0.0, 3.0])
)


@cache
def _one_of(circuits: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(circuits)


@st.composite
def cars(draw: st.DrawFn, number: int, circuits: tuple[str, ...] = ("site",), *, phases: bool = False) -> EV:
    low, high, arrival, stay, leaves, need, delivered, priority = draw(_FACTS)
    wired, step_a = draw(_WIRING) if phases else (("L1",), 0.0)
    return ev(
        f"{number:02d}",
        min_kw=low,
        max_kw=max(low, high),
        arrival=NOW + timedelta(minutes=arrival),
        departure=NOW + timedelta(minutes=max(arrival, 0) + stay) if leaves else None,
        energy_needed_kwh=need,
        delivered_kwh=delivered,
        priority=priority,
        circuit=draw(_one_of(circuits)),
        phases=wired,
        step_a=step_a,
    )


limits: st.SearchStrategy[LimitSeries] = st.lists(
    st.tuples(st.sampled_from([0.5, 1.0, 1.75, 3.0]), st.sampled_from([0.0, 1.0, 4.0, 9.0, 25.0, None])),
    max_size=3,
    unique_by=lambda step: step[0],
).flatmap(lambda steps: st.sampled_from([2.0, 6.0, 12.0, 30.0]).map(lambda first: limit((0.0, first), *sorted(steps))))


@st.composite
def plain_problems(draw: st.DrawFn, most: int = 9) -> Problem:
    """One circuit, single-phase EVs."""
    count = draw(st.integers(1, most))
    those = [draw(cars(number)) for number in range(count)]
    states = {one.ev_id: draw(_STATES) for one in those}
    return frame(snapshot(*those), Site.single(draw(limits)), NOW, states=states).problem


@st.composite
def site_problems(draw: st.DrawFn, most: int = 9) -> Problem:
    """A tree of circuits with kW and amperes, mixed phases, whole steps, an unbalance limit."""
    names = ("site", "a", "b", "a1")
    parents = {"a": "site", "b": "site", "a1": "a"}
    amps = st.sampled_from([None, None, 10.0, 25.0])
    circuits = tuple(
        Circuit(
            name,
            parents.get(name),
            limit((0.0, draw(st.sampled_from([None, 5.0, 12.0])))) if name != "site" else draw(limits),
            draw(amps),
        )
        for name in names
    )
    site = Site(circuits, draw(st.sampled_from([None, None, 3.0])))
    those = [draw(cars(number, names, phases=True)) for number in range(draw(st.integers(1, most)))]
    return frame(snapshot(*those), site, NOW).problem
