"""Whether an EV keeps to its limit, by its meter: what to do about one that draws more, step by step. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

PAUSED_KW = 1e-9
NOISE_KW = 0.25
NOISE_SHARE = 0.05
"""A meter and a voltage are not exact: so much above its limit is still at its limit."""
STRIKES = 2
DRAWS_KW = 0.3
"""A paused EV that draws more than this is not paused; its electronics may draw less."""


@dataclass(frozen=True, slots=True)
class AdherenceSettings:
    """`adherence_s`: how long an EV may exceed its limit until the alarm, if no second sample shows it before. `settle_s`:
    how long an EV may take to follow. A sample older than `fresh_s` judges nothing. What did not help is tried again after
    `retry_s`."""

    adherence_s: float = 20.0
    settle_s: float = 5.0
    fresh_s: float = 60.0
    retry_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A meter's newest word about an EV. `allowed_kw` is the most that it was allowed within the settling time before it
    (None: nobody knows); `changing` says that its profile was replaced within that time."""

    measured_kw: float
    measured_at: datetime
    allowed_kw: float | None
    changing: bool = False


class Stage(StrEnum):
    """How far the ladder has been climbed."""

    OBEYS = "obeys"
    RESENT = "its profile was sent again"
    FLOORED = "gets its minimum instead of a pause"
    FORMS = "profiles are sent in other forms"
    GIVEN = "its draw is taken as given"


class Action(StrEnum):
    """What is to be done now."""

    RESEND = "send its profile again"
    FLOOR = "give it its minimum instead of 0"
    NEXT_FORM = "send its profile in the next form"


@dataclass(frozen=True, slots=True)
class Conduct:
    """How one EV has kept to its limits. `drawn_kw` is what it drew when it was last seen to exceed them, and `since` when
    it may have begun to; `stepped_at` is when the last step was taken, `seen_at` the newest sample that was judged, and
    `strikes` counts those that show too much although its last step had time to help."""

    stage: Stage = Stage.OBEYS
    since: datetime | None = None
    drawn_kw: float = 0.0
    seen_at: datetime | None = None
    stepped_at: datetime | None = None
    floored: bool = False
    strikes: int = 0

    @property
    def overdraw_kw(self) -> float | None:
        """What it counts at least from now on; None if its profile says it all."""
        return None if self.since is None else self.drawn_kw

    def alarming(self, now: datetime, settings: AdherenceSettings) -> bool:
        """Whether it has drawn too much for too long: after being told again, or for `adherence_s`."""
        if self.since is None or self.stepped_at is None:
            return False
        return self.strikes >= STRIKES or now - self.since >= timedelta(seconds=settings.adherence_s)

    def due(self, settings: AdherenceSettings) -> datetime | None:
        """When something is to be done about it next, if nothing changes."""
        if self.since is None or self.stepped_at is None:
            return None
        alarm = self.since + timedelta(seconds=settings.adherence_s)
        step = self.stepped_at + timedelta(seconds=_patience_s(self.stage, settings))
        return step if self.strikes >= STRIKES or self.stepped_at >= alarm else min(step, alarm)


def judged(
    conduct: Conduct, sample: Sample | None, now: datetime, settings: AdherenceSettings
) -> tuple[Conduct, Action | None]:
    """What `sample` says of the EV, and what to do now.

    A draw above the limit counts from the first sample on, and its profile is sent again, but not while its profile
    changes. If a later sample shows that this did not help, other steps follow after half of `adherence_s`; a pause that
    is not kept becomes the minimum first. Once it keeps to its limit all is forgiven. Without a fresh sample nothing is
    judged and nothing is forgiven.
    """
    if sample is None or sample.allowed_kw is None or (now - sample.measured_at).total_seconds() > settings.fresh_s:
        return conduct, None
    if conduct.seen_at is None or sample.measured_at > conduct.seen_at:
        if not exceeds(sample.measured_kw, sample.allowed_kw):
            return Conduct(seen_at=sample.measured_at, floored=conduct.floored), None
        conduct = _exceeding(conduct, sample, timedelta(seconds=settings.adherence_s / 2))
        if conduct.stage is Stage.OBEYS:
            if sample.changing:
                return conduct, None
            return replace(conduct, stage=Stage.RESENT, stepped_at=now, strikes=1), Action.RESEND
        if conduct.stepped_at is not None and sample.measured_at >= conduct.stepped_at + timedelta(
            seconds=settings.settle_s
        ):
            conduct = replace(conduct, strikes=conduct.strikes + 1)
    if conduct.since is None or conduct.stepped_at is None or conduct.seen_at is None:
        return conduct, None
    if (now - conduct.stepped_at).total_seconds() < _patience_s(conduct.stage, settings):
        return conduct, None
    if conduct.seen_at < conduct.stepped_at + timedelta(seconds=settings.settle_s):
        return conduct, None
    return _next_step(replace(conduct, stepped_at=now), sample)


def exceeds(measured_kw: float, allowed_kw: float) -> bool:
    """Whether a draw is above a limit, beyond what meters and voltages are out by."""
    if allowed_kw <= PAUSED_KW:
        return measured_kw > DRAWS_KW
    return measured_kw > allowed_kw + max(NOISE_KW, NOISE_SHARE * allowed_kw)


def given(conduct: Conduct) -> Conduct:
    """No form is left to try: its draw is taken as given until the next round."""
    return replace(conduct, stage=Stage.GIVEN)


def _exceeding(conduct: Conduct, sample: Sample, unseen: timedelta) -> Conduct:
    """It began after the last good sample, of which at most `unseen` is held against it."""
    since = conduct.since or max(conduct.seen_at or sample.measured_at - unseen, sample.measured_at - unseen)
    drawn_kw = max(sample.measured_kw, conduct.drawn_kw) if conduct.stage is Stage.RESENT else sample.measured_kw
    return replace(conduct, since=since, drawn_kw=drawn_kw, seen_at=sample.measured_at)


def _next_step(conduct: Conduct, sample: Sample) -> tuple[Conduct, Action | None]:
    if conduct.stage is Stage.RESENT and sample.allowed_kw is not None and sample.allowed_kw <= PAUSED_KW:
        return replace(conduct, stage=Stage.FLOORED, floored=True), Action.FLOOR
    if conduct.stage is Stage.GIVEN:
        return replace(conduct, stage=Stage.RESENT), Action.RESEND
    return replace(conduct, stage=Stage.FORMS), Action.NEXT_FORM


def _patience_s(stage: Stage, settings: AdherenceSettings) -> float:
    if stage is Stage.GIVEN:
        return settings.retry_s
    return settings.adherence_s / 2 if stage is Stage.RESENT else settings.adherence_s
