"""`optivgi verify`: asks a running stack for the facts, prints the verdict, and exits 0 (PASS), 1 (FAIL) or 2 (no answer)."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.console import Console
from rich.text import Text

from optivgi import plot
from optivgi.clock import WallClock
from optivgi.errors import OptiVGIError, SettingsError, TranslationError
from optivgi.model.clock import Clock
from optivgi.report import Report, StatedMax, judge, nobody_said
from optivgi.settings import OptimizerSettings, load_settings
from optivgi.translation.citrineos.history import read_history

DEFAULT_URL = "http://localhost:8090"
PLOT_FILE = "curtailment_plot.png"
STDOUT = "-"

PASSED, FAILED, NO_ANSWER = 0, 1, 2

REMEDY = (
    "Is the stack running (docker compose up)? Say where its GraphQL is with --url, its secret with --secret; "
    "`optivgi doctor` checks every service."
)


async def verify(
    url: str,
    *,
    limit_kw: float,
    voltage_v: float,
    clock: Clock,
    secret: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    stated_max_kw: StatedMax = nobody_said,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Report:
    """The verdict on what the data service at `url` recorded; `transport` reaches one in the same process.

    Raises TranslationError when it cannot be read.
    """
    history = await read_history(url, secret, clock=clock, since=since, until=until, transport=transport)
    return judge(history, url=url, limit_kw=limit_kw, voltage_v=voltage_v, stated_max_kw=stated_max_kw)


def publish(report: Report, *, plot_file: Path | None = None, json_file: str | None = None) -> None:
    """Prints the verdict and writes the picture and the JSON that are asked for.

    With JSON on standard output ("-") everything else goes to standard error.
    """
    console = Console(stderr=json_file == STDOUT, highlight=False, soft_wrap=True)
    console.print(_coloured(report.text()))
    if plot_file is not None:
        plot.save(report, plot_file)
        console.print(f"Picture: {plot_file}", markup=False)
    if json_file is not None:
        told = json.dumps(report.as_json(), indent=2)
        if json_file == STDOUT:
            sys.stdout.write(told + "\n")
        else:
            Path(json_file).write_text(told + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None, prog: str = "optivgi verify") -> int:
    """Runs the command with `arguments` (by default those of the process); returns its exit code."""
    try:
        settings = load_settings()
    except SettingsError as error:
        return _complain(f"A setting is wrong:\n{error}")
    options = _parser(prog, settings).parse_args(arguments)
    site = settings.site_view()
    try:
        report = asyncio.run(
            verify(
                options.url,
                limit_kw=options.limit,
                voltage_v=options.voltage,
                clock=WallClock(),
                secret=options.secret,
                since=options.since,
                until=options.until,
                stated_max_kw=lambda station_id: site.ev(station_id).max_kw,
            )
        )
        publish(report, plot_file=options.plot, json_file=options.json)
    except TranslationError as error:
        return _complain(f"Cannot verify: {error}.\n{REMEDY}")
    except (OptiVGIError, OSError) as error:
        return _complain(f"Cannot verify: {error}")
    return PASSED if report.passed else FAILED


def _complain(words: str) -> int:
    sys.stderr.write(f"{words}\n")
    return NO_ANSWER


def _parser(prog: str, settings: OptimizerSettings) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Checks over GraphQL whether the charging site stayed under its limit.",
        epilog="Exit code: 0 all checks passed, 1 a check failed, 2 the facts could not be read.",
    )
    limit_kw = sum(settings.limit_kw(group) for group in settings.groups)
    parser.add_argument("--url", default=DEFAULT_URL, help="base URL of the GraphQL service (default: %(default)s)")
    parser.add_argument(
        "--limit", type=_positive, default=limit_kw, metavar="KW", help="site limit (default: %(default)g)"
    )
    parser.add_argument(
        "--voltage", type=_positive, default=settings.voltage, metavar="V", help="phase voltage (default: %(default)g)"
    )
    parser.add_argument(
        "--secret",
        default=settings.hasura_admin_secret.get_secret_value(),
        help="admin secret of the GraphQL service (default: HASURA_ADMIN_SECRET)",
    )
    parser.add_argument(
        "--since", type=_moment, metavar="TIME", help="ISO 8601; default: the beginning of the last run"
    )
    parser.add_argument("--until", type=_moment, metavar="TIME", help="ISO 8601; default: now")
    parser.add_argument(
        "--plot", type=Path, nargs="?", const=Path(PLOT_FILE), metavar="FILE", help=f"write a picture ({PLOT_FILE})"
    )
    parser.add_argument(
        "--json", nargs="?", const=STDOUT, metavar="FILE", help="write the facts as JSON (default: standard output)"
    )
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text} must be above 0 and below 1000000")
    return number


def _moment(text: str) -> datetime:
    """A time without an offset is local."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _coloured(words: str) -> Text:
    text = Text(words)
    text.highlight_regex(r"\[PASS\]|PASS$", "bold green")
    text.highlight_regex(r"\[FAIL\]|FAIL$", "bold red")
    return text
