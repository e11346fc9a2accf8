"""Where the EVs of a study plug in: the circuits of a site file, and the EVSE at which each session takes place."""

from __future__ import annotations

import heapq
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from optivgi.errors import SettingsError
from optivgi.limits.site_file import load_site
from optivgi.limits.site_tree import SiteFile
from optivgi.model.ev_config import EVConfig, SiteView
from optivgi.model.framing import UNKNOWN_PHASE
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.problem import PHASES
from optivgi.model.site import Site
from optivgi.study.session import Session

AHEAD = timedelta(days=2)
"""Limits and prices are known at least this far beyond the end of a study, as far as plans look."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def series_over(series: Callable[[datetime], LimitSeries], start: datetime, end: datetime) -> LimitSeries:
    """What a source that looks only some days ahead says from `start` until AHEAD after `end`."""
    days = (end + AHEAD - start) // timedelta(days=1) + 1
    seen = [series(start + timedelta(days=day)) for day in range(days)]
    changes = sorted({start, *(at for one in seen for at in one.changes_after(start) if at <= end + AHEAD)})
    steps: list[LimitStep] = []
    for at in changes:
        step = series(at).at(at)
        if not steps or steps[-1].limit_kw != step.limit_kw:
            steps.append(LimitStep(at, step.limit_kw, step.source))
    return LimitSeries(tuple(steps))


@dataclass(frozen=True, slots=True)
class Places:
    """The site of one station group as its file describes it."""

    group: str
    file: SiteFile
    view: SiteView

    def site(self, start: datetime, end: datetime) -> Site:
        """The circuits with their own limits from `start` until AHEAD after `end`."""

        def circuit_limit(position: int) -> LimitSeries | None:
            one = tree.circuits[position]
            if one.schedule is None:
                return one.circuit.limit
            return series_over(lambda now: one.at(self.group, now).limit or _UNLIMITED, start, end)

        tree = self.file.trees[self.group]
        circuits = (replace(one.circuit, limit=circuit_limit(position)) for position, one in enumerate(tree.circuits))
        return Site(tuple(circuits), tree.unbalance_kw)

    def placed(self, sessions: Sequence[Session]) -> tuple[Session, ...]:
        """The sessions with circuit, phases and priority of their EVSEs.

        One without a station takes the EVSE of the file that has been free for the longest, or is free the soonest. An EV
        draws from as many phases as both it and its EVSE have, with less power where it has more of them itself.
        """
        free = [(LONG_AGO, number) for number in range(len(self.file.evses))]
        placed = []
        for one in sessions:
            here = one
            if not one.station_id and free:
                _, number = free[0]
                evse = self.file.evses[number]
                here = replace(one, station_id=evse.station_id, connector_id=evse.connector_id or 1)
                heapq.heapreplace(free, (one.departure, number))
            placed.append(_wired(here, self.view.ev(here.station_id, here.connector_id)))
        return tuple(placed)


def _wired(session: Session, config: EVConfig) -> Session:
    phases = config.phases[: len(session.phases)]
    if UNKNOWN_PHASE in config.phases:
        phases = PHASES if len(session.phases) == len(PHASES) else (UNKNOWN_PHASE,) * len(session.phases)
    share = len(phases) / len(session.phases)
    return replace(
        session,
        phases=phases,
        max_kw=session.max_kw * share,
        min_kw=session.min_kw * share,
        circuit=config.circuit,
        priority=config.priority,
    )


_UNLIMITED = LimitSeries.constant(None, LONG_AGO, "")


def load_places(path: Path, zone: ZoneInfo, voltage_v: float) -> Places:
    """A site file (docs/site-file.md) of one station group. Raises SettingsError with everything that is wrong in it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        document = {}
    groups = tuple(_named(document, "circuit", "group")) or ("default",)
    if len(groups) > 1:
        raise SettingsError(
            f"{path.name} describes the station groups {', '.join(groups)}; a study is about one: "
            "give each grid connection a file of its own"
        )
    stations = tuple(_named(document, "evse", "station_id"))
    plain = EVConfig(energy_needed_kwh=0.0, max_kw=7.2, min_kw=1.4)
    view = SiteView(stations, plain, voltage_v, groups={groups[0]: None}, zone=zone)
    site_file = load_site(path, view)
    return Places(groups[0], site_file, site_file.view(view))


def _named(document: dict[str, Any], table: str, field: str) -> Iterable[str]:
    """The texts in `field` of all tables of that name, each once; whatever has another form is left to the reader."""
    listed = document.get(table)
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return dict.fromkeys(value for row in rows if isinstance(value := row.get(field), str))
