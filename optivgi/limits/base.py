"""Where a site's circuits and its limit come from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from optivgi.model.limit_series import LimitSeries
from optivgi.model.site import ROOT, Circuit, Site


class LimitSource(Protocol):
    """Something that limits a station group. It never blocks and never fails.

    A source that lost its own input answers with the strictest value that it cannot rule out.
    """

    def series(self, group: str, now: datetime) -> LimitSeries:
        """The limit of `group` from `now` on, as far ahead as is known."""
        ...


class SiteSource(Protocol):
    """Which circuits a station group has. It never blocks and never fails."""

    def site(self, group: str, now: datetime) -> Site:
        """The circuits of `group`, with their own limits from `now` on, as far ahead as is known."""
        ...


class OneCircuit:
    """A SiteSource: one circuit for everything, which has no limit of its own."""

    def site(self, group: str, now: datetime) -> Site:  # noqa: ARG002 - always the same
        return Site((Circuit(ROOT),))


class Tightest:
    """At each instant the strictest of several sources."""

    def __init__(self, sources: Sequence[LimitSource]) -> None:
        self._first, *self._others = sources

    def series(self, group: str, now: datetime) -> LimitSeries:
        result = self._first.series(group, now)
        for source in self._others:
            result = result.tightest_with(source.series(group, now))
        return result
