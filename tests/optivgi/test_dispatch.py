"""Which profiles are sent when: cuts at once, raises only into proven room, newcomers at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from optivgi.dispatch import limits_at, safe_shares, tx_default_command
from optivgi.grant import BEGUN_S, Timing
from optivgi.ledger import Policy
from optivgi.limits.env import ALWAYS
from optivgi.model.charging_profile import Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.site import Circuit, Site
from optivgi.testing import MOMENT, a_connector, an_ev
from optivgi.translation.base import OutcomeStatus
from optivgi.wave import tx_command
from tests.optivgi.dispatch_desk import Desk, powers


def test_a_new_ev_gets_its_full_power_at_once_where_there_is_room() -> None:
    desk = Desk()
    desk.arrive(an_ev("1"))
    assert powers(desk.plan({"1": 7.2})) == {"1": 7.2}


def test_a_new_ev_on_a_full_site_is_held_at_zero_while_the_others_are_cut_in_the_same_wave() -> None:
    desk = Desk().charging({"1": 6, "2": 6, "3": 6, "4": 6, "5": 6})
    desk.arrive(an_ev("6"))
    fair = dict.fromkeys(desk.evs, 5.0)
    wave = desk.plan(fair)
    assert powers(wave) == {"1": 4.992, "2": 4.992, "3": 4.992, "4": 4.992, "5": 4.992, "6": 0.0}
    desk.answer(*wave)
    desk.at += 4.9
    assert desk.plan(fair) == (), "the others may still be following"
    desk.at += 0.2
    assert powers(desk.plan(fair)) == {"6": 4.992}


def test_a_new_ev_gets_what_is_free_when_that_is_at_least_its_minimum() -> None:
    desk = Desk(limit_kw=10).charging({"1": 6, "2": 1.44})
    desk.arrive(an_ev("3"))
    assert powers(desk.plan({"1": 6, "2": 1.44, "3": 2.5}))["3"] == pytest.approx(2.496)
    desk = Desk(limit_kw=8.8).charging({"1": 6, "2": 1.44})
    desk.arrive(an_ev("3"))
    assert powers(desk.plan({"1": 5.0, "2": 1.44, "3": 2.3}))["3"] == 0.0


def test_six_at_once_share_the_room_without_a_second_wave() -> None:
    desk = Desk()
    desk.arrive(*(an_ev(str(number)) for number in range(1, 7)))
    wave = desk.plan(dict.fromkeys(desk.evs, 5.0))
    assert list(powers(wave).values()) == [4.992] * 6


def test_a_raise_waits_for_every_cut_to_be_confirmed_and_followed() -> None:
    desk = Desk(limit_kw=10).charging({"1": 7, "2": 3})
    wave = desk.plan({"1": 3, "2": 7})
    assert powers(wave) == {"1": 3.0}
    assert desk.plan({"1": 3, "2": 7}) == ()
    desk.answer(*wave)
    assert desk.plan({"1": 3, "2": 7}) == ()
    desk.at += 5
    assert powers(desk.plan({"1": 3, "2": 7})) == {"2": 6.984}


def test_an_ev_that_is_seen_to_have_followed_need_not_be_waited_for() -> None:
    desk = Desk(limit_kw=10).charging({"1": 7, "2": 3})
    desk.evs["1"] = replace(desk.evs["1"], measured_kw=7.0, measured_at=desk.when.now)
    desk.observe()
    desk.answer(*desk.plan({"1": 3, "2": 7}))
    desk.at += 1
    desk.evs["1"] = replace(desk.evs["1"], measured_kw=3.0, measured_at=desk.when.now)
    desk.observe()
    assert powers(desk.plan({"1": 3, "2": 7})) == {"2": 6.984}


def test_a_low_reading_of_an_ev_that_never_drew_more_proves_nothing() -> None:
    desk = Desk(limit_kw=10).charging({"1": 7, "2": 3})
    desk.evs["1"] = replace(desk.evs["1"], measured_kw=2.0, measured_at=desk.when.now)
    desk.observe()
    desk.answer(*desk.plan({"1": 3, "2": 7}))
    desk.at += 1
    desk.evs["1"] = replace(desk.evs["1"], measured_kw=2.0, measured_at=desk.when.now)
    desk.observe()
    assert desk.plan({"1": 3, "2": 7}) == ()


@pytest.mark.parametrize("status", [OutcomeStatus.UNKNOWN, OutcomeStatus.FAILED])
def test_a_cut_of_unknown_fate_keeps_the_old_value_and_is_tried_again_later(status: OutcomeStatus) -> None:
    desk = Desk(limit_kw=10).charging({"1": 7, "2": 3})
    desk.answer(*desk.plan({"1": 3, "2": 7}), status=status)
    desk.at += 4.9
    assert desk.plan({"1": 3, "2": 7}) == ()
    desk.at += 0.1
    wave = desk.plan({"1": 3, "2": 7})
    assert powers(wave) == {"1": 3.0}
    desk.answer(*wave, status=status)
    desk.at += 9.9
    assert desk.plan({"1": 3, "2": 7}) == (), "patience doubles"


def test_a_raise_of_unknown_fate_counts_as_done_and_a_rejected_one_as_not_done() -> None:
    for status, room_for_other in ((OutcomeStatus.UNKNOWN, False), (OutcomeStatus.REJECTED, True)):
        desk = Desk(limit_kw=10).charging({"1": 3, "2": 3})
        desk.answer(*desk.plan({"1": 7, "2": 3}), status=status)
        assert bool(desk.plan({"2": 6.9})) is room_for_other, status


def test_no_raise_while_the_worst_case_is_over_the_limit_even_within_an_evs_own_old_power() -> None:
    desk = Desk(limit_kw=12).charging({"1": 6, "2": 6})
    desk.answer(*desk.plan({"1": 3, "2": 6}))
    desk.site = Site.single(LimitSeries.constant(9.0, ALWAYS, "site limit"))
    assert powers(desk.plan({"1": 4, "2": 5})) == {"2": 4.992}


def test_a_limit_that_drops_does_not_wait_for_answers_to_what_was_sent_before() -> None:
    desk = Desk(limit_kw=12).charging({"1": 4, "2": 4})
    late = desk.plan({"1": 6, "2": 6})
    assert powers(late) == {"1": 6.0, "2": 6.0}
    assert desk.plan({"1": 5, "2": 5}) == (), "a mere change of mind waits"
    desk.site = Site.single(LimitSeries.constant(6.0, ALWAYS, "site limit"))
    cuts = desk.plan({"1": 3, "2": 3})
    assert powers(cuts) == {"1": 3.0, "2": 3.0}
    assert desk.plan({"1": 3, "2": 3}) == (), "once is enough"
    desk.answer(cuts[0])
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 6.0, "the raise may still arrive"
    desk.answer(late[0], status=OutcomeStatus.UNKNOWN)
    desk.at += 5
    assert powers(desk.plan({"1": 3, "2": 3})) == {"1": 3.0}, "nobody knows which one came last"


def test_a_station_that_just_failed_is_cut_at_once_when_a_limit_needs_it() -> None:
    desk = Desk(limit_kw=12).charging({"1": 4, "2": 4})
    desk.answer(*desk.plan({"1": 6, "2": 4}), status=OutcomeStatus.UNKNOWN)
    desk.site = Site.single(LimitSeries.constant(6.0, ALWAYS, "site limit"))
    assert powers(desk.plan({"1": 3, "2": 3})) == {"1": 3.0, "2": 3.0}
    desk = Desk(limit_kw=12).charging({"1": 4, "2": 4})
    desk.answer(*desk.plan({"1": 6, "2": 4}), status=OutcomeStatus.REJECTED)
    desk.site = Site.single(LimitSeries.constant(6.0, ALWAYS, "site limit"))
    assert powers(desk.plan({"1": 3, "2": 3})) == {"2": 3.0}, "it does not take profiles just now"


def test_tiny_changes_are_not_sent_but_a_tiny_cut_that_a_limit_needs_is() -> None:
    desk = Desk(limit_kw=30).charging({"1": 6, "2": 6})
    assert desk.plan({"1": 5.95, "2": 6.05}) == ()
    desk.site = Site.single(LimitSeries.constant(11.9, ALWAYS, "site limit"))
    assert powers(desk.plan({"1": 5.95, "2": 5.95})) == {"1": 5.904, "2": 5.904}


def test_many_tiny_raises_are_sent_when_together_they_matter() -> None:
    desk = Desk(limit_kw=30).charging(dict.fromkeys("123456", 4.8))
    assert len(desk.plan(dict.fromkeys("123456", 4.88))) == 6


def test_a_pause_is_sent_however_small_the_power_was() -> None:
    desk = Desk().charging({"1": 1.44})
    desk.ledger.policy = Policy(dead_band_kw=2.0)
    assert powers(desk.plan({"1": 0.0})) == {"1": 0.0}


def test_a_power_below_the_minimum_is_a_pause() -> None:
    desk = Desk().charging({"1": 6})
    assert powers(desk.plan({"1": 1.43})) == {"1": 0.0}


def test_without_raises_cuts_go_out_alone() -> None:
    desk = Desk().charging({"1": 6, "2": 3})
    assert powers(desk.plan({"1": 5, "2": 6}, raises=False)) == {"1": 4.992}


def test_an_unchanged_profile_is_not_sent_again() -> None:
    desk = Desk().charging({"1": 6})
    assert desk.plan({"1": 6}) == ()


def test_an_ev_without_safe_start_counts_at_full_power_until_its_profile_is_confirmed() -> None:
    desk = Desk(limit_kw=10).charging({"1": 6})
    desk.connectors["ST-9"] = a_connector("ST-9")
    desk.arrive(an_ev("9"))
    assert desk.ledger.worst_kw(("ST-9", 1), desk.when) == 7.2
    wave = desk.plan({"1": 6, "9": 4})
    assert powers(wave) == {"9": 3.984}
    assert ("ST-9", 1) in desk.ledger.unprotected


def test_after_the_hold_an_ev_whose_profile_never_arrived_counts_at_the_safe_share() -> None:
    desk = Desk()
    desk.arrive(an_ev("1"))
    desk.answer(*desk.plan({"1": 5}), status=OutcomeStatus.REJECTED)
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 0.0
    assert desk.ledger.lasting_kw(("ST-1", 1), desk.when, ahead=True) == 2.4
    desk.at += desk.ledger.policy.hold_s
    assert desk.ledger.worst_kw(("ST-1", 1), desk.when) == 2.4


def test_a_reboot_or_a_return_makes_every_profile_doubtful_until_it_is_sent_again() -> None:
    for change in ({"booted_at": MOMENT + timedelta(hours=1)}, {"online": True}):
        desk = Desk(limit_kw=10).charging({"1": 5, "2": 5})
        desk.connectors["ST-1"] = replace(desk.connectors["ST-1"], online=False)
        desk.observe()
        assert desk.plan({"1": 4, "2": 5}) == (), "nothing is sent to a station that is away"
        desk.connectors["ST-1"] = replace(desk.connectors["ST-1"], **change | {"online": True})
        desk.observe()
        assert [command.profile.purpose for command in desk.safe_starts()] == [Purpose.TX_DEFAULT]
        assert powers(desk.plan({"1": 5, "2": 5})) == {"1": 4.992}


def test_a_departed_ev_frees_its_room_at_once_and_late_answers_to_it_mean_nothing() -> None:
    desk = Desk(limit_kw=10).charging({"1": 5, "2": 5})
    late = desk.plan({"1": 3})
    del desk.evs["1"]
    desk.observe()
    desk.answer(*late)
    assert powers(desk.plan({"2": 7.2})) == {"2": 7.2}
    desk.arrive(an_ev("1", transaction_id="2"))
    desk.answer(*late)
    assert desk.ledger.accounts["ST-1", 1].installed is None


def test_each_circuit_and_phase_holds_its_own_raises_back() -> None:
    limit = LimitSeries.constant(30.0, ALWAYS, "site limit")
    site = Site((Circuit("site", limit=limit), Circuit("panel", parent="site", limit_a=32.0)))
    desk = Desk(site=site)
    for ev_id, circuit, phases in (("1", "panel", ("L1",)), ("2", "panel", ("L1",)), ("3", "panel", ("L2",))):
        desk.arrive(an_ev(ev_id, circuit=circuit, phases=phases))
    desk.answer(*desk.plan({"1": 3.6, "2": 3.6, "3": 3.6}))
    assert powers(desk.plan({"1": 3.6, "2": 7.2, "3": 7.2})) == {"2": pytest.approx(4.056, abs=0.05), "3": 7.2}


def test_a_known_drop_of_the_limit_counts_before_it_comes() -> None:
    steps = (LimitStep(ALWAYS, 30.0, "a"), LimitStep(MOMENT + timedelta(seconds=9), 12.0, "b"))
    (limit,) = limits_at(Site.single(LimitSeries(steps)), (), MOMENT, 10.0)
    assert limit.capacity == 12.0
    (limit,) = limits_at(Site.single(LimitSeries(steps)), (), MOMENT, 8.0)
    assert limit.capacity == 30.0


@pytest.mark.parametrize(
    ("limit_kw", "connectors", "least", "share_kw"),
    [
        (30.0, 12, 0, 2.496),
        (30.0, 6, 12, 2.496),
        (30.0, 1, 0, 7.2),
        (8.0, 6, 0, 0.0),
        (None, 6, 0, 7.2),
        (0.0, 2, 0, 0.0),
    ],
)
def test_the_safe_share_is_an_equal_part_or_nothing(
    limit_kw: float | None, connectors: int, least: int, share_kw: float
) -> None:
    site = Site.single(LimitSeries.constant(limit_kw, ALWAYS, "site limit"))
    known = [a_connector(f"ST-{number}") for number in range(connectors)]
    shares = safe_shares(site, known, MOMENT, 10.0, least)
    assert list(shares.values()) == pytest.approx([share_kw] * connectors)
    assert sum(shares.values()) <= (limit_kw if limit_kw is not None else 1e9)


def test_safe_starts_go_to_every_connected_station_once_and_again_when_the_share_changes() -> None:
    desk = Desk()
    assert desk.safe_starts() == ()
    desk.shares["ST-1", 1] = 1.44
    (command,) = desk.safe_starts()
    assert (command.station_id, command.limit_kw) == ("ST-1", 1.44)
    desk.answer(command, status=OutcomeStatus.UNKNOWN)
    assert desk.safe_starts() == ()
    assert not desk.ledger.protected
    desk.at += 5
    assert len(desk.safe_starts()) == 1


def test_the_profiles_are_what_a_station_accepts() -> None:
    desk = Desk().charging({"1": 6})
    ends = MOMENT.timestamp() + 180
    command = tx_command(
        desk.ledger.accounts["ST-1", 1],
        [(MOMENT.timestamp() + 0.999999, 5.0)],
        Timing(ends, margin_s=15.0, hold_ends=ends - 20),
        2.4,
        MOMENT.replace(microsecond=999_999),
    )
    profile = command.profile
    assert (profile.purpose, profile.kind, profile.stack_level) == (Purpose.TX, Kind.ABSOLUTE, 1)
    begun = MOMENT - timedelta(seconds=BEGUN_S)
    assert profile.schedule == Schedule(RateUnit.A, (Period(0, 20.8, 1),), start=begun, duration_s=BEGUN_S + 180)
    assert command.limit_kw == pytest.approx(4.992)
    assert profile.transaction_id == "1"
    default = tx_default_command(a_connector("ST-1", 2, unit=RateUnit.W), 2.5, 60)
    assert (default.profile.purpose, default.profile.kind, default.profile.stack_level) == (
        Purpose.TX_DEFAULT,
        Kind.RELATIVE,
        0,
    )
    assert default.profile.schedule == Schedule(RateUnit.W, (Period(0, 0.0, 1), Period(60, 2500.0, 1)))
    ids = {tx_default_command(a_connector("ST-1", number), 2.5, 60).profile.profile_id for number in range(1, 30)}
    assert len(ids) == 29
    assert profile.profile_id not in ids


@pytest.mark.parametrize(
    ("share_kw", "hold_s", "periods"),
    [(0.0, 60, ((0, 0.0),)), (2.5, 0, ((0, 10.4),)), (0.0, 0, ((0, 0.0),))],
)
def test_a_safe_start_without_share_or_hold_has_one_period(
    share_kw: float, hold_s: int, periods: tuple[tuple[int, float], ...]
) -> None:
    schedule = tx_default_command(a_connector(), share_kw, hold_s).profile.schedule
    assert tuple((period.start_s, period.limit) for period in schedule.periods) == periods
