"""The composition root: the only module that names concrete adapters, the CSMS and the simulator."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette

from csms.app import Csms
from csms.events.bus import InProcessBus
from csms.settings import load_settings as load_csms_settings
from optivgi.adherence import AdherenceSettings
from optivgi.algorithms.ladder import Ladder
from optivgi.clock import WallClock
from optivgi.cycle import CycleSettings, Ports
from optivgi.forms_file import FormsFile, load_forms
from optivgi.leadership import Leadership, LeasedLeadership, SoleLeader
from optivgi.ledger import Policy
from optivgi.limits.base_load import BaseLoad, Measures, NoBaseLoad
from optivgi.listener import Listener
from optivgi.log import SiteLog, configure
from optivgi.meter_setup import meter_source, site_meter
from optivgi.metrics import Metrics
from optivgi.model.clock import Clock
from optivgi.model.ev_config import SiteView
from optivgi.oversight_settings import OversightSettings
from optivgi.record import Observer
from optivgi.scheduler import LIMIT, Scheduler
from optivgi.settings import OptimizerSettings, load_settings
from optivgi.site_setup import site_setup
from optivgi.status import status_app
from optivgi.translation.amqp import AmqpEventSource
from optivgi.translation.amqp_lease import AmqpLease
from optivgi.translation.base import EventSource, Translation
from optivgi.translation.citrineos.adapter import CitrineOSTranslation
from optivgi.translation.citrineos.answers import Answers, AnswersByCallback, AnswersByEvents
from optivgi.translation.citrineos.callback_listener import CallbackListener
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.citrineos.history import endpoint, read_history
from optivgi.translation.citrineos.message_api import MessageAPI
from optivgi.translation.citrineos.recorded import RecordedAnswers
from optivgi.translation.http import Patience, client
from optivgi.translation.http_api import HttpApiTranslation
from optivgi.translation.inprocess import InProcessEventSource, Subscribe
from optivgi.translation.silent import SilentEventSource
from optivgi.usage import UsageSettings
from optivgi.wake import WakeSettings
from simulator.building import BuildingSpec
from simulator.fleet import Fleet
from simulator.scenario import Scenario, load_scenario
from simulator.settings import load_settings as load_simulator_settings
from simulator.trace import TraceFile
from simulator.vehicles import Vehicles

if TYPE_CHECKING:
    from optivgi.study.command import StudyOptions
    from optivgi.study.recorded import Recorded

log = logging.getLogger("optivgi.wiring")

DEFAULT_SCENARIO = "scenarios/default.json"
DATABASE = "demo.sqlite3"
"""The file of a demo's database; one that is there is used."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Embedded:
    """A CSMS in the same process: its ASGI applications and its events take the place of addresses."""

    rest: httpx.AsyncBaseTransport
    graphql: httpx.AsyncBaseTransport
    subscribe: Subscribe


@asynccontextmanager
async def optimizer(
    settings: OptimizerSettings, clock: Clock, embedded: Embedded | None = None, *observers: Observer
) -> AsyncIterator[Scheduler]:
    """A scheduler with everything that it needs, ready to `run`; leaving closes all connections."""
    site = site_setup(settings)
    async with AsyncExitStack() as stack:
        leadership = _leadership(settings, clock, embedded, stack)

        def may_command(station_id: str) -> bool:
            group = site.view.group_of(station_id)
            return group is None or leadership.leads(group)

        translation, events = await _connections(settings, site.view, clock, embedded, stack, may_command=may_command)
        stack.push_async_callback(translation.aclose)
        stack.push_async_callback(events.aclose)
        if settings.metrics_port:
            metrics = Metrics()
            metrics.serve(settings.metrics_port)
            stack.callback(metrics.close)
            observers = (*observers, metrics)
        forms = load_forms(settings.forms_file)
        if settings.forms_file is not None:
            observers = (*observers, FormsFile(settings.forms_file, forms))
        meter = site_meter(settings, clock)
        base_load: BaseLoad = NoBaseLoad() if meter is None else meter
        scheduler = Scheduler(
            Ports(translation, site.limits, _planner(settings), clock, site.sites, forms, base_load),
            events,
            settings.groups,
            site.view.group_of,
            _cycle_settings(settings),
            interval_s=settings.planning_interval_s,
            observers=(SiteLog(settings.groups), *observers),
            leadership=leadership,
        )
        if settings.status_port:
            _show_status(scheduler, settings, leadership, clock, stack)
        if site.watched is not None:
            _beside(site.watched.follow(clock, lambda: scheduler.wake(LIMIT)), stack)
        if meter is not None:
            graphql = _graphql(settings, clock, embedded, Patience(tries=1))
            stack.push_async_callback(graphql.aclose)
            source = meter_source(settings, site.registers, clock, graphql)
            meter.serve(scheduler.draws, lambda group: scheduler.wake(LIMIT, group))
            _beside(meter.follow(source), stack)
        yield scheduler


