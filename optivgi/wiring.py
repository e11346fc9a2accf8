"""Optimizer, CSMS and chargers in one process: the only module where all three meet."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx
from starlette.applications import Starlette

from csms.app import Csms
from csms.events.bus import InProcessBus
from csms.settings import load_settings as load_csms_settings
from optivgi.limits.base_load import Measures
from optivgi.model.clock import Clock
from optivgi.model.ev_config import SiteView
from optivgi.optimizer import Embedded, optimizer
from optivgi.record import Observer
from optivgi.scheduler import Scheduler
from optivgi.settings import OptimizerSettings
from optivgi.site_setup import site_setup
from simulator.building import BuildingSpec
from simulator.fleet import Fleet
from simulator.scenario import Scenario, load_scenario
from simulator.settings import load_settings as load_simulator_settings
from simulator.trace import TraceFile

DEFAULT_SCENARIO = "scenarios/default.json"
DATABASE = "demo.sqlite3"
"""The file of a demo's database; one that is there is used."""


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
    *observers: Observer,
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
        with nullcontext() if trace_file is None else TraceFile(trace_file) as trace:
            fleet = Fleet(simulated, scenario, clock, start=start, trace=None if trace is None else trace.take)
            async with optimizer(settings, clock, embedded, *observers) as scheduler:
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
