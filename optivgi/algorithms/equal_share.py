"""`equal`: everybody the same power."""

from __future__ import annotations

from optivgi.algorithms.base import Algorithm, register
from optivgi.algorithms.explain import explained
from optivgi.algorithms.forward import Cell, Policy, forward
from optivgi.algorithms.network import Network
from optivgi.model.plan import Plan
from optivgi.model.problem import Floats, Problem


class EqualPower(Policy):
    """One level for all; when not all can run, whoever has waited longest goes first."""

    def urgency(self, cell: Cell) -> Floats:
        return -cell.waited_s


@register("equal")
class EqualShare(Algorithm):
    """Max-min fair power in each cell: P_i = min(max_i, need_i / h, w_i * level) with the level that fills the limit.

    Knows nothing of departures: an EV that leaves soon gets no more than one that stays all day. Use it when needs and
    departures are not known at all; otherwise every other algorithm delivers more.
    """

    momentary = True

    def plan(self, problem: Problem) -> Plan:
        return explained(problem, self.name, forward(problem, Network.of(problem), EqualPower()))
