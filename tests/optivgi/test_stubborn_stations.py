"""The whole service against stations that do not pause, or that take profiles in one form only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from optivgi.alarm import AlarmKind
from optivgi.errors import SettingsError
from optivgi.forms_file import FormsFile, load_forms
from optivgi.model.charging_profile import ChargingProfile, Kind, Purpose, RateUnit
from optivgi.oversight_settings import PausePolicy
from optivgi.profile_form import Form, FormBook
from optivgi.testing import a_connector
from optivgi.translation.base import OutcomeStatus, Wish
from tests.optivgi.control_room import evs
from tests.optivgi.overseen_site import LEAST_KW, Site, settings


async def test_a_station_that_ignores_0_gets_the_minimum_and_others_are_planned_around_it() -> None:
    async with Site(limit_kw=4.0).open() as site:
        site.draws["3"] = lambda kw: kw if kw >= LEAST_KW else 7.2
        await site.arrive(*evs(1, 2, 3))
        await site.runs(200)
        assert (AlarmKind.NO_PAUSE, "3") in site.alarms()
        assert LEAST_KW - 0.05 <= site.drawn_kw()["3"] <= 2.0
        assert sum(site.drawn_kw().values()) <= 4.0


async def test_by_policy_a_station_that_ignores_0_is_still_sent_0() -> None:
    async with Site(limit_kw=4.0, oversight=settings(pause=PausePolicy.ZERO)).open() as site:
        site.draws["3"] = lambda kw: kw if kw >= LEAST_KW else 7.2
        await site.arrive(*evs(1, 2, 3))
        await site.runs(200)
        assert site.offered_kw()["3"] == 0.0
        assert (AlarmKind.OVERDRAW, "3") in site.alarms()


@pytest.mark.parametrize("policy", PausePolicy)
async def test_only_policy_lets_a_station_that_ignores_0_be_asked_for_more(policy: PausePolicy) -> None:
    async with Site(limit_kw=4.0, oversight=settings(pause=policy)).open() as site:
        site.draws["3"] = lambda kw: kw if kw >= LEAST_KW else 7.2
        await site.arrive(*evs(1, 2, 3))
        await site.runs(120)
        site.limit.now_kw(1.0)
        await site.runs(360)
        asked = [(one.wish, one.station_id) for one in site.csms.asked if one.wish is not Wish.METER]
        assert len(asked) <= 3
        allowed = {
            PausePolicy.INOPERATIVE: {(Wish.INOPERATIVE, "ST-3")},
            PausePolicy.STOP: {(Wish.STOP, "ST-3")},
        }
        assert set(asked) == allowed.get(policy, set())


async def test_by_policy_a_transaction_ends_that_has_no_room_even_for_its_minimum() -> None:
    async with Site(limit_kw=4.0, oversight=settings(pause=PausePolicy.STOP)).open() as site:
        ended: list[str] = []
        site.csms.fulfil = lambda one: ended.append(one.transaction_id) if one.wish is Wish.STOP else None
        site.draws["3"] = lambda kw: kw if kw >= LEAST_KW else 7.2
        await site.arrive(*evs(1, 2, 3))
        await site.runs(200)
        assert ended == []
        site.limit.now_kw(1.0)
        await site.runs(70)
        assert ended == ["1"]


async def test_room_is_kept_for_a_kind_of_station_that_rejects_0_before_its_ev_comes() -> None:
    acme = [a_connector(f"ST-{number}", vendor="Acme", model="One", firmware="2.4") for number in (3, 4)]
    site = Site(limit_kw=6.0)
    site.csms.add_connectors(*acme)
    for station_id in ("ST-3", "ST-4"):
        site.csms.takes[station_id] = lambda one: all(period.limit > 0 for period in one.schedule.periods)
    async with site.open():
        await site.runs(60)
        await site.arrive(*evs(1, 2))
        await site.runs(60)
        assert sum(site.offered_kw().values()) <= 6.0 - 2 * LEAST_KW + 1e-6


async def test_a_station_that_rejects_0_gets_the_minimum() -> None:
    async with Site(limit_kw=12.0).open() as site:
        site.csms.takes["ST-3"] = lambda one: one.purpose is not Purpose.TX or one.schedule.periods[0].limit > 0
        await site.arrive(*evs(1, 2, 3))
        await site.runs(60)
        site.limit.now_kw(4.0)
        await site.runs(120)
        assert LEAST_KW - 0.05 <= site.offered_kw()["3"] <= 2.0
        assert sum(site.drawn_kw().values()) <= 4.0


TAKES: dict[str, Callable[[ChargingProfile], bool]] = {
    "watts only": lambda one: one.schedule.unit is RateUnit.W,
    "stack level 0 only": lambda one: one.stack_level == 0,
    "one period only": lambda one: len(one.schedule.periods) == 1,
    "relative only": lambda one: one.kind is Kind.RELATIVE,
    "no TxProfile": lambda one: one.purpose is not Purpose.TX,
    "watts, level 0 and one period": lambda one: (
        one.schedule.unit is RateUnit.W and one.stack_level == 0 and len(one.schedule.periods) == 1
    ),
}


@pytest.mark.parametrize("takes", TAKES.values(), ids=TAKES)
async def test_a_station_that_takes_only_one_form_is_controlled_in_that_form(
    takes: Callable[[ChargingProfile], bool],
) -> None:
    async with Site().open() as site:
        site.csms.takes["ST-1"] = takes
        await site.arrive(*evs(1, 2))
        await site.runs(120)
        assert site.offered_kw() == pytest.approx({"1": 6.0, "2": 6.0}, abs=0.05)
        assert site.alarms() == set()


async def test_a_form_that_one_station_takes_is_the_first_for_its_kind() -> None:
    async with Site().open() as site:
        acme = [a_connector(f"ST-{number}", vendor="Acme", model="One", firmware="2.4") for number in (1, 2)]
        site.csms.add_connectors(*acme)
        for station_id in ("ST-1", "ST-2"):
            site.csms.takes[station_id] = TAKES["stack level 0 only"]
        await site.arrive(*evs(1))
        await site.runs(60)
        await site.arrive(*evs(2))
        await site.runs(30)
        sent = [one.profile for one in site.csms.sent if one.station_id == "ST-2" and one.profile.purpose is Purpose.TX]
        assert {profile.stack_level for profile in sent} == {0}
        assert list(site.witness.records[-1].forms) == ["Acme One 2.4, transaction"]


async def test_a_station_whose_clock_is_off_gets_its_profiles_from_the_transactions_start_on() -> None:
    async with Site().open() as site:
        await site.arrive(*evs(1))
        site.csms.add_connectors(a_connector("ST-1", status="Charging", clock_skew_s=3600.0))
        await site.runs(60)
        site.limit.now_kw(4.0)
        await site.passes(120, 10)
        assert site.csms.sent[-1].profile.kind is Kind.RELATIVE


async def test_a_station_that_is_silent_is_not_taken_for_one_that_refuses() -> None:
    async with Site().open() as site:
        site.csms.answers["ST-1"] = OutcomeStatus.UNKNOWN
        await site.arrive(*evs(1))
        await site.runs(120)
        sent = [one.profile for one in site.csms.sent if one.station_id == "ST-1" and one.ev_id]
        assert {(profile.stack_level, profile.kind, profile.schedule.unit) for profile in sent} == {
            (1, Kind.ABSOLUTE, RateUnit.A)
        }


async def test_a_station_that_refuses_every_0_gets_a_safe_start_without() -> None:
    site = Site(limit_kw=12.0)
    site.csms.takes["ST-3"] = lambda one: all(period.limit > 0 for period in one.schedule.periods)
    async with site.open():
        await site.runs(60)
        (safe_start,) = site.csms.installed["ST-3", 1]
        assert [period.limit for period in safe_start.schedule.periods] == [6.0, 8.3]
        await site.arrive(*evs(1, 2, 3))
        site.limit.now_kw(4.0)
        await site.runs(70)
        assert LEAST_KW - 0.05 <= site.drawn_kw()["3"] <= 2.0
        assert sum(site.drawn_kw().values()) <= 4.0


async def test_a_minimum_that_fits_under_no_limit_is_planned_around_all_the_same() -> None:
    async with Site(limit_kw=4.0).open() as site:
        site.draws["3"] = lambda kw: kw if kw >= LEAST_KW else 7.2
        await site.arrive(*evs(1, 2, 3))
        await site.runs(200)
        site.limit.now_kw(1.0)
        await site.runs(120)
        assert site.drawn_kw() == pytest.approx({"1": 0.0, "2": 0.0, "3": LEAST_KW}, abs=0.05)
        assert site.witness.records[-1].undecided == ""


async def test_what_stations_take_is_kept_in_a_file_and_used_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "forms.json"
    for expected_tries in (True, False):
        book = load_forms(file)
        site = Site(observers=(FormsFile(file, book),), forms=book)
        site.csms.takes["ST-1"] = TAKES["watts only"]
        async with site.open():
            await site.arrive(*evs(1))
            await site.runs(60)
            assert site.offered_kw()["1"] == pytest.approx(7.2, abs=0.05)
        units = {one.profile.schedule.unit for one in site.csms.sent if one.station_id == "ST-1"}
        assert (RateUnit.A in units) is expected_tries
    assert set(load_forms(file).known.values()) >= {Form(unit=RateUnit.W)}


def test_a_file_of_forms_that_is_something_else_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "forms.json"
    assert load_forms(file) == load_forms(None) == FormBook()
    file.write_text("{}")
    with pytest.raises(SettingsError, match=r"FORMS_FILE .*forms\.json cannot be used"):
        load_forms(file)
