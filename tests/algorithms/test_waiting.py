"""Nobody waits for longer than rotation takes, in a closed loop of plans, whoever leaves when."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.algorithms import algorithm
from optivgi.algorithms.forward import Turns
from optivgi.model.framing import EVState, frame
from optivgi.model.site import Site
from tests.algorithms.instances import NOW, ev, hours, limit, snapshot

BOUNDED = ["equal", "go"]
"""Algorithms that rotate within the bound. The aim is to have `fair` here too."""
STEP_S = 300.0
MIN_KW = 1.4


def longest_wait_s(name: str, departures_h: list[float | None], needs_kwh: list[float], limit_kw: float) -> float:
    """The longest that any EV was paused against its need in two hours, planned anew every STEP_S."""
    count = len(needs_kwh)
    energy, waiting, running, allowed = np.zeros((4, count))
    longest, site = 0.0, Site.single(limit((0, limit_kw)))
    for step in range(round(7200.0 / STEP_S)):
        those = [
            ev(
                f"{n:02d}",
                min_kw=MIN_KW,
                departure=None if leaves is None else NOW + hours(leaves),
                energy_needed_kwh=max(0.0, needs_kwh[n] - float(energy[n])),
                delivered_kwh=float(energy[n]),
            )
            for n, leaves in enumerate(departures_h)
        ]
        states = {
            one.ev_id: EVState(float(allowed[n]), waiting_s=float(waiting[n]), running_s=float(running[n]))
            for n, one in enumerate(those)
        }
        now = NOW + timedelta(seconds=step * STEP_S)
        allowed = algorithm(name)(frame(snapshot(*those), site, now, states=states).problem).power_kw[:, 0]
        energy += allowed * STEP_S / 3600.0
        wanting = energy < np.array(needs_kwh) - 1e-3
        waiting = np.where((allowed > 0) | ~wanting, 0.0, waiting + STEP_S)
        running = np.where(allowed > 0, running + STEP_S, 0.0)
        longest = max(longest, float(waiting.max()))
    return longest


def bound_s(count: int, together: int, turns: Turns) -> float:
    """Who waited too long comes first, as many at once as fit, and each of them stays for the shortest run."""
    batches = math.ceil(count / together) - 1
    return max(turns.longest_wait_s, turns.shortest_run_s) + (batches - 1) * turns.shortest_run_s


@pytest.mark.parametrize("name", BOUNDED)
@settings(max_examples=12, deadline=None)
@given(
    stays_h=st.lists(st.sampled_from([None, 8.0, 10.0, 12.0, 16.0]), min_size=3, max_size=8),
    needs_kwh=st.lists(st.sampled_from([10.0, 15.0, 20.0]), min_size=8, max_size=8),
    together=st.sampled_from([2, 3]),
)
def test_waiting_is_bounded_while_nobody_is_urgent(
    name: str, stays_h: list[float | None], needs_kwh: list[float], together: int
) -> None:
    """All stay for at least six hours more, and what each can have at most takes less than three: nobody is urgent."""
    wait_s = longest_wait_s(name, stays_h, needs_kwh[: len(stays_h)], together * MIN_KW)
    assert wait_s <= bound_s(len(stays_h), together, Turns())