async def _connections(
    settings: OptimizerSettings,
    view: SiteView,
    clock: Clock,
    embedded: Embedded | None,
    stack: AsyncExitStack,
    *,
    may_command: Callable[[str], bool],
) -> tuple[Translation, EventSource]:
    if settings.translation == "http_api":
        return HttpApiTranslation(client(), settings.http_api_url, clock), SilentEventSource(clock)
    by_events = AnswersByEvents(clock)
    answers: Answers = by_events
    looks = settings.meter_look_s > 0
    if settings.callback_url:
        answers = await _called_back(settings.callback_url, clock, stack)
    if embedded is not None:
        events: EventSource = InProcessEventSource(
            embedded.subscribe, clock, on_answer=by_events.take, meter_values=looks
        )
    elif settings.amqp_url:
        events = AmqpEventSource(
            settings.amqp_url, clock, exchange=settings.amqp_exchange, on_answer=by_events.take, meter_values=looks
        )
    else:
        events = SilentEventSource(clock)
    graphql = _graphql(settings, clock, embedded)
    messages = MessageAPI(client(embedded.rest if embedded else None), settings.citrineos_api_url)
    recorded = None if embedded is not None else RecordedAnswers(graphql)
    translation = CitrineOSTranslation(
        view, clock, graphql, messages, answers, recorded=recorded, may_command=may_command
    )
    return translation, events


def _graphql(
    settings: OptimizerSettings, clock: Clock, embedded: Embedded | None, patience: Patience | None = None
) -> GraphQL:
    return GraphQL(
        client(embedded.graphql if embedded else None),
        endpoint(settings.hasura_url),
        clock,
        admin_secret=settings.hasura_admin_secret.get_secret_value() or None,
        patience=patience,
    )


def _leadership(
    settings: OptimizerSettings, clock: Clock, embedded: Embedded | None, stack: AsyncExitStack
) -> Leadership:
    """By leases on the broker, where there is one."""
    if embedded is not None or settings.translation != "citrineos" or not settings.amqp_url or settings.lease == "none":
        return SoleLeader()
    me = f"optimizer {socket.gethostname()} process {os.getpid()}"
    leases = {
        group: AmqpLease(settings.amqp_url, clock, f"optivgi.lead.{settings.amqp_exchange}.{group}", me)
        for group in settings.groups
    }
    for lease in leases.values():
        stack.push_async_callback(lease.aclose)
    return LeasedLeadership(leases, clock, hold_s=settings.lease_hold_s)


async def _called_back(url: str, clock: Clock, stack: AsyncExitStack) -> Answers:
    """Listens where `url` points to; on the loopback interface only, if that is where it points."""
    parts = urlsplit(url)
    answers = AnswersByCallback(clock, url)
    host = "127.0.0.1" if parts.hostname in LOOPBACK else "0.0.0.0"  # noqa: S104 - the CSMS may be another host
    listener = CallbackListener(answers, host, parts.port or 80, parts.path)
    _beside(listener.serve(), stack)
    return answers


def _show_status(
    scheduler: Scheduler,
    settings: OptimizerSettings,
    leadership: Leadership,
    clock: Clock,
    stack: AsyncExitStack,
) -> None:
    """Answers `optivgi explain`, on this machine alone. Control goes on without it if its port is taken."""
    app = status_app(scheduler.history, clock, settings.site_time_zone, leadership.standings, scheduler.ready.is_set)
    try:
        listener = Listener(app, "127.0.0.1", settings.status_port)
    except OSError as error:
        log.warning("STATUS_PORT %d is not to be had (%s): optivgi explain cannot ask", settings.status_port, error)
        return
    _beside(listener.serve(), stack)


