"""The whole service against EVs and stations that do not do as they are told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from optivgi.alarm import AlarmKind
from optivgi.algorithms.ladder import Ladder
from optivgi.cycle import CycleSettings
from optivgi.errors import SettingsError
from optivgi.forms_file import FormsFile, load_forms
from optivgi.ledger import Policy
from optivgi.log import SiteLog
from optivgi.metrics import Metrics
from optivgi.model.charging_profile import ChargingProfile, Kind, Purpose, RateUnit
from optivgi.model.composite import Supply, Transaction, limit_at
from optivgi.oversight_settings import OversightSettings, PausePolicy
from optivgi.profile_form import Form, FormBook
from optivgi.record import Observer
from optivgi.testing import a_connector
from optivgi.translation.base import OutcomeStatus, Wish
from tests.optivgi.control_room import ControlRoom, evs

Draws = Callable[[float], float]
"""What an EV draws when it is allowed so many kW."""

LEAST_KW = 1.44


def settings(**oversight: object) -> CycleSettings:
    return CycleSettings(
        policy=Policy(settle_s=5.0, duration_s=180, dead_band_kw=0.1),
        look_s=10.0,
        oversight=OversightSettings(**oversight),  # type: ignore[arg-type]
    )


def obeys(allowed_kw: float) -> float:
    return min(allowed_kw, 7.2)


class Site(ControlRoom):
    """Meters say every 10 s what each EV draws at what its newest profile allows."""

    def __init__(
        self,
        *,
        limit_kw: float = 12.0,
        oversight: CycleSettings | None = None,
        observers: tuple[Observer, ...] = (),
        forms: FormBook | None = None,
    ) -> None:
        planner = Ladder("go", deadline_s=10.0, monotonic=time.perf_counter)
        super().__init__(
            limit_kw=limit_kw, settings=oversight or settings(), planner=planner, observers=observers, forms=forms
        )
        self.draws: dict[str, Draws] = {}
        self.asleep: set[str] = set()

    async def runs(self, seconds: float) -> None:
        for _ in range(round(seconds / 10)):
            await self.passes(10, 1)
            for ev_id in self.drawn_kw():
                self.meter(ev_id)

    def meter(self, ev_id: str) -> None:
        """The EV's meter is sampled now."""
        ev = self.csms.plugged_in(ev_id)
        kw = self.drawn_kw()[ev_id]
        self.csms.plug_in(
            replace(ev, measured_kw=kw, measured_at=self.clock.now(), suspended_by_ev=ev_id in self.asleep)
        )

    def drawn_kw(self) -> dict[str, float]:
        return {ev_id: self.draws.get(ev_id, obeys)(kw) for ev_id, kw in self.offered_kw().items()}

    def offered_kw(self) -> dict[str, float]:
        """What each station's profiles allow now."""
        offered = {}
        for (station_id, _), profiles in self.csms.installed.items():
            if profiles and self.plugged_in(station_id):
                ev = self.csms.plugged_in(station_id.removeprefix("ST-"))
                transaction = Transaction(ev.transaction_id, ev.arrival)
                limit = limit_at(profiles, (), self.clock.now(), transaction, supply=Supply(240.0, 1))
                offered[ev.ev_id] = 7.2 if limit is None else limit.value / 1000
        return offered

    def plugged_in(self, station_id: str) -> bool:
        return any(ev.station_id == station_id for record in self.witness.records[-1:] for ev in _evs(record))

    def alarms(self) -> set[tuple[AlarmKind, str]]:
        return {(alarm.kind, alarm.ev_id) for alarm in self.witness.records[-1].alarms}


def _evs(record: object) -> tuple:  # type: ignore[type-arg]
    snapshot = getattr(record, "snapshot", None)
    return () if snapshot is None else snapshot.evs


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


async def test_a_station_that_is_silent_is_not_taken_for_one_that_refuses() -> None:
    async with Site().open() as site:
        site.csms.answers["ST-1"] = OutcomeStatus.UNKNOWN
        await site.arrive(*evs(1))
        await site.runs(120)
        sent = [one.profile for one in site.csms.sent if one.station_id == "ST-1" and one.ev_id]
        assert {(profile.stack_level, profile.kind, profile.schedule.unit) for profile in sent} == {
            (1, Kind.ABSOLUTE, RateUnit.A)
        }


def test_looking_back_is_long_enough_for_every_judgement() -> None:
    assert timedelta(seconds=OversightSettings().keep_s) >= timedelta(seconds=60 + 30)


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
