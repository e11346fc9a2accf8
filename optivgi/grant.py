"""What one TxProfile allows over time, and the TxProfile that allows just that. Pure.

A TxProfile is a dead man's handle: it ends by the charger's own clock unless it is replaced, and then the connector has
its share. Within it power only falls, because more than that nobody has proven to be free.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optivgi.envelope import Envelope
from optivgi.model.charging_profile import Period, RateUnit, Schedule
from optivgi.model.wire import wire_limit
from optivgi.profile_form import in_kw

NOISE = 1e-9
BEGUN_S = 60
"""Schedules begin so long ago: a station whose clock is behind must not take its profile for one that is still to come."""


@dataclass(frozen=True, slots=True)
class Grant:
    """At most `powers` until `ends` (seconds since 1970, inf is never); the TxDefaultProfile speaks after that."""

    powers: Envelope
    ends: float = math.inf

    @classmethod
    def of(cls, schedule: Schedule, volts: float, sent: datetime) -> Grant:
        """What `schedule` allows; one without a start begins at `sent`."""
        start = (schedule.start or sent).timestamp()
        steps = ((start + one.start_s, in_kw(one.limit, schedule.unit, volts)) for one in schedule.periods)
        return cls(Envelope.of(steps), math.inf if schedule.duration_s is None else start + schedule.duration_s)

    def at(self, moment: float, fallback: Envelope) -> float:
        """The power at `moment`, with `fallback` after the end."""
        return self.powers.at(moment) if moment < self.ends else fallback.at(moment)

    def then(self, fallback: Envelope) -> Envelope:
        """Power at every moment, with `fallback` after the end."""
        return self.powers if math.isinf(self.ends) else self.powers.until(self.ends, fallback)


@dataclass(frozen=True, slots=True)
class Timing:
    """When things end, in seconds since 1970.

    High powers fall to the share at `expiry`, low ones rise to it `margin_s` later: in between every EV has followed,
    whatever the clocks of the stations say. `hold_ends` is until when the TxDefaultProfile allows nothing yet. All drops are
    `early_s` ahead for a station whose clock may be behind by that much more than others.
    """

    expiry: float
    margin_s: float
    hold_ends: float
    early_s: float = 0.0


def schedule_of(
    steps: Sequence[tuple[float, float]],
    timing: Timing,
    share_kw: float,
    *,
    starts_safely: bool,
    unit: RateUnit,
    volts: float,
    phases: int,
    now: datetime,
) -> Schedule:
    """The schedule of a TxProfile with falling `steps` (moment, kW; the first one from now on) that ends in `share_kw`.

    It lasts until the TxDefaultProfile allows the share, too. Where the connector does not start safely there is nothing to
    fall back on, so the profile does not end: its last power is the share, or less.
    """
    start = now.replace(microsecond=0) - timedelta(seconds=BEGUN_S)
    zero = start.timestamp()
    stays = [(moment, kw) for moment, kw in steps if moment < timing.expiry]
    low = bool(stays) and stays[-1][1] <= share_kw + NOISE
    ends = timing.expiry + timing.margin_s if low else timing.expiry - timing.early_s
    periods: list[Period] = []
    for moment, kw in stays if low else (*stays, (timing.expiry, share_kw)):
        start_s = math.floor(max(moment - timing.early_s - zero, 0.0)) if periods else 0
        limit = wire_limit(kw, unit, volts)[0]
        if periods and periods[-1].start_s == start_s:
            periods.pop()
        if not periods or limit < periods[-1].limit:
            periods.append(Period(start_s, limit, phases))
    if not starts_safely:
        return Schedule(unit, tuple(periods), start)
    duration_s = max(1, math.ceil(max(ends, timing.hold_ends) - zero))
    kept = tuple(one for one in periods if one.start_s < duration_s)
    return Schedule(unit, kept, start, duration_s)


def aligned(now: datetime, duration_s: int) -> float:
    """When all that is sent about now is to end: two to three thirds of `duration_s` ahead, the same for everybody."""
    grid_s = _grid_s(duration_s)
    return (now + timedelta(seconds=duration_s)).timestamp() // grid_s * grid_s


def aligned_next(wall_s: float, duration_s: int) -> float:
    """When the first of those profiles may end that are in force at `wall_s`."""
    grid_s = _grid_s(duration_s)
    return (wall_s // grid_s + 1) * grid_s


def _grid_s(duration_s: int) -> int:
    return max(1, duration_s // 3)
