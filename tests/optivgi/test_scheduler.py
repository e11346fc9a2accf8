"""The service from event to installed profile, over in-memory ports and a hand-turned clock."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections import Counter
from datetime import timedelta

import pytest

from optivgi.algorithms import algorithm
from optivgi.clock import ManualClock
from optivgi.cycle import CycleSettings, Planner, Ports
from optivgi.errors import PlanningError, Unreachable
from optivgi.model.charging_profile import Purpose
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.plan import Plan
from optivgi.model.problem import Problem
from optivgi.model.snapshot import RefusedEV
from optivgi.scheduler import HISTORY, Scheduler
from optivgi.testing import MOMENT, FakeEventSource, FakeTranslation, a_connector, an_ev
from optivgi.translation.base import OutcomeStatus
from tests.optivgi.control_room import ControlRoom, FakeLimit, FakePlanner, equal_plan, evs

FULL = dict.fromkeys("123456", 4.992)


async def test_every_connector_gets_its_safe_start_before_any_car_comes() -> None:
    async with ControlRoom(limit_kw=30, stations=6).open() as room:
        assert room.scheduler.ready.is_set()
        assert room.witness.safe == [("default", 6)]
        assert {c.profile.purpose for c in room.csms.sent} == {Purpose.TX_DEFAULT}
        assert [c.limit_kw for c in room.csms.sent] == pytest.approx([4.992] * 6)


async def test_without_stations_nothing_is_ready() -> None:
    async with ControlRoom(stations=0).open() as room:
        assert not room.scheduler.ready.is_set()
        room.csms.add_connectors(a_connector("ST-1"))
        room.source.push("BootNotification")
        await room.a_moment()
        assert room.scheduler.ready.is_set()


async def test_a_single_ev_has_its_full_power_at_once() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1))
        assert room.allowed_kw() == {"1": 7.2}


async def test_a_sixth_ev_waits_at_zero_until_the_others_have_followed_their_cuts() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1, 2, 3, 4, 5))
        assert room.allowed_kw() == dict.fromkeys("12345", 6.0)
        await room.arrive(*evs(6))
        assert room.allowed_kw() == dict.fromkeys("12345", 4.992) | {"6": 0.0}
        await room.passes(4.5)
        assert room.allowed_kw()["6"] == 0.0
        await room.passes(1)
        assert room.allowed_kw() == FULL


async def test_a_second_arrival_while_cuts_settle_is_not_delayed() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1, 2, 3, 4))
        await room.passes(10)
        await room.arrive(*evs(5))
        await room.passes(2)
        await room.arrive(*evs(6))
        assert room.allowed_kw() == dict.fromkeys("1234", 4.992) | {"5": 0.0, "6": 0.0}
        await room.passes(6)
        assert room.allowed_kw() == FULL


async def test_an_arrival_is_not_delayed_by_a_station_that_does_not_answer() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1, 2, 3, 4, 5))
        room.csms.delay_s["ST-1"] = 25.0
        await room.arrive(*evs(6))
        assert room.allowed_kw() == dict.fromkeys("2345", 4.992) | {"1": 6.0, "6": 0.0}
        await room.passes(10)
        assert room.allowed_kw()["6"] == pytest.approx(4.0, abs=0.1), "what the others left is given at once"
        await room.passes(25)
        assert room.allowed_kw() == FULL


async def test_a_departure_is_shared_out_at_once() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1, 2, 3, 4, 5, 6))
        await room.leave("1")
        assert room.allowed_kw() == dict.fromkeys("23456", 6.0)


async def test_a_known_drop_of_the_limit_is_in_force_when_it_comes() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1, 2, 3))
        now = room.clock.now()
        room.limit.current = LimitSeries(
            (
                LimitStep(now, 30.0, "site limit"),
                LimitStep(now + timedelta(seconds=300), 9.0, "demand response"),
                LimitStep(now + timedelta(seconds=600), 30.0, "site limit"),
            )
        )
        room.scheduler.wake("limit source")
        await room.passes(200, 5)
        assert room.allowed_kw() == dict.fromkeys("123", 7.2)
        await room.passes(93)
        assert room.allowed_kw() == dict.fromkeys("123", 3.0)
        await room.passes(306)
        assert room.allowed_kw() == dict.fromkeys("123", 3.0), "not before its end"
        await room.passes(3)
        assert room.allowed_kw() == dict.fromkeys("123", 7.2)


@pytest.mark.parametrize(
    ("planner", "low_kw"), [(algorithm("go"), 3.0), (equal_plan, 1.488)], ids=["foresees", "does not"]
)
async def test_an_announced_drop_is_obeyed_when_it_comes_also_by_chargers_that_nobody_tells(
    planner: Planner, low_kw: float
) -> None:
    """A plan that does not foresee it leaves everybody a sixth of the lower limit."""
    async with ControlRoom(planner=planner).open() as room:
        await room.arrive(*evs(1, 2, 3))
        now = room.clock.now()
        room.limit.current = LimitSeries(
            (
                LimitStep(now, 30.0, "site limit"),
                LimitStep(now + timedelta(seconds=60), 9.0, "demand response"),
                LimitStep(now + timedelta(seconds=120), 30.0, "site limit"),
            )
        )
        room.scheduler.wake("limit source")
        await room.passes(5)
        room.csms.answers = dict.fromkeys(("ST-1", "ST-2", "ST-3"), OutcomeStatus.OFFLINE)
        await room.passes(44)
        assert room.allowed_kw() == dict.fromkeys("123", 7.2)
        await room.passes(2)
        assert room.allowed_kw() == dict.fromkeys("123", low_kw)
        await room.passes(68)
        assert room.allowed_kw() == dict.fromkeys("123", low_kw), "a rise is not pre-loaded"


async def test_the_csms_own_limit_counts_where_it_is_stricter() -> None:
    async with ControlRoom().open() as room:
        room.csms.peak_power_demand = LimitSeries.constant(6.0, room.clock.now(), "grid operator")
        await room.arrive(*evs(1, 2))
        assert room.allowed_kw() == dict.fromkeys("12", 3.0)
        limit = room.witness.records[-1].limit
        assert limit is not None
        assert limit.source == "grid operator"


async def test_an_unreachable_csms_keeps_its_last_evs_and_raises_nothing() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1, 2, 3, 4, 5))
        room.csms.failure = Unreachable("nobody answers at http://citrineos:8080")
        room.csms.unplug("1")
        room.source.push("StopTransaction")
        await room.a_moment()
        record = room.witness.records[-1]
        assert record.unreadable == "nobody answers at http://citrineos:8080"
        assert record.snapshot is not None
        assert len(record.snapshot.evs) == 5
        assert room.allowed_kw() == dict.fromkeys("12345", 6.0)
        room.limit.now_kw(15.0)
        await room.passes(2)
        assert room.allowed_kw() == dict.fromkeys("12345", 3.0), "cuts are sent all the same"
        room.limit.now_kw(30.0)
        await room.passes(60)
        assert room.allowed_kw() == dict.fromkeys("12345", 3.0), "and no raise"
        room.csms.failure = None
        await room.passes(61)
        assert {ev: kw for ev, kw in room.allowed_kw().items() if ev != "1"} == dict.fromkeys("2345", 7.2)


async def test_stations_are_asked_again_at_once_when_the_csms_is_back() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1, 2))
        room.csms.failure = Unreachable("gone")
        room.csms.answers["ST-1"] = OutcomeStatus.FAILED
        room.limit.now_kw(10.0)
        await room.passes(100, 5)
        room.csms.failure = None
        del room.csms.answers["ST-1"]
        room.source.push("BootNotification", "ST-2")
        sent = len(room.csms.sent)
        await room.passes(2)
        assert "ST-1" in {command.station_id for command in room.csms.sent[sent:]}


async def test_reading_again_is_tried_with_growing_patience() -> None:
    async with ControlRoom().open() as room:
        room.csms.failure = Unreachable("gone")
        reads = room.csms.reads
        room.source.reconnect()
        await room.a_moment()
        await room.passes(16)
        assert room.csms.reads - reads == 5, "at once, and after 1, 2, 4 and 8 s"


async def test_facts_that_stay_old_bring_everybody_down_to_the_safe_share() -> None:
    async with ControlRoom(stations=12).open() as room:
        await room.arrive(*evs(1, 2, 3))
        room.csms.failure = Unreachable("gone")
        await room.passes(280, 10)
        assert room.allowed_kw() == dict.fromkeys("123", 7.2)
        await room.passes(90, 10)
        assert room.allowed_kw() == dict.fromkeys("123", 2.496)


async def test_a_station_that_rejects_its_profile_is_planned_around() -> None:
    async with ControlRoom(limit_kw=12, stations=6).open() as room:
        await room.arrive(*evs(1, 2))
        assert room.allowed_kw() == {"1": 6.0, "2": 6.0}
        room.csms.answers["ST-1"] = OutcomeStatus.REJECTED
        await room.arrive(*evs(3))
        await room.passes(20)
        assert room.allowed_kw() == {"1": 6.0, "2": 3.0, "3": 3.0}
        assert [one.ev_id for one in room.witness.records[-1].out_of_control] == ["1"]
        del room.csms.answers["ST-1"]
        await room.passes(60)
        assert room.allowed_kw() == dict.fromkeys("123", 3.984)


async def test_a_station_that_goes_away_keeps_its_claim_and_is_controlled_again_when_it_is_back() -> None:
    async with ControlRoom(limit_kw=12).open() as room:
        await room.arrive(*evs(1, 2))
        room.csms.add_connectors(a_connector("ST-1", online=False))
        await room.arrive(*evs(3))
        await room.passes(6)
        assert room.allowed_kw() == {"1": 6.0, "2": 3.0, "3": 3.0}
        room.csms.add_connectors(a_connector("ST-1"))
        room.source.push("StatusNotification")
        await room.a_moment()
        await room.passes(6)
        assert room.allowed_kw() == dict.fromkeys("123", 3.984)


async def test_a_reboot_brings_the_safe_start_and_the_profile_back() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1))
        room.csms.installed.clear()
        room.csms.add_connectors(a_connector("ST-1", booted_at=room.clock.now() + timedelta(seconds=1)))
        room.source.push("BootNotification")
        await room.a_moment()
        assert {profile.purpose for profile in room.csms.installed["ST-1", 1]} == {Purpose.TX_DEFAULT, Purpose.TX}
        assert room.allowed_kw() == {"1": 7.2}


async def test_an_ev_whose_data_make_no_sense_gets_the_safe_share_and_the_others_the_rest() -> None:
    async with ControlRoom(limit_kw=12, stations=6).open() as room:
        room.csms.plug_in(an_ev("1", energy_needed_kwh=-3), an_ev("2"))
        room.source.push("StartTransaction")
        await room.a_moment()
        await room.passes(10)
        assert room.allowed_kw() == {"1": 1.992, "2": 7.2}
        (refused,) = room.witness.records[-1].refused
        assert "energy need is -3 kWh" in refused.reason
        room.csms.unplug("1")
        room.csms.refused.append(RefusedEV("1", "ST-1", 1, "7", "its meter shows nonsense"))
        room.source.push("StartTransaction")
        await room.a_moment()
        assert room.allowed_kw()["1"] == 1.992


async def test_a_planner_that_fails_changes_nothing_and_holds_newcomers_at_zero() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1, 2))
        room.planner.failure = PlanningError("no rung gave a plan")
        await room.arrive(*evs(3))
        assert room.allowed_kw() == {"1": 7.2, "2": 7.2, "3": 0.0}
        room.limit.now_kw(8.0)
        await room.passes(61)
        assert room.allowed_kw() == {"1": 0.0, "2": 0.0, "3": 0.0}, "a sixth of 8 kW is less than a minimum"
        room.planner.failure = None
        await room.passes(66)
        assert room.allowed_kw() == dict.fromkeys("123", 2.64)


async def test_nobody_is_stranded_by_a_planner_that_fails_for_long() -> None:
    async with ControlRoom(stations=12).open() as room:
        await room.arrive(*evs(1, 2))
        room.planner.failure = PlanningError("no rung gave a plan")
        await room.arrive(*evs(3))
        await room.passes(360, 10)
        assert room.allowed_kw() == dict.fromkeys("123", 2.496)


async def test_an_unforeseen_fault_does_not_end_the_control_of_the_site(caplog: pytest.LogCaptureFixture) -> None:
    async with ControlRoom().open() as room:
        room.planner.failure = ZeroDivisionError("planner bug")
        await room.arrive(*evs(1))
        assert room.witness.crashes == ["default"]
        assert "planner bug" in caplog.text
        room.planner.failure = None
        await room.passes(6)
        assert room.allowed_kw() == {"1": 7.2}


async def test_a_planner_that_hangs_is_left_behind_and_cuts_are_sent_all_the_same() -> None:
    gate = threading.Event()
    calls: list[Problem] = []

    def planner(problem: Problem) -> Plan:
        calls.append(problem)
        if len(calls) == 2:
            gate.wait(10)
        return equal_plan(problem)

    room = ControlRoom(planner=planner, inline=False, settings=CycleSettings(planning_deadline_s=0.05))

    async def until(cycles: int) -> None:
        async with asyncio.timeout(5):
            while len(room.witness.records) < cycles:  # noqa: ASYNC110 - a thread is at work, not a task
                await asyncio.sleep(0.005)
        await room.a_moment()

    try:
        async with room.open():
            await until(1)
            room.csms.plug_in(*evs(1))
            room.scheduler.wake("test")
            await room.a_moment()
            await until(2)
            assert room.witness.records[-1].undecided == "planning takes longer than 0.05 s"
            assert room.allowed_kw() == {"1": 0.0}
            gate.set()
            async with asyncio.timeout(5):
                while room.allowed_kw() != {"1": 7.2}:
                    await asyncio.sleep(0.005)
                    await room.passes(1)
    finally:
        gate.set()


async def test_the_timer_plans_anew_without_any_event() -> None:
    async with ControlRoom().open() as room:
        room.csms.plug_in(*evs(1))
        await room.passes(61)
        assert room.allowed_kw() == {"1": 7.2}
        assert room.witness.records[-1].reasons == ("timer",)


async def test_the_cycle_record_tells_the_whole_story() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1, 2, 3, 4, 5))
        record = room.scheduler.history[-1]
        assert record.reasons == ("StartTransaction",)
        assert (record.requested_kw, record.allocated_kw) == pytest.approx((36.0, 30.0))
        assert {decision.ev.ev_id: decision.reason.text for decision in record.decisions} == dict.fromkeys(
            "12345", "shares the limit"
        )
        assert [outcome.status for outcome in record.outcomes] == [OutcomeStatus.ACCEPTED] * 5
        assert set(record.hops_ms) == {"read", "frame", "decide", "dispatch", "answer"}
        assert all(took_ms >= 0 for took_ms in record.hops_ms.values())


async def test_an_expected_ev_is_in_the_plan_and_gets_no_command() -> None:
    async with ControlRoom(limit_kw=9).open() as room:
        room.csms.expected.append(an_ev("2", arrival=room.clock.now() + timedelta(hours=1)))
        await room.arrive(*evs(1))
        assert room.planner.problems[-1].ev_ids == ("1", "2")
        assert [decision.ev.ev_id for decision in room.scheduler.history[-1].decisions] == ["1"]
        assert room.allowed_kw() == {"1": 7.2}


async def test_what_is_kept_of_old_cycles_is_small() -> None:
    """An EV weighs a few hundred bytes in a record, whatever the number of cells and connectors."""
    room = ControlRoom(limit_kw=100, stations=60, planner=algorithm("go"))
    async with room.open():
        await room.arrive(*(an_ev(str(n), departure=MOMENT + timedelta(hours=1 + n / 30)) for n in range(1, 61)))
        for _ in range(HISTORY + 10):
            room.scheduler.wake("again")
            await room.a_moment()
        history = room.scheduler.history
        assert len(history) == HISTORY
        assert len(history[-1].decisions) == 60
        assert len(pickle.dumps(history[-2])) < 400 * 60


async def test_a_busy_group_does_not_push_out_the_cycles_of_a_quiet_one() -> None:
    room = ControlRoom()
    room.scheduler = Scheduler(
        Ports(room.csms, FakeLimit(3.0), FakePlanner(), room.clock), room.source, ["busy", "quiet"], lambda _: "busy"
    )
    async with room.open():
        for _ in range(HISTORY + 10):
            room.scheduler.wake("again", "busy")
            await room.a_moment()
        assert Counter(record.group for record in room.scheduler.history) == {"busy": HISTORY, "quiet": 1}


async def test_groups_are_controlled_apart() -> None:
    clock = ManualClock()
    csms = FakeTranslation(clock, {"north": ["ST-1"], "south": ["ST-2"]})
    csms.add_connectors(a_connector("ST-1"), a_connector("ST-2"))
    source = FakeEventSource(clock)
    room = ControlRoom()
    room.clock, room.csms, room.source = clock, csms, source
    room.scheduler = Scheduler(
        Ports(csms, FakeLimit(3.0), FakePlanner(), clock),
        source,
        ["north", "south"],
        {"ST-1": "north", "ST-2": "south"}.get,
        observers=(room.witness,),
    )
    async with room.open():
        await room.arrive(*evs(1, 2))
        assert room.allowed_kw() == {"1": 3.0, "2": 3.0}
        assert {record.group for record in room.witness.records} == {"north", "south"}


async def test_shutting_down_ends_every_task_and_leaves_the_ports_open() -> None:
    room = ControlRoom()
    async with room.open():
        room.csms.delay_s["ST-1"] = 20.0
        await room.arrive(*evs(1))
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert others
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not room.csms.closed
