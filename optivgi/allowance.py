"""What one charger was allowing over the recent past, by the profiles that it confirmed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from optivgi.model.charging_profile import Schedule
from optivgi.profile_form import in_kw
from optivgi.translation.base import PowerCommand


@dataclass(frozen=True, slots=True)
class _Sent:
    """A profile that may have been in force from `since` (when it was sent) to `until` (when another was confirmed).

    `confirmed` is when it was confirmed itself, if it was.
    """

    command: PowerCommand
    since: datetime
    until: datetime | None = None
    confirmed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """The profiles of one transaction that may have been in force. `volts` is watts per ampere of a limit."""

    transaction_id: str
    volts: float
    sent: tuple[_Sent, ...] = ()

    def confirmed(self, command: PowerCommand, since: datetime, now: datetime, keep_s: float) -> Allowance:
        """`command`, sent at `since`, is all that the charger has from `now` on; what ended `keep_s` ago is forgotten."""
        horizon = now - timedelta(seconds=keep_s)
        ended = (one if one.until is not None else replace(one, until=now) for one in self.sent)
        kept = tuple(one for one in ended if one.until is not None and one.until >= horizon)
        return replace(self, sent=(*kept, _Sent(command, since, confirmed=now)))

    def doubted(self, command: PowerCommand, since: datetime) -> Allowance:
        """The charger may have `command`, sent at `since`, or not."""
        return replace(self, sent=(*self.sent, _Sent(command, since))) if self.sent else self

    @property
    def last(self) -> PowerCommand | None:
        """The profile that was confirmed, or sent in vain, last."""
        return self.sent[-1].command if self.sent else None

    @property
    def steady_since(self) -> datetime | None:
        """Since when no profile was sent that allows something else than the one before; None if nothing was sent."""
        since = None
        for one in reversed(self.sent):
            if one.command.limit_kw != self.sent[-1].command.limit_kw:
                break
            since = one.since
        return since

    def changing(self, start: datetime, end: datetime) -> bool:
        """Whether a profile was on its way at any time after `start` until `end`: sent, and not confirmed before."""
        return any(one.since <= end and (one.confirmed or one.since) > start for one in self.sent)

    def most_kw(self, start: datetime, end: datetime) -> float | None:
        """The most that may have been allowed at any time from `start` to `end`; None if nobody knows."""
        return self._over(start, end, most=True)

    def least_kw(self, start: datetime, end: datetime) -> float | None:
        """The least that may have been allowed at any time from `start` to `end`; None if nobody knows."""
        return self._over(start, end, most=False)

    def least_sent_kw(self, start: datetime, end: datetime) -> float | None:
        """The least that any profile allowed from `start` to `end`, as far as profiles were sent; None if none was."""
        times = ((one, max(start, one.since), end if one.until is None else min(end, one.until)) for one in self.sent)
        limits = [
            in_kw(limit, one.command.profile.schedule.unit, self.volts)
            for one, since, until in times
            if since <= until
            for limit in _limits(one.command.profile.schedule, since, until)
            if limit is not None
        ]
        return min(limits, default=None)

    def _over(self, start: datetime, end: datetime, *, most: bool) -> float | None:
        inside = [one for one in self.sent if one.since <= end and (one.until is None or one.until >= start)]
        if not inside or min(one.since for one in inside) > start:
            return None
        values: list[float] = []
        for one in inside:
            until = end if one.until is None else min(end, one.until)
            limits = list(_limits(one.command.profile.schedule, max(start, one.since), until))
            if any(limit is None for limit in limits):
                return None
            unit = one.command.profile.schedule.unit
            values.extend(in_kw(limit, unit, self.volts) for limit in limits if limit is not None)
        return max(values) if most else min(values)


def _limits(schedule: Schedule, start: datetime, end: datetime) -> Iterator[float | None]:
    """Every limit of `schedule` in force at some moment from `start` to `end`; None where it says nothing."""
    anchor = start if schedule.start is None else schedule.start
    from_s, until_s = (start - anchor).total_seconds(), (end - anchor).total_seconds()
    if schedule.duration_s is not None and until_s > schedule.duration_s:
        yield None
    ends = [*(period.start_s for period in schedule.periods[1:]), float("inf")]
    for period, end_s in zip(schedule.periods, ends, strict=True):
        if period.start_s <= until_s and end_s > from_s:
            yield period.limit
