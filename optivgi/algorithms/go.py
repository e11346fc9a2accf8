"""`go`: minimum, fair share, shift to the front, fill."""

from __future__ import annotations

from optivgi.algorithms.base import Algorithm, register
from optivgi.algorithms.explain import explained
from optivgi.algorithms.forward import Cell, Claim, Policy, forward
from optivgi.algorithms.network import Network
from optivgi.model.plan import Plan
from optivgi.model.problem import Floats, Problem


class RequiredRate(Policy):
    """First the steady power that completes each EV just at its departure, then equal power for all."""

    def urgency(self, cell: Cell) -> Floats:
        return cell.laxity_h

    def claim(self, cell: Cell, low_kw: Floats, high_kw: Floats) -> Claim:
        equal = super().claim(cell, low_kw, high_kw)
        return Claim(equal.level, first_kw=cell.target_kwh / (cell.hours_after + cell.stay_h))


@register("go")
class GoAlgorithm(Algorithm):
    """The four stages of a quick heuristic, cell by cell from the front:

    1. minimum: everybody gets the minimum power; if that does not fit, those with most slack are paused, in turns;
    2. fair share: then the steady power need / time left, as far as it fits, equally (max-min);
    3. shift to the front: what a limit leaves free now is used now and taken off the end;
    4. fill: nothing stays free while somebody can use it.

    It sees one cell at a time: where the limit falls later, or short and long stays compete, `fair` serves the worst-served
    EV better at the same total.
    """

    momentary = True

    def plan(self, problem: Problem) -> Plan:
        return explained(problem, self.name, forward(problem, Network.of(problem), RequiredRate()))
