"""Where a site's limit comes from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from optivgi.model.limit_series import LimitSeries


class LimitSource(Protocol):
    """Something that limits a station group. It never blocks and never fails.

    A source that lost its own input answers with the strictest value that it cannot rule out.
    """

    def series(self, group: str, now: datetime) -> LimitSeries:
        """The limit of `group` from `now` on, as far ahead as is known."""
        ...


class Tightest:
    """At each instant the strictest of several sources."""

    def __init__(self, sources: Sequence[LimitSource]) -> None:
        self._first, *self._others = sources

    def series(self, group: str, now: datetime) -> LimitSeries:
        result = self._first.series(group, now)
        for source in self._others:
            result = result.tightest_with(source.series(group, now))
        return result
