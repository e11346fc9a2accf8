"""The whole service against EVs that do not draw as they are told, and meters that tell late or not at all."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from optivgi.alarm import AlarmKind
from optivgi.log import SiteLog
from optivgi.metrics import Metrics
from optivgi.oversight_settings import OversightSettings
from optivgi.translation.base import Wish
from tests.optivgi.control_room import evs
from tests.optivgi.overseen_site import LEAST_KW, Site, obeys, settings


async def test_an_ev_that_ignores_its_limit_is_planned_around_and_told_within_30_s() -> None:
    async with Site().open() as site:
        await site.arrive(*evs(1, 2))
        await site.runs(60)
        site.draws["1"] = lambda _: 7.2
        await site.runs(30)
        assert (AlarmKind.OVERDRAW, "1") in site.alarms()
        await site.runs(30)
        assert site.drawn_kw()["2"] <= 12.0 - 7.2
        assert sum(site.drawn_kw().values()) <= 12.0
        assert [one.ev_id for one in site.witness.records[-1].out_of_control] == ["1"]


async def test_room_is_given_away_only_when_a_meter_has_shown_that_it_is_there() -> None:
    async with Site().open() as site:
        site.draws["1"] = lambda _: 7.2
        await site.arrive(*evs(1))
        await site.runs(60)
        await site.arrive(*evs(2))
        for _ in range(12):
            await site.runs(10)
            assert sum(site.drawn_kw().values()) <= 12.0
        assert (AlarmKind.OVERDRAW, "1") in site.alarms()


async def test_a_meter_that_told_lately_is_waited_for_and_asked_again_before_room_is_given_away() -> None:
    async with Site().open() as site:
        site.draws["1"] = lambda _: 7.2
        await site.arrive(*evs(1))
        await site.runs(60)
        await site.arrive(*evs(2))
        for _ in range(5):
            await site.passes(10)
            assert sum(site.drawn_kw().values()) <= 12.0
        assert [one.wish for one in site.csms.asked if one.station_id == "ST-1"].count(Wish.METER) >= 4


async def test_in_doubt_a_meter_is_asked_and_an_answer_is_acted_on_at_once() -> None:
    async with Site().open() as site:
        site.csms.fulfil = lambda wish: site.meter(wish.station_id.removeprefix("ST-"))
        await site.arrive(*evs(1))
        await site.runs(60)
        await site.arrive(*evs(2))
        await site.passes(8)
        assert site.offered_kw() == pytest.approx({"1": 6.0, "2": 6.0}, abs=0.05)
        asked = {(one.wish, one.station_id) for one in site.csms.asked}
        assert (Wish.METER, "ST-1") in asked


async def test_a_station_that_proved_itself_is_not_asked_any_more() -> None:
    async with Site().open() as site:
        site.csms.fulfil = lambda wish: site.meter(wish.station_id.removeprefix("ST-"))
        await site.arrive(*evs(1, 2))
        for limit_kw in (10.0, 8.0, 6.0):
            site.limit.now_kw(limit_kw)
            await site.runs(120)
        before = len(site.csms.asked)
        site.limit.now_kw(4.0)
        await site.runs(120)
        assert site.drawn_kw() == pytest.approx({"1": 2.0, "2": 2.0}, abs=0.05)
        assert len(site.csms.asked) == before


async def test_a_sum_over_the_limit_is_told_with_the_first_sample_that_shows_it() -> None:
    async with Site().open() as site:
        await site.arrive(*evs(1, 2))
        await site.runs(60)
        site.draws["1"] = lambda _: 7.2
        site.meter("1")
        site.source.push("MeterValues", "ST-1")
        await site.passes(2)
        assert (AlarmKind.OVERLOAD, "") in site.alarms()
        assert site.drawn_kw()["2"] <= 12.0 - 7.2


async def test_meters_that_tell_are_looked_at_once_for_all_and_plan_nothing_new() -> None:
    async with Site().open() as site:
        await site.arrive(*evs(1, 2))
        await site.runs(30)
        reads, cycles = site.csms.reads, len(site.witness.records)
        for station_id in ("ST-1", "ST-2", "ST-1"):
            site.source.push("MeterValues", station_id)
        await site.passes(2)
        assert (site.csms.reads, len(site.witness.records)) == (reads + 1, cycles)


async def test_an_ev_that_obeys_again_is_planned_for_again() -> None:
    async with Site().open() as site:
        await site.arrive(*evs(1, 2))
        site.draws["1"] = lambda _: 7.2
        await site.runs(120)
        del site.draws["1"]
        await site.runs(120)
        assert site.alarms() == set()
        assert site.drawn_kw() == pytest.approx({"1": 6.0, "2": 6.0}, abs=0.05)


async def test_what_a_station_gives_at_every_change_is_kept_free_for_it() -> None:
    async with Site(limit_kw=18.0).open() as site:
        await site.arrive(*evs(1, 2))
        await site.runs(60)
        site.limit.now_kw(12.0)
        await site.runs(90)
        site.limit.now_kw(10.0)
        site.source.push("StatusNotification", "ST-1")
        await site.passes(2)
        site.draws["1"] = lambda _: 7.2
        site.meter("1")
        await site.passes(1)
        del site.draws["1"]
        site.limit.now_kw(18.0)
        await site.runs(90)
        assert (AlarmKind.SPIKES, "1") in site.alarms()
        assert site.offered_kw()["1"] == pytest.approx(7.2, abs=0.05)
        await site.arrive(*evs(3, 4))
        for _ in range(12):
            await site.runs(10)
            others_kw = sum(kw for ev_id, kw in site.offered_kw().items() if ev_id != "1")
            assert others_kw <= 18.0 - 7.2 + 1e-6
        assert others_kw == pytest.approx(10.8, abs=0.1)


async def test_what_an_ev_does_not_use_others_get_within_two_cycles_and_it_gets_it_back_when_it_wants_it() -> None:
    async with Site().open() as site:
        site.draws["1"] = lambda kw: min(kw, 2.0)
        await site.arrive(*evs(1, 2))
        await site.runs(120)
        assert site.drawn_kw()["2"] == pytest.approx(7.2, abs=0.05)
        assert site.offered_kw()["1"] == pytest.approx(2.5, abs=0.05)
        del site.draws["1"]
        for _ in range(20):
            await site.runs(10)
            assert sum(site.drawn_kw().values()) <= 12.0
        assert site.drawn_kw() == pytest.approx({"1": 6.0, "2": 6.0}, abs=0.05)


async def test_when_overbooking_an_ev_that_always_draws_half_counts_at_half_until_it_draws_more() -> None:
    async with Site(oversight=settings(overbook=True)).open() as site:
        site.draws["1"] = lambda kw: min(kw, 7.2) / 2
        await site.arrive(*evs(1, 2, 3))
        for _ in range(40):
            await site.runs(10)
            assert sum(site.drawn_kw().values()) <= 12.0
        assert sum(site.drawn_kw().values()) >= 0.98 * 12.0
        assert site.drawn_kw()["1"] == pytest.approx(3.6, abs=0.1)
        site.draws["1"] = obeys
        site.meter("1")
        site.source.push("MeterValues", "ST-1")
        await site.passes(8)
        assert sum(site.drawn_kw().values()) <= 12.0
        for _ in range(30):
            await site.runs(10)
            assert sum(site.offered_kw().values()) <= 12.0
        assert site.offered_kw() == pytest.approx({"1": 4.0, "2": 4.0, "3": 4.0}, abs=0.05)


async def test_without_overbooking_what_is_allowed_never_adds_up_to_more_than_the_limit() -> None:
    async with Site().open() as site:
        site.draws["1"] = lambda kw: min(kw, 7.2) / 2
        await site.arrive(*evs(1, 2, 3))
        for _ in range(40):
            await site.runs(10)
            assert sum(site.offered_kw().values()) <= 12.0


async def test_an_ev_that_sleeps_after_a_pause_is_woken_by_its_pilot() -> None:
    async with Site(limit_kw=12.0).open() as site:
        await site.arrive(*evs(1))
        await site.runs(60)
        site.limit.now_kw(0.0)
        await site.runs(120)
        site.asleep.add("1")
        changes: list[float] = []

        def sleeps_until_a_second_zero(kw: float) -> float:
            if not changes or changes[-1] != kw:
                changes.append(kw)
            awake = changes.count(0.0) > 1 and kw > 0
            if awake:
                site.asleep.discard("1")
            return obeys(kw) if awake else 0.0

        site.draws["1"] = sleeps_until_a_second_zero
        site.limit.now_kw(12.0)
        await site.runs(400)
        assert site.drawn_kw()["1"] > LEAST_KW
        assert site.alarms() == set()


async def test_an_ev_that_cannot_be_woken_is_told_and_keeps_its_minimum() -> None:
    async with Site(limit_kw=12.0).open() as site:
        await site.arrive(*evs(1))
        await site.runs(60)
        site.limit.now_kw(0.0)
        await site.runs(120)
        site.asleep.add("1")
        site.draws["1"] = lambda _: 0.0
        site.limit.now_kw(12.0)
        await site.runs(900)
        assert site.alarms() == {(AlarmKind.ASLEEP, "1")}
        assert site.offered_kw()["1"] == pytest.approx(LEAST_KW, abs=0.05)


async def test_a_meter_that_falls_silent_tightens_in_stages() -> None:
    async with Site(limit_kw=30.0).open() as site:
        await site.arrive(*evs(1))
        await site.runs(60)
        held_kw = site.offered_kw()["1"]
        await site.passes(200, 10)
        assert site.offered_kw()["1"] <= held_kw
        await site.passes(200, 10)
        assert site.offered_kw()["1"] < held_kw
        assert site.offered_kw()["1"] >= LEAST_KW


def test_looking_back_is_long_enough_for_every_judgement() -> None:
    assert timedelta(seconds=OversightSettings().keep_s) >= timedelta(seconds=60 + 30)


async def test_an_alarm_is_told_once_when_it_comes_and_once_when_it_goes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "optivgi.site")
    metrics = Metrics()

    def raised() -> float | None:
        return metrics.registry.get_sample_value("optivgi_alarms", {"group": "default", "kind": "overdraw"})

    async with Site(observers=(SiteLog(), metrics)).open() as site:
        await site.arrive(*evs(1, 2))
        site.draws["1"] = lambda _: 7.2
        await site.runs(120)
        assert raised() == 1
        del site.draws["1"]
        await site.runs(60)
        assert raised() == 0
    told = [record.getMessage() for record in caplog.records if "ALARM" in record.msg or "Over:" in record.msg]
    assert told[0] == (
        "ALARM — meters below site show 13.2 kW of 12.0 kW; EV 1 at ST-1 draws 7.2 kW, which is more than it may"
    )
    assert told[1].startswith("ALARM — EV 1 draws 7.2 kW at ST-1 connector 1, which is more than its profile allows")
    assert told[2:] == ["Over: overload of site", "Over: overdraw of EV 1 at ST-1"]
