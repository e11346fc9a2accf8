"""Control may die at any moment: what chargers allow by their own clocks stays within the limit."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from optivgi.translation.base import Outcome, OutcomeStatus
from tests.optivgi.modelled_charger import SETTLE_S, Lost
from tests.optivgi.modelled_site import LOOK_S, POLICY, STATIONS, DeadMan, stations

TestDeadMan = DeadMan.TestCase
TestDeadMan.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


def a_site(*there: str, favoured: int = 0) -> DeadMan:
    """A minute of control with EVs at some stations; the first one of them has all it can take."""
    site = DeadMan()
    site.install_safe_starts()
    site.favoured = favoured
    for station_id in there:
        site.car_arrives(station_id)
    run(site, 60)
    return site


def run(site: DeadMan, seconds: int, *, silent: str = "") -> None:
    """Time passes, and everybody answers but the station that is silent."""
    for _ in range(seconds):
        for station_id, link in site.links.items():
            while link and station_id != silent:
                site.arrives(link)
                site.is_answered(link)
        site.at += 1.0
        site.send()
        if site.at - site.looked_at >= LOOK_S:
            site.look()
        site.the_limit_holds()


def drawn_kw(site: DeadMan) -> list[float]:
    return [round(charger.drawing_kw(site.at), 1) for charger in site.chargers.values()]


def test_a_paused_ev_does_not_get_its_share_back_while_others_still_run_high() -> None:
    """The refresh of a paused EV gets lost and control dies: the others must not outlive its pause."""
    site = a_site(*STATIONS)
    assert drawn_kw(site) == [7.2, 4.8, 0.0, 0.0, 0.0, 0.0]
    ended = site.chargers["ST-3"].tx
    run(site, 25, silent="ST-3")
    assert site.chargers["ST-3"].tx == ended, "its refresh is on its way"
    site.dead = True
    for _ in range(60):
        site.at += 1.0
        site.the_limit_holds()
        if site.chargers["ST-3"].drawing_kw(site.at) > 0:
            assert site.chargers["ST-2"].drawing_kw(site.at) <= 2.0, "there was no room to let it go on"
    assert drawn_kw(site) == [2.0] * 6, "and then everybody has a share"


def test_a_car_that_comes_when_control_is_dead_waits_until_everybody_else_is_down_to_a_share() -> None:
    site = a_site("ST-1", "ST-2")
    assert drawn_kw(site) == [7.2, 4.8, 0.0, 0.0, 0.0, 0.0]
    site.dead = True
    site.at += 1.0
    for station_id in STATIONS[2:]:
        site.car_arrives(station_id)
    for second in range(POLICY.hold_s + 5):
        site.at += 1.0
        site.the_limit_holds()
        if site.chargers["ST-1"].drawing_kw(site.at) > 2.0:
            assert drawn_kw(site)[2:] == [0.0] * 4, f"after {second} s"
    assert drawn_kw(site) == [2.0] * 6


def test_a_car_that_comes_when_profiles_have_just_been_sent_waits_for_their_ends_all_the_same() -> None:
    site = a_site("ST-1", "ST-2")
    for _ in range(POLICY.duration_s // 3):
        run(site, 1)
        alone = copy.deepcopy(site)
        alone.control_dies()
        for station_id in STATIONS[2:]:
            alone.car_arrives(station_id)
        alone.nobody_speaks(POLICY.hold_s + SETTLE_S)
        assert drawn_kw(alone) == [2.0] * 6


def test_the_margin_lets_profiles_last_until_the_common_end() -> None:
    site = a_site(*STATIONS)
    for _ in range(POLICY.duration_s // 3):
        run(site, 1)
        ends = [account.installed.expires for account in site.ledger.accounts.values() if account.installed is not None]
        assert [end % (POLICY.duration_s // 3) for end in ends] == [0] * 6, "nobody ends early because others rise"


def test_a_drop_that_is_announced_is_obeyed_as_planned_though_control_is_dead() -> None:
    site = a_site(*STATIONS)
    site.limit_changes(9.0, 20)
    run(site, 8)
    assert site.bound == site.promised, "everybody has been told"
    site.control_dies()
    site.nobody_speaks(13)
    assert drawn_kw(site) == [7.2, pytest.approx(1.8, abs=0.1), 0.0, 0.0, 0.0, 0.0]
    site.nobody_speaks(60)
    assert drawn_kw(site) == [1.5] * 6


def test_what_a_drop_without_notice_asks_is_done_when_everybody_has_answered_and_followed() -> None:
    site = a_site(*STATIONS)
    site.limit_changes(3.0, 0)
    run(site, round(SETTLE_S) + 2)
    assert site.bound == site.promised
    site.control_dies()
    site.nobody_speaks(100)
    assert drawn_kw(site) == [0.0] * 6, "a share is less than a minimum"


def test_a_station_that_takes_one_period_at_a_time_falls_to_its_share_and_the_next_car_there_has_it_at_once() -> None:
    site = DeadMan()
    site.plain = ("ST-1", "ST-3")
    site.install_safe_starts()
    for station_id in ("ST-1", "ST-2", "ST-3", "ST-4"):
        site.car_arrives(station_id)
    run(site, 60)
    assert drawn_kw(site) == [7.2, 4.8, 0.0, 0.0, 0.0, 0.0]
    site.control_dies()
    site.car_leaves("ST-1")
    for station_id in ("ST-1", "ST-5"):
        site.car_arrives(station_id)
    site.nobody_speaks(1)
    assert drawn_kw(site) == [2.0, 4.8, 0.0, 0.0, 0.0, 0.0]
    site.nobody_speaks(POLICY.hold_s + SETTLE_S)
    assert drawn_kw(site) == [2.0, 2.0, 0.0, 2.0, 2.0, 0.0], "who was paused at such a station stays so"


def test_with_room_kept_for_one_car_that_one_begins_at_once_when_control_is_dead_and_the_next_one_waits() -> None:
    site = DeadMan()
    site.reserved = 1
    site.install_safe_starts()
    site.car_arrives("ST-6")
    site.car_arrives("ST-5")
    run(site, 60)
    assert drawn_kw(site) == [0.0, 0.0, 0.0, 0.0, 7.2, pytest.approx(3.4, abs=0.1)]
    site.dead = True
    for station_id in STATIONS[:4]:
        site.car_arrives(station_id)
    site.at += 1.0
    assert drawn_kw(site)[:4] == [1.4, 0.0, 0.0, 0.0]
    for _ in range(POLICY.hold_s + 5):
        site.at += 1.0
        site.the_limit_holds()
    assert drawn_kw(site) == [2.0] * 6


def test_profiles_are_sent_again_once_in_a_third_of_their_time_and_nobody_notices() -> None:
    site = a_site(*STATIONS)
    before = {station_id: charger.tx for station_id, charger in site.chargers.items()}
    sent = site.sent
    for _ in range(150):
        run(site, 1)
        assert drawn_kw(site) == [7.2, 4.8, 0.0, 0.0, 0.0, 0.0]
    assert site.sent - sent == 6 * 10
    assert all(charger.tx != before[station_id] for station_id, charger in site.chargers.items())


def test_one_refresh_that_is_missed_strands_nobody() -> None:
    site = a_site(*STATIONS)
    while not any(site.links.values()):
        run(site, 1)
    for link in site.links.values():
        link.clear()
    for station_id in STATIONS:
        account = site.ledger.accounts[station_id, 1]
        for one in account.in_flight:
            site.ledger.learned(Outcome(one.command, OutcomeStatus.UNKNOWN), site.when)
    run(site, 30)
    assert drawn_kw(site) == [7.2, 4.8, 0.0, 0.0, 0.0, 0.0]


def test_what_a_station_out_of_reach_leaves_when_its_profile_ends_goes_to_others() -> None:
    site = a_site("ST-1", "ST-2", favoured=1)
    assert drawn_kw(site)[:2] == [4.8, 7.2]
    for _ in range(80):
        run(site, 1, silent="ST-2")
        site.nothing_is_heard("ST-2")
    assert drawn_kw(site)[:2] == [7.2, 2.0]


@pytest.mark.parametrize("lost", Lost)
@pytest.mark.parametrize("station_id", ["ST-2", "ST-4"])
def test_what_a_station_loses_when_it_boots_is_mended_before_long(station_id: str, lost: Lost) -> None:
    site = a_site(*STATIONS)
    site.reboots(station_id, lost)
    site.at += 1.0
    run(site, round(LOOK_S + SETTLE_S + 3))
    assert sum(drawn_kw(site)) <= 12.0
    run(site, 10)
    assert drawn_kw(site) == [7.2, 4.8, 0.0, 0.0, 0.0, 0.0]


@dataclass(frozen=True)
class Day:
    """What happens, by seconds: who comes, who goes, whose turn it is, whose answers or commands are lost until when, what
    the limit becomes after how much notice, who reboots, when control dies, and how long it is away if it returns."""

    comes: dict[int, str]
    goes: dict[int, str]
    favoured: dict[int, int]
    silent: dict[str, tuple[int, int]]
    dies: int
    limits: dict[int, tuple[float, int]] = field(default_factory=dict)
    reboots: dict[int, tuple[str, Lost]] = field(default_factory=dict)
    away_s: int | None = None


seconds_of_a_day = st.integers(0, 150)
days = st.builds(
    Day,
    comes=st.dictionaries(seconds_of_a_day, stations, min_size=4, max_size=12),
    goes=st.dictionaries(seconds_of_a_day, stations, max_size=3),
    favoured=st.dictionaries(seconds_of_a_day, st.integers(0, 5), max_size=6),
    silent=st.dictionaries(stations, st.tuples(seconds_of_a_day, st.integers(1, 40)), max_size=6),
    dies=st.integers(20, 120),
    limits=st.dictionaries(
        seconds_of_a_day, st.tuples(st.sampled_from([3.0, 9.0, 12.0]), st.sampled_from([0, 20, 60])), max_size=2
    ),
    reboots=st.dictionaries(seconds_of_a_day, st.tuples(stations, st.sampled_from(Lost)), max_size=2),
    away_s=st.none() | st.integers(1, 60),
)
PLAIN: tuple[tuple[str, ...], ...] = ((), ("ST-1", "ST-3"), STATIONS)
CLOCKS = (DeadMan.ahead_s, (-2.0, 2.0, 2.0, -2.0, 2.0, -2.0), (30.0, 2.0, -2.0, -15.0, 5.0, -6.0))


@settings(max_examples=140, deadline=None)
@given(day=days, reserved=st.sampled_from([0, 0, 2]), clocks=st.sampled_from(CLOCKS), plain=st.sampled_from(PLAIN))
@example(
    day=Day({0: "ST-1", 21: "ST-2"}, goes={}, favoured={0: 1}, silent={}, dies=20, away_s=1),
    reserved=0,
    clocks=CLOCKS[0],
    plain=(),
)
@example(
    day=Day(dict.fromkeys(range(4), "ST-1"), goes={}, favoured={}, silent={"ST-1": (14, 34)}, dies=20, away_s=7),
    reserved=0,
    clocks=CLOCKS[0],
    plain=(),
)
@example(
    day=Day({0: "ST-2", 1: "ST-3", 2: "ST-4", 62: "ST-1"}, goes={}, favoured={0: 3}, silent={}, dies=70),
    reserved=0,
    clocks=CLOCKS[0],
    plain=(),
)
@example(
    day=Day(
        {0: "ST-1", 36: "ST-2", 1: "ST-3", 2: "ST-4"},
        goes={},
        favoured={},
        silent={},
        dies=67,
        reboots={56: ("ST-1", Lost.NOTHING)},
    ),
    reserved=0,
    clocks=CLOCKS[0],
    plain=(),
)
@example(
    day=Day(
        {0: "ST-1", 9: "ST-1"},
        goes={},
        favoured={},
        silent={"ST-1": (16, 34)},
        dies=72,
        limits={68: (3.0, 0)},
    ),
    reserved=0,
    clocks=CLOCKS[0],
    plain=(),
)
@example(
    day=Day({0: "ST-1", 4: "ST-2", 105: "ST-3"}, goes={}, favoured={}, silent={"ST-3": (66, 40)}, dies=120),
    reserved=2,
    clocks=CLOCKS[0],
    plain=(),
)
@example(
    day=Day(
        {0: "ST-1", 2: "ST-2", 22: "ST-3"},
        goes={},
        favoured={},
        silent={},
        dies=120,
        limits={0: (3.0, 0), 13: (9.0, 60)},
    ),
    reserved=0,
    clocks=CLOCKS[0],
    plain=(),
)
@example(
    day=Day({0: "ST-1", 5: "ST-2", 6: "ST-3", 97: "ST-4"}, goes={}, favoured={88: 1}, silent={}, dies=97),
    reserved=2,
    clocks=CLOCKS[0],
    plain=(),
)
def test_whatever_happens_while_control_lives_dies_and_returns_the_limit_holds(
    day: Day, reserved: int, clocks: tuple[float, ...], plain: tuple[str, ...]
) -> None:
    site = DeadMan()
    site.reserved, site.ahead_s, site.plain = reserved, clocks, plain
    site.install_safe_starts()
    second = 0
    returns = math.inf if day.away_s is None else day.dies + day.away_s
    while second < day.dies + 220:
        if second == day.dies:
            site.control_dies()
        if second == returns:
            site.control_returns()
        if happens(site, day, second):
            site.look()
        if site.dead:
            later = {*day.comes, *day.goes, *day.reboots, *day.limits, day.dies + 220, returns}
            following = min(int(one) for one in later if one > second and one < math.inf)
            site.nobody_speaks(following - second)
            site.the_ledger_is_never_too_hopeful()
            second = following
            continue
        for station_id, link in site.links.items():
            begin, lasts = day.silent.get(station_id, (0, 0))
            if begin <= second < begin + lasts:
                site.nothing_is_heard(station_id)
            while link and not begin <= second < begin + lasts:
                site.arrives(link)
                site.is_answered(link)
        site.at += 1.0
        second += 1
        if second % 3 == 0:
            site.the_ledger_is_never_too_hopeful()
            site.send()
        if site.at - site.looked_at >= LOOK_S:
            site.look()
        site.the_limit_holds()
    if site.dead and all(lost is not Lost.ALL for _, lost in day.reboots.values()):
        assert sum(drawn_kw(site)) <= site.bound.at(site.when.wall_s) + 0.05 * len(STATIONS), "everybody has a share"


def happens(site: DeadMan, day: Day, second: int) -> bool:
    """All of the day that happens in this second; whether control takes notice of it at once."""
    if (comes := day.comes.get(second)) is not None:
        site.car_arrives(comes)
    if (goes := day.goes.get(second)) is not None:
        site.car_leaves(goes)
    if (limit := day.limits.get(second)) is not None:
        site.limit_changes(*limit)
    if (reboot := day.reboots.get(second)) is not None:
        site.reboots(*reboot)
    site.favoured = day.favoured.get(second, site.favoured)
    return second in day.comes or second in day.goes or second in day.favoured
