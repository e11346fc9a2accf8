"""However many processes or machines replay, the results are the same."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from optivgi.errors import SettingsError
from optivgi.study.engine import run_all
from optivgi.study.generator import generate
from optivgi.study.replay import Replay, replay
from optivgi.study.session import stretches
from optivgi.study.task import Task
from tests.study.days import limit, task


def some_tasks() -> list[Task]:
    sessions = generate("workplace", 6, days=3, seed=3, zone=ZoneInfo("UTC"))
    return [task(part, limit((0.0, 12.0)), name) for name in ("llf", "fair") for part in stretches(sessions)]


def facts(replays: Sequence[Replay | None]) -> list[list[list[float]]]:
    """Everything but how long it took."""
    names = ("delivered_kwh", "possible_kwh", "pauses", "start_s", "energy_kwh", "high_kw")
    return [[getattr(one, name).tolist() for name in names] for one in replays]


def test_two_processes_tell_the_same_as_one() -> None:
    tasks, seen = some_tasks(), []

    alone = run_all(tasks, on_done=lambda _: seen.append(1))
    together = run_all(tasks, jobs=2, on_done=lambda _: seen.append(2))

    assert facts(together) == facts(alone)
    assert seen == [1] * len(tasks) + [2] * len(tasks)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_keeps_what_is_done(jobs: int) -> None:
    tasks, seen = some_tasks(), []

    def interrupted(task: Task) -> None:
        seen.append(task)
        if len(seen) == 2:
            raise KeyboardInterrupt

    done = run_all(tasks, jobs=jobs, on_done=interrupted)

    assert len(done) == len(tasks)
    assert sum(one is not None for one in done) >= 2
    assert multiprocessing.active_children() == []
    for one in seen:
        assert facts([done[tasks.index(one)]]) == facts([replay(one)])


def test_what_fails_in_a_process_is_raised_here() -> None:
    broken = [replace(one, algorithm="nope") for one in some_tasks()[:2]]

    with pytest.raises(SettingsError, match="algorithm is 'nope'"):
        run_all(broken, jobs=2)


def test_without_dask_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(SettingsError, match=r"pip install 'optivgi\[study\]'"):
        run_all(some_tasks(), dask="tcp://127.0.0.1:8786")


@pytest.fixture
def dask_scheduler() -> Iterator[str]:
    """The address of a Dask scheduler with one worker, both in processes of their own."""
    script = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, host='127.0.0.1') as cluster:\n"
        "        print(cluster.scheduler_address, flush=True)\n"
        "        input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate("\n")


@pytest.mark.dask
def test_a_dask_cluster_tells_the_same(dask_scheduler: str) -> None:
    tasks = some_tasks()

    assert facts(run_all(tasks, dask=dask_scheduler)) == facts(run_all(tasks))


@pytest.mark.dask
def test_a_scheduler_that_does_not_answer_is_named() -> None:
    with pytest.raises(SettingsError, match=r"tcp://127\.0\.0\.1:9"):
        run_all(some_tasks(), dask="tcp://127.0.0.1:9", dask_timeout_s=0.3)


def test_nothing_to_do_is_done() -> None:
    assert run_all([], jobs=4) == []
    assert np.array(facts([])).size == 0
