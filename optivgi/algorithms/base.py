"""What a planning algorithm is, and the registry of those that a setting can name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import ClassVar, TypeVar

import numpy as np

from optivgi.errors import SettingsError
from optivgi.model.plan import Plan
from optivgi.model.problem import Problem


class Algorithm(ABC):
    """Problem in, Plan out. The same plan for the same problem, however its EVs are ordered."""

    name: ClassVar[str] = ""
    momentary: ClassVar[bool] = False
    """Whether what it decides for now is decided from who is there now, what they need and when they leave, and nothing
    later: then a problem that ends with its first cell is enough to act on."""
    saves: ClassVar[bool] = False
    """Whether prices can make it leave for later what somebody could use now."""

    def __call__(self, problem: Problem) -> Plan:
        """A plan in the problem's order. It keeps every hard limit; what it cannot deliver is stated as shortfall."""
        order = np.array(sorted(range(len(problem.ev_ids)), key=problem.ev_ids.__getitem__), dtype=np.int64)
        if (np.diff(order) > 0).all():
            return self.plan(problem)
        plan = self.plan(problem.take(order))
        back = np.argsort(order)
        return replace(
            plan,
            power_kw=plan.power_kw[back],
            energy_kwh=plan.energy_kwh[back],
            shortfall_kwh=plan.shortfall_kwh[back],
            reasons=tuple(plan.reasons[position] for position in back),
        )

    @abstractmethod
    def plan(self, problem: Problem) -> Plan:
        """A plan for a problem whose EVs are in the order of their ids."""


_MODULES = {
    "cost": "cost",
    "edf": "sorted_by",
    "equal": "equal_share",
    "fair": "fair",
    "fcfs": "sorted_by",
    "go": "go",
    "llf": "sorted_by",
    "pulp": "lp",
    "round_robin": "sorted_by",
}
"""Where each algorithm is: imported when it is asked for, because some need large libraries."""

_REGISTRY: dict[str, Callable[[], Algorithm]] = {}
_A = TypeVar("_A", bound=type[Algorithm])


def register(name: str) -> Callable[[_A], _A]:
    """Class decorator: lets settings choose the algorithm by `name`."""

    def enter(cls: _A) -> _A:
        cls.name = name
        _REGISTRY[name] = cls
        return cls

    return enter


def names() -> tuple[str, ...]:
    """Every name that `algorithm` knows, in alphabetical order."""
    return tuple(sorted({*_MODULES, *_REGISTRY}))


def algorithm(name: str) -> Algorithm:
    """The algorithm of that name. Raises SettingsError naming those that there are."""
    if checked(name) not in _REGISTRY:
        import_module(f"{__package__}.{_MODULES[name]}")
    return _REGISTRY[name]()


def checked(name: str) -> str:
    """`name`, if `algorithm` knows it. Raises SettingsError naming those that there are."""
    if name not in names():
        raise SettingsError(f"algorithm is {name!r}: choose one of {', '.join(names())}")
    return name
