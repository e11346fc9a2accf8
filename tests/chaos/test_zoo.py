"""Faulty stations on a whole site in one process: what is to come of each fault does come of it.

`python -m bench.chaos --zoo` plays them one by one and prints what they did.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.chaos.menagerie import play
from bench.chaos.zoo import EXPECTED, LATER, file_of, names, outcomes, shortcomings
from optivgi.oversight_settings import PausePolicy
from optivgi.wiring import DATABASE

pytestmark = pytest.mark.e2e


@pytest.fixture
def folder(tmp_path: Path, sqlite_template: Path) -> Path:
    """A folder with the database as the site will find it."""
    shutil.copy(sqlite_template, tmp_path / DATABASE)
    return tmp_path


def test_every_scenario_of_the_zoo_has_an_expectation() -> None:
    assert set(names()) == set(EXPECTED)


def test_the_documentation_states_the_outcome_of_every_fault() -> None:
    documented = (Path(__file__).parents[2] / "docs/chaos.md").read_text(encoding="utf-8")
    assert "\n".join(outcomes()) in documented, "python -m bench.chaos --outcomes"


@pytest.mark.quiet
@pytest.mark.parametrize("name", EXPECTED)
def test_a_fault_has_the_stated_outcome(name: str, folder: Path) -> None:
    seen = play(file_of(name), folder, EXPECTED[name].settings)
    assert not shortcomings(name, seen), seen.told()


@pytest.mark.quiet
@pytest.mark.parametrize("policy", [PausePolicy.MINIMUM, PausePolicy.STOP])
def test_only_policy_ends_the_transaction_of_an_ev_that_cannot_be_paused(policy: PausePolicy, folder: Path) -> None:
    """The site has no room for anybody's minimum, and the fourth station charges on at 0."""
    changes = {"site_power_limit_kw": {"": 1.4}, "pause_policy": policy}
    seen = play(file_of("ignores_zero"), folder, changes)
    begin = seen.began.timestamp()
    late_kw = seen.truth.mean_kw(begin + LATER[0], begin + LATER[1], ("OPTIVGI-STATION-04", 1))
    assert late_kw == (0.0 if policy is PausePolicy.STOP else pytest.approx(1.44, abs=0.01)), seen.told()
