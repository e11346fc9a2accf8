"""Energy flowing through a station's connectors between two instants, and the witness who sees it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from simulator.connector import Connector

Trace = Callable[[datetime, str, int, float], None]
"""Takes the truth ten times a second: instant, station, connector, kW. Tenths at which nothing flows may be left out."""

_TENTH = timedelta(milliseconds=100)


class Witness:
    """Tells a trace what flows at one station; without a trace, nothing."""

    def __init__(self, station_id: str, trace: Trace | None) -> None:
        self._station_id = station_id
        self._trace = trace
        self._told: dict[int, float] = {}

    def flow(
        self, connectors: Collection[Connector], begin: datetime, end: datetime
    ) -> list[tuple[datetime, Connector]]:
        """Lets time pass from `begin` to `end`; which EVs stopped by themselves, and when, in order."""
        stops: list[tuple[datetime, Connector]] = []
        at = begin
        while at < end:
            to = end if self._trace is None else min(end, self._next_look(connectors, at, end))
            for connector in connectors:
                if (stopped := connector.flow((to - at).total_seconds(), at)) is not None:
                    stops.append((stopped, connector))
            if next_tenth(to - timedelta(microseconds=1)) == to:
                self._tell(connectors, to)
            at = to
        return sorted(stops, key=lambda stop: stop[0])

    def due(self, connectors: Collection[Connector], now: datetime) -> datetime | None:
        """When to look again so that no power that was cut off is taken to flow on; None if nothing was."""
        if self._trace is None:
            return None
        cut = any(c.power_kw == 0 and self._told.get(c.connector_id, 0.0) > 0 for c in connectors)
        return next_tenth(now) if cut else None

    def _next_look(self, connectors: Collection[Connector], at: datetime, end: datetime) -> datetime:
        idle = all(c.transaction is None and c.power_kw == 0 for c in connectors)
        if idle and not any(self._told.values()):
            return max(next_tenth(at), next_tenth(end) - _TENTH)
        return next_tenth(at)

    def _tell(self, connectors: Collection[Connector], at: datetime) -> None:
        if self._trace is None:
            return
        for connector in connectors:
            self._told[connector.connector_id] = connector.power_kw
            self._trace(at, self._station_id, connector.connector_id, connector.power_kw)


def next_tenth(after: datetime) -> datetime:
    """The first whole tenth of a second after `after`."""
    step = 100_000
    return after + timedelta(microseconds=step - after.microsecond % step)
