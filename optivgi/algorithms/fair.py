"""`fair`: the fairest energies that the site can deliver, then powers that get there."""

from __future__ import annotations

from optivgi.algorithms import energies, flow
from optivgi.algorithms.base import Algorithm, register
from optivgi.algorithms.explain import explained
from optivgi.algorithms.laxity import powers_towards
from optivgi.algorithms.network import Network
from optivgi.algorithms.solver import with_highs
from optivgi.model.plan import Plan
from optivgi.model.problem import Floats, Problem


@register("fair")
class Fair(Algorithm):
    """Lexicographic max-min fair energy, then dispatch on those targets.

    1. Targets: the worst-served fraction (delivered + planned) / (delivered + need), divided by the priority, is as large
       as possible; then the next worst, and so on. By flows where limits are nested (any tree of kW limits, and amperes
       where each circuit has either single-phase or three-phase EVs); by linear programs where phases mix. With nested
       limits the same targets also have the largest total energy.
    2. Powers: who needs it now to reach its target comes first, the rest is shared by need; equal needs get equal power.

    Use it unless there is a reason not to. It needs an idea of needs and departures: where both are guesses, `equal` is
    easier to explain to drivers.
    """

    def plan(self, problem: Problem) -> Plan:
        network = Network.of(problem)

        def fair(proven: bool) -> Floats:
            return targets(problem, network, proven=proven)

        return explained(problem, self.name, powers_towards(problem, network, fair))


LP_CELLS = 9
"""Linear programs find targets on a coarser grid: optimistic by a few thousandths, which powers then put right."""


def targets(problem: Problem, network: Network, *, proven: bool = True) -> Floats:
    """[S] kWh, the fair energies."""
    if network.nested:
        return flow.fair_energies(problem, network, proven=proven)
    coarse = problem.coarser(LP_CELLS)
    return energies.fair_energies(coarse, Network.of(coarse), with_highs)
