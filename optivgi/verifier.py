"""`optivgi verify`: asks a running stack for the facts, prints the verdict, and exits 0 (PASS), 1 (FAIL) or 2 (no answer)."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.console import Console
from rich.text import Text

from optivgi.clock import WallClock
from optivgi.errors import OptiVGIError, SettingsError, TranslationError
from optivgi.model.clock import Clock
from optivgi.model.history import History
from optivgi.report import Limits, Report, judge
from optivgi.report.bounds import limits_of
from optivgi.report.curve import LimitCurve
from optivgi.report.limit_file import load_limit
from optivgi.report.page import page
from optivgi.report.truth import Truth, read_trace
from optivgi.settings import OptimizerSettings, load_settings
from optivgi.site_setup import SiteSetup, site_setup
from optivgi.translation.citrineos.history import read_history

DEFAULT_URL = "http://localhost:8090"
PLOT_FILE = "curtailment_plot.png"
STDOUT = "-"

PASSED, FAILED, NO_ANSWER = 0, 1, 2

REMEDY = (
    "Is the stack running (docker compose up)? Say where its GraphQL is with --url, its secret with --secret; "
    "`optivgi doctor` checks every service."
)


@dataclass(frozen=True, slots=True)
class Question:
    """By which limits a run is judged, and with what other evidence.

    `limit_kw` is the site's limit where somebody says it here rather than in the settings; `limit_file` tells how it
    changed. `grace_s` is how long after a drop of a limit the site may still be above it.
    """

    setup: SiteSetup
    limit_kw: float | None = None
    limit_file: Path | None = None
    grace_s: float = 0.0
    trace_file: Path | None = None

    def limits(self, history: History, truth: Truth | None = None) -> Limits:
        """All limits in force while `history` lasted; where `truth` shows a building, what that left of the site's. Raises SettingsError for a limit file that makes no sense."""
        end = history.end() or datetime.fromtimestamp(0, UTC)
        begin = min([history.since or end, *(tx.start for tx in history.transactions)])
        found = limits_of(self.setup, {tx.key for tx in history.transactions}, begin, end)
        site, sources = found.site, ["the settings"]
        if self.limit_kw is not None:
            site, sources = LimitCurve.constant(self.limit_kw), ["--limit"]
        if self.limit_file is not None:
            site = load_limit(self.limit_file, site, self.setup.view.zone, begin, end)
            sources.append(self.limit_file.name)
        if truth is not None and truth.building is not None:
            site = site.less(truth.building)
            sources.append(f"the building in {truth.name}")
        return replace(found, site=site, sources=tuple(sources)).with_grace(self.grace_s)


async def verify(
    url: str,
    question: Question,
    *,
    voltage_v: float,
    clock: Clock,
    secret: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Report:
    """The verdict on what the data service at `url` recorded; `transport` reaches one in the same process.

    Raises TranslationError when it cannot be read, TraceError or SettingsError when a file cannot.
    """
    truth = None if question.trace_file is None else read_trace(question.trace_file)
    history = await read_history(url, secret, clock=clock, since=since, until=until, transport=transport)
    return judge(
        history,
        url=url,
        limits=question.limits(history, truth),
        voltage_v=voltage_v,
        stated_max_kw=lambda station_id: question.setup.view.ev(station_id).max_kw,
        truth=truth,
    )


def publish(
    report: Report, *, plot_file: Path | None = None, json_file: str | None = None, report_file: Path | None = None
) -> None:
    """Prints the verdict and writes the picture, the JSON and the page that are asked for.

    With JSON on standard output ("-") everything else goes to standard error.
    """
    console = Console(stderr=json_file == STDOUT, highlight=False, soft_wrap=True)
    console.print(_coloured(report.text()))
    if plot_file is not None or report_file is not None:
        from optivgi import plot  # noqa: PLC0415 - matplotlib takes longer to load than all the rest
    if plot_file is not None:
        plot.save(report, plot_file)
        console.print(f"Picture: {plot_file}", markup=False)
    if report_file is not None:
        report_file.write_text(page(report, plot.pictures(report)), encoding="utf-8")
        console.print(f"Report: {report_file}", markup=False)
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
        setup = site_setup(settings)
    except SettingsError as error:
        return _complain(f"A setting is wrong:\n{error}")
    options = _parser(prog, settings).parse_args(arguments)
    question = Question(setup, options.limit, options.limit_file, options.grace, options.trace)
    try:
        report = asyncio.run(
            verify(
                options.url,
                question,
                voltage_v=options.voltage,
                clock=WallClock(),
                secret=options.secret,
                since=options.since,
                until=options.until,
            )
        )
        publish(report, plot_file=options.plot, json_file=options.json, report_file=options.report)
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
    parser.add_argument("--url", default=DEFAULT_URL, help="base URL of the GraphQL service (default: %(default)s)")
    parser.add_argument(
        "--limit",
        type=_positive,
        metavar="KW",
        help="site limit (default: what SITE_POWER_LIMIT_KW, LIMIT_SCHEDULE_FILE and SITE_FILE say)",
    )
    parser.add_argument(
        "--limit-file",
        type=Path,
        metavar="FILE",
        help="how the site limit changed: CSV with at,kw, or windows as in LIMIT_SCHEDULE_FILE",
    )
    parser.add_argument(
        "--grace",
        type=_seconds,
        default=0.0,
        metavar="S",
        help="seconds after a drop of a limit until it counts (default: %(default)g)",
    )
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="what really flowed: the file of the simulator's --trace"
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
        "--report", type=Path, metavar="FILE", help="write one HTML page with verdict, pictures, EVs and evidence"
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


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{text} must be from 0 to 3600")
    return number


def _moment(text: str) -> datetime:
    """A time without an offset is local."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _coloured(words: str) -> Text:
    text = Text(words)
    text.highlight_regex(r"\[PASS\]|PASS$", "bold green")
    text.highlight_regex(r"\[FAIL\]|FAIL$", "bold red")
    return text
