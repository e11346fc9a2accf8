"""The measures are what their names say."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from optivgi.study.metrics import Outcome, Tariffed, day_profile, outcome
from optivgi.study.replay import Replay
from tests.study.days import EIGHT, after

ZONE = ZoneInfo("UTC")


def replay(**stated: Any) -> Replay:
    """Two EVs, an hour in four quarters at 10 kW under 30 kW, but for what is `stated`."""
    facts: dict[str, Any] = {
        "delivered_kwh": [10.0, 5.0],
        "possible_kwh": [10.0, 10.0],
        "pauses": [0, 3],
        "start_s": EIGHT.timestamp() + 900.0 * np.arange(4),
        "seconds": [900.0] * 4,
        "energy_kwh": [2.5] * 4,
        "high_kw": [10.0] * 4,
        "over_s": [0.0] * 4,
        "limit_kw": [30.0] * 4,
        "price_per_kwh": [0.5] * 4,
    }
    arrays = {name: np.array(value) for name, value in (facts | stated).items() if name not in ("cycles",)}
    return Replay(**arrays, cycles=4, degraded=1, planning_s=0.02)


def measured(*replays: Replay, demand_charge_per_kw: float = 0.0) -> Outcome:
    return outcome(("fair", "30 kW"), Tariffed("flat", demand_charge_per_kw), 25.0, replays, ZONE)


def test_energy_fairness_and_pauses() -> None:
    one = measured(replay())

    assert (one.energy_pct, one.worst_ev, one.pauses_per_ev) == (75.0, 0.5, 1.5)
    assert one.jain == pytest.approx(1.5**2 / (2 * 1.25))
    assert (one.evs, one.requested_kwh, one.cycles, one.degraded) == (2, 25.0, 4, 1)
    assert one.ms_per_cycle == pytest.approx(5.0)


def test_an_ev_that_could_take_nothing_counts_for_nothing() -> None:
    one = measured(replay(delivered_kwh=[10.0, 0.0], possible_kwh=[10.0, 0.0]))

    assert (one.energy_pct, one.worst_ev, one.jain) == (100.0, 1.0, 1.0)


def test_cost_is_energy_at_its_price_and_each_months_highest_quarter_hour() -> None:
    march = replay(energy_kwh=[2.5, 5.0, 2.5, 2.5])
    april = replay(start_s=after(24 * 40).timestamp() + 900.0 * np.arange(4))

    assert measured(march).cost == pytest.approx(6.25)
    assert measured(march, march, demand_charge_per_kw=2.0).cost == pytest.approx(12.5 + 2.0 * 40.0)
    assert measured(march, april, demand_charge_per_kw=2.0).cost == pytest.approx(11.25 + 2.0 * (20.0 + 10.0))


def test_a_quarter_hour_in_several_pieces_is_billed_as_one() -> None:
    pieces = replay(start_s=EIGHT.timestamp() + 225.0 * np.arange(4), seconds=[225.0] * 4, energy_kwh=[2.5, 0, 0, 0])

    assert measured(pieces, demand_charge_per_kw=1.0).cost == pytest.approx(1.25 + 10.0)


def test_time_over_the_limit_is_summed_and_the_peak_is_the_highest_power() -> None:
    one = measured(replay(high_kw=[10.0, 30.0, 30.5, 31.0], over_s=[0.0, 0.0, 900.0, 900.0]))

    assert (one.over_limit_min, one.peak_kw) == (30.0, 31.0)


def test_the_days_profile_is_the_mean_over_days_by_the_sites_clock() -> None:
    days = (replay(), replay(start_s=after(24).timestamp() + 900.0 * np.arange(4), energy_kwh=[0.0] * 4))

    profile = day_profile(days, ZoneInfo("Europe/Berlin"))

    assert profile[36:40].tolist() == [5.0] * 4
    assert profile.sum() == 20.0