def _beside(work: Coroutine[None, None, None], stack: AsyncExitStack) -> None:
    """Runs `work` until `stack` is left."""
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(stop)


def _planner(settings: OptimizerSettings) -> Ladder:
    return Ladder(
        settings.algorithm,
        (settings.algorithm_fallback,),
        deadline_s=settings.planning_deadline_s,
        monotonic=time.perf_counter,
    )


def _cycle_settings(settings: OptimizerSettings) -> CycleSettings:
    policy = Policy(settings.settle_s, settings.duration_s, settings.dead_band_kw)
    return CycleSettings(
        policy=policy,
        stale_hold_s=settings.stale_hold_s,
        planning_deadline_s=settings.planning_deadline_s,
        assumed_stay_s=settings.assumed_stay_hours * 3600,
        least_connectors=len(settings.station_ids) * settings.connectors_per_station,
        look_s=settings.meter_look_s,
        read_back=settings.read_back,
        reserved=settings.safe_start_reserved if settings.safe_start == "reserve" else 0,
        oversight=OversightSettings(
            AdherenceSettings(adherence_s=settings.adherence_s, settle_s=settings.settle_s),
            UsageSettings(ramp_s=settings.ramp_s, tight_s=settings.stale_hold_s),
            WakeSettings(attempts=settings.wake_attempts),
            settings.pause_policy,
            settings.overbook,
        ),
    )


@dataclass(frozen=True, slots=True)
class DemoSite:
    """Everything of a demo, in one process. Nothing moves until `scheduler` and `fleet` are run and `start` is set."""

    csms: Csms
    embedded: Embedded
    fleet: Fleet
    scheduler: Scheduler
    scenario: Scenario
    view: SiteView
    limit_kw: float
    start: asyncio.Event
    trace: TraceFile | None = None
    trace_file: Path | None = None
    """Where `trace` writes to, which it always does if there is a building: nobody else tells what that draws."""


@asynccontextmanager
async def demo_site(
    folder: Path,
    settings: OptimizerSettings,
    clock: Clock,
    scenario_file: Path | None,
    trace_file: Path | None = None,
) -> AsyncIterator[DemoSite]:
    """A CSMS on SQLite in `folder`, the chargers of a scenario, and the optimizer, connected without a broker."""
    simulated = load_simulator_settings()
    file = scenario_file or Path(simulated.scenario_file or DEFAULT_SCENARIO)
    station_ids = _stations_of(file, simulated.station_ids)
    scenario = load_scenario(file, station_ids, simulated.connectors_per_station)
    settings = settings.model_copy(
        update={"station_ids": station_ids, "callback_url": "", "translation": "citrineos", "status_port": 0}
    )
    if scenario.building is not None:
        settings = _metered(settings, scenario.building)
        trace_file = trace_file or folder / "trace.csv"
    csms_settings = load_csms_settings().model_copy(
        update={
            "database_url": f"sqlite:///{folder / DATABASE}",
            "amqp_url": "",
            "bind_host": "127.0.0.1",
            "ocpp16_port": 0,
            "hasura_admin_secret": settings.hasura_admin_secret,
            "seed_id_tags": tuple(dict.fromkeys(session.id_tag for session in scenario.sessions)),
            "station_ids": station_ids,
            "allow_unknown_stations": True,
        }
    )
    async with Csms(csms_settings, clock, listen_http=False) as csms:
        if not isinstance(csms.bus, InProcessBus):
            raise TypeError("a CSMS without a broker address has an in-process bus")
        embedded = Embedded(_in_process(csms.rest_app), _in_process(csms.graphql_app), csms.bus.subscribe)
        start = asyncio.Event()
        simulated = simulated.model_copy(
            update={
                "citrineos_ws_url": f"ws://127.0.0.1:{csms.ocpp_port}",
                "station_ids": station_ids,
                "simulator_state": "",
            }
        )
        with _traced(trace_file) as trace:
            fleet = Fleet(simulated, scenario, clock, start=start, trace=None if trace is None else trace.take)
            async with optimizer(settings, clock, embedded) as scheduler:
                site, now = site_setup(settings), clock.now()
                limits_kw = [site.limit_kw(group, now) for group in settings.groups]
                limit_kw = sum(math.inf if one is None else one for one in limits_kw)
                yield DemoSite(
                    csms, embedded, fleet, scheduler, scenario, site.view, limit_kw, start, trace, trace_file
                )


