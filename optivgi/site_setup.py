"""The site as settings and the files that they name describe it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from optivgi.errors import SettingsError
from optivgi.limits.base import LimitSource, OneCircuit, SiteSource, Tightest
from optivgi.limits.env import ConstantLimit
from optivgi.limits.registers import Register
from optivgi.limits.site_file import load_site
from optivgi.limits.site_tree import SiteFile
from optivgi.limits.watched_schedule import WatchedSchedule
from optivgi.model.ev_config import SiteView
from optivgi.settings import OptimizerSettings

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SiteSetup:
    """Circuits, limits, and what to assume of each EVSE. `limits` hold at the grid connection beside the circuits' own."""

    view: SiteView
    sites: SiteSource
    limits: LimitSource
    watched: WatchedSchedule | None = None
    """LIMIT_SCHEDULE_FILE, part of `limits`, to be followed while it may change."""
    registers: tuple[Register, ...] = ()
    """Where a Modbus site meter keeps what it shows."""

    def limit_kw(self, group: str, now: datetime) -> float | None:
        """What the grid connection of `group` may draw at `now`; None is no limit."""
        limit = self.sites.site(group, now).tightened(self.limits.series(group, now)).root.limit
        return None if limit is None else limit.at(now).limit_kw


def site_setup(settings: OptimizerSettings) -> SiteSetup:
    """Reads SITE_FILE and LIMIT_SCHEDULE_FILE. Raises SettingsError with everything that is wrong in both."""
    view = settings.site_view()
    site_path, schedule_path = settings.site_file, settings.limit_schedule_file
    problems: list[str] = []
    site_file = None
    if site_path is not None:
        site_file = _attempt(lambda: load_site(site_path, view), problems)
    schedule = None
    if schedule_path is not None:
        schedule = _attempt(lambda: WatchedSchedule(schedule_path, view.zone, settings.groups), problems)
    if problems:
        raise SettingsError(*problems)
    constant = ConstantLimit({group: _constant_kw(settings, site_file, group) for group in settings.groups})
    return SiteSetup(
        view=view if site_file is None else site_file.view(view),
        sites=OneCircuit() if site_file is None else site_file,
        limits=constant if schedule is None else Tightest([constant, schedule]),
        watched=schedule,
        registers=() if site_file is None else site_file.registers,
    )


def _attempt(read: Callable[[], _T], problems: list[str]) -> _T | None:
    try:
        return read()
    except SettingsError as error:
        problems.extend(error.problems)
        return None


def _constant_kw(settings: OptimizerSettings, site_file: SiteFile | None, group: str) -> float | None:
    """SITE_POWER_LIMIT_KW; its default gives way to a site file that limits the grid connection itself."""
    said = "site_power_limit_kw" in settings.model_fields_set
    if site_file is not None and site_file.limited(group) and not said:
        return None
    return settings.limit_kw(group)
