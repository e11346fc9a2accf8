"""What counts as base load: at once up, slowly down, and the configured maximum whenever in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from optivgi.clock import ManualClock
from optivgi.limits.base_load import FeedIn, Measures
from optivgi.limits.env import ALWAYS
from optivgi.model.limit_series import LimitSeries
from optivgi.model.site import Circuit, Site
from optivgi.site_meter.base import Reading
from optivgi.site_meter.ev_draw import EVDraw
from optivgi.site_meter.site_meter import MeterSettings, SiteMeter

SITE = Site((Circuit("main", limit=LimitSeries.constant(30.0, ALWAYS, "site limit"), limit_a=63.0),))
PLAIN = MeterSettings(most_kw=20.0, margin_kw=0.0, lag_s=0.0, release_s=0.0)
BUILDING = replace(PLAIN, measures=Measures.BUILDING)


class Bench:
    """A meter, the EVs that it knows of, and the limit that it leaves."""

    def __init__(self, settings: MeterSettings) -> None:
        self.clock = ManualClock()
        self.meter = SiteMeter("default", settings, self.clock)
        self.evs: list[EVDraw] = []
        self.wakes = 0
        self.meter.serve(lambda group: self.evs, self._woken)
        self.meter.left("default", SITE, self.clock.now())

    def _woken(self, group: str) -> None:
        self.wakes += 1

    def show(self, kw: float, amps: tuple[float, float, float] | None = None, mark: object = None) -> float:
        """The meter shows `kw`; what is left for EVs."""
        self.meter.reading(Reading(self.clock.now(), kw, amps, mark))
        return self.left_kw

    async def pass_s(self, seconds: float) -> float:
        await self.clock.advance(seconds)
        self.meter.look(self.clock.now())
        return self.left_kw

    @property
    def left_kw(self) -> float:
        limit = self.meter.left("default", SITE, self.clock.now()).root.limit
        assert limit is not None
        kw = limit.at(self.clock.now()).limit_kw
        assert kw is not None
        return round(kw, 6)

    @property
    def left_a(self) -> tuple[float, ...]:
        room = self.meter.left("default", SITE, self.clock.now()).root.room_a
        assert room is not None
        return tuple(round(amps, 3) for amps in room)

    def sampled(self, kw: float, allowed_kw: float, *, age_s: float = 0.0, steady_s: float | None = 600.0) -> None:
        """One EV on L1: it drew `kw` some seconds ago, is allowed `allowed_kw`, and that for `steady_s` seconds."""
        now = self.clock.now()
        self.evs = [
            an_ev(
                kw,
                allowed_kw,
                now - timedelta(seconds=age_s),
                None if steady_s is None else now - timedelta(seconds=steady_s),
            )
        ]


def an_ev(kw: float, allowed_kw: float, at: datetime, steady_since: datetime | None) -> EVDraw:
    return EVDraw(("ST-1", 1), "1", allowed_kw, min(kw, allowed_kw), steady_since, kw, at, 230.0, ("L1",))


def test_without_any_reading_the_building_draws_its_maximum() -> None:
    bench = Bench(PLAIN)
    assert bench.left_kw == 10.0
    state = bench.meter.state("default", bench.clock.now())
    assert state is not None
    assert (state.fresh, state.age_s, state.load.kw) == (False, None, 20.0)


def test_other_groups_keep_their_limits() -> None:
    bench = Bench(PLAIN)
    now = bench.clock.now()
    assert bench.meter.left("north", SITE, now) == SITE
    assert bench.meter.least("north", SITE) == SITE
    assert bench.meter.state("north", now) is None


def test_the_limit_is_what_the_building_and_the_margin_leave() -> None:
    bench = Bench(replace(BUILDING, margin_kw=0.5))
    assert bench.show(12.0) == 17.5
    source = bench.meter.left("default", SITE, bench.clock.now()).root.limit
    assert source is not None
    assert source.steps[0].source == "site limit less base load"


def test_what_holds_while_nobody_watches_counts_the_maximum() -> None:
    bench = Bench(BUILDING)
    bench.show(2.0)
    limit = bench.meter.least("default", SITE).root.limit
    assert limit is not None
    assert limit.steps[0].limit_kw == 10.0


def test_a_base_load_above_the_limit_leaves_nothing_and_not_less() -> None:
    assert Bench(BUILDING).show(45.0) == 0.0


async def test_after_the_deadline_the_maximum_counts_and_the_next_reading_ends_that() -> None:
    bench = Bench(BUILDING)
    bench.show(5.0)
    assert await bench.pass_s(30) == 25.0
    assert await bench.pass_s(1) == 10.0
    assert bench.show(6.0) == 24.0


async def test_a_silent_meter_that_showed_more_than_the_maximum_keeps_what_it_showed() -> None:
    bench = Bench(BUILDING)
    bench.show(26.0)
    assert await bench.pass_s(60) == 4.0


async def test_a_rise_counts_at_once_and_a_fall_in_steps() -> None:
    bench = Bench(replace(BUILDING, release_s=100.0))
    assert bench.show(15.0) == 10.0
    for _ in range(30):
        await bench.clock.advance(1)
        bench.show(15.0)
    assert bench.left_kw == 15.0
    assert bench.show(18.0) == 12.0
    assert bench.show(15.0) == 12.0
    wakes = bench.wakes
    left = []
    for _ in range(10):
        await bench.clock.advance(1)
        left.append(bench.show(15.0))
    assert left == [12.0] * 4 + [13.0] * 5 + [14.0]
    assert bench.wakes - wakes == 2


def test_small_changes_make_no_new_plan() -> None:
    bench = Bench(BUILDING)
    bench.show(5.0)
    wakes = bench.wakes
    for kw in (5.03, 4.9, 5.04, 4.8):
        bench.show(kw)
    assert bench.wakes == wakes


async def test_the_same_value_for_ever_is_not_believed_for_ever() -> None:
    bench = Bench(replace(BUILDING, frozen_s=60.0))
    for _ in range(8):
        bench.show(5.0)
        await bench.pass_s(10)
    assert bench.left_kw == 25.0
    assert await bench.pass_s(10) == 10.0
    state = bench.meter.state("default", bench.clock.now())
    assert state is not None
    assert "exactly 5.000 kW for 60 s" in state.doubt
    assert bench.show(5.01) == pytest.approx(24.99)


async def test_a_meter_with_a_sequence_number_may_show_the_same_for_ever_but_must_count_on() -> None:
    bench = Bench(replace(BUILDING, frozen_s=60.0))
    for number in range(20):
        bench.show(5.0, mark=number)
        assert await bench.pass_s(10) == 25.0
    for _ in range(4):
        bench.show(5.0, mark=19)
        await bench.pass_s(10)
    assert bench.left_kw == 10.0
    state = bench.meter.state("default", bench.clock.now())
    assert state is not None
    assert "stands still at 19" in state.doubt


def test_readings_of_another_unit_are_not_believed() -> None:
    bench = Bench(BUILDING)
    assert bench.show(5000.0) == 10.0
    state = bench.meter.state("default", bench.clock.now())
    assert state is not None
    assert "check METER_UNIT" in state.doubt


def test_an_old_reading_is_not_believed() -> None:
    bench = Bench(BUILDING)
    then = bench.clock.now() - timedelta(minutes=5)
    bench.meter.reading(Reading(then, 5.0, None, then))
    assert bench.left_kw == 10.0
    state = bench.meter.state("default", bench.clock.now())
    assert state is not None
    assert "300 s old" in state.doubt


@pytest.mark.parametrize(("feed_in", "left_kw"), [(FeedIn.CAPPED, 30.0), (FeedIn.USED, 34.0), (FeedIn.NONE, 10.0)])
def test_feeding_in_raises_the_limit_only_where_that_is_wanted(feed_in: FeedIn, left_kw: float) -> None:
    assert Bench(replace(BUILDING, feed_in=feed_in)).show(-4.0) == left_kw


def test_a_grid_meter_that_shows_less_than_its_evs_draw_is_wrong_where_nothing_feeds_in() -> None:
    bench = Bench(replace(PLAIN, feed_in=FeedIn.NONE))
    bench.sampled(10.0, 10.0)
    assert bench.show(0.012) == 10.0
    state = bench.meter.state("default", bench.clock.now())
    assert state is not None
    assert "EVs alone draw 10.00 kW" in state.doubt


def test_each_phase_has_what_the_building_leaves_of_it() -> None:
    bench = Bench(BUILDING)
    bench.show(6.0, (20.0, 5.0, 1.0))
    assert bench.left_a == (43.0, 58.0, 62.0)


def test_a_building_of_unknown_phases_counts_in_full_on_each() -> None:
    bench = Bench(BUILDING)
    bench.show(4.6)
    assert bench.left_a == (43.0, 43.0, 43.0)


def test_the_evs_own_draw_is_not_base_load() -> None:
    bench = Bench(PLAIN)
    bench.sampled(10.0, 10.0)
    assert bench.show(14.0) == 26.0


def test_the_evs_own_currents_are_not_base_load() -> None:
    bench = Bench(PLAIN)
    bench.sampled(2.3, 2.3)
    bench.show(4.6, (15.0, 5.0, 0.0))
    assert bench.left_a == (58.0, 58.0, 63.0)


async def test_a_raise_that_no_sample_shows_yet_is_not_base_load() -> None:
    bench = Bench(PLAIN)
    bench.sampled(5.0, 5.0)
    bench.show(9.0)
    wakes = bench.wakes
    await bench.clock.advance(10)
    bench.sampled(5.0, 15.0, age_s=5, steady_s=1)
    for metered in (9.0, 12.0, 16.0, 19.0):
        assert bench.show(metered) == 26.0
    assert bench.wakes == wakes


async def test_a_cut_that_no_sample_shows_yet_is_not_less_base_load() -> None:
    bench = Bench(PLAIN)
    bench.sampled(15.0, 15.0)
    bench.show(19.0)
    await bench.clock.advance(10)
    now = bench.clock.now()
    bench.evs = [replace(an_ev(15.0, 15.0, now - timedelta(seconds=5), now), least_kw=5.0)]
    for metered in (19.0, 14.0, 9.0):
        assert bench.show(metered) == 26.0


async def test_a_jump_of_the_building_counts_at_once() -> None:
    bench = Bench(PLAIN)
    bench.sampled(20.0, 20.0, age_s=3)
    bench.show(24.0)
    await bench.clock.advance(2)
    assert bench.show(34.0) == 16.0


async def test_above_the_limit_evs_that_keep_still_get_no_benefit_of_the_doubt() -> None:
    """They may draw 6 kW more than they do; the site is over its limit, so it is the building that draws more."""
    bench = Bench(PLAIN)
    bench.sampled(20.0, 26.0, age_s=3)
    bench.show(24.0)
    await bench.clock.advance(2)
    assert bench.show(34.0) == 16.0


async def test_samples_before_and_after_a_reading_tell_whose_load_it_was() -> None:
    """The building draws 3 kW more while an EV draws less than it may; its next sample shows that it was not the EV."""
    bench = Bench(PLAIN)
    bench.sampled(10.0, 14.0)
    assert bench.show(14.0) == 26.0
    await bench.clock.advance(4)
    assert bench.show(17.0) == 26.0
    await bench.clock.advance(6)
    bench.sampled(10.0, 14.0)
    assert bench.show(17.0) == 23.0


async def test_an_ev_that_leaves_is_not_base_load_while_the_meter_still_shows_it() -> None:
    bench = Bench(replace(PLAIN, lag_s=3.0))
    bench.sampled(10.0, 10.0)
    assert bench.show(14.0) == 26.0
    await bench.clock.advance(1)
    bench.evs = []
    assert bench.show(14.0) == 26.0
    await bench.clock.advance(4)
    assert bench.show(4.0) == 26.0


def test_an_ev_without_samples_counts_as_drawing_nothing_or_all() -> None:
    bench = Bench(PLAIN)
    bench.evs = [replace(an_ev(0.0, 10.0, bench.clock.now(), None), measured_kw=None, measured_at=None)]
    assert bench.show(14.0) == 16.0
