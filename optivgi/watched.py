"""One transaction as it is watched: what it was allowed, what its meter said, and what is awaited of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from optivgi.account import Key
from optivgi.adherence import AdherenceSettings, Conduct, exceeds
from optivgi.allowance import Allowance
from optivgi.model.ev import EV
from optivgi.model.units import is_aware
from optivgi.model.wire import wire_minimum
from optivgi.overload import Drawn
from optivgi.oversight_settings import OversightSettings
from optivgi.proof import ASK_AFTER_S, ASK_AGAIN_S, Cut
from optivgi.proportion import Proportion
from optivgi.usage import Usage
from optivgi.wake import Seen, Sleeper

ZERO_KW = 1e-9
SETTLED_S = 0.5
"""So much after the settling time a meter is asked, not to be a moment too early."""


@dataclass(slots=True)
class Watched:
    """One transaction. `ask_at` is when its meter is to be asked, if it has not told by then.

    `squeezed`: it does not pause, and there is no room for its minimum. `pressed` and `pressed_at`: how often its station
    was asked for what policy allows then, and when last.
    """

    ev: EV
    allowance: Allowance
    conduct: Conduct = field(default_factory=Conduct)
    usage: Usage = field(default_factory=Usage)
    proportion: Proportion = field(default_factory=Proportion)
    sleeper: Sleeper = field(default_factory=Sleeper)
    cut: Cut | None = None
    ask_at: datetime | None = None
    squeezed: bool = False
    pressed: int = 0
    pressed_at: datetime | None = None

    @property
    def least_kw(self) -> float:
        """The least power other than 0 that can be sent."""
        return wire_minimum(self.ev.min_kw, self.ev.unit, self.ev.volts)

    def expect(self, drew_kw: float | None, now: datetime, settings: AdherenceSettings, *, trusted: bool) -> None:
        """Its profile has just changed: what its meter has to tell, and when it is asked.

        `drew_kw` is what it may have drawn until now. A station that is trusted is asked only about an EV in doubt.
        """
        allowed_kw = replace(self.allowance, sent=self.allowance.sent[-1:]).most_kw(now, now)
        settled = now + timedelta(seconds=settings.settle_s + SETTLED_S)
        self.cut = None
        if self.conduct.since is not None:
            self.ask_at = settled
        elif allowed_kw is not None and not trusted:
            if drew_kw is not None and exceeds(drew_kw, allowed_kw):
                self.cut, self.ask_at = Cut(drew_kw, allowed_kw, now), now + timedelta(seconds=ASK_AFTER_S)
            elif allowed_kw < self.ev.max_kw:
                self.ask_at = settled

    def asked(self, now: datetime, settings: AdherenceSettings) -> None:
        """Its meter was asked, or had told already: it is asked again as long as a cut is not proven."""
        self.ask_at = None
        if self.cut is not None:
            settled = self.cut.confirmed_at + timedelta(seconds=settings.settle_s + SETTLED_S)
            self.ask_at = settled if settled > now else now + timedelta(seconds=ASK_AGAIN_S)

    def proves(self, measured_kw: float, measured_at: datetime, now: datetime, settings: AdherenceSettings) -> bool:
        """Whether a sample shows that the last cut is followed; a cut of which nothing will be known is forgotten."""
        if self.cut is None:
            return False
        followed = self.cut.is_followed(measured_kw, measured_at)
        if followed:
            self.ask_at = None
        if followed or self.cut.is_over(measured_at, now, settings.settle_s, settings.fresh_s):
            self.cut = None
        return followed

    def may_draw_kw(self, now: datetime, settings: AdherenceSettings) -> float | None:
        """What the EV draws by its meter, or could since that told; None if the meter is silent."""
        ev = self.ev
        if ev.measured_kw is None or ev.measured_at is None or not self._fresh(now, settings.fresh_s):
            return None
        cut_kw = 0.0 if self.cut is None else self.cut.drawn_kw
        if not self.allowance.sent or self.allowance.sent[-1].since <= ev.measured_at:
            return max(cut_kw, ev.measured_kw)
        return max(cut_kw, ev.measured_kw, min(ev.max_kw, self.allowance.most_kw(ev.measured_at, now) or 0.0))

    def drawn(self, key: Key, now: datetime, settings: AdherenceSettings) -> Drawn:
        """What its meter showed, but no more than a cut since then allows; nothing if the meter is silent."""
        ev, settle = self.ev, timedelta(seconds=settings.settle_s)
        if ev.measured_kw is None or ev.measured_at is None or not self._fresh(now, settings.fresh_s):
            return Drawn(key, ev.ev_id, ev.circuit, 0.0, excess=False)
        may_kw = self.allowance.most_kw(ev.measured_at - settle, ev.measured_at)
        excess = ev.measured_kw > ZERO_KW if may_kw is None else exceeds(ev.measured_kw, may_kw)
        lately_kw = self.allowance.most_kw(max(ev.measured_at, now - settle), now)
        drawn_kw = ev.measured_kw if excess or lately_kw is None else min(ev.measured_kw, lately_kw)
        return Drawn(key, ev.ev_id, ev.circuit, drawn_kw, excess)

    def seen(self, now: datetime, fresh_s: float) -> Seen:
        """What tells whether it sleeps."""
        ev, allowed_kw = self.ev, self.allowance.least_kw(now, now)
        return Seen(
            at=now,
            allowed=None if allowed_kw is None else allowed_kw >= self.least_kw - ZERO_KW,
            wants_energy=ev.energy_needed_kwh > 0,
            suspended_by_ev=ev.suspended_by_ev,
            measured_kw=ev.measured_kw if self._fresh(now, fresh_s) else None,
        )

    def dues(self, settings: OversightSettings) -> Iterator[datetime]:
        """When something is to be done about it, if nothing changes."""
        if self.ask_at is not None:
            yield self.ask_at
        if self.cut is not None:
            yield self.cut.confirmed_at + timedelta(seconds=settings.adherence.fresh_s)
        if (due := self.conduct.due(settings.adherence)) is not None:
            yield due
        if self.sleeper.since is not None and (due_s := self.sleeper.due_s(settings.wake)) is not None:
            yield self.sleeper.since + timedelta(seconds=due_s)

    def _fresh(self, now: datetime, fresh_s: float) -> bool:
        at = self.ev.measured_at
        return at is not None and is_aware(at) and (now - at).total_seconds() <= fresh_s
