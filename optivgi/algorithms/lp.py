"""`pulp`: the lexicographic linear program."""

from __future__ import annotations

from optivgi.algorithms.base import Algorithm, register
from optivgi.algorithms.cost import Cost, saves_anything
from optivgi.algorithms.energies import fair_energies
from optivgi.algorithms.explain import explained
from optivgi.algorithms.laxity import powers_towards
from optivgi.algorithms.network import Network
from optivgi.algorithms.solver import Solve, with_pulp
from optivgi.model.plan import Plan
from optivgi.model.problem import Problem


@register("pulp")
class PulpNumericalAlgorithm(Algorithm):
    """Linear programs by PuLP and HiGHS, one goal after the other, each within the optimum of those before:

    1. limits of circuits and phases, own maximum, presence and need are constraints, never goals;
    2. fairness: the largest t such that every EV gets t of its energy; then the same for those that can get more;
    3. total energy;
    4. cost, where prices differ or there is a demand charge; otherwise front-load: the powers are laid out cell by cell
       from the front, which also keeps 0 or at least the minimum.

    Goals are soft, so there is always an optimum: nobody charging is feasible. Modelling takes most of the time: for many
    EVs use `fair`, which reaches the same energies by flows.
    """

    saves = True

    def __init__(self, solve: Solve = with_pulp, time_limit_s: float | None = 20.0) -> None:
        self._solve, self._time_limit_s = solve, time_limit_s

    def plan(self, problem: Problem) -> Plan:
        network = Network.of(problem)
        target = fair_energies(problem, network, self._solve, self._time_limit_s)
        if saves_anything(problem):
            return Cost(self._solve, self._time_limit_s).towards(problem, network, target, self.name)
        return explained(problem, self.name, powers_towards(problem, network, lambda _proven: target))
