"""`optivgi doctor`: does every configured service answer, and what to do about those that do not."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from optivgi.model.clock import Clock
from optivgi.settings import OptimizerSettings
from optivgi.translation import probes
from optivgi.translation.probes import Diagnosis, Probe

HEALTHY, SICK = 0, 1


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


async def checkup(
    settings: OptimizerSettings, clock: Clock, *, ocpp_url: str = "", more: Sequence[Probe] = ()
) -> tuple[Diagnosis, ...]:
    """Asks all services at once. `more` are those that only the caller knows, such as the CSMS's database."""
    return await probes.examine([*probes_for(settings, clock, ocpp_url), *more])


def show(diagnoses: Sequence[Diagnosis], console: Console) -> int:
    """Prints a table, and what to do about each service that does not answer; the exit code: 0, or 1 if any does not."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "Service", "Address", "Found"):
        table.add_column(column, overflow="fold")
    for one in diagnoses:
        mark = Text("ok", style="green") if one.healthy else Text("FAILS", style="bold red")
        table.add_row(mark, one.service, Text(one.address), Text(one.detail))
    console.print(table)
    sick = [one for one in diagnoses if not one.healthy]
    for one in sick:
        console.print(Text.assemble((f"{one.service}: ", "bold"), one.remedy), soft_wrap=True)
    if not sick:
        console.print("Every configured service answers.")
    return SICK if sick else HEALTHY
