"""EVs that sleep after a pause: a bounded number of attempts to wake each by a change of its pilot. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

ASLEEP_KW = 0.1


@dataclass(frozen=True, slots=True)
class WakeSettings:
    """An EV that could charge for `asleep_s` and does not is woken: `zero_s` at 0, `least_s` at its minimum, then all;
    at most `attempts` times."""

    attempts: int = 3
    asleep_s: float = 60.0
    zero_s: float = 10.0
    least_s: float = 30.0


class Phase(StrEnum):
    """Where an EV is in its wake sequence."""

    NONE = "none"
    ZERO = "at 0"
    LEAST = "at its minimum"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of an EV: whether it is allowed to charge (None: nobody knows), wants to, and does."""

    at: datetime
    allowed: bool | None
    wants_energy: bool
    suspended_by_ev: bool
    measured_kw: float | None


@dataclass(frozen=True, slots=True)
class Sleeper:
    """One EV's sleep. `paused` says that it was paused since it last drew, `attempts` how often it was woken since then;
    `since` is when its phase began, or since when it has slept."""

    paused: bool = False
    phase: Phase = Phase.NONE
    since: datetime | None = None
    attempts: int = 0
    woken: int = 0
    """How many attempts it took the last time, for the log."""

    def due_s(self, settings: WakeSettings) -> float | None:
        """How long after `since` something is to be done."""
        return {Phase.ZERO: settings.zero_s, Phase.LEAST: settings.least_s, Phase.NONE: settings.asleep_s}.get(
            self.phase
        )

    def target_kw(self, planned_kw: float, least_kw: float) -> float:
        """What it is to get in place of what was planned."""
        if self.phase is Phase.ZERO:
            return 0.0
        return min(planned_kw, least_kw) if self.phase is Phase.LEAST else planned_kw


def watched(sleeper: Sleeper, seen: Seen, settings: WakeSettings) -> Sleeper:
    """The next state. An EV that draws is awake; one that never was paused, or has all it wants, is let sleep."""
    if seen.measured_kw is not None and seen.measured_kw > ASLEEP_KW:
        return Sleeper(woken=sleeper.attempts)
    in_phase_s = 0.0 if sleeper.since is None else (seen.at - sleeper.since).total_seconds()
    if sleeper.phase is Phase.ZERO:
        ended = in_phase_s >= settings.zero_s
        return replace(sleeper, phase=Phase.LEAST, since=seen.at) if ended else sleeper
    if sleeper.phase is Phase.LEAST:
        ended = in_phase_s >= settings.least_s
        return replace(sleeper, phase=Phase.NONE, since=None) if ended else sleeper
    if seen.allowed is False:
        return replace(sleeper, paused=True, since=None)
    asleep = seen.allowed and seen.suspended_by_ev and seen.wants_energy and seen.measured_kw is not None
    if sleeper.phase is Phase.GIVEN_UP or not sleeper.paused or not asleep:
        return replace(sleeper, since=None)
    if sleeper.since is None:
        return replace(sleeper, since=seen.at)
    if in_phase_s < settings.asleep_s:
        return sleeper
    if sleeper.attempts >= settings.attempts:
        return replace(sleeper, phase=Phase.GIVEN_UP, since=None)
    return replace(sleeper, phase=Phase.ZERO, since=seen.at, attempts=sleeper.attempts + 1)
