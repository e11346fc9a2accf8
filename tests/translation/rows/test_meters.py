"""What CitrineOS's rows say about power and energy, in every disguise that real rows wear."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from optivgi.clock import ManualClock
from optivgi.translation.citrineos.rows import snapshot
from tests.translation.citrineos_double import CitrineOSDouble, Json, a_sample, wire
from tests.translation.rows.site import ENERGY, POWER, SITE, read, the_ev


@pytest.mark.parametrize(
    ("samples", "power_kw", "delivered_kwh"),
    [
        pytest.param([a_sample(1500, ENERGY, "Wh"), a_sample(7200, POWER, "W")], 7.2, 1.5, id="as CitrineOS stores it"),
        pytest.param([a_sample("1500", ENERGY, "Wh"), a_sample("7.2", POWER, "kW")], 7.2, 1.5, id="text, kW"),
        pytest.param([a_sample(1.5, ENERGY, "kWh"), a_sample(72, POWER, "W", 2)], 7.2, 1.5, id="kWh, multiplier"),
        pytest.param([a_sample("1500"), a_sample("7200", POWER, unit="")], 7.2, 1.5, id="nothing said but the value"),
        pytest.param(
            [{"value": "1.5", "unit": "kWh"}, {"value": "7200", "measurand": POWER}], 7.2, 1.5, id="1.6 spelling"
        ),
        pytest.param(
            [a_sample(2400, POWER, "W", phase=phase) for phase in ("L1-N", "L2-N", "L3-N")],
            7.2,
            0.0,
            id="phases are summed",
        ),
        pytest.param(
            [*(a_sample(2400, POWER, "W", phase=phase) for phase in ("L1", "L2", "L3")), a_sample(7100, POWER, "W")],
            7.1,
            0.0,
            id="a total counts instead of its phases",
        ),
        pytest.param(
            [a_sample(99, POWER, "kW", location="Inlet"), a_sample(7200, POWER, "W")], 7.2, 0.0, id="at the outlet"
        ),
        pytest.param([a_sample(30, "Current.Import", "A"), a_sample(55, "SoC", "Percent")], None, 0.0, id="neither"),
        pytest.param([], None, 0.0, id="an empty sample"),
    ],
)
def test_meter_values_in_each_spelling(
    csms: CitrineOSDouble, samples: list[Json], power_kw: float | None, delivered_kwh: float
) -> None:
    csms.meter(csms.start("ST-A"), *samples)
    ev = the_ev(csms)
    assert ev.measured_kw == (None if power_kw is None else pytest.approx(power_kw))
    assert ev.delivered_kwh == pytest.approx(delivered_kwh)
    assert ev.energy_needed_kwh == pytest.approx(20.0 - delivered_kwh)
    assert read(csms).doubts == ()


def test_sampled_value_may_be_json_text(csms: CitrineOSDouble) -> None:
    csms.meter(csms.start("ST-A"), sampled_value=json.dumps([a_sample(7200, POWER, "W")]))
    assert the_ev(csms).measured_kw == pytest.approx(7.2)


def test_never_metered_is_not_metered_at_zero(csms: CitrineOSDouble) -> None:
    csms.start("ST-A")
    assert (the_ev(csms).measured_kw, the_ev(csms).measured_at) == (None, None)


async def test_the_newest_power_counts_and_says_when(csms: CitrineOSDouble, clock: ManualClock) -> None:
    transaction = csms.start("ST-A")
    for power in (1000, 2000, 3000):
        await clock.advance(10)
        csms.meter(transaction, a_sample(power, POWER, "W"))
    newest = clock.now()
    await clock.advance(10)
    csms.meter(transaction, a_sample(40, ENERGY, "Wh"))
    csms.meter(transaction, a_sample(500, POWER, "W"), at=newest - timedelta(seconds=15))
    ev = the_ev(csms)
    assert ev.measured_kw == pytest.approx(3.0)
    assert ev.measured_at == newest
    assert ev.delivered_kwh == pytest.approx(0.04)


def test_a_fast_station_clock_never_makes_a_sample_newer_than_its_row(
    csms: CitrineOSDouble, clock: ManualClock
) -> None:
    csms.meter(csms.start("ST-A"), a_sample(7200, POWER, "W"), at=clock.now() + timedelta(hours=1))
    assert the_ev(csms).measured_at == clock.now()


def test_delivered_energy_is_the_register_less_its_start(csms: CitrineOSDouble) -> None:
    transaction = csms.start("ST-A", StartTransaction={"meterStart": 100_000, "timestamp": wire(csms.clock.now())})
    csms.meter(transaction, a_sample(104_500, ENERGY, "Wh"))
    assert the_ev(csms).delivered_kwh == pytest.approx(4.5)
    assert the_ev(csms).energy_needed_kwh == pytest.approx(15.5)


def test_more_delivered_than_needed_leaves_a_need_of_zero(csms: CitrineOSDouble) -> None:
    csms.meter(csms.start("ST-A"), a_sample(25, ENERGY, "kWh"))
    assert the_ev(csms).energy_needed_kwh == 0.0


@pytest.mark.parametrize("meter_start", [100_000, "100000", "100000.0"])
def test_without_start_transaction_the_transactions_own_columns_count(
    csms: CitrineOSDouble, meter_start: object
) -> None:
    transaction = csms.start("ST-A", StartTransaction=None, meterStart=meter_start)
    csms.meter(transaction, a_sample(101, ENERGY, "kWh"))
    assert the_ev(csms).delivered_kwh == pytest.approx(1.0)
    assert the_ev(csms).arrival == csms.clock.now()


def test_an_unknown_meter_start_proves_nothing_delivered(csms: CitrineOSDouble) -> None:
    csms.meter(csms.start("ST-A", StartTransaction=None, meterStart=None), a_sample(101, ENERGY, "kWh"))
    assert the_ev(csms).delivered_kwh == 0.0
    assert read(csms).doubts == ("EV 1: the meter at its start is not known, so nothing counts as delivered",)


@pytest.mark.parametrize(
    ("sample", "doubt"),
    [
        (a_sample("NaN", ENERGY, "Wh"), "'NaN' is no finite number"),
        (a_sample("lots", ENERGY, "Wh"), "'lots' is no finite number"),
        (a_sample(None, ENERGY, "Wh"), "None is no finite number"),
        (a_sample(True, ENERGY, "Wh"), "True is no finite number"),
        (a_sample(-5, ENERGY, "Wh"), f"{ENERGY} of -0.005"),
        (a_sample(-5, POWER, "W"), f"{POWER} of -0.005"),
        (a_sample(9e9, POWER, "W"), f"{POWER} of 9e+06 kW"),
        (a_sample(5, ENERGY, "varh"), f"{ENERGY} in unit 'varh'"),
        (a_sample(5, POWER, "kWh"), f"{POWER} in unit 'kWh'"),
        (a_sample(5, POWER, "W", 400), f"{POWER} with multiplier 400"),
    ],
)
def test_a_value_that_makes_no_sense_is_named_and_left_out(csms: CitrineOSDouble, sample: Json, doubt: str) -> None:
    csms.meter(csms.start("ST-A"), sample)
    ev = the_ev(csms)
    assert (ev.measured_kw, ev.delivered_kwh) == (None, 0.0)
    assert read(csms).doubts == (f"EV 1: meter sample: {doubt} is not believed",)


@pytest.mark.parametrize(
    ("column", "value", "doubt"),
    [
        ("sampledValue", "no json", "sampledValue 'no json' is no JSON"),
        ("sampledValue", {"value": 1}, "sampledValue {'value': 1} is no list of samples"),
        ("timestamp", "2026-03-03T08:00:00", "'2026-03-03T08:00:00' is no date and time with an offset"),
        ("timestamp", None, "None is no date and time with an offset"),
    ],
)
def test_a_row_that_makes_no_sense_is_named_and_the_others_count(
    csms: CitrineOSDouble, column: str, value: object, doubt: str
) -> None:
    transaction = csms.start("ST-A")
    csms.meter(transaction, a_sample(3000, POWER, "W"))
    (good,) = transaction["MeterValues"]
    rows = {**csms.rows, "Transactions": [{**transaction, "MeterValues": [{**good, column: value}, good]}]}
    found = snapshot(rows, SITE, "default", csms.clock.now())
    assert found.evs[0].measured_kw == pytest.approx(3.0)
    assert found.doubts == (f"EV 1: meter sample: {doubt}",)


@pytest.mark.parametrize(
    ("registers_wh", "delivered_kwh", "doubts"),
    [
        pytest.param([1000, 2000, 3000], 3.0, (), id="forwards"),
        pytest.param(
            [1000, 3000, 2000], 3.0, ("EV 1: energy register 2 kWh is below 3 kWh before it",), id="backwards"
        ),
        pytest.param([-1], 0.0, (f"EV 1: meter sample: {ENERGY} of -0.001 is not believed",), id="negative"),
    ],
)
async def test_a_register_that_runs_backwards_is_not_believed(
    csms: CitrineOSDouble, clock: ManualClock, registers_wh: list[int], delivered_kwh: float, doubts: tuple[str, ...]
) -> None:
    transaction = csms.start("ST-A")
    for register in registers_wh:
        await clock.advance(10)
        csms.meter(transaction, a_sample(register, ENERGY, "Wh"))
    assert the_ev(csms).delivered_kwh == pytest.approx(delivered_kwh)
    assert read(csms).doubts == doubts


def test_a_register_below_the_start_is_not_believed(csms: CitrineOSDouble) -> None:
    transaction = csms.start("ST-A", StartTransaction={"meterStart": 5000, "timestamp": wire(csms.clock.now())})
    csms.meter(transaction, a_sample(200, ENERGY, "Wh"))
    assert (the_ev(csms).delivered_kwh, the_ev(csms).energy_needed_kwh) == (0.0, 20.0)
    assert read(csms).doubts == ("EV 1: energy register 0.2 kWh is below 5 kWh before it",)


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_off_is_noticed_and_its_times_are_corrected(
    csms: CitrineOSDouble, clock: ManualClock, hours: int
) -> None:
    off = timedelta(hours=hours)
    began = clock.now()
    transaction = csms.start("ST-B", startTime=wire(began + off))
    for _ in range(2):
        await clock.advance(10.0)
        csms.meter(transaction, a_sample(7000, POWER, "W"), at=clock.now() + off)
    found = read(csms)
    assert {one.clock_skew_s for one in found.connectors if one.station_id == "ST-B"} == {off.total_seconds()}
    assert (found.evs[0].measured_at, found.evs[0].arrival) == (clock.now(), began)


def test_old_samples_that_were_sent_late_are_not_a_clock_that_is_behind(
    csms: CitrineOSDouble, clock: ManualClock
) -> None:
    transaction = csms.start("ST-B")
    for minutes in (30, 20, 10):
        csms.meter(transaction, a_sample(7000, POWER, "W"), at=clock.now() - timedelta(minutes=minutes))
    found = read(csms)
    assert all(connector.clock_skew_s == 0 for connector in found.connectors)
    assert found.evs[0].measured_at == clock.now() - timedelta(minutes=10)


def test_a_status_from_the_future_shows_a_clock_that_is_ahead(csms: CitrineOSDouble, clock: ManualClock) -> None:
    csms.plug("ST-B")["timestamp"] = wire(clock.now() + timedelta(hours=1))
    skews = {connector.station_id: connector.clock_skew_s for connector in read(csms).connectors}
    assert skews == {"ST-A": 0.0, "ST-B": 3600.0}


@pytest.mark.parametrize(
    ("off_s", "ahead_s", "late_s"), [(4, 0, 0), (20, 20, 0), (-4, 0, 4), (-40, 0, 40), (-90, -90, 0)]
)
async def test_a_clock_that_is_ahead_is_known_to_be_and_one_that_is_behind_may_be(
    csms: CitrineOSDouble, clock: ManualClock, off_s: int, ahead_s: int, late_s: int
) -> None:
    transaction = csms.start("ST-B")
    for _ in range(2):
        await clock.advance(10.0)
        csms.meter(transaction, a_sample(7000, POWER, "W"), at=clock.now() + timedelta(seconds=off_s))
    (found,) = [one for one in read(csms).connectors if one.station_id == "ST-B"]
    assert (found.clock_skew_s, found.late_s) == (ahead_s, late_s)


async def test_the_fastest_message_tells_how_far_behind_a_clock_may_be(
    csms: CitrineOSDouble, clock: ManualClock
) -> None:
    transaction = csms.start("ST-B")
    for late_s in (50, 3, 30):
        csms.meter(transaction, a_sample(7000, POWER, "W"), at=clock.now() - timedelta(seconds=late_s))
    assert {one.late_s for one in read(csms).connectors} == {0.0, 3.0}
