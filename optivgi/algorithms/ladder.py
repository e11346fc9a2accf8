"""The ladder: the chosen algorithm first, then simpler ones, at last the least that is safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from optivgi.algorithms.base import Algorithm, algorithm, checked
from optivgi.algorithms.equal_share import EqualPower
from optivgi.algorithms.explain import explained
from optivgi.algorithms.forward import forward
from optivgi.algorithms.network import Network
from optivgi.errors import PlanningError
from optivgi.model.checks import violations
from optivgi.model.plan import Plan
from optivgi.model.problem import Problem

MINIMUM_SAFE = "minimum-safe"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder and why it did not hold; `failure` is empty for the one whose plan is used."""

    name: str
    failure: str = ""
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The plan to act on, and every rung that was tried, the last one being the plan's."""

    plan: Plan
    rungs: tuple[Rung, ...]

    @property
    def degraded(self) -> bool:
        """Whether the chosen algorithm is not the one that decided."""
        return len(self.rungs) > 1


class MinimumSafe(Algorithm):
    """Every EV at its minimum power, as many as fit; the others pause in turns. Nothing to get wrong."""

    name = MINIMUM_SAFE

    def plan(self, problem: Problem) -> Plan:
        least = replace(problem, max_kw=np.maximum(problem.min_kw, np.minimum(problem.step_kw, problem.max_kw)))
        return explained(problem, self.name, forward(least, Network.of(least), EqualPower()))


class Ladder:
    """Plans that are never wrong: each is checked, and one with a violation or an error is not returned.

    `monotonic` gives seconds (for example time.perf_counter). A rung that took longer than `deadline_s` has its plan used,
    if it is good, but rests for the next `patience` problems, which start at the rung below.
    """

    def __init__(
        self,
        chosen: str | Algorithm = "fair",
        fallbacks: Sequence[str | Algorithm] = ("llf",),
        *,
        deadline_s: float = 5.0,
        monotonic: Callable[[], float] | None = None,
        patience: int = 10,
    ) -> None:
        first = algorithm(chosen) if isinstance(chosen, str) else chosen
        simpler = [rung for rung in fallbacks if _name(rung) != first.name]
        self._rungs: list[str | Algorithm] = [first, *simpler, MinimumSafe()]
        """Those that are names are not needed yet, and may never be."""
        self._deadline_s, self._monotonic, self._patience = deadline_s, monotonic or _no_time, patience
        self._too_slow = [0] * len(self._rungs)

    @property
    def chosen(self) -> str:
        """The name of the first rung."""
        return _name(self._rungs[0])

    def __call__(self, problem: Problem) -> Plan:
        """The plan of the first rung that holds. Raises PlanningError if none does."""
        return self.decide(problem).plan

    def decide(self, problem: Problem) -> Decision:
        """The plan of the first rung that holds, with the account of those that did not. Raises PlanningError if none."""
        tried: list[Rung] = []
        for position, rung in enumerate(self._rungs):
            name = _name(rung)
            if self._too_slow[position] > 0 and position < len(self._rungs) - 1:
                self._too_slow[position] -= 1
                tried.append(Rung(name, f"took longer than {self._deadline_s:g} s: rests"))
                continue
            loaded = self._rungs[position] = algorithm(rung) if isinstance(rung, str) else rung
            started = self._monotonic()
            plan, failure = _attempt(loaded, problem)
            took_s = self._monotonic() - started
            if took_s > self._deadline_s:
                self._too_slow[position] = self._patience
            tried.append(Rung(name, failure, took_s))
            if plan is not None:
                notes = tuple(f"{one.name} gave no plan ({one.failure}); {name} decided" for one in tried[:-1])
                return Decision(replace(plan, notes=(*notes, *plan.notes)), tuple(tried))
        raise PlanningError("no rung gave a plan: " + "; ".join(f"{one.name}: {one.failure}" for one in tried))


def _name(rung: str | Algorithm) -> str:
    """Raises SettingsError for a name that no algorithm has."""
    return checked(rung) if isinstance(rung, str) else rung.name


def _attempt(rung: Algorithm, problem: Problem) -> tuple[Plan | None, str]:
    try:
        plan = rung(problem)
    except (PlanningError, ArithmeticError, LookupError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        return None, f"{type(error).__name__}: {error}"
    broken = violations(problem, plan)
    return (None, f"breaks {broken[0]}") if broken else (plan, "")


def _no_time() -> float:
    return 0.0
