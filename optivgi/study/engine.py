"""Runs replays: one after the other, on this machine's processors, or on a Dask cluster. The results are the same."""

from __future__ import annotations

import importlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager

from optivgi.errors import SettingsError
from optivgi.study.replay import Replay, replay
from optivgi.study.task import Task

OnDone = Callable[[Task], None]
Submit = Callable[[int], Future[Replay]]
"""Begins the replay of the task with that number."""


def run_all(
    tasks: Sequence[Task],
    *,
    jobs: int = 1,
    dask: str = "",
    dask_timeout_s: float = 10.0,
    on_done: OnDone = lambda _: None,
) -> list[Replay | None]:
    """The replay of each task, in the order of the tasks; `on_done` is called after each.

    An interrupt (Ctrl-C) ends it: None stands for what was not done by then.
    """
    if not dask and min(jobs, len(tasks)) <= 1:
        return _one_by_one(tasks, on_done)
    futures: list[Future[Replay]] = []
    try:
        with _cluster(tasks, dask, dask_timeout_s) if dask else _processes(tasks, min(jobs, len(tasks))) as submit:
            futures += map(submit, range(len(tasks)))
            task_of = dict(zip(futures, tasks, strict=True))
            for future in as_completed(futures):
                future.result()
                on_done(task_of[future])
    except KeyboardInterrupt:
        done = [one.result() if one.done() and not one.cancelled() and not one.exception() else None for one in futures]
        return done + [None] * (len(tasks) - len(done))
    return [future.result() for future in futures]


def _one_by_one(tasks: Sequence[Task], on_done: OnDone) -> list[Replay | None]:
    done: list[Replay | None] = []
    try:
        for task in tasks:
            done.append(replay(task))
            on_done(task)
    except KeyboardInterrupt:
        done += [None] * (len(tasks) - len(done))
    return done


@contextmanager
def _processes(tasks: Sequence[Task], jobs: int) -> Iterator[Submit]:
    """Fresh processes: a copy of this one could hold another thread's lock for ever. An exception ends them at once.

    They are given all tasks when they start and numbers later: until Python 3.12 a pool whose processes end while their
    queue holds more than a pipe does waits for ever.
    """
    others = multiprocessing.active_children()
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=fresh, initializer=_begin, initargs=(tuple(tasks),)) as executor:
        try:
            yield lambda number: executor.submit(_replay_number, number)
        except BaseException:
            for child in multiprocessing.active_children():
                if child not in others:
                    child.terminate()
            raise


_tasks: tuple[Task, ...] = ()
"""In a process of the pool: everything that there is to do."""


def _begin(tasks: tuple[Task, ...]) -> None:
    """Ctrl-C reaches every process of a terminal: here the one that shares out the work decides what follows."""
    global _tasks  # noqa: PLW0603 - what a pool's process is given has no other place
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _tasks = tasks


def _replay_number(number: int) -> Replay:
    return replay(_tasks[number])


@contextmanager
def _cluster(tasks: Sequence[Task], address: str, timeout_s: float) -> Iterator[Submit]:
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
        futures: list[Future[Replay]] = []

        def submit(number: int) -> Future[Replay]:
            futures.append(executor.submit(replay, tasks[number]))
            return futures[-1]

        try:
            yield submit
        except BaseException:
            for future in futures:
                future.cancel()
            raise
