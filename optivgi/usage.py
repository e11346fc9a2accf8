"""How much of its allocation an EV can use, by its meter: what it leaves goes to others, and comes back by a probe. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

SAME_KW = 0.2
MARGIN_KW = 0.5
MARGIN_SHARE = 0.1
"""What an EV is allowed above its draw, so that it can show that it wants more."""
ECHO = 0.04
ECHOES = 2
"""Two cuts in a row that left an EV using the same part of its allocation (within ECHO): it follows what is offered."""


@dataclass(frozen=True, slots=True)
class UsageSettings:
    """`ramp_s`: how long an EV may take to use more. `samples`: how many in a row must show that it leaves some.

    A meter that said nothing for `hold_s` holds the EV where it is; after `tight_s` it gets its safe share.
    """

    ramp_s: float = 30.0
    samples: int = 2
    fresh_s: float = 60.0
    hold_s: float = 120.0
    tight_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Draw:
    """A meter's newest word about an EV. `steady_kw` is the least that it was allowed within the ramp time before it
    (None: nobody knows)."""

    measured_kw: float
    measured_at: datetime
    steady_kw: float | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What is known of one EV's draw. `usable_kw` None: all that it is given.

    `step_kw` is how much above its draw it is allowed next. `follows_offer` says that it draws a part of whatever it is
    allowed, so that allowing it less only makes it draw less: it is left alone.
    """

    usable_kw: float | None = None
    step_kw: float = MARGIN_KW
    unused: int = 0
    last_kw: float | None = None
    seen_at: datetime | None = None
    part: float | None = None
    """Which part of its allocation it used when it was cut last."""
    echoes: int = 0
    follows_offer: bool = False


def used(usage: Usage, draw: Draw, now: datetime, max_kw: float, settings: UsageSettings) -> Usage:
    """What `draw` says of the EV.

    It is not judged before it had time to ramp up, nor while its draw still grows, nor by a stale meter. An EV that uses
    what its probe allows gets twice as much more each time, until it can have its maximum.
    """
    if draw.steady_kw is None or (now - draw.measured_at).total_seconds() > settings.fresh_s:
        return usage
    if usage.seen_at is not None and draw.measured_at <= usage.seen_at:
        return usage
    if usage.follows_offer:
        return replace(usage, seen_at=draw.measured_at, last_kw=draw.measured_kw)
    seen = replace(usage, seen_at=draw.measured_at, last_kw=draw.measured_kw)
    growing = usage.last_kw is not None and draw.measured_kw > usage.last_kw + SAME_KW
    if usage.usable_kw is not None and draw.measured_kw >= usage.usable_kw - SAME_KW:
        return _wider(seen, draw.measured_kw, max_kw)
    if growing or draw.measured_kw >= draw.steady_kw - _margin_kw(draw.measured_kw) - SAME_KW:
        return replace(seen, unused=0)
    unused = usage.unused + 1
    if unused < settings.samples:
        return replace(seen, unused=unused)
    margin_kw = _margin_kw(draw.measured_kw)
    usable_kw = draw.measured_kw + margin_kw
    if usable_kw >= max_kw:
        return replace(seen, unused=0)
    part = draw.measured_kw / draw.steady_kw
    echoes = usage.echoes + 1 if usage.part is not None and abs(part - usage.part) <= ECHO and part > ECHO else 0
    if echoes >= ECHOES:
        return replace(seen, usable_kw=None, follows_offer=True)
    return replace(seen, usable_kw=usable_kw, step_kw=margin_kw, unused=0, part=part, echoes=echoes)


def held(
    usage: Usage, silent_s: float, allowed_kw: float | None, share_kw: float, settings: UsageSettings
) -> float | None:
    """What the EV may be planned with when its meter has said nothing for `silent_s`: ever less, never more."""
    caps = [usage.usable_kw]
    if silent_s > settings.hold_s:
        caps.append(allowed_kw)
    if silent_s > settings.tight_s:
        caps.append(share_kw)
    return min((cap for cap in caps if cap is not None), default=None)


def silent_s(usage: Usage, now: datetime) -> float:
    """Seconds since its meter last said something; 0 if it never did, because then it never will."""
    return 0.0 if usage.seen_at is None else (now - usage.seen_at) / timedelta(seconds=1)


def _margin_kw(measured_kw: float) -> float:
    return max(MARGIN_KW, MARGIN_SHARE * measured_kw)


def _wider(usage: Usage, measured_kw: float, max_kw: float) -> Usage:
    step_kw = usage.step_kw * 2
    if measured_kw + step_kw >= max_kw:
        return replace(usage, usable_kw=None, step_kw=MARGIN_KW, unused=0, part=None, echoes=0)
    return replace(usage, usable_kw=measured_kw + step_kw, step_kw=step_kw, unused=0, part=None, echoes=0)
