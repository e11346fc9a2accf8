"""The demo as a newcomer runs it: one command, six EVs, one limit, a verdict and a picture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).parents[2]
OPTIVGI = Path(sys.executable).with_name("optivgi")
MEMORY_LIMIT_MB = 250
"""An undisturbed run takes 219; the rest is what a busy machine adds."""


def plain_environment() -> dict[str, str]:
    """Nothing but what a shell needs: no setting of optivgi."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def run_demo(folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Runs `optivgi demo` in an environment without settings; returns the process and its JSON."""
    facts = folder / "facts.json"
    command = [str(OPTIVGI), "demo", "--plot", str(folder / "plot.png"), "--json", str(facts), *options]
    process = subprocess.run(
        command, cwd=REPOSITORY, env=plain_environment(), capture_output=True, text=True, timeout=150, check=False
    )
    return process, json.loads(facts.read_text()) if facts.exists() else {}


def kilowatts(facts: dict[str, Any]) -> list[tuple[datetime, float]]:
    """The metered sums of all instants with all samples."""
    metered = facts["site"]["metered"]
    return [(datetime.fromisoformat(one["at"]), one["kw"]) for one in metered if one["kw"] is not None]


def test_the_default_demo_gives_six_equal_evs_five_kilowatts_each_and_stays_under_the_limit(tmp_path: Path) -> None:
    process, facts = run_demo(tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "Result: 5/5 checks passed -- PASS" in process.stdout
    assert "CURTAILMENT ON — 6 EVs requesting 43.2 kW, site limit 30.0 kW" in process.stdout
    assert [check["passed"] for check in facts["checks"]] == [True] * 5
    assert max(power_kw for _, power_kw in kilowatts(facts)) <= 30.0
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"
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
def test_the_default_demo_stays_small(tmp_path: Path) -> None:
    with (tmp_path / "output.log").open("wb") as output:
        command = [str(OPTIVGI), "demo", "--speed", "120", "--plot", str(tmp_path / "plot.png")]
        with subprocess.Popen(
            command, cwd=REPOSITORY, env=plain_environment(), stdout=output, stderr=subprocess.STDOUT
        ) as process:
            peak_mb = 0.0
            while process.poll() is None:
                peak_mb = max(peak_mb, peak_memory_mb(process.pid))
                time.sleep(0.05)
    assert 0 < peak_mb < MEMORY_LIMIT_MB, (tmp_path / "output.log").read_text()


def peak_memory_mb(pid: int) -> float:
    """The most that the process had in memory so far; 0 when it has ended, or is not yet the program it will be."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return 0.0
    if b"demo" not in command.split(b"\0"):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)


def test_another_algorithm_passes_too(tmp_path: Path) -> None:
    process, facts = run_demo(tmp_path, "--algorithm", "pulp", "--speed", "90")
    assert process.returncode == 0, process.stdout + process.stderr
    assert max(power_kw for _, power_kw in kilowatts(facts)) <= 30.0


def test_all_evs_at_once_never_pass_the_limit(tmp_path: Path) -> None:
    process, facts = run_demo(tmp_path, "--scenario", "scenarios/all_at_once.json")
    assert process.returncode == 0, process.stdout + process.stderr
    assert max(power_kw for _, power_kw in kilowatts(facts)) <= 30.0


def test_without_curtailment_the_verdict_is_fail(tmp_path: Path) -> None:
    process, facts = run_demo(tmp_path, "--limit", "100", "--speed", "90")
    assert process.returncode == 1
    failed = [check["number"] for check in facts["checks"] if not check["passed"]]
    assert failed == [4], "a site with room for all has nothing to curtail"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit", "-3"], "--limit is -3"),
        (["--limit", "nan"], "--limit is nan"),
        (["--speed", "0"], "speed is 0"),
        (["--scenario", "no-such.json"], "no-such.json"),
        (["--algorithm", "magic"], "magic"),
    ],
)
def test_a_senseless_option_is_named_and_exits_2(tmp_path: Path, options: list[str], said: str) -> None:
    process, _ = run_demo(tmp_path, *options)
    assert process.returncode == 2
    assert said in process.stderr
    assert "Traceback" not in process.stderr
