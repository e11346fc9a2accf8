"""The optimizer's composition: the only module that names its concrete adapters."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from optivgi.adherence import AdherenceSettings
from optivgi.algorithms.ladder import Ladder
from optivgi.cycle import CycleSettings, Ports
from optivgi.forms_file import FormsFile, load_forms
from optivgi.leadership import Leadership, LeasedLeadership, SoleLeader
from optivgi.ledger import Policy
from optivgi.limits.base_load import BaseLoad, NoBaseLoad
from optivgi.listener import Listener
from optivgi.log import SiteLog
from optivgi.meter_setup import meter_source, site_meter
from optivgi.metrics import Metrics
from optivgi.model.clock import Clock
from optivgi.model.ev_config import SiteView
from optivgi.oversight_settings import OversightSettings
from optivgi.record import Observer
from optivgi.scheduler import LIMIT, Scheduler
from optivgi.settings import OptimizerSettings
from optivgi.site_setup import site_setup
from optivgi.status import status_app
from optivgi.translation.amqp import AmqpEventSource
from optivgi.translation.amqp_lease import AmqpLease
from optivgi.translation.base import EventSource, Translation
from optivgi.translation.citrineos.adapter import CitrineOSTranslation
from optivgi.translation.citrineos.answers import Answers, AnswersByCallback, AnswersByEvents
from optivgi.translation.citrineos.callback_listener import CallbackListener
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.citrineos.history import endpoint
from optivgi.translation.citrineos.message_api import MessageAPI
from optivgi.translation.citrineos.recorded import RecordedAnswers
from optivgi.translation.http import Patience, client
from optivgi.translation.http_api import HttpApiTranslation
from optivgi.translation.inprocess import InProcessEventSource, Subscribe
from optivgi.translation.silent import SilentEventSource
from optivgi.usage import UsageSettings
from optivgi.wake import WakeSettings

log = logging.getLogger("optivgi.optimizer")

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
