"""Who leads: one optimizer at a time, through deaths, pauses and a broker that is away."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.clock import ManualClock, settle
from optivgi.leadership import (
    FENCE_S,
    WAITERS_S,
    Answer,
    LeasedLeadership,
    Report,
    Role,
    SoleLeader,
    Standing,
    Tenure,
)
from optivgi.model.charging_profile import Purpose
from tests.optivgi.control_room import ControlRoom, evs

HOLD_S = 30.0


def a_leader(at: float = 0.0, waiter_at: float = -math.inf) -> Tenure:
    tenure = Tenure(HOLD_S)
    tenure.learned(Answer.HELD, at, at)
    tenure.waiter_at = waiter_at
    return tenure


def test_nobody_leads_before_the_lease_is_won() -> None:
    tenure = Tenure(HOLD_S)
    assert not tenure.holds(0)
    tenure.learned(Answer.UNKNOWN, 0, 0)
    assert not tenure.holds(0), "a broker that is away makes no leader"
    tenure.learned(Answer.TAKEN, 1, 1)
    assert not tenure.holds(1)
    tenure.learned(Answer.HELD, 2, 2)
    assert tenure.holds(2)


def test_a_lease_that_is_taken_is_lost_at_once() -> None:
    tenure = a_leader()
    tenure.learned(Answer.TAKEN, 1, 1)
    assert not tenure.holds(1)
    assert not tenure.led


def test_a_process_that_slept_sends_nothing_before_it_has_asked() -> None:
    tenure = a_leader()
    assert tenure.holds(FENCE_S)
    assert not tenure.holds(FENCE_S + 0.1)
    assert tenure.led, "it may still turn out to be the leader"
    tenure.learned(Answer.RENEWED, 30, 30)
    assert tenure.holds(30)
    assert tenure.term == 1, "the lease was its own all the time"


def test_a_lease_won_back_after_a_sleep_begins_a_new_term() -> None:
    tenure = a_leader()
    tenure.learned(Answer.HELD, 30, 30)
    assert tenure.holds(30)
    assert tenure.term == 2, "another one may have led meanwhile"


def test_a_question_asked_before_the_sleep_proves_nothing_after_it() -> None:
    tenure = a_leader()
    tenure.learned(Answer.UNKNOWN, 2, 40)
    assert not tenure.holds(40)
    tenure.learned(Answer.UNKNOWN, 40, 43)
    assert tenure.holds(43), "now it knows that the broker is away, and nobody was waiting"


def test_a_short_break_of_the_connection_changes_nothing() -> None:
    tenure = a_leader()
    tenure.learned(Answer.UNKNOWN, 1, 2)
    tenure.learned(Answer.HELD, 3, 3)
    assert tenure.term == 1


def unknown_until(tenure: Tenure, until: int) -> None:
    for at in range(1, until + 1):
        tenure.learned(Answer.UNKNOWN, at, at)


def test_alone_it_leads_on_however_long_the_broker_is_away() -> None:
    tenure = a_leader()
    unknown_until(tenure, 3600)
    assert tenure.holds(3600)
    tenure.learned(Answer.HELD, 3601, 3601)
    assert tenure.term == 1


def test_with_somebody_waiting_it_gives_way_after_its_hold() -> None:
    tenure = a_leader(at=100, waiter_at=90)
    for at in range(101, 131):
        tenure.learned(Answer.UNKNOWN, at, at)
        assert tenure.holds(at)
    tenure.learned(Answer.UNKNOWN, 131, 131)
    assert not tenure.led


def test_somebody_who_waited_long_ago_is_gone() -> None:
    tenure = a_leader(at=100, waiter_at=100 - WAITERS_S - 1)
    for at in range(101, 200):
        tenure.learned(Answer.UNKNOWN, at, at)
    assert tenure.led


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Answer)), st.floats(0, 60), st.floats(0, 60), st.booleans()),
        max_size=30,
    )
)
def test_it_never_leads_on_what_it_asked_too_long_ago(steps: list[tuple[Answer, float, float, bool]]) -> None:
    tenure, at = Tenure(HOLD_S), 0.0
    for answer, pause_s, takes_s, heard in steps:
        asked_at = at + pause_s
        at = asked_at + takes_s
        if heard:
            tenure.waiter_at = asked_at
        terms = tenure.term
        tenure.learned(answer, asked_at, at)
        if tenure.holds(at):
            assert at - asked_at <= FENCE_S
            assert answer is not Answer.TAKEN
        if answer in (Answer.TAKEN, Answer.UNKNOWN):
            assert tenure.term == terms


@dataclass
class Keeper:
    """Keeps one lease for several optimizers, and can be away."""

    holder: str = ""
    away: bool = False
    waiters: dict[str, float] = field(default_factory=dict)


class KeptLease:
    """A Lease of one optimizer at a Keeper."""

    def __init__(self, keeper: Keeper, me: str, clock: ManualClock) -> None:
        self._keeper, self._me, self._clock = keeper, me, clock
        self.waiter_heard_at = -math.inf

    async def ask(self) -> Report:
        await asyncio.sleep(0)
        if self._keeper.away:
            return Report(Answer.UNKNOWN, "the keeper is away")
        if self._keeper.holder not in ("", self._me):
            self._keeper.waiters[self._me] = self._clock.monotonic()
            return Report(Answer.TAKEN, f"{self._keeper.holder} leads it")
        renewed, self._keeper.holder = self._keeper.holder == self._me, self._me
        self.waiter_heard_at = max(
            (at for who, at in self._keeper.waiters.items() if who != self._me), default=-math.inf
        )
        return Report(Answer.RENEWED if renewed else Answer.HELD)

    async def aclose(self) -> None:
        self._keeper.holder = ""


@asynccontextmanager
async def running(clock: ManualClock, keeper: Keeper, *names: str) -> AsyncIterator[dict[str, LeasedLeadership]]:
    leaderships = {
        name: LeasedLeadership({"default": KeptLease(keeper, name, clock)}, clock, hold_s=HOLD_S) for name in names
    }
    tasks = [asyncio.create_task(one.run(lambda group, standing: None)) for one in leaderships.values()]
    await settle()
    yield leaderships
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_leads_the_other_waits_and_takes_over() -> None:
    clock, keeper = ManualClock(), Keeper()
    async with running(clock, keeper, "a", "b") as both:
        assert [one.leads("default") for one in both.values()] == [True, False]
        assert both["b"].standings["default"] == Standing(Role.WAITS, clock.now(), "a leads it")
        winning = asyncio.create_task(both["b"].won("default"))
        losing = asyncio.create_task(both["a"].lost("default"))
        await settle()
        assert not winning.done()
        assert not losing.done()
        keeper.holder = "b"
        await clock.advance(1)
        assert winning.done()
        assert losing.done()
        assert [one.leads("default") for one in both.values()] == [False, True]


async def test_each_change_is_told_once() -> None:
    clock, keeper, told = ManualClock(), Keeper(holder="a"), []
    leadership = LeasedLeadership(
        {"default": KeptLease(keeper, "b", clock)},
        clock,
        hold_s=HOLD_S,
    )
    task = asyncio.create_task(leadership.run(lambda group, one: told.append((group, one.role, one.why))))
    await clock.advance(5)
    keeper.holder = ""
    await clock.advance(5)
    keeper.away = True
    await clock.advance(5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert told == [
        ("default", Role.WAITS, "a leads it"),
        ("default", Role.LEADS, ""),
        ("default", Role.LEADS, "the keeper is away"),
    ]


@pytest.mark.parametrize("away", [False, True])
async def test_without_its_keeper_nobody_becomes_leader(away: bool) -> None:
    clock = ManualClock()
    async with running(clock, Keeper(away=away), "a") as one:
        await clock.advance(600)
        assert one["a"].leads("default") is not away


class Whim(SoleLeader):
    """Leads as a test says."""

    def __init__(self, leads: bool = False) -> None:
        self.sure = leads
        self.term = asyncio.Event()
        self.end = asyncio.Event()
        if leads:
            self.term.set()

    def leads(self, group: str) -> bool:
        return self.sure

    async def won(self, group: str) -> None:
        await self.term.wait()

    async def lost(self, group: str) -> None:
        await self.end.wait()
        self.end.clear()

    def win(self) -> None:
        self.sure = True
        self.term.set()

    def lose(self) -> None:
        self.sure = False
        self.term.clear()
        self.end.set()


async def test_who_waits_reads_and_sends_nothing_until_it_leads() -> None:
    whim = Whim()
    async with ControlRoom(leadership=whim).open() as room:
        await room.arrive(*evs(1))
        assert (room.csms.reads, room.csms.sent) == (0, [])
        assert not room.scheduler.ready.is_set()
        whim.win()
        await room.a_moment()
        assert room.allowed_kw() == {"1": 7.2}
        assert room.scheduler.ready.is_set()


async def test_while_it_is_not_sure_to_lead_everything_waits_and_then_goes_out() -> None:
    whim = Whim(leads=True)
    async with ControlRoom(leadership=whim).open() as room:
        whim.sure = False
        sent = len(room.csms.sent)
        await room.arrive(*evs(1))
        await room.passes(3)
        assert len(room.csms.sent) == sent
        whim.sure = True
        await room.passes(1)
        assert room.allowed_kw() == {"1": 7.2}


async def test_who_leads_again_trusts_nothing_that_it_knew_before() -> None:
    whim = Whim(leads=True)
    async with ControlRoom(leadership=whim).open() as room:
        await room.arrive(*evs(1))
        whim.lose()
        await room.a_moment()
        assert not room.scheduler.ready.is_set()
        sent, reads = len(room.csms.sent), room.csms.reads
        await room.passes(120)
        assert (len(room.csms.sent), room.csms.reads) == (sent, reads)
        whim.win()
        await room.a_moment()
        again = [command.profile.purpose for command in room.csms.sent[sent:]]
        assert again.count(Purpose.TX_DEFAULT) == 6, "all of it is sent anew"
        assert again.count(Purpose.TX) == 1, "there is room for all it may have, whatever it has"
