"""What may be sent while it is not known what stations have: after a start, a boot, or with shares on their way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from optivgi.dispatch import limits_at, safe_start_commands
from optivgi.reserve import affordable, at_once
from optivgi.testing import MOMENT, a_connector, an_ev
from optivgi.translation.base import OutcomeStatus
from optivgi.wave import next_commands
from tests.optivgi.dispatch_desk import Desk, powers


def test_evs_that_ran_before_anything_was_known_are_cut_to_their_targets_at_once() -> None:
    desk = Desk()
    desk.restart()
    desk.arrive(*(an_ev(str(number), measured_kw=7.2, measured_at=desk.when.now) for number in range(1, 7)))
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 7.2
    assert list(powers(desk.plan(dict.fromkeys(desk.evs, 5.0))).values()) == [4.992] * 6


def test_after_a_restart_nobody_is_raised_while_others_are_lowered() -> None:
    desk = Desk(10.0)
    desk.restart()
    drawing = {"1": 7.0, "2": 3.0, "3": None}
    desk.arrive(*(an_ev(ev_id, measured_kw=kw, measured_at=desk.when.now) for ev_id, kw in drawing.items()))
    first = {command.ev_id: command.limit_kw for command in desk.plan({"1": 4.0, "2": 4.0, "3": 2.0})}
    assert first["1"] == pytest.approx(4.0, abs=0.03)
    assert first["2"] <= 3.0
    assert first["3"] <= 2.4


def test_after_a_restart_nobody_keeps_more_than_a_share_for_longer_than_the_profile_of_before_may_last() -> None:
    desk = Desk(8.0)
    desk.restart()
    desk.arrive(*(an_ev(ev_id, measured_kw=kw, measured_at=desk.when.now) for ev_id, kw in (("1", 7.0), ("2", 0.0))))
    first = {command.ev_id: command for command in desk.plan({"1": 7.0, "2": 3.0})}
    ends = first["1"].expires
    assert ends is not None
    assert (ends - desk.when.now).total_seconds() <= 40, "the other one may rise to its share then, if it does not hear"
    assert first["2"].limit_kw == 0.0


def test_after_a_restart_what_was_drawn_before_profiles_ended_proves_nothing() -> None:
    desk = Desk(9.0)
    desk.restart()
    desk.arrive(*(an_ev(ev_id, measured_kw=5.0, measured_at=MOMENT - timedelta(seconds=1)) for ev_id in ("1", "2")))
    assert powers(desk.plan({"1": 5.0, "2": 5.0})) == {"1": 2.4, "2": 2.4}


def test_an_ev_that_goes_by_its_safe_start_takes_time_to_follow_a_lower_one() -> None:
    desk = Desk()
    desk.answer(*desk.send(safe_start_commands(desk.ledger, desk.shares, desk.when, {("ST-1", 1): 1.44})))
    desk.arrive(an_ev("1"))
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 1.44
    desk.answer(*desk.safe_starts())
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 1.44
    desk.at += 5.1
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 0.0


def test_as_long_as_another_car_would_begin_with_more_an_ev_that_is_cut_counts_at_that() -> None:
    desk = Desk(limit_kw=10).charging({"1": 5})
    share = at_once(desk.ledger, desk.shares, [("ST-1", 1), ("ST-2", 1)], desk.when)
    assert share == {("ST-1", 1): 2.4}
    desk.answer(*desk.send(safe_start_commands(desk.ledger, desk.shares, desk.when, share)))
    desk.answer(*desk.plan({"1": 0}))
    assert at_once(desk.ledger, desk.shares, [("ST-1", 1)], desk.when) == {}
    desk.at += 6
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 2.4
    desk.answer(*desk.safe_starts())
    desk.at += 6
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 0.0


def test_a_share_rises_where_an_ev_goes_by_it_only_into_free_room() -> None:
    desk = Desk(limit_kw=10)
    desk.shares = dict.fromkeys(desk.shares, 0.0)
    desk.answer(*desk.safe_starts())
    desk.charging({"1": 6, "2": 0})
    desk.at += 240
    desk.answer(*desk.plan({"1": 6, "2": 0}))
    risen = dict.fromkeys(desk.shares, 5.0)
    limits = limits_at(desk.site, desk.ledger.accounts.values(), desk.when.now, 10.0)
    granted = affordable(desk.ledger, limits, risen, desk.when)
    assert {key[0]: kw for key, kw in granted.items() if kw < 5.0} == {"ST-2": 0.0}
    wave = next_commands(desk.ledger, {("ST-2", 1): 0.0}, limits, desk.when, shares=risen, granted=granted)
    assert powers(wave) == {"2": 0.0}, "a profile of its own holds it until the others are down to their shares"
    for command in wave:
        desk.ledger.sent(command, desk.when)
    desk.answer(*wave)
    assert affordable(desk.ledger, limits, risen, desk.when) == risen


def test_room_that_a_rising_share_takes_is_not_given_to_another_ev_at_the_same_time() -> None:
    desk = Desk(limit_kw=9)
    desk.shares = dict.fromkeys(desk.shares, 0.0)
    desk.answer(*desk.safe_starts())
    desk.charging({"1": 6, "2": 0})
    desk.at += 240
    desk.answer(*desk.plan({"1": 6, "2": 0}))
    risen = dict.fromkeys(desk.shares, 2.4)
    limits = limits_at(desk.site, desk.ledger.accounts.values(), desk.when.now, 10.0)
    granted = affordable(desk.ledger, limits, risen, desk.when)
    assert granted["ST-2", 1] == 2.4
    wave = next_commands(
        desk.ledger, {("ST-1", 1): 7.2, ("ST-2", 1): 0.0}, limits, desk.when, shares=risen, granted=granted
    )
    assert powers(wave).get("1", 6.0) <= 6.6


def test_a_station_whose_clock_may_be_behind_is_told_to_drop_early() -> None:
    desk = Desk(limit_kw=10)
    desk.connectors["ST-1"] = a_connector("ST-1", late_s=25.0)
    desk.charging({"1": 5, "2": 5})
    said, true = (desk.ledger.accounts[f"ST-{number}", 1].installed for number in (1, 2))
    assert said is not None
    assert true is not None
    assert said.grant.powers.starts[-1] == true.grant.powers.starts[-1] - 20
    counted = [desk.ledger.envelope((f"ST-{number}", 1), desk.when) for number in (1, 2)]
    assert counted[0] == counted[1], "nobody knows whether it is"


def test_what_a_station_took_before_it_booted_is_in_doubt_although_it_says_so_only_now() -> None:
    desk = Desk(limit_kw=10).charging({"1": 6, "2": 2.4})
    cut = desk.plan({"1": 3, "2": 2.4})
    assert powers(cut) == {"1": 3.0}
    desk.connectors["ST-1"] = replace(desk.connectors["ST-1"], booted_at=MOMENT + timedelta(seconds=1))
    desk.observe()
    desk.answer(*cut)
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 7.2, "not even its safe start is sure"
    (again,) = desk.plan({"1": 3, "2": 2.4})
    desk.answer(again, *desk.safe_starts())
    desk.at += 6
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 3.0


def test_a_safe_start_that_was_on_its_way_when_the_station_booted_is_sent_again() -> None:
    desk = Desk()
    desk.shares = dict.fromkeys(desk.shares, 2.0)
    under_way = desk.safe_starts()
    desk.connectors["ST-1"] = replace(desk.connectors["ST-1"], booted_at=MOMENT + timedelta(seconds=1))
    desk.observe()
    desk.answer(*under_way)
    assert ("ST-1", 1) in desk.ledger.unprotected
    assert [command.station_id for command in desk.safe_starts()] == ["ST-1"]


def test_a_safe_start_whose_answer_is_lost_may_be_there() -> None:
    desk = Desk()
    key = ("ST-1", 1)
    sent = desk.send(safe_start_commands(desk.ledger, {**desk.shares, key: 3.6}, desk.when, {key: 1.44}))
    desk.answer(*sent, status=OutcomeStatus.UNKNOWN)
    assert desk.ledger.free_starts() == {key: 1.44}
    assert desk.ledger.safe_starts[key].share_kw == 3.6
