"""Runs replays: one after the other, on this machine's processors, or on a Dask cluster. The results are the same."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager

from optivgi.errors import SettingsError
from optivgi.study.replay import Replay, replay
from optivgi.study.task import Task

OnDone = Callable[[], None]


def run_all(
    tasks: Sequence[Task],
    *,
    jobs: int = 1,
    dask: str = "",
    dask_timeout_s: float = 10.0,
    on_done: OnDone = lambda: None,
) -> list[Replay]:
    """The replay of each task, in the order of the tasks; `on_done` is called after each."""
    if not dask and min(jobs, len(tasks)) <= 1:
        return [_followed(task, on_done) for task in tasks]
    with _cluster(dask, dask_timeout_s) if dask else _processes(min(jobs, len(tasks))) as executor:
        futures = [executor.submit(replay, task) for task in tasks]
        try:
            for future in as_completed(futures):
                future.result()
                on_done()
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return [future.result() for future in futures]


def _followed(task: Task, on_done: OnDone) -> Replay:
    result = replay(task)
    on_done()
    return result


@contextmanager
def _processes(jobs: int) -> Iterator[Executor]:
    """Fresh processes: a copy of this one could hold another thread's lock for ever."""
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@contextmanager
def _cluster(address: str, timeout_s: float) -> Iterator[Executor]:
    """The workers of a Dask scheduler, on which optivgi must be installed in the same version."""
    try:
        distributed = importlib.import_module("distributed")
    except ImportError:
        raise SettingsError(
            f"--dask is {address!r}, but Dask is not installed: pip install 'optivgi[study]', or leave --dask out"
        ) from None
    try:
        client = distributed.Client(address, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise SettingsError(
            f"--dask is {address!r}, where no scheduler answers ({error}): start one with `dask scheduler`, "
            "and name it as tcp://HOST:8786"
        ) from None
    with client, client.get_executor(pure=False) as executor:
        yield executor
