"""The `optivgi` command. Heavy modules are imported by the command that needs them, so that each starts quickly."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from optivgi.errors import OptiVGIError

app = typer.Typer(
    name="optivgi",
    help="Keeps a charging site under its power limit, fairly, through your CSMS.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

WRONG_INPUT = 2
TRACE_HELP = "Write what every connector draws, ten times a second, as CSV."
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.command()
def demo(
    scenario: Annotated[Path | None, typer.Option(help="Sessions to play (default: SCENARIO_FILE).")] = None,
    limit: Annotated[
        float | None, typer.Option(metavar="KW", help="Site limit (default: SITE_POWER_LIMIT_KW).")
    ] = None,
    algorithm: Annotated[str | None, typer.Option(help="Planning algorithm (default: ALGORITHM).")] = None,
    speed: Annotated[float, typer.Option(help="Times real time.")] = 60.0,
    plot: Annotated[Path, typer.Option(help="Where the picture goes.")] = Path("curtailment_plot.png"),
    json: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the facts as JSON; - is standard output.")
    ] = None,
    trace: Annotated[Path | None, typer.Option(metavar="FILE", help=TRACE_HELP)] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one HTML page with all that was found.")
    ] = None,
) -> None:
    """CSMS, chargers, optimizer and verifier in one process, on accelerated time."""
    from optivgi.demo import DemoOptions, run
    from optivgi.settings import load_settings

    raise typer.Exit(run(DemoOptions(scenario, limit, algorithm, speed, plot, json, trace, report), load_settings()))


@app.command()
def run() -> None:
    """The optimizer as a service."""
    from optivgi.programs import serve_optimizer

    asyncio.run(serve_optimizer())


@app.command()
def csms() -> None:
    """The bundled CSMS as a service."""
    from optivgi.programs import serve_csms

    asyncio.run(serve_csms())


@app.command()
def simulate(
    once: Annotated[bool, typer.Option("--once", help="End when the scenario is over.")] = False,
    trace: Annotated[Path | None, typer.Option(metavar="FILE", help=TRACE_HELP)] = None,
) -> None:
    """Charging stations and EVs as a service."""
    from optivgi.programs import serve_simulator

    asyncio.run(serve_simulator(stay=not once, trace_file=trace))


@app.command(context_settings=PASSED_ON)
def verify(context: typer.Context) -> None:
    """Checks over GraphQL whether the site stayed under its limit (see `optivgi verify --help`)."""
    from optivgi.verifier import main as verify_main

    raise typer.Exit(verify_main(context.args))


@app.command()
def plan(
    file: Annotated[Path, typer.Argument(help="EVs, limits and prices as JSON (docs/plan.md); - is standard input.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write a picture.")] = None,
    algorithm: Annotated[str, typer.Option(help="Planning algorithm.")] = "fair",
    compare: Annotated[
        str | None, typer.Option(metavar="all|A,B", help="Compare algorithms on the same problem instead.")
    ] = None,
) -> None:
    """Plans once what a file describes, without any service."""
    from optivgi.plan_command import PlanOptions
    from optivgi.plan_command import run as run_plan

    raise typer.Exit(run_plan(PlanOptions(file, json, plot, algorithm, compare)))


@app.command()
def study(
    file: Annotated[Path | None, typer.Argument(help="Sessions: a .csv, or ACN-Data .json (docs/study.md).")] = None,
    generate: Annotated[str, typer.Option(metavar="KIND:EVS", help="Invent: workplace, depot or public.")] = "",
    csms: Annotated[str, typer.Option(metavar="URL", help="Take what a CSMS recorded, over GraphQL.")] = "",
    days: Annotated[int, typer.Option(help="How many days to invent.")] = 1,
    seed: Annotated[int, typer.Option(help="Of what is invented and of the errors.")] = 1,
    algorithm: Annotated[str, typer.Option(metavar="A,B|all", help="Planning algorithms, or uncontrolled.")] = "fair",
    limit: Annotated[
        str, typer.Option(metavar="KW,FILE", help="Site limits, or none [150,300; none with --site].")
    ] = "",
    site: Annotated[Path | None, typer.Option(metavar="FILE", help="Circuits and EVSEs (docs/site-file.md).")] = None,
    voltage: Annotated[float, typer.Option(help="Of a phase, for limits in amperes.")] = 240.0,
    tariff: Annotated[str, typer.Option(metavar="flat[:PRICE],FILE", help="Tariffs.")] = "flat",
    departure_error_min: Annotated[
        float | None, typer.Option(help="Drivers err by this (sd) about when they leave.")
    ] = None,
    taper: Annotated[bool, typer.Option("--taper", help="EVs charge until full, with falling power.")] = False,
    replan_min: Annotated[float, typer.Option(help="Plan this often besides on every event.")] = 5.0,
    max_kw: Annotated[float, typer.Option(help="Of sessions that do not say it.")] = 7.2,
    min_kw: Annotated[float | None, typer.Option(help="Of sessions that do not say it [1.4 per phase].")] = None,
    timezone: Annotated[str, typer.Option(help="Of the site.")] = "UTC",
    jobs: Annotated[int, typer.Option(help="Processes on this machine.")] = 1,
    dask: Annotated[str, typer.Option(metavar="tcp://HOST:8786", help="A Dask scheduler, for many machines.")] = "",
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write all measures; - is standard output.")] = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write all measures; - is standard output.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="DIR", help="Write pictures.")] = None,
) -> None:
    """Replays days of charging against algorithms, limits and tariffs, without any service."""
    from optivgi.programs import study as run_study
    from optivgi.study.command import StudyOptions

    options = StudyOptions(
        file=file,
        generate=generate,
        csms=csms,
        days=days,
        seed=seed,
        algorithm=algorithm,
        limit=limit,
        site=site,
        voltage=voltage,
        tariff=tariff,
        departure_error_min=departure_error_min,
        taper=taper,
        replan_min=replan_min,
        max_kw=max_kw,
        min_kw=min_kw,
        timezone=timezone,
        jobs=jobs,
        dask=dask,
        json=json,
        csv=csv,
        plot=plot,
    )
    raise typer.Exit(run_study(options))


@app.command()
def explain(
    ev: Annotated[str | None, typer.Argument(help="One EV, with its history (default: all).")] = None,
    url: Annotated[str | None, typer.Option(help="Where the optimizer answers (default: STATUS_PORT, here).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the optimizer's answer as JSON.")] = False,
) -> None:
    """What each EV gets from the running optimizer, and why."""
    from optivgi.explain import run as run_explain
    from optivgi.settings import load_settings

    raise typer.Exit(run_explain(ev, url or f"http://127.0.0.1:{load_settings().status_port}", as_json=json))


@app.command()
def doctor() -> None:
    """Checks that each configured service answers, and says what to do."""
    from optivgi.doctor import main as doctor_main

    raise typer.Exit(doctor_main())


@app.command()
def settings(
    example: Annotated[bool, typer.Option("--example", help="Print a commented example.env instead.")] = False,
) -> None:
    """Every setting in force and where it came from."""
    from optivgi.settings_screen import print_effective, print_example

    if example:
        print_example()
    else:
        print_effective()


def main() -> Any:
    """Runs the command line; a deliberate error is one readable message and exit code 2."""
    try:
        return app(standalone_mode=True)
    except OptiVGIError as error:
        return _complain(error)
    except _foreign_errors() as error:
        return _complain(error)


def _foreign_errors() -> tuple[type[Exception], ...]:
    from csms.errors import CsmsError
    from simulator.errors import SimulatorError

    return CsmsError, SimulatorError


def _complain(error: Exception) -> int:
    sys.stderr.write(f"{error}\n")
    return WRONG_INPUT


if __name__ == "__main__":
    sys.exit(main())
