"""A limit over time, piecewise constant, that knows where it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LimitStep:
    """From `start` until the next step: at most `limit_kw` (None is no limit), because of `source`."""

    start: datetime
    limit_kw: float | None
    source: str


@dataclass(frozen=True, slots=True)
class LimitSeries:
    """Steps in order of time; the first one also holds before its start, the last one for ever."""

    steps: tuple[LimitStep, ...]

    @classmethod
    def constant(cls, limit_kw: float | None, start: datetime, source: str) -> LimitSeries:
        """The same limit for ever."""
        return cls((LimitStep(start, limit_kw, source),))

    def at(self, moment: datetime) -> LimitStep:
        """The step in force at `moment`."""
        current = self.steps[0]
        for step in self.steps:
            if step.start > moment:
                break
            current = step
        return current

    def changes_after(self, moment: datetime) -> tuple[datetime, ...]:
        """When the limit changes after `moment`."""
        return tuple(step.start for step in self.steps[1:] if step.start > moment)

    def tightest_with(self, other: LimitSeries) -> LimitSeries:
        """At each instant the stricter of the two, with the source of that one."""
        starts = sorted({step.start for step in (*self.steps, *other.steps)})
        merged: list[LimitStep] = []
        for start in starts:
            step = min(self.at(start), other.at(start), key=_strictness)
            if not merged or (merged[-1].limit_kw, merged[-1].source) != (step.limit_kw, step.source):
                merged.append(LimitStep(start, step.limit_kw, step.source))
        return LimitSeries(tuple(merged))


def _strictness(step: LimitStep) -> float:
    return math.inf if step.limit_kw is None else step.limit_kw
