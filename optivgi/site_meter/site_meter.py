"""The base load of one station group's grid connection, kept up to date from a meter: at once up, slowly down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from optivgi.limits.base_load import BaseLoadState, FeedIn, Load, Measures, without
from optivgi.model.clock import Clock
from optivgi.model.problem import PHASES, Floats
from optivgi.model.site import Site
from optivgi.site_meter.base import MeterSource, Reading
from optivgi.site_meter.estimate import Estimate, vector
from optivgi.site_meter.ev_draw import KW, QUANTITIES, DrawHistory, EVDraw

log = logging.getLogger("optivgi.site_meter")

TICK_S = 1.0
TELL_EVERY_S = 300.0
"""A meter that is wrong time and again is told of once in a while."""
RELEASE_EVERY_S = 5.0
"""Room is given back in steps, because each of them makes a new plan."""
RISE = np.array([0.05, 0.2, 0.2, 0.2])
FALL = np.array([0.25, 1.0, 1.0, 1.0])
"""Smaller changes are left to the margin."""
UNIT_ERROR = 10.0
"""A reading of so many times what the site can draw is in another unit, or none at all."""
CONTRADICTION_KW, CONTRADICTION = 0.5, 0.05
MOST_KW = 5000.0


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """How a meter is believed. `most_kw` and `most_a` are the building's configured maximum, over all and on each phase."""

    most_kw: float
    most_a: float | None = None
    measures: Measures = Measures.GRID
    feed_in: FeedIn = FeedIn.CAPPED
    margin_kw: float = 0.5
    fresh_s: float = 30.0
    frozen_s: float = 300.0
    lag_s: float = 3.0
    release_s: float = 60.0
    settle_s: float = 5.0
    voltage_v: float = 230.0


