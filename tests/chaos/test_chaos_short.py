"""A bad minute: the optimizer killed, stations cut off, the CSMS killed, the limit lowered without a word.

The long version, with every fault alone and in random sequences, is `make chaos`.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.chaos.faults import BY_NAME
from bench.chaos.scenes import around_a_fault
from bench.chaos.site import Servers, Site
from bench.chaos.trials import Notes, Trial, suffer, try_out

pytestmark = [pytest.mark.quiet, pytest.mark.chaos, pytest.mark.e2e, pytest.mark.postgres, pytest.mark.rabbitmq]

FIRST_S, LAST_S = 12.0, 38.0
FAULTS = (("kill-optimizer", 2.0), ("cut-stations", 3.0), ("kill-csms", 2.0))


def a_bad_minute(here: Site, notes: Notes) -> None:
    here.wait_until(FIRST_S)
    for name, down_s in FAULTS:
        suffer(here, notes, BY_NAME[name], down_s)
    here.wait_until(max(LAST_S - 8, here.now_s() + 1))
    here.limit(0.4 * here.scene.limit_kw, lasts_s=4)
    here.wait_until(here.now_s() + 4)


def test_no_fault_lets_the_site_pass_its_limit_or_costs_a_watt_hour(
    tmp_path: Path, postgres_server: str, amqp_url: str
) -> None:
    scene = around_a_fault(FIRST_S, down_s=LAST_S - FIRST_S, after_s=0)
    trial = Trial("a bad minute", scene, a_bad_minute)
    result = try_out(trial, Servers(postgres_server, amqp_url), tmp_path, random.Random(1))
    assert result.failures == (), result
    assert result.tracebacks == 0
    assert [spell.name for spell in result.spells] == [name for name, _ in FAULTS]
    assert result.books.transactions == len(scene.stays)