def _metered(settings: OptimizerSettings, building: BuildingSpec) -> OptimizerSettings:
    """`settings` with the scenario's meter, unless they name one."""
    if settings.meter_source != "none":
        return settings
    said = {
        "meter_source": "ocpp",
        "meter_station": building.station_id,
        "meter_measures": Measures(building.measures),
        "base_load_max_kw": building.max_kw,
        "meter_poll_s": max(settings.meter_poll_s, building.interval_s / 2),
    }
    return settings.model_copy(update=said)


def _traced(file: Path | None, state_file: str = "") -> AbstractContextManager[TraceFile | None]:
    """A trace to `file`, if any; the earlier one goes on if stations resume from `state_file`."""
    return nullcontext() if file is None else TraceFile(file, resume=state_file != "" and Path(state_file).exists())


def _in_process(app: Starlette) -> httpx.ASGITransport:
    """An application's fault is an answer with status 500 here, as it would be over a network."""
    return httpx.ASGITransport(app, raise_app_exceptions=False)


def _stations_of(file: Path, known: tuple[str, ...]) -> tuple[str, ...]:
    """`known`, or the scenario's own stations if it has others: a demo may be of any size."""
    try:
        sessions = json.loads(file.read_text(encoding="utf-8"))["sessions"]
        named = tuple(dict.fromkeys(str(session["station_id"]) for session in sessions))
    except (OSError, ValueError, LookupError, TypeError):
        return known
    return known if set(named) <= set(known) else named


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
    settings = load_csms_settings()
    configure(settings.log_level)
    clock = WallClock()

    async def work() -> None:
        async with Csms(settings, clock):
            await asyncio.Event().wait()

    await until_told(work)


async def serve_optimizer() -> None:
    """The optimizer as a service, until it is told to end."""
    settings = load_settings()
    configure(settings.log_level)
    clock = WallClock()

    async def work() -> None:
        async with optimizer(settings, clock) as scheduler:
            await scheduler.run()

    await until_told(work)


async def serve_simulator(*, stay: bool = True, trace_file: Path | None = None) -> None:
    """The chargers as a service, until it is told to end, or (without `stay`) until its scenario is over.

    What they draw is written to `trace_file`.
    """
    settings = load_simulator_settings()
    configure(settings.log_level)
    scenario = None
    if settings.scenario_file:
        scenario = load_scenario(settings.scenario_file, settings.station_ids, settings.connectors_per_station)
    with _traced(trace_file, settings.simulator_state) as trace:
        fleet = Fleet(settings, scenario, WallClock(), trace=None if trace is None else trace.take)

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(fleet.run())
                if not stay:
                    await fleet.done.wait()
                    running.cancel()

        await until_told(work)


def study(options: StudyOptions) -> int:
    """Replays sessions on the simulator's physics; the command's exit code."""
    from optivgi.plot import study as pictures  # noqa: PLC0415 - matplotlib, for this command only
    from optivgi.study import command as study_command  # noqa: PLC0415 - processes and files, likewise

    return study_command.run(options, Vehicles.that_need, read_csms=_recorded, draw=pictures.save)


def _recorded(url: str) -> Recorded:
    """All sessions that the CSMS behind a GraphQL address ever recorded, with the powers that the settings state."""
    from optivgi.study.recorded import Powers, recorded_sessions  # noqa: PLC0415 - for this command only

    settings = load_settings()
    site = settings.site_view()

    def powers(station_id: str, connector_id: int) -> Powers:
        ev = site.ev(station_id, connector_id)
        return Powers(ev.min_kw, ev.max_kw, len(ev.phases))

    secret = settings.hasura_admin_secret.get_secret_value()
    history = asyncio.run(read_history(url, secret, clock=WallClock(), since=BEGINNING))
    return recorded_sessions(history, powers)