class SiteMeter:
    """A BaseLoad of one group, and the Listener of its meter. Without a fresh reading the configured maximum counts."""

    def __init__(self, group: str, settings: MeterSettings, clock: Clock) -> None:
        self._group, self._settings, self._clock = group, settings, clock
        self._maximum = self._filled(vector(settings.most_kw, None))
        if settings.most_a is not None:
            self._maximum[1:] = settings.most_a
        self._taken = self._maximum.copy()
        """What counts now."""
        self._stepped = clock.now()
        self._history = DrawHistory(settings.settle_s)
        self._estimate = Estimate(settings.lag_s)
        self._room = np.full(QUANTITIES, np.inf)
        self._believed: Reading | None = None
        self._shown: Reading | None = None
        self._changed_at: datetime | None = None
        self._doubt = "no reading yet"
        self._told_stale = False
        self._told_at: datetime | None = None
        self._draws: Callable[[str], Iterable[EVDraw] | None] = _no_evs
        self._changed: Callable[[str], None] = _nobody

    def serve(self, draws: Callable[[str], Iterable[EVDraw] | None], changed: Callable[[str], None]) -> None:
        """From now on `draws` says what is known of a group's EVs (None: nothing); `changed` is called whenever its limit is another."""
        self._draws, self._changed = draws, changed

    def left(self, group: str, site: Site, now: datetime) -> Site:
        if group != self._group:
            return site
        limit = None if site.root.limit is None else site.root.limit.at(now).limit_kw
        self._room = np.full(QUANTITIES, np.inf)
        if limit is not None:
            self._room[KW] = limit - self._settings.margin_kw
        if site.root.limit_a is not None:
            self._room[1:] = site.root.limit_a
        return self._without(site, self._taken)

    def least(self, group: str, site: Site) -> Site:
        return self._without(site, np.maximum(self._taken, self._maximum)) if group == self._group else site

    def state(self, group: str, now: datetime) -> BaseLoadState | None:
        if group != self._group:
            return None
        believed = self._believed
        return BaseLoadState(
            load=_load(self._taken),
            margin_kw=self._settings.margin_kw,
            fresh=self._is_fresh(now),
            age_s=None if believed is None else (now - believed.at).total_seconds(),
            metered_kw=None if believed is None else believed.kw,
            doubt=self._doubt,
        )

    async def follow(self, source: MeterSource) -> None:
        """Listens to `source` for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(source.follow(self))
            tasks.create_task(self._tick())

    def reading(self, reading: Reading) -> None:
        now = self._clock.now()
        evs = self._draws(self._group)
        if evs is None and self._settings.measures is Measures.GRID:
            self._doubt = "nothing is known of the EVs yet, whose draw is part of what it shows"
            return
        self._history.take(evs or (), now)
        if wrong := self._wrong(reading, now):
            self.doubt(wrong)
        else:
            self._doubt, self._believed = "", reading
            metered = vector(reading.kw, reading.amps)
            if self._settings.measures is Measures.BUILDING:
                self._estimate.building(metered)
            else:
                self._estimate.grid(reading.at, metered, self._history, self._room, now)
        self.look(now)

    def doubt(self, text: str) -> None:
        now = self._clock.now()
        if self._told_at is None or (now - self._told_at).total_seconds() >= TELL_EVERY_S:
            log.warning("The site meter of %s: %s", self._group, text)
            self._told_at = now
        self._doubt = text

    def look(self, now: datetime) -> None:
        """Brings what counts up to `now`: more at once, less in steps."""
        fresh = self._is_fresh(now)
        self._tell_stale(not fresh)
        aim = self._aim(fresh)
        before = self._taken
        if (aim > before + RISE).any():
            self._taken, self._stepped = np.maximum(before, aim), now
        waited_s = (now - self._stepped).total_seconds()
        if waited_s >= min(RELEASE_EVERY_S, self._settings.release_s) and (aim < before - FALL).any():
            step_s = min(waited_s, RELEASE_EVERY_S)
            share = step_s / self._settings.release_s if self._settings.release_s > 0 else np.inf
            lowered = np.maximum(aim, self._taken - np.maximum(self._maximum, 1.0) * share)
            self._taken, self._stepped = np.minimum(self._taken, lowered), now
        if (self._taken != before).any():
            self._changed(self._group)

    def _aim(self, fresh: bool) -> Floats:
        value = self._estimate.value
        if value is None:
            return self._maximum
        value = self._filled(value)
        if self._settings.feed_in is not FeedIn.USED:
            value = np.maximum(value, 0.0)
        return value if fresh else np.maximum(value, self._maximum)

    def _is_fresh(self, now: datetime) -> bool:
        believed = self._believed
        return believed is not None and (now - believed.at).total_seconds() <= self._settings.fresh_s

    def _wrong(self, reading: Reading, now: datetime) -> str:
        """Why `reading` is not believed; empty if it is."""
        shown, self._shown = self._shown, reading
        if shown is None or (reading.kw, reading.amps) != (shown.kw, shown.amps) or self._changed_at is None:
            self._changed_at = now
        if reading.mark is not None:
            if shown is not None and shown.mark == reading.mark:
                return (
                    f"its time or sequence number stands still at {reading.mark}: the meter itself is not read any more"
                )
        elif self._settings.frozen_s and (now - self._changed_at).total_seconds() >= self._settings.frozen_s:
            return (
                f"it shows exactly {reading.kw:.3f} kW for {self._settings.frozen_s:g} s: it is frozen, or give its time "
                "or sequence number in METER_FIELDS, or METER_FROZEN_S=0"
            )
        if (late_s := (now - reading.at).total_seconds()) > self._settings.fresh_s:
            return f"its reading is {late_s:.0f} s old: set the meter's clock, or leave time out of METER_FIELDS"
        return self._senseless(reading, now)

    def _senseless(self, reading: Reading, now: datetime) -> str:
        settings = self._settings
        limit_kw = float(self._room[KW])
        possible_kw = min(UNIT_ERROR * (limit_kw + settings.most_kw), MOST_KW) if np.isfinite(limit_kw) else MOST_KW
        if abs(reading.kw) > possible_kw:
            return f"it shows {reading.kw:.0f} kW, and at most {possible_kw:.0f} kW is possible: check METER_UNIT"
        if settings.feed_in is FeedIn.NONE:
            evs_kw = float(self._history.now(now).low[KW]) if settings.measures is Measures.GRID else 0.0
            if reading.kw < evs_kw - CONTRADICTION_KW - CONTRADICTION * evs_kw:
                return (
                    f"it shows {reading.kw:.2f} kW while EVs alone draw {evs_kw:.2f} kW: check METER_UNIT, METER_POSITIVE "
                    "and METER_MEASURES, or set METER_FEED_IN=capped if the site feeds in"
                )
        return ""

    def _filled(self, load: Floats) -> Floats:
        """With currents where none are metered: all of the power on each phase."""
        per_kw = 1000.0 / self._settings.voltage_v
        return np.where(np.isnan(load), load[KW] * np.array([1.0, per_kw, per_kw, per_kw]), load)

    def _without(self, site: Site, taken: Floats) -> Site:
        return without(site, _load(taken), self._settings.margin_kw, self._settings.voltage_v)

    def _tell_stale(self, stale: bool) -> None:
        if stale and not self._told_stale and self._believed is not None:
            log.warning(
                "The site meter of %s gave nothing to believe for %g s (%s): the building counts with %.1f kW",
                self._group,
                self._settings.fresh_s,
                self._doubt or "it is silent",
                float(self._aim(fresh=False)[KW]),
            )
        if self._told_stale and not stale:
            log.info("The site meter of %s is believed again", self._group)
        self._told_stale = stale

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_S)
            self.look(self._clock.now())


def _load(taken: Floats) -> Load:
    kw, *amps = (float(value) for value in taken)
    return Load(kw, (amps[0], amps[1], amps[2])) if len(amps) == len(PHASES) else Load(kw)


def _no_evs(group: str) -> Iterable[EVDraw]:  # noqa: ARG001
    return ()


def _nobody(group: str) -> None:
    """Nobody wants to know."""
