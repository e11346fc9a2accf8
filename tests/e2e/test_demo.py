"""The demo as a newcomer runs it: one command, six EVs, one limit, a verdict and a picture."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from optivgi.demo import DemoOptions, run
from optivgi.errors import OptiVGIError
from optivgi.settings import load_settings
from tests.e2e.conftest import ScenarioFile

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).parents[2]
OPTIVGI = Path(sys.executable).with_name("optivgi")
PATIENCE_S = 150.0
MEMORY_LIMIT_MB = 250
"""An undisturbed run takes 219; the rest is what a busy machine adds."""


def plain_environment() -> dict[str, str]:
    """Nothing but what a shell needs: no setting of optivgi."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def command(folder: Path, *options: str) -> list[str]:
    """`optivgi demo`, with its picture and its facts in a folder."""
    return [str(OPTIVGI), "demo", "--plot", str(folder / "plot.png"), "--json", str(folder / "facts.json"), *options]


def facts_in(folder: Path) -> dict[str, Any]:
    facts = folder / "facts.json"
    return json.loads(facts.read_text()) if facts.exists() else {}


def run_demo(folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Runs `optivgi demo` in an environment without settings; returns the process and its JSON."""
    process = subprocess.run(
        command(folder, *options),
        cwd=REPOSITORY,
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return process, facts_in(folder)


@dataclass(frozen=True)
class Run:
    """What is left of a demo that has ended; its picture is `plot.png` in the folder."""

    code: int
    output: str
    facts: dict[str, Any]
    peak_mb: float
    folder: Path


@pytest.fixture(scope="module")
def default_demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`make demo` without a word more, its memory watched."""
    folder = tmp_path_factory.mktemp("demo")
    peak_mb = 0.0
    with (
        (folder / "output.log").open("wb") as output,
        subprocess.Popen(
            command(folder), cwd=REPOSITORY, env=plain_environment(), stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        ends = time.monotonic() + PATIENCE_S
        while process.poll() is None and time.monotonic() < ends:
            peak_mb = max(peak_mb, peak_memory_mb(process.pid))
            time.sleep(0.05)
        process.kill()
    return Run(process.returncode, (folder / "output.log").read_text(), facts_in(folder), peak_mb, folder)


def kilowatts(facts: dict[str, Any]) -> list[tuple[datetime, float]]:
    """The metered sums of all instants with all samples."""
    metered = facts["site"]["metered"]
    return [(datetime.fromisoformat(one["at"]), one["kw"]) for one in metered if one["kw"] is not None]


def test_the_default_demo_gives_six_equal_evs_five_kilowatts_each_and_stays_under_the_limit(default_demo: Run) -> None:
    facts = default_demo.facts
    assert default_demo.code == 0, default_demo.output
    assert "Result: 5/5 checks passed -- PASS" in default_demo.output
    assert "CURTAILMENT ON — 6 EVs requesting 43.2 kW, site limit 30.0 kW" in default_demo.output
    assert [check["passed"] for check in facts["checks"]] == [True] * 5
    assert max(power_kw for _, power_kw in kilowatts(facts)) <= 30.0
    assert (default_demo.folder / "plot.png").read_bytes()[:4] == b"\x89PNG"
    last_start = max(datetime.fromisoformat(ev["start"]) for ev in facts["evs"])
    first_end = min(datetime.fromisoformat(ev["end"]) for ev in facts["evs"])
    settled = last_start + timedelta(seconds=60)
    assert len(facts["evs"]) == 6
    for ev in facts["evs"]:
        steps = [(datetime.fromisoformat(step["at"]), step["kw"]) for step in ev["allocated"]]
        allowed = [[kw for at, kw in steps if at <= settled][-1], *(kw for at, kw in steps if settled < at < first_end)]
        assert all(4.8 <= allowed_kw <= 5.2 for allowed_kw in allowed), (ev["station_id"], allowed)
    together = [power_kw for at, power_kw in kilowatts(facts) if settled <= at < first_end]
    assert together
    assert min(together) >= 0.98 * 30.0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of the memory from /proc")
def test_the_default_demo_stays_small(default_demo: Run) -> None:
    assert 0 < default_demo.peak_mb < MEMORY_LIMIT_MB, default_demo.output


def peak_memory_mb(pid: int) -> float:
    """The most that the process had in memory so far; 0 when it has ended, or is not yet the program it will be."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return 0.0
    if b"demo" not in words:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)


def test_another_algorithm_passes_too(tmp_path: Path, scenario_file: ScenarioFile) -> None:
    scenario = scenario_file(evs=6, every_s=10, stay_s=150)
    process, facts = run_demo(tmp_path, "--algorithm", "pulp", "--speed", "90", "--scenario", scenario)
    assert process.returncode == 0, process.stdout + process.stderr
    assert max(power_kw for _, power_kw in kilowatts(facts)) <= 30.0


def test_all_evs_at_once_never_pass_the_limit(tmp_path: Path) -> None:
    process, facts = run_demo(tmp_path, "--scenario", "scenarios/all_at_once.json", "--speed", "90")
    assert process.returncode == 0, process.stdout + process.stderr
    assert max(power_kw for _, power_kw in kilowatts(facts)) <= 30.0


def test_without_curtailment_the_verdict_is_fail(tmp_path: Path, scenario_file: ScenarioFile) -> None:
    scenario = scenario_file(evs=6, every_s=10, stay_s=150)
    process, facts = run_demo(tmp_path, "--limit", "100", "--speed", "90", "--scenario", scenario)
    assert process.returncode == 1
    failed = [check["number"] for check in facts["checks"] if not check["passed"]]
    assert failed == [4], "a site with room for all has nothing to curtail"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (DemoOptions(limit_kw=-3), "--limit is -3"),
        (DemoOptions(limit_kw=math.nan), "--limit is nan"),
        (DemoOptions(speed=0), "speed is 0"),
    ],
)
def test_a_senseless_number_is_named(options: DemoOptions, said: str) -> None:
    with pytest.raises(OptiVGIError, match=said):
        run(options, load_settings(None))


@pytest.mark.parametrize("options", [["--scenario", "no-such.json"], ["--algorithm", "magic"]])
def test_a_senseless_option_is_named_and_the_command_exits_2(tmp_path: Path, options: list[str]) -> None:
    process, _ = run_demo(tmp_path, *options)
    assert process.returncode == 2
    assert options[1] in process.stderr
    assert "Traceback" not in process.stderr


def test_evs_and_a_building_stay_under_the_grid_limit_together(tmp_path: Path) -> None:
    """The building jumps at seconds 120 and 270; its meter tells so every 5 s and is read every 2.5 s."""
    trace = tmp_path / "trace.csv"
    process, facts = run_demo(tmp_path, "--scenario", "scenarios/building.json", "--speed", "30", "--trace", str(trace))
    assert process.returncode == 0, process.stdout + process.stderr
    assert "Check 6: Truth within limit" in process.stdout
    assert [check["passed"] for check in facts["checks"]] == [True] * 6
    totals = total_kw(trace)
    over = [second for second, kw in totals if kw > 30.0001]
    assert over
    assert all(119.9 <= second <= 132 or 269.9 <= second <= 282 for second in over)


def total_kw(trace: Path) -> list[tuple[float, float]]:
    """What flows through the grid connection at each change, by seconds since the building began."""
    rows = [line.split(",") for line in trace.read_text().splitlines()[1:]]
    ordered = sorted((float(t), station_id, connector, float(kw)) for t, station_id, connector, kw in rows)
    begin = min(t for t, _, connector, _ in ordered if connector == "0")
    drawn: dict[tuple[str, str], float] = {}
    totals: dict[float, float] = {}
    for t, station_id, connector, kw in ordered:
        drawn[station_id, connector] = kw
        totals[t - begin] = sum(drawn.values())
    return list(totals.items())
