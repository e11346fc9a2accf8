"""`optivgi doctor`: does every configured service answer, do the files make sense, and what to do if not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optivgi.clock import WallClock
from optivgi.limits.registers import Register
from optivgi.limits.schedule_file import ScheduledLimit
from optivgi.limits.site_file import load_site
from optivgi.meter_setup import meter_source
from optivgi.model.clock import Clock
from optivgi.settings import OptimizerSettings, load_settings
from optivgi.site_meter.first_reading import FirstReading
from optivgi.site_setup import site_setup
from optivgi.translation import probes
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.citrineos.history import endpoint
from optivgi.translation.http import Patience
from optivgi.translation.probes import Diagnosis, Probe

HEALTHY, SICK = 0, 1
METER_TIMEOUT_S = 4.0


def probes_for(settings: OptimizerSettings, clock: Clock, ocpp_url: str = "") -> list[Probe]:
    """What the optimizer needs with these settings, and where charging stations connect if `ocpp_url` is given."""
    if settings.translation == "http_api":
        return [probes.http_api(settings.http_api_url)]
    secret = settings.hasura_admin_secret.get_secret_value()
    asked = [probes.rest(settings.citrineos_api_url), probes.graphql(settings.hasura_url, secret, clock)]
    if settings.amqp_url:
        asked.append(probes.amqp(settings.amqp_url))
    if settings.http_api_url:
        asked.append(probes.http_api(settings.http_api_url))
    if ocpp_url:
        asked.append(probes.websocket(ocpp_url))
    return asked


def file_probes(settings: OptimizerSettings) -> list[Probe]:
    """The files that the settings name, each read as the optimizer reads it."""
    view, asked = settings.site_view(), []
    if (site_file := settings.site_file) is not None:

        async def read_site() -> str:
            site = await asyncio.to_thread(load_site, site_file, view)
            circuits = sum(len(tree.circuits) for tree in site.trees.values())
            return f"makes sense: circuits {circuits}, EVSEs {len(site.evses)}"

        asked.append(Probe("Site file", str(site_file), "mend it, or set SITE_FILE (empty for one circuit)", read_site))
    if (schedule := settings.limit_schedule_file) is not None:

        async def read_schedule() -> str:
            await asyncio.to_thread(ScheduledLimit.load, schedule, view.zone, settings.groups)
            return "makes sense"

        remedy = "mend it, or set LIMIT_SCHEDULE_FILE (empty for none)"
        asked.append(Probe("Limit schedule", str(schedule), remedy, read_schedule))
    return asked


def meter_probe(
    settings: OptimizerSettings, registers: tuple[Register, ...], clock: Clock, timeout_s: float = METER_TIMEOUT_S
) -> list[Probe]:
    """The site meter, if there is one: what it shows now. Raises SettingsError if it is not described well enough."""
    if settings.meter_source == "none":
        return []

    async def ask() -> str:
        secret = settings.hasura_admin_secret.get_secret_value() or None
        async with httpx.AsyncClient() as http:
            graphql = GraphQL(
                http, endpoint(settings.hasura_url), clock, admin_secret=secret, patience=Patience(tries=1)
            )
            first = FirstReading()
            following = asyncio.create_task(meter_source(settings, registers, clock, graphql).follow(first))
            try:
                reading = await first.wait(timeout_s)
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
        phases = "" if reading.amps is None else f", {', '.join(f'{amps:.1f} A' for amps in reading.amps)}"
        return f"shows {reading.kw:.2f} kW{phases}: is that what {settings.meter_measures} draws?"

    address = settings.meter_url or settings.meter_station
    return [Probe("Site meter", address, "check METER_URL and the other METER_ settings (docs/site-meter.md)", ask)]


async def checkup(
    settings: OptimizerSettings, clock: Clock, *, ocpp_url: str = "", more: Sequence[Probe] = ()
) -> tuple[Diagnosis, ...]:
    """Asks all services at once. `more` are those that only the caller knows, such as the CSMS's database."""
    return await probes.examine([*probes_for(settings, clock, ocpp_url), *file_probes(settings), *more])


def show(diagnoses: Sequence[Diagnosis], console: Console) -> int:
    """Prints a table, and what to do about each service that does not answer; the exit code: 0, or 1 if any does not."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "Service", "Address"):
        table.add_column(column, no_wrap=True)
    table.add_column("Found", overflow="fold")
    for one in diagnoses:
        mark = Text("ok", style="green") if one.healthy else Text("FAILS", style="bold red")
        table.add_row(mark, one.service, Text(one.address), Text(one.detail))
    console.print(table)
    sick = [one for one in diagnoses if not one.healthy]
    for one in sick:
        console.print(Text.assemble((f"{one.service}: ", "bold"), one.remedy), soft_wrap=True)
    if not sick:
        console.print("Every configured service answers, and every file makes sense.")
    return SICK if sick else HEALTHY


def main() -> int:
    """The command: examines what the settings of all three programs name; returns the exit code.

    The database only counts where DATABASE_URL is set, because it concerns nobody but a CSMS on this host.
    """
    from csms.settings import load_settings as load_csms_settings  # noqa: PLC0415 - only this command knows all three
    from simulator.settings import load_settings as load_simulator_settings  # noqa: PLC0415

    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    csms = load_csms_settings()
    more = [probes.database(csms.database_url)] if "database_url" in csms.model_fields_set else []
    settings, clock = load_settings(), WallClock()
    more += meter_probe(settings, site_setup(settings).registers, clock)
    ocpp_url = load_simulator_settings().citrineos_ws_url
    diagnoses = asyncio.run(checkup(settings, clock, ocpp_url=ocpp_url, more=more))
    return show(diagnoses, Console(highlight=False))
