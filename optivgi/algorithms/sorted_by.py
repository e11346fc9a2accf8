"""The classics, one rule each: `fcfs`, `edf`, `llf`, `round_robin`."""

from __future__ import annotations

import numpy as np

from optivgi.algorithms.base import Algorithm, register
from optivgi.algorithms.explain import explained
from optivgi.algorithms.forward import Cell, Policy, forward
from optivgi.algorithms.laxity import LeastLaxity
from optivgi.algorithms.network import Network
from optivgi.model.plan import Plan
from optivgi.model.problem import Floats, Problem


class _FirstCome(Policy):
    strict = True

    def urgency(self, cell: Cell) -> Floats:
        return cell.arrival_s


class _EarliestDeparture(Policy):
    strict = True

    def urgency(self, cell: Cell) -> Floats:
        return cell.departure_s


class _LongestWait(Policy):
    strict = True

    def urgency(self, cell: Cell) -> Floats:
        return np.where(cell.waited_s > 0, -cell.waited_s, 1.0)


class _Sorted(Algorithm):
    momentary = True
    policy: type[Policy]

    def plan(self, problem: Problem) -> Plan:
        return explained(problem, self.name, forward(problem, Network.of(problem), self.policy()))


@register("fcfs")
class FirstComeFirstServed(_Sorted):
    """In the order of arrival, each at its maximum until the limit is used up.

    Easy to explain, and blind to needs and departures: who comes late on a full day gets nothing. For comparison.
    """

    policy = _FirstCome


@register("edf")
class EarliestDeadlineFirst(_Sorted):
    """In the order of departure, each at its maximum until the limit is used up.

    Delivers all energy if anything can and EVs can take any power; with bounded powers or departures that are wrong it
    loses some: a long need with a late departure starts too late. For comparison.
    """

    policy = _EarliestDeparture


@register("llf")
class LeastLaxityFirst(_Sorted):
    """Least laxity (time left minus time needed at maximum power) first, those with equal laxity together.

    Robust against wrong departures and quick. When there is not enough for all, it serves those that ask for most and can
    leave others with nothing: then `fair`.
    """

    policy = LeastLaxity


@register("round_robin")
class RoundRobin(_Sorted):
    """In turns at maximum power: whoever has waited longest comes next.

    For EVs or stations that behave badly at low powers. Needs and departures play no part.
    """

    policy = _LongestWait
