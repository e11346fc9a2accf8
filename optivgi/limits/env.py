"""The limit that the site's operator set: one number per station group, for ever."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from optivgi.model.limit_series import LimitSeries

SOURCE = "site limit"
ALWAYS = datetime.min.replace(tzinfo=UTC)


class ConstantLimit:
    """A LimitSource with the same limit (None: no limit) for ever."""

    def __init__(self, limits_kw: Mapping[str, float | None], source: str = SOURCE) -> None:
        self._series = {group: LimitSeries.constant(limit_kw, ALWAYS, source) for group, limit_kw in limits_kw.items()}

    def series(self, group: str, now: datetime) -> LimitSeries:  # noqa: ARG002 - it never changes
        return self._series[group]
