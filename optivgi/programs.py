"""What the commands run, each as a process that loads nothing but its own parts: it starts sooner and stays smaller."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from optivgi.clock import WallClock
from optivgi.log import configure

if TYPE_CHECKING:
    from optivgi.study.command import StudyOptions
    from optivgi.study.recorded import Recorded

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


async def until_told(work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work` until it ends or the process gets SIGTERM or SIGINT, which cancels it."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, told.set)
    working = asyncio.ensure_future(work())
    waiting = asyncio.ensure_future(told.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not working.done():
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
        else:
            working.result()
    finally:
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(sign)


async def serve_csms() -> None:
    """The CSMS as a service, until it is told to end."""
    from csms.app import Csms
    from csms.settings import load_settings

    settings = load_settings()
    configure(settings.log_level)
    clock = WallClock()

    async def work() -> None:
        async with Csms(settings, clock):
            await asyncio.Event().wait()

    await until_told(work)


async def serve_optimizer() -> None:
    """The optimizer as a service, until it is told to end."""
    from optivgi.optimizer import optimizer
    from optivgi.settings import load_settings

    settings = load_settings()
    configure(settings.log_level)
    clock = WallClock()

    async def work() -> None:
        async with optimizer(settings, clock) as scheduler:
            await scheduler.run()

    await until_told(work)


async def serve_simulator(*, stay: bool = True, trace_file: Path | None = None) -> None:
    """The chargers as a service, until it is told to end, or (without `stay`) until its scenario is over.

    What they draw is written to `trace_file`, after what is there if the stations resume from a state.
    """
    from simulator.fleet import Fleet
    from simulator.scenario import load_scenario
    from simulator.settings import load_settings
    from simulator.trace import TraceFile

    settings = load_settings()
    configure(settings.log_level)
    scenario = None
    if settings.scenario_file:
        scenario = load_scenario(settings.scenario_file, settings.station_ids, settings.connectors_per_station)
    resume = _resumes(settings.simulator_state)
    with nullcontext() if trace_file is None else TraceFile(trace_file, resume=resume) as trace:
        fleet = Fleet(settings, scenario, WallClock(), trace=None if trace is None else trace.take)

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(fleet.run())
                if not stay:
                    await fleet.done.wait()
                    running.cancel()

        await until_told(work)


def _resumes(state_file: str) -> bool:
    return state_file != "" and Path(state_file).exists()


def study(options: StudyOptions) -> int:
    """Replays sessions on the simulator's physics; the command's exit code."""
    from optivgi.plot import study as pictures
    from optivgi.study import command as study_command
    from simulator.vehicles import Vehicles

    return study_command.run(options, Vehicles.that_need, read_csms=_recorded, draw=pictures.save)


def _recorded(url: str) -> Recorded:
    """All sessions that the CSMS behind a GraphQL address ever recorded, with the powers that the settings state."""
    from optivgi.settings import load_settings
    from optivgi.study.recorded import Powers, recorded_sessions
    from optivgi.translation.citrineos.history import read_history

    settings = load_settings()
    site = settings.site_view()

    def powers(station_id: str, connector_id: int) -> Powers:
        ev = site.ev(station_id, connector_id)
        return Powers(ev.min_kw, ev.max_kw, len(ev.phases))

    secret = settings.hasura_admin_secret.get_secret_value()
    history = asyncio.run(read_history(url, secret, clock=WallClock(), since=BEGINNING))
    return recorded_sessions(history, powers)
