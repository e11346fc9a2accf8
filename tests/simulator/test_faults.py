"""What each fault of a station or an EV does, by itself: the charger without a network."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from simulator import commands
from simulator.authorization import TagInfo
from simulator.charger import Charger, ChargerSpec
from simulator.errors import ScenarioError
from simulator.faults.catalogue import KNOWN, FaultSpec, specs
from simulator.faults.station import ABSURD_CONNECTOR
from simulator.outputs import MeterSampled, Output, StatusChanged, TransactionStarted, TransactionStopped
from simulator.scenario import Session, parse_scenario
from simulator.vehicle import Vehicle, VehicleSpec

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
ACCEPTED = TagInfo("Accepted")
REGISTER, POWER = "Energy.Active.Import.Register", "Power.Active.Import"
STATIONS = ("ST-01", "ST-02")


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def station(*faults: Any, connector_id: int | None = None) -> Charger:
    orders = tuple((connector_id, spec) for spec in specs(faults))
    charger = Charger(ChargerSpec("ST-01", meter_start_wh=(50_000.0, 50_000.0), faults=orders), NOON)
    charger.online = True
    charger.report_everything(NOON)
    charger.take_outputs()
    return charger


def session(*faults: Any, **fields: Any) -> Session:
    plain: dict[str, Any] = {
        "station_id": "ST-01",
        "connector_id": 1,
        "arrive_offset_s": 0,
        "depart_offset_s": 600,
        "capacity_kwh": 60.0,
        "arrival_soc": 0.2,
        "target_soc": 1.0,
        "max_charge_rate_kw": 7.2,
        "id_tag": "TAG",
        "ramp_up_kw_per_s": math.inf,
        "ramp_down_s": 0.0,
        "faults": specs(faults),
    }
    return Session(**(plain | fields))


def charging(charger: Charger, connector_id: int = 1, vehicle: Vehicle | None = None) -> Charger:
    """The charger with a transaction whose id is 101 at a connector."""
    charger.plug(connector_id, vehicle or session().arriving(240), charger.now)
    return started(charger, connector_id)


def started(charger: Charger, connector_id: int = 1) -> Charger:
    charger.present(connector_id, "TAG", charger.now)
    charger.authorization(connector_id, "TAG", ACCEPTED, charger.now)
    transaction = charger.connectors[connector_id].transaction
    assert transaction is not None
    charger.transaction_accepted(transaction.tx, str(100 + transaction.tx), ACCEPTED, charger.now)
    return charger


def tx(
    *periods: tuple[int, float], unit: RateUnit = RateUnit.A, level: int = 1, profile_id: int = 1
) -> ChargingProfile:
    schedule = Schedule(unit, tuple(Period(start_s, limit) for start_s, limit in periods), NOON)
    return ChargingProfile(profile_id, level, Purpose.TX, Kind.ABSOLUTE, schedule, transaction_id="101")


def tx_default(*periods: tuple[int, float]) -> ChargingProfile:
    schedule = Schedule(RateUnit.A, tuple(Period(start_s, limit) for start_s, limit in periods))
    return ChargingProfile(9, 0, Purpose.TX_DEFAULT, Kind.RELATIVE, schedule)


def told(charger: Charger, profile: ChargingProfile, at_s: float, connector_id: int = 1) -> str:
    return commands.set_charging_profile(charger, connector_id, profile, after(at_s))


def power_kw(charger: Charger, at_s: float, connector_id: int = 1) -> float:
    charger.advance(after(at_s))
    return round(charger.connectors[connector_id].power_kw, 6)


def only(outputs: list[Output], kind: type[Any]) -> list[Any]:
    return [output for output in outputs if isinstance(output, kind)]


def shown(outputs: list[Output], measurand: str) -> list[float]:
    return [
        float(value.value)
        for output in only(outputs, MeterSampled)
        for sample in output.samples
        for value in sample.values
        if value.measurand == measurand
    ]


# Charging profiles


def test_ignores_zero_charges_on_at_its_last_limit() -> None:
    charger = charging(station("ignores_zero"))
    assert told(charger, tx((0, 10.0)), 1) == "Accepted"
    assert told(charger, tx((0, 0.0)), 5) == "Accepted"
    assert power_kw(charger, 6) == 2.4
    assert told(charger, tx((0, 6.0)), 7) == "Accepted"
    assert power_kw(charger, 8) == 1.44


def test_ignores_zero_offers_everything_to_an_ev_that_never_had_a_limit() -> None:
    charger = station("ignores_zero")
    assert told(charger, tx_default((0, 0.0)), 0, 0) == "Accepted"
    assert power_kw(charging(charger), 1) == 7.2


def test_ignores_zero_gives_what_it_is_said_to_give() -> None:
    charger = charging(station({"name": "ignores_zero", "gives_a": 6}))
    told(charger, tx((0, 0.0)), 1)
    assert power_kw(charger, 2) == 1.44


def test_a_fault_does_not_feed_an_ev_whose_driver_may_not_charge() -> None:
    charger = station("ignores_zero", "accepts_and_ignores")
    charger.configuration.set("StopTransactionOnInvalidId", "false")
    charger.plug(1, session().arriving(240), NOON)
    charger.present(1, "TAG", NOON)
    charger.authorization(1, "TAG", ACCEPTED, NOON)
    charger.transaction_accepted(1, "101", TagInfo("Invalid"), NOON)
    assert power_kw(charger, 2) == 0


@pytest.mark.parametrize(
    ("fault", "rejected", "accepted"),
    [
        ("rejects_zero", tx((0, 10.0), (60, 0.0)), tx((0, 6.0))),
        ("watts_only", tx((0, 10.0)), tx((0, 2400.0), unit=RateUnit.W)),
        ("amps_only", tx((0, 2400.0), unit=RateUnit.W), tx((0, 10.0))),
        ("stack_level_0_only", tx((0, 10.0)), tx((0, 10.0), level=0)),
        ("one_period_only", tx((0, 10.0), (60, 6.0)), tx((0, 10.0))),
        ("rejects_tx_profile", tx((0, 10.0)), tx_default((0, 10.0))),
    ],
)
def test_what_it_rejects_changes_nothing_and_the_rest_is_followed(
    fault: str, rejected: ChargingProfile, accepted: ChargingProfile
) -> None:
    charger = charging(station(fault))
    assert told(charger, rejected, 1) == "Rejected"
    assert charger.last_refusal
    assert power_kw(charger, 2) == 7.2
    assert told(charger, accepted, 3) == "Accepted"
    assert power_kw(charger, 4) < 7.2


@pytest.mark.parametrize(
    ("fault", "key", "lie", "truth"),
    [
        ("watts_only", "ChargingScheduleAllowedChargingRateUnit", "Current,Power", "Power"),
        ("amps_only", "ChargingScheduleAllowedChargingRateUnit", "Current,Power", "Current"),
        ("stack_level_0_only", "ChargeProfileMaxStackLevel", "8", "0"),
        ("one_period_only", "ChargingScheduleMaxPeriods", "24", "1"),
    ],
)
def test_it_tells_of_its_weakness_only_if_it_admits_it(fault: str, key: str, lie: str, truth: str) -> None:
    assert station(fault).configuration.text(key) == lie
    assert station({"name": fault, "admits": True}).configuration.text(key) == truth


def test_accepts_and_ignores_keeps_the_profile_and_offers_everything() -> None:
    charger = charging(station("accepts_and_ignores"))
    assert told(charger, tx((0, 0.0)), 1) == "Accepted"
    assert power_kw(charger, 2) == 7.2
    schedule = commands.composite(charger, 1, 60, RateUnit.A, after(2))
    assert schedule is not None
    assert schedule.periods[0].limit == 0


def test_spikes_on_change_offers_everything_for_five_seconds_after_each_profile() -> None:
    charger = charging(station("spikes_on_change"))
    told(charger, tx((0, 6.0)), 10)
    assert [power_kw(charger, at) for at in (10.1, 14.9, 15.1)] == [7.2, 7.2, 1.44]
    assert power_kw(charger, 60) == 1.44
    told(charger, tx((0, 0.0)), 60)
    assert [power_kw(charger, at) for at in (64.9, 65.1)] == [7.2, 0]


def test_clears_before_set_falls_back_on_what_is_left_for_two_seconds() -> None:
    charger = charging(station("clears_before_set"))
    told(charger, tx_default((0, 8.0)), 0, 0)
    assert power_kw(charger, 3) == 1.92
    told(charger, tx((0, 6.0)), 10)
    assert [power_kw(charger, at) for at in (11.9, 12.1)] == [1.92, 1.44]
    told(charger, tx((0, 20.0)), 20)
    assert [power_kw(charger, at) for at in (20.1, 21.9, 22.1)] == [1.92, 1.92, 4.8]


def test_a_fault_of_a_session_concerns_its_connector_alone() -> None:
    charger = charging(charging(station("accepts_and_ignores", connector_id=2), 1), 2)
    told(charger, tx_default((0, 0.0)), 1, 0)
    assert power_kw(charger, 2, 1) == 0
    assert power_kw(charger, 2, 2) == 7.2


def test_faults_add_up() -> None:
    charger = charging(station("rejects_tx_profile", "one_period_only", "meter_doubled"))
    assert told(charger, tx((0, 6.0)), 1) == "Rejected"
    assert told(charger, tx_default((0, 6.0), (60, 8.0)), 1) == "Rejected"
    assert told(charger, tx_default((0, 6.0)), 1) == "Accepted"
    charger.take_outputs()
    charger.advance(after(10))
    assert len(only(charger.take_outputs(), MeterSampled)) == 2


# Memory and power


def test_loses_profiles_at_reboot_but_not_on_reconnect() -> None:
    charger = charging(station("loses_profiles_at_reboot"))
    told(charger, tx_default((0, 6.0)), 1, 0)
    charger.forget_profiles("reconnect")
    assert power_kw(charger, 2) == 1.44
    charger.booted(after(3))
    charger.report_everything(after(3))
    assert power_kw(charger, 4) == 7.2


def test_drops_profiles_on_reconnect_but_not_at_reboot() -> None:
    charger = charging(station("drops_profiles_on_reconnect"))
    told(charger, tx((0, 6.0)), 1)
    charger.booted(after(2))
    charger.report_everything(after(2))
    assert power_kw(charger, 3) == 1.44
    charger.forget_profiles("reconnect")
    assert power_kw(charger, 4) == 7.2


def test_a_sound_station_keeps_its_transaction_and_its_defaults_through_a_loss_of_power() -> None:
    charger = charging(station())
    told(charger, tx_default((0, 8.0)), 1, 0)
    told(charger, tx((0, 20.0)), 2)
    charger.advance(after(15))
    charger.take_outputs()
    charger.lose_power(after(15))
    before_wh = charger.connectors[1].energy_wh
    assert power_kw(charger, 24) == 0
    assert charger.connectors[1].energy_wh == before_wh
    charger.booted(after(24))
    charger.report_everything(after(24))
    outputs = charger.take_outputs()
    assert not only(outputs, TransactionStarted | TransactionStopped)  # type: ignore[arg-type]
    assert not only(outputs, MeterSampled)
    assert StatusChanged(1, "Charging", "NoError", after(24)) in outputs
    assert power_kw(charger, 25) == 1.92
    charger.advance(after(30))
    (sampled,) = only(charger.take_outputs(), MeterSampled)
    assert sampled.tx == 1


# Meters


def test_meter_backwards_counts_down_from_the_start() -> None:
    charger = charging(station("meter_backwards"))
    charger.advance(after(30))
    charger.unplug(1, after(30))
    outputs = charger.take_outputs()
    assert shown(outputs, REGISTER) == [49_980.0, 49_960.0, 49_940.0]
    assert shown(outputs, POWER) == [7200.0] * 3
    (stopped,) = only(outputs, TransactionStopped)
    assert stopped.meter_stop_wh == 49_940


def test_meter_missing_sends_no_meter_values_and_everything_else() -> None:
    charger = charging(station("meter_missing"))
    charger.unplug(1, after(60))
    outputs = charger.take_outputs()
    assert not only(outputs, MeterSampled)
    assert len(only(outputs, TransactionStopped)) == 1


def test_meter_stuck_shows_the_same_from_its_second_minute_on() -> None:
    charger = charging(station("meter_stuck"))
    told(charger, tx((0, 6.0)), 65)
    charger.unplug(1, after(91))
    outputs = charger.take_outputs()
    assert shown(outputs, REGISTER) == [50_020, 50_040, 50_060, 50_080, 50_100, 50_100, 50_100, 50_100, 50_100]
    assert shown(outputs, POWER) == [7200.0] * 9
    instants = [output.samples[0].at for output in only(outputs, MeterSampled)]
    assert instants == [after(10 * n) for n in range(1, 10)]
    assert only(outputs, TransactionStopped)[0].meter_stop_wh == 50_100


def test_meter_doubled_says_every_sample_twice() -> None:
    charger = charging(station("meter_doubled"))
    charger.advance(after(10))
    first, second = only(charger.take_outputs(), MeterSampled)
    assert first == second


def test_meter_foreign_transaction_names_another_and_never_in_start_or_stop() -> None:
    charger = charging(station({"name": "meter_foreign_transaction", "offset": -1}))
    charger.advance(after(10))
    (sampled,) = only(charger.take_outputs(), MeterSampled)
    assert (sampled.tx, sampled.id_offset) == (1, -1)


def test_stop_lost_ends_the_transaction_and_does_not_say_so() -> None:
    charger = charging(station("stop_lost"))
    charger.unplug(1, after(60))
    outputs = charger.take_outputs()
    assert not only(outputs, TransactionStopped)
    assert outputs[-1] == StatusChanged(1, "Available", "NoError", after(60))
    assert charger.connectors[1].transaction is None


def test_connector_count_absurd_is_told_twice_over() -> None:
    charger = station("connector_count_absurd")
    assert charger.configuration.text("NumberOfConnectors") == "1634030126"
    charger.report_everything(NOON)
    places = [status.connector_id for status in only(charger.take_outputs(), StatusChanged)]
    assert places == [0, ABSURD_CONNECTOR, 1, 2]


# EVs


def test_draws_half_takes_half_of_its_offer_and_half_of_its_most() -> None:
    charger = charging(station(), vehicle=session("draws_half").arriving(240))
    assert power_kw(charger, 1) == 3.6
    told(charger, tx((0, 6.0)), 2)
    assert power_kw(charger, 3) == 0.72
    assert charger.connectors[1].status == "Charging"


def test_a_station_gives_its_ev_faults_to_every_ev() -> None:
    assert session().arriving(240, specs(["draws_half"])).spec.share == 0.5
    assert session("draws_half").arriving(240, specs(["rejects_zero"])).spec.share == 0.5


def asleep(wakes_by: str) -> Charger:
    """An EV that slept through an offer: paused at 10 s, offered 10 A again at 50 s."""
    ev = session({"name": "sleeps_after_pause", "wakes_by": wakes_by}).arriving(240)
    charger = charging(station(), vehicle=ev)
    told(charger, tx((0, 0.0)), 10)
    told(charger, tx((0, 10.0)), 50)
    assert power_kw(charger, 70) == 0
    assert charger.connectors[1].status == "SuspendedEV"
    return charger


def test_sleeps_after_pause_only_when_the_pause_is_long() -> None:
    charger = charging(station(), vehicle=session("sleeps_after_pause").arriving(240))
    told(charger, tx((0, 0.0)), 10)
    told(charger, tx((0, 10.0)), 39)
    assert power_kw(charger, 40) == 2.4


def test_a_toggled_limit_wakes_it() -> None:
    charger = asleep("toggle")
    told(charger, tx((0, 0.0)), 80)
    told(charger, tx((0, 10.0)), 83)
    assert power_kw(charger, 84) == 2.4
    assert charger.connectors[1].status == "Charging"


def test_a_change_of_limit_that_leaves_an_offer_does_not_wake_it() -> None:
    charger = asleep("toggle")
    told(charger, tx((0, 6.0)), 80)
    told(charger, tx((0, 10.0)), 83)
    assert power_kw(charger, 84) == 0


def test_a_new_transaction_wakes_it_and_a_toggle_does_not() -> None:
    charger = asleep("restart")
    told(charger, tx((0, 0.0)), 80)
    told(charger, tx((0, 10.0)), 83)
    assert power_kw(charger, 84) == 0
    assert commands.remote_stop(charger, 101, after(90)) == "Accepted"
    assert commands.remote_start(charger, "TAG", 1, None, after(95)) == "Accepted"
    assert power_kw(charger, 96) == 7.2


def test_one_that_never_wakes_never_does() -> None:
    charger = asleep("never")
    told(charger, tx((0, 0.0)), 80)
    told(charger, tx((0, 10.0)), 120)
    commands.remote_stop(charger, 101, after(130))
    commands.remote_start(charger, "TAG", 1, None, after(135))
    assert power_kw(charger, 140) == 0


def test_an_ev_that_is_full_does_not_sleep() -> None:
    ev = session("sleeps_after_pause", arrival_soc=1.0).arriving(240)
    charger = charging(station(), vehicle=ev)
    charger.advance(after(100))
    assert charger.connectors[1].status == "SuspendedEV"
    assert not ev.charges_at(10)


# Orders in a scenario


def problems(*faults: Any, stations: Any = ..., top: Any = ...) -> str:
    one = {
        "station_id": "ST-01",
        "connector_id": 1,
        "arrive_offset_s": 0,
        "depart_offset_s": 600,
        "capacity_kwh": 60,
        "arrival_soc": 0.2,
        "target_soc": 1,
        "max_charge_rate_kw": 7.2,
        "id_tag": "TAG",
        "faults": list(faults),
    }
    document = {"sessions": [one], "stations": stations, "faults": top}
    text = json.dumps({name: value for name, value in document.items() if value is not ...})
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "zoo.json", STATIONS, 2)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("ignores_zeros", "faults[0] is 'ignores_zeros', which is no known fault; did you mean ignores_zero?"),
        ("xyz", "no known fault; known are accepts_and_ignores, amps_only, answers_late"),
        (7, 'faults[0] is 7; it must be the name of a fault, or an object with one, e.g. {"name": "disconnects"'),
        ({"after_s": 5}, 'faults[0] is {"after_s": 5}; it must be the name of a fault'),
        ({"name": "reboots", "after": 5}, "faults[0].after is not a parameter of reboots; it takes after_s"),
        ({"name": "stop_lost", "x": 1}, "faults[0].x is not a parameter of stop_lost; it takes none"),
        (
            {"name": "answers_late", "for_s": 0},
            "faults[0].for_s is 0; it must be a number from 0.1 to 3600 (default 25.0)",
        ),
        ({"name": "answers_late", "for_s": "long"}, 'for_s is "long"; it must be a number from 0.1 to 3600'),
        ({"name": "answers_late", "for_s": True}, "for_s is true; it must be a number from 0.1 to 3600"),
        ({"name": "watts_only", "admits": 1}, "admits is 1; it must be true or false (default false)"),
        (
            {"name": "sleeps_after_pause", "wakes_by": "kiss"},
            'wakes_by is "kiss"; it must be one of toggle, restart, never',
        ),
        (
            {"name": "meter_foreign_transaction", "offset": 1.5},
            "offset is 1.5; it must be a whole number from -1000 to 1000",
        ),
    ],
)
def test_a_wrong_order_is_named_with_what_is_known(fault: Any, said: str) -> None:
    assert said in problems(fault)


@pytest.mark.parametrize(
    ("stations", "said"),
    [
        ({"ST-03": {"faults": []}}, "stations.ST-03 is a station that STATION_IDS does not have; did you mean ST-0"),
        ({"ST-01": ["stop_lost"]}, 'stations.ST-01 is ["stop_lost"]; it must be an object with faults'),
        ({"ST-01": {"faults": ["x"]}}, "stations.ST-01.faults[0] is 'x', which is no known fault"),
        ({"ST-01": {"faults": "stop_lost"}}, 'stations.ST-01.faults is "stop_lost"; it must be a list of faults'),
        ([], "stations is []; it must be an object of stations"),
    ],
)
def test_a_wrong_station_is_named(stations: Any, said: str) -> None:
    assert said in problems(stations=stations)


def test_a_scenario_gives_faults_to_every_station_to_one_and_to_a_connector() -> None:
    text = json.dumps(
        {
            "faults": ["meter_doubled"],
            "stations": {"ST-02": {"faults": [{"name": "reboots", "after_s": 7}]}},
            "sessions": [
                {
                    "station_id": "ST-02",
                    "connector_id": 2,
                    "arrive_offset_s": 0,
                    "depart_offset_s": 600,
                    "capacity_kwh": 60,
                    "arrival_soc": 0.2,
                    "target_soc": 1,
                    "max_charge_rate_kw": 7.2,
                    "id_tag": "TAG",
                    "faults": ["draws_half"],
                }
            ],
        }
    )
    scenario = parse_scenario(text, "zoo.json", STATIONS, 2)
    assert scenario.faults_of("ST-01") == ((None, FaultSpec("meter_doubled")),)
    assert scenario.faults_of("ST-02") == (
        (None, FaultSpec("meter_doubled")),
        (None, FaultSpec("reboots", (("after_s", 7),))),
        (2, FaultSpec("draws_half")),
    )


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_fault_can_be_made_as_it_is(name: str) -> None:
    assert FaultSpec(name).make() is not None
    assert KNOWN[name].words


def test_vehicles_differ_only_by_what_is_wrong_with_them() -> None:
    assert type(session().arriving(240)) is Vehicle
    assert session().arriving(240).spec == VehicleSpec(60, 7.2, ramp_up_kw_per_s=math.inf, ramp_down_s=0)
