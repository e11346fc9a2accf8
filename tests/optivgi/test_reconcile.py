"""Accepted is not applied: what stations say that they have, compared with what they accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.account import Instant
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.composite import Supply, Transaction, composite_schedule
from optivgi.model.ev import EV, Connector
from optivgi.reconcile import (
    FORGET_REFUSALS_S,
    FORGET_SILENCE_S,
    MOST_REPAIRS,
    SLACK_S,
    Match,
    Question,
    Reconciler,
    compared,
)
from optivgi.testing import MOMENT, a_connector, a_snapshot, an_ev
from optivgi.translation.base import OutcomeStatus, PowerCommand, ReadBack
from tests.optivgi.control_room import ControlRoom, evs

NOW = Instant(MOMENT, 0.0)
KEY = ("ST-1", 1)
SUPPLY = Supply(240.0, 1)


def a_tx_profile(limit_a: float = 20.0, duration_s: int | None = None, transaction_id: str = "1") -> ChargingProfile:
    schedule = Schedule(RateUnit.A, (Period(0, limit_a, 1),), MOMENT, duration_s)
    return ChargingProfile(12, 1, Purpose.TX, Kind.ABSOLUTE, schedule, transaction_id)


def a_safe_start(share_a: float = 10.0, hold_s: int = 60) -> ChargingProfile:
    schedule = Schedule(RateUnit.A, (Period(0, 0.0, 1), Period(hold_s, share_a, 1)))
    return ChargingProfile(11, 0, Purpose.TX_DEFAULT, Kind.RELATIVE, schedule)


def a_command(profile: ChargingProfile) -> PowerCommand:
    return PowerCommand(*KEY, profile, 4.8)


def amperes(*steps: tuple[int, float], unit: RateUnit = RateUnit.A) -> ReadBack:
    return ReadBack(OutcomeStatus.ACCEPTED, Schedule(unit, tuple(Period(at, limit) for at, limit in steps)))


def a_question(*profiles: ChargingProfile, duration_s: int = 400, arrived_s: float = 0.0) -> Question:
    transaction = Transaction("1", MOMENT - timedelta(seconds=arrived_s))
    return Question(KEY, duration_s, RateUnit.A, profiles, transaction, SUPPLY, 7.2)


def sure(_key: object) -> bool:
    return True


class Watch:
    """A reconciler with one station, and an EV there unless it is told otherwise."""

    def __init__(self, ev: EV | None = None, connector: Connector | None = None) -> None:
        self.reconciler = Reconciler()
        self.connector = connector or a_connector(vendor="V", model="M")
        self.ev = ev
        self.look()

    def look(self, *, doubted: frozenset[tuple[str, int]] = frozenset()) -> None:
        present = () if self.ev is None else (self.ev,)
        self.reconciler.observe(a_snapshot(*present, connectors=[self.connector]), doubted)

    def ask(self, at: float = 0.0) -> Question | None:
        return self.reconciler.next_question(sure, Instant(MOMENT + timedelta(seconds=at), at))

    def asked(self, at: float = 0.0) -> Question:
        question = self.ask(at)
        assert question is not None
        return question


@pytest.fixture
def watch() -> Watch:
    """An EV whose station accepted its safe start and 20 A."""
    watch = Watch(an_ev())
    for profile in (a_safe_start(), a_tx_profile()):
        watch.reconciler.accepted(a_command(profile))
    return watch


def test_what_was_accepted_is_asked_once_and_found_to_be_the_same(watch: Watch) -> None:
    question = watch.asked()
    assert (question.key, question.unit, question.duration_s) == (KEY, RateUnit.A, 120)
    finding = watch.reconciler.answered(question, amperes((0, 20.0)), NOW)
    assert (finding.match, finding.repair) == (Match.SAME, False)
    assert watch.ask() is None
    watch.look()
    assert watch.ask() is None


def test_nothing_is_asked_where_it_is_not_certain_what_there_should_be(watch: Watch) -> None:
    assert watch.reconciler.next_question(lambda _: False, NOW) is None
    assert watch.ask() is not None, "it stays due"


def test_a_station_that_allows_more_counts_at_that_until_it_accepts_anew(watch: Watch) -> None:
    finding = watch.reconciler.answered(watch.asked(), amperes((0, 28.0)), NOW)
    assert (finding.match, finding.repair) == (Match.MORE, True)
    assert (finding.said_kw, finding.expected_kw) == pytest.approx((6.72, 4.8))
    assert watch.reconciler.claims() == pytest.approx({KEY: 6.72})
    watch.reconciler.accepted(a_command(a_tx_profile()))
    assert watch.reconciler.claims() == {}
    assert watch.reconciler.answered(watch.asked(), amperes((0, 20.0)), NOW).match is Match.SAME


def test_a_claim_ends_with_its_transaction(watch: Watch) -> None:
    watch.reconciler.answered(watch.asked(), amperes((0, 28.0)), NOW)
    watch.ev = None
    watch.look()
    assert watch.reconciler.claims() == {}
    assert watch.reconciler.answered(watch.asked(), amperes((0, 0.0), (60, 10.0)), NOW).match is Match.SAME, (
        "it is free"
    )


def test_repairs_are_bounded_and_then_the_meter_is_left_to_tell(watch: Watch) -> None:
    for _ in range(MOST_REPAIRS):
        assert watch.reconciler.answered(watch.asked(), amperes((0, 28.0)), NOW).repair
        watch.reconciler.accepted(a_command(a_tx_profile()))
    last = watch.reconciler.answered(watch.asked(), amperes((0, 28.0)), NOW)
    assert (last.match, last.repair) == (Match.MORE, False)
    assert watch.reconciler.claims() == {}
    assert watch.ask() is None


def test_a_station_that_allows_less_is_told_again_and_then_believed(watch: Watch) -> None:
    for repair in (True, True, False):
        finding = watch.reconciler.answered(watch.asked(), amperes((0, 12.0)), NOW)
        assert (finding.match, finding.repair) == (Match.LESS, repair)
    assert watch.reconciler.claims() == {}


def test_a_limit_that_a_station_has_of_its_own_is_known_from_then_on(watch: Watch) -> None:
    def answered(limit_a: float) -> Match:
        watch.reconciler.lost_sight()
        watch.look()
        return watch.reconciler.answered(watch.asked(), amperes((0, limit_a)), NOW).match

    for _ in range(MOST_REPAIRS + 1):
        watch.reconciler.answered(watch.asked(), amperes((0, 12.0)), NOW)
    assert [answered(limit_a) for limit_a in (12.0, 20.0, 10.0, 28.0)] == [
        Match.SAME,
        Match.SAME,
        Match.LESS,
        Match.MORE,
    ]


def a_boot(watch: Watch) -> None:
    watch.connector = replace(watch.connector, booted_at=MOMENT + timedelta(seconds=5))


def a_return(watch: Watch) -> None:
    watch.connector = replace(watch.connector, online=False)
    watch.look()
    assert watch.ask() is None, "nobody asks a station that is away"
    watch.connector = replace(watch.connector, online=True)


def another_transaction(watch: Watch) -> None:
    watch.ev = an_ev(transaction_id="2")
    watch.reconciler.accepted(a_command(a_tx_profile(transaction_id="2")))


def an_outage(watch: Watch) -> None:
    watch.reconciler.lost_sight()


@pytest.mark.parametrize("happens", [a_boot, a_return, another_transaction, an_outage])
def test_it_is_asked_again_after_whatever_may_have_cost_profiles(
    watch: Watch, happens: Callable[[Watch], None]
) -> None:
    watch.reconciler.answered(watch.asked(), amperes((0, 20.0)), NOW)
    happens(watch)
    watch.look()
    assert watch.ask() is not None


def test_it_is_asked_once_when_its_meter_begins_to_show_more(watch: Watch) -> None:
    watch.reconciler.answered(watch.asked(), amperes((0, 20.0)), NOW)
    for asked in (True, False):
        watch.look(doubted=frozenset({KEY}))
        assert (watch.ask() is not None) is asked


def test_a_free_connector_is_asked_once_for_what_its_next_ev_would_get() -> None:
    watch = Watch()
    watch.reconciler.accepted(a_command(a_safe_start()))
    question = watch.asked()
    assert (question.transaction, question.duration_s) == (None, 120)
    finding = watch.reconciler.answered(question, amperes((0, 30.0)), NOW)
    assert (finding.match, finding.idle, finding.repair) == (Match.MORE, True, True)
    assert watch.reconciler.claims() == {}, "nobody charges there"
    assert watch.reconciler.answered(watch.asked(), amperes((0, 0.0), (60, 10.0)), NOW).match is Match.SAME
    watch.reconciler.lost_sight()
    watch.look()
    assert watch.ask() is None


@pytest.mark.parametrize("status", [OutcomeStatus.REJECTED, OutcomeStatus.NOT_SUPPORTED])
def test_a_kind_that_refuses_twice_is_not_asked_for_a_day(watch: Watch, status: OutcomeStatus) -> None:
    for _ in range(2):
        assert watch.reconciler.answered(watch.asked(), ReadBack(status), NOW).match is Match.NONE
        watch.reconciler.lost_sight()
        watch.look()
    assert watch.ask() is None
    other = Watch(an_ev(), a_connector(vendor="V", model="M"))
    other.reconciler.reticence = watch.reconciler.reticence
    other.reconciler.accepted(a_command(a_tx_profile()))
    assert other.ask() is None, "it is of the same kind"
    watch.reconciler.lost_sight()
    watch.look()
    assert watch.ask(FORGET_REFUSALS_S + 1) is not None


def test_a_silent_station_is_left_alone_for_an_hour_because_commands_wait_behind_a_question(watch: Watch) -> None:
    watch.reconciler.answered(watch.asked(), ReadBack(OutcomeStatus.UNKNOWN), NOW)
    a_boot(watch)
    watch.look()
    assert watch.ask() is None
    a_boot(watch)
    watch.connector = replace(watch.connector, booted_at=MOMENT + timedelta(seconds=9))
    watch.look()
    assert watch.ask(FORGET_SILENCE_S + 1) is not None


def test_silence_during_an_outage_is_no_silence(watch: Watch) -> None:
    watch.reconciler.answered(watch.asked(), ReadBack(OutcomeStatus.UNKNOWN), NOW)
    watch.reconciler.lost_sight()
    watch.look()
    assert watch.ask() is not None


def test_an_answer_to_what_has_been_replaced_meanwhile_says_nothing(watch: Watch) -> None:
    question = watch.asked()
    watch.reconciler.accepted(a_command(a_tx_profile(limit_a=8.0)))
    assert watch.reconciler.answered(question, amperes((0, 20.0)), NOW).match is Match.NONE
    assert watch.reconciler.answered(watch.asked(), amperes((0, 8.0)), NOW).match is Match.SAME


ENDING = (a_safe_start(share_a=10.0, hold_s=60), a_tx_profile(20.0, duration_s=180))


@pytest.mark.parametrize(
    ("steps", "match"),
    [
        (((0, 20.0), (180, 10.0)), Match.SAME),
        (((0, 20.0), (180 - int(SLACK_S) + 1, 10.0)), Match.SAME),
        (((0, 20.0), (180 + int(SLACK_S) - 1, 10.0)), Match.SAME),
        (((0, 20.0),), Match.MORE),
        (((0, 20.0), (180, 12.0)), Match.MORE),
        (((0, 20.0), (180, 0.0)), Match.LESS),
        (((0, 0.0), (60, 10.0)), Match.LESS),
        (((0, 19.9), (180, 10.0)), Match.SAME),
    ],
)
def test_ends_and_fallbacks_are_compared_too(steps: tuple[tuple[int, float], ...], match: Match) -> None:
    answer = amperes(*steps)
    assert answer.schedule is not None
    assert compared(a_question(*ENDING, arrived_s=100), answer.schedule, MOMENT).match is match


def test_what_the_connector_cannot_give_is_no_difference() -> None:
    answer = amperes((0, 48.0))
    assert answer.schedule is not None
    assert compared(a_question(a_tx_profile(30.0)), answer.schedule, MOMENT).match is Match.SAME


def test_watts_for_amperes_are_the_same_within_the_voltage() -> None:
    answer = amperes((0, 4600.0), unit=RateUnit.W)
    assert answer.schedule is not None
    assert compared(a_question(a_tx_profile(20.0)), answer.schedule, MOMENT).match is Match.SAME


limits = st.integers(0, 300).map(lambda tenths: tenths / 10)
profiles = st.tuples(
    st.builds(a_safe_start, limits, st.integers(1, 300)),
    st.builds(a_tx_profile, limits, st.none() | st.integers(1, 600)),
)


@given(profiles, st.floats(20, 600), st.floats(-9, 9))
def test_an_honest_station_is_never_suspected(
    accepted: tuple[ChargingProfile, ...], arrived_s: float, off_s: float
) -> None:
    question = a_question(*accepted, duration_s=900, arrived_s=arrived_s)
    asked_at = MOMENT + timedelta(seconds=off_s)
    honest = composite_schedule(accepted, (), asked_at, 900, question.transaction, unit=RateUnit.A, supply=SUPPLY)
    assert compared(question, honest, MOMENT).match is Match.SAME


@given(profiles, st.floats(0, 600), st.integers(2, 100))
def test_a_station_that_always_allows_more_than_it_should_at_any_time_is_found(
    accepted: tuple[ChargingProfile, ...], arrived_s: float, tenths: int
) -> None:
    question = replace(a_question(*accepted, duration_s=900, arrived_s=arrived_s), max_kw=100.0)
    allowed = [period.limit for profile in accepted for period in profile.schedule.periods]
    said = Schedule(RateUnit.A, (Period(0, 1.02 * max(allowed) + tenths / 10 + 0.1),))
    finding = compared(question, said, MOMENT)
    assert finding.match is Match.MORE
    assert finding.said_kw > finding.expected_kw


async def test_every_connector_is_read_back_once_after_the_start_and_each_ev_once() -> None:
    async with ControlRoom(stations=3).open() as room:
        await room.a_moment()
        assert sorted(room.csms.questions) == [("ST-1", 1), ("ST-2", 1), ("ST-3", 1)]
        await room.arrive(*evs(1, 2))
        await room.passes(180, 5)
        assert sorted(room.csms.questions[3:]) == [("ST-1", 1), ("ST-2", 1)]
        assert {finding.match for finding in room.witness.findings} == {Match.SAME}


async def test_a_station_that_allows_more_gets_its_profile_again_and_others_make_room() -> None:
    async with ControlRoom(limit_kw=10.0).open() as room:
        await room.arrive(*evs(1, 2))
        assert room.allowed_kw() == {"1": 4.992, "2": 4.992}
        sent = len(room.csms.sent)
        room.csms.installed["ST-1", 1] = []
        room.source.reconnect()
        await room.a_moment()
        again = [(command.station_id, command.profile.purpose) for command in room.csms.sent[sent:]]
        assert again == [("ST-1", Purpose.TX), ("ST-1", Purpose.TX_DEFAULT)], "and what holds when its profile ends"
        assert [one.match for one in room.witness.findings[-3:]].count(Match.MORE) == 1
        assert room.witness.findings[-1].match is Match.SAME
        assert room.allowed_kw() == {"1": 4.992, "2": 4.992}


async def test_a_station_that_insists_is_repaired_twice_and_nobody_is_cut_for_it_for_ever() -> None:
    async with ControlRoom(limit_kw=10.0).open() as room:
        await room.arrive(*evs(1, 2))
        sent = len(room.csms.sent)
        room.csms.says["ST-1", 1] = amperes((0, 30.0))
        room.source.reconnect()
        await room.passes(60)
        repairs = [command for command in room.csms.sent[sent:] if command.profile.purpose is Purpose.TX]
        assert [command.station_id for command in repairs].count("ST-1") == MOST_REPAIRS
        assert room.csms.questions.count(("ST-1", 1)) == 1 + 1 + MOST_REPAIRS
        assert room.allowed_kw() == {"1": 4.992, "2": 4.992}


async def test_no_question_is_asked_beside_a_command() -> None:
    async with ControlRoom().open() as room:
        await room.a_moment()
        room.csms.delay_s["ST-2"] = 20.0
        await room.arrive(*evs(1, 2))
        asked = len(room.csms.questions)
        await room.passes(15)
        assert len(room.csms.questions) == asked, "ST-2 has not answered its command yet"
        await room.passes(40)
        assert sorted(room.csms.questions[asked:]) == [("ST-1", 1), ("ST-2", 1)]


async def test_events_that_were_lost_are_made_up_for_by_one_read() -> None:
    async with ControlRoom().open() as room:
        await room.arrive(*evs(1, 2))
        room.csms.plug_in(*evs(3))
        room.csms.unplug("1")
        reads = room.csms.reads
        room.source.reconnect()
        await room.a_moment()
        assert room.csms.reads == reads + 1
        assert room.witness.records[-1].reasons == ("resync",)
        snapshot = room.witness.records[-1].snapshot
        assert snapshot is not None
        assert {ev.ev_id for ev in snapshot.evs} == {"2", "3"}
