"""Who runs when among few EVs: what sets of them can get, and turns that are changed for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.algorithms.few_rotas import GOAL, Rota, has_rota
from optivgi.algorithms.forward import forward
from optivgi.algorithms.laxity import LeastLaxity
from optivgi.algorithms.maxflow import exchange
from optivgi.algorithms.network import Network
from optivgi.algorithms.repair import repaired
from optivgi.model.framing import EVState
from optivgi.model.problem import Floats, Problem
from tests.algorithms.instances import NOW, ev, evs, hours, problem, workplace
from tests.algorithms.test_plain import plain_sites

UNITS = 1e5
"""In one kWh."""


def rota_of(case: Problem, part: float) -> tuple[Rota, Floats, Floats]:
    """(rota, powers, targets), where all are to get this part of what they need."""
    network, target = Network.of(case), part * case.need_kwh
    power = forward(case, network, LeastLaxity(), target_kwh=target)
    return Rota(case, network.room[0], power, target), power, target


def missing_kwh(case: Problem, rota: Rota, power: Floats, target: Floats) -> float:
    """What the largest flow to the EVs that run leaves of what targets ask for beyond minimums."""
    running = rota.powers(power)
    cells = rota.cells
    least = np.where(running > 0, case.min_kw[:, None], 0.0)[:, cells]
    up = np.where(running > 0, (case.max_kw - case.min_kw)[:, None], 0.0)[:, cells] * rota.hours
    room = (rota.room - least.sum(axis=0)) * rota.hours
    wanted = target - rota.given - least @ rota.hours
    whole = [np.floor(np.maximum(each, 0.0) * UNITS).astype(np.int64) for each in (up, wanted, room)]
    none = np.zeros(len(target), dtype=np.int64)
    flow = exchange(whole[0], np.zeros_like(whole[0]), whole[1], none, whole[2])
    return float(whole[1].sum() - flow.sum()) / UNITS


@settings(max_examples=60, deadline=None)
@given(case=plain_sites().filter(lambda case: has_rota(case, Network.of(case))), part=st.sampled_from([0.3, 0.7, 1.0]))
def test_plans_deliver_what_a_rota_says_that_all_can_get(case: Problem, part: float) -> None:
    rota, power, target = rota_of(case, part)
    rota.improve()
    reachable = rota.reachable_kwh()
    plan = repaired(case, Network.of(case), power, target)
    assert (rota.powers(power).sum(axis=0) <= Network.of(case).room[0] + 1e-6).all()
    assert missing_kwh(case, rota, power, reachable) <= 0.001
    assert (plan.sum(axis=0) <= Network.of(case).room[0] + 1e-6).all()
    assert ((plan <= 1e-9) | (plan >= case.min_kw[:, None] - 1e-6)).all()
    assert (plan <= case.max_kw[:, None] + 1e-6).all()


@pytest.mark.parametrize("seed", range(12))
def test_no_powers_deliver_more_than_a_rota_says(seed: int) -> None:
    case = workplace(6, seed, expected=False).problem()
    rota, power, target = rota_of(case, 1.0)
    reachable = rota.reachable_kwh()
    assert missing_kwh(case, rota, power, reachable) <= 0.001
    if rota.part.min() < 1.0:
        assert missing_kwh(case, rota, power, reachable + 0.02 * target) > 0.01


def test_turns_are_shared_out_where_one_ev_had_them_all() -> None:
    case = problem(evs(2, departure=NOW + hours(2)), 2.0)
    network = Network.of(case)
    power = np.zeros(case.stay_h.shape)
    power[0] = 2.0
    half = case.hours[1:].sum()
    target = np.array([half + 2.0 * case.hours[0], half])
    rota = Rota(case, network.room[0], power, target)
    assert rota.part.min() == pytest.approx(0.0)
    rota.improve()
    assert (rota.part >= rota.goal).all()
    energy = case.energy_kwh(repaired(case, network, power, target))
    assert energy == pytest.approx(target, rel=1.0 - GOAL)


def test_turns_in_short_cells_stay_as_they_are() -> None:
    case = problem([ev("1", departure=NOW + hours(0.2)), ev("2", departure=NOW + hours(0.3))], 2.0)
    power = np.zeros(case.stay_h.shape)
    power[0] = 2.0 * case.present[0]
    rota = Rota(case, Network.of(case).room[0], power, np.array([0.1, 0.3]))
    assert rota.hours.max() < 1 / 6
    before = rota.runs.copy()
    rota.improve()
    assert (rota.runs == before).all()


def test_whoever_may_not_pause_or_leaves_at_a_time_nobody_knows_keeps_its_turns() -> None:
    free = problem(evs(3), 4.0)
    held = problem(evs(3), 4.0, states={"00001": EVState(pausable=False)})
    unknown = problem(evs(3, departure=None), 4.0)
    assert [has_rota(case, Network.of(case)) for case in (free, held, unknown)] == [True, False, False]
