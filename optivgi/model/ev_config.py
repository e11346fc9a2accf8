"""What the site says about EVs and stations that no CSMS knows: energy needs, powers, windows, names, groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from optivgi.errors import SettingsError

When = time | datetime
"""A time of every day on the site's clock, or one moment (aware UTC)."""


@dataclass(frozen=True, slots=True)
class EVConfig:
    """What to assume of an EV at one station: its need, its power, and the window in which it is expected there.

    `arrival` and `departure` None mean that nobody said.
    """

    energy_needed_kwh: float
    max_kw: float
    min_kw: float
    arrival: When | None = None
    departure: When | None = None
    phases: tuple[str, ...] = ("L1",)
    circuit: str = "site"
    priority: float = 1.0


@dataclass(frozen=True, slots=True)
class SiteView:
    """The site as the translation needs it. The order of `station_ids` gives EVs their short names."""

    station_ids: tuple[str, ...]
    default_ev: EVConfig
    voltage_v: float
    evs: Mapping[str, EVConfig] = field(default_factory=dict)
    """By station id, for either connector; `default_ev` for a station that is not here."""
    groups: Mapping[str, tuple[str, ...] | None] = field(default_factory=lambda: {"default": None})
    """Station ids of each group; None is every station of the CSMS."""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    connectors: Mapping[tuple[str, int], EVConfig] = field(default_factory=dict)
    """By connector, where it differs from its station."""
    id_tag_priority: Mapping[str, float] = field(default_factory=dict)
    """By idTag in lower case; it goes before the station's priority."""

    def ev_id(self, station_id: str, connector_id: int) -> str:
        """ "1" at the first station's connector 1, "1.2" at its connector 2; the station's own id if it is not listed."""
        if station_id not in self.station_ids:
            return f"{station_id}/{connector_id}"
        number = self.station_ids.index(station_id) + 1
        return f"{number}" if connector_id == 1 else f"{number}.{connector_id}"

    def ev(self, station_id: str, connector_id: int = 0) -> EVConfig:
        """What to assume of an EV at `station_id`, if a connector is named at that one."""
        return self.connectors.get((station_id, connector_id)) or self.evs.get(station_id, self.default_ev)

    def priority(self, config: EVConfig, id_tag: str) -> float:
        """How much an EV's claim weighs: its idTag's priority, else the one of its place."""
        return self.id_tag_priority.get(id_tag.casefold(), config.priority)

    def stations(self, group: str) -> tuple[str, ...] | None:
        """The station ids of `group`; None is every station. Raises SettingsError for a group that does not exist."""
        if group not in self.groups:
            raise SettingsError(f"station group {group!r} does not exist; known are {', '.join(sorted(self.groups))}")
        return self.groups[group]

    def group_of(self, station_id: str) -> str | None:
        """The group of a station; None if it is in no group."""
        named = (group for group, stations in self.groups.items() if stations and station_id in stations)
        everything = (group for group, stations in self.groups.items() if stations is None)
        return next(named, None) or next(everything, None)


def parse_when(text: str) -> When | None:
    """ "08:00" (each day, site time), "2026-03-03T14:00:00+01:00" (once), or None for an empty text.

    Raises SettingsError for anything else, also for a date and time without an offset.
    """
    text = text.strip()
    if not text:
        return None
    problem = (
        f'{text!r} is neither a time such as "08:00" nor a date and time with offset such as "2026-03-03T14:00:00Z"'
    )
    try:
        if "T" not in text and " " not in text:
            moment = time.fromisoformat(text)
            if moment.tzinfo is None and ":" in text:
                return moment
            raise SettingsError(problem)
        when = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(problem) from None
    if when.tzinfo is None:
        raise SettingsError(f'{text!r} has no offset: add the one that is meant, for example "{text}+00:00"')
    return when.astimezone(UTC)


def departure_of(config: EVConfig, session_start: datetime, zone: ZoneInfo) -> datetime | None:
    """When an EV whose session began at `session_start` leaves, aware UTC; None if nobody said.

    A daily time binds the session to the first such time after its start: the end of the window it came in, of a window
    that has not opened yet, or of tomorrow's if today's is over. It does not move when it passes: then the EV is overdue.
    A single moment that was over before the session began speaks of another session, so it counts as unsaid.
    """
    departure = config.departure
    if departure is None:
        return None
    begin = session_start
    if isinstance(config.arrival, datetime):
        begin = max(begin, config.arrival)
    if isinstance(departure, datetime):
        return departure if departure > session_start else None
    today = begin.astimezone(zone).date()
    days = (today + timedelta(days=ahead) for ahead in range(-1, 3))
    ends = (datetime.combine(day, departure, zone).astimezone(UTC) for day in days)
    return next(end for end in ends if end > begin)
