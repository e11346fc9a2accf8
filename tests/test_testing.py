"""The shipped fakes do what their switches say; the Translation's promises are in the contract suite."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from optivgi.clock import ManualClock
from optivgi.errors import Unreachable
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.testing import MOMENT, FakeEventSource, FakeTranslation, a_snapshot, an_ev
from optivgi.translation.base import OutcomeStatus, PowerCommand


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def a_command(stack_level: int = 1, limit_a: float = 16.0) -> PowerCommand:
    schedule = Schedule(RateUnit.A, (Period(0, limit_a),), start=MOMENT)
    return PowerCommand(
        "ST-1",
        1,
        ChargingProfile(1 + stack_level, stack_level, Purpose.TX, Kind.ABSOLUTE, schedule, "1"),
        limit_kw=3.84,
    )


def test_the_builders_moment_is_the_manual_clocks_start(clock: ManualClock) -> None:
    assert clock.now() == MOMENT


def test_a_snapshot_has_a_connector_for_each_ev() -> None:
    found = a_snapshot(an_ev("1"), an_ev("2", suspended_by_ev=True))
    assert [(one.station_id, one.status) for one in found.connectors] == [("ST-1", "Charging"), ("ST-2", "SuspendedEV")]


async def test_an_unplugged_ev_leaves_its_connector_free(clock: ManualClock) -> None:
    translation = FakeTranslation(clock)
    translation.plug_in(an_ev("1"))
    translation.unplug("1")
    found = await translation.get_evs("default")
    assert (found.evs, [one.status for one in found.connectors]) == ((), ["Available"])


async def test_a_profile_replaces_the_one_of_its_purpose_and_stack_level(clock: ManualClock) -> None:
    translation = FakeTranslation(clock)
    for command in (a_command(0, 6.0), a_command(1, 16.0), a_command(1, 10.0)):
        await translation.send_power_to_evs([command])
    assert [profile.schedule.periods[0].limit for profile in translation.installed["ST-1", 1]] == [6.0, 10.0]
    assert len(translation.batches) == 3


async def test_a_profile_replaces_the_one_with_its_id_at_whatever_stack_level(clock: ManualClock) -> None:
    translation = FakeTranslation(clock)
    high, low = a_command(1, 16.0), a_command(0, 6.0)
    low = replace(low, profile=replace(low.profile, profile_id=high.profile.profile_id))
    await translation.send_power_to_evs([high])
    await translation.send_power_to_evs([low])
    assert translation.installed["ST-1", 1] == [low.profile]


async def test_an_answer_takes_the_site_time_that_it_is_told_to(clock: ManualClock) -> None:
    translation = FakeTranslation(clock)
    translation.delay_s["ST-1"] = 5.0
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(translation.send_power_to_evs([a_command()]))
        await clock.advance(4.9)
        assert not sending.done()
        await clock.advance(0.1)
    assert sending.result()[0].status is OutcomeStatus.ACCEPTED


async def test_reads_can_be_slow_and_can_fail(clock: ManualClock) -> None:
    translation = FakeTranslation(clock)
    translation.read_delay_s, translation.failure = 3.0, Unreachable("gone")

    async def read() -> None:
        with pytest.raises(Unreachable):
            await translation.get_evs("default")

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read())
        await clock.advance(2.9)
        assert not reading.done()
        await clock.advance(0.1)
    assert translation.reads == 1


async def test_events_come_in_order_until_the_source_is_closed(clock: ManualClock) -> None:
    source = FakeEventSource(clock)
    source.push("BootNotification")
    source.reconnect()
    await source.aclose()
    assert [event.action async for event in source.events()] == ["BootNotification", "resync"]
