"""Breaks a site on purpose, one part after the other, and says what came of it. Exit code 0: every measure was met.

    python -m bench.chaos [--seed 1] [--minutes 10] [--only kill-csms,random] [--json FILE] [--keep FOLDER] [--list]

PostgreSQL and RabbitMQ are started for it alone; their server programs must be installed.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from bench.chaos import zoo
from bench.chaos.menagerie import play
from bench.chaos.site import own_servers
from bench.chaos.trials import Result, Trial, trials, try_out

COLUMNS = f"{'trial':34}{'over s':>8}{'kW*s':>8}{'worst kW':>9}{'back s':>8}{'follows':>8}{'use':>7}{'tx':>5}{'lost':>5}{'twice':>6}{'Wh off':>7}  verdict"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of everything left to chance (default 1)")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the random sequence (default 10)")
    parser.add_argument("--only", default="", help="names of trials, separated by commas")
    parser.add_argument("--json", type=Path, help="where the results go as JSON")
    parser.add_argument("--keep", type=Path, help="a folder for logs, limits and truth of every trial")
    parser.add_argument("--zoo", nargs="*", metavar="NAME", help="faulty stations instead: all, or those named")
    parser.add_argument("--outcomes", action="store_true", help="print what is to come of each fault, and end")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    options = parser.parse_args(arguments)
    if options.outcomes:
        print("\n".join(zoo.outcomes()))
        return 0
    if options.zoo is not None:
        return visit(options.zoo or zoo.names())
    every = list(trials(options.seed, options.minutes))
    wanted = [name for name in options.only.split(",") if name]
    if unknown := set(wanted) - {trial.name for trial in every}:
        parser.error(f"no such trial: {', '.join(sorted(unknown))}; known are {', '.join(t.name for t in every)}")
    chosen = [trial for trial in every if not wanted or trial.name in wanted]
    if options.list:
        print("\n".join(trial.name for trial in chosen))
        return 0
    results = run(chosen, options.seed, options.keep)
    if options.json:
        options.json.write_text(json.dumps([as_json(one) for one in results], indent=1))
    return 0 if results and not any(one.failures for one in results) else 1


def run(chosen: Sequence[Trial], seed: int, keep: Path | None) -> list[Result]:
    """Tries everything, one after the other, and prints a line for each."""
    print(
        f"seed {seed}, {sum(trial.scene.duration_s + 20 for trial in chosen) / 60:.0f} minutes\n{COLUMNS}", flush=True
    )
    results = []
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="optivgi-chaos-")))
        started = stack.enter_context(own_servers())
        for trial in chosen:
            place = folder / f"{trial.name}-{time.time():.0f}"
            place.mkdir(parents=True)
            result = try_out(trial, started, place, random.Random(f"{seed}/{trial.name}"))
            results.append(result)
            print("\n".join(lines(result)), flush=True)
    met = sum(not one.failures for one in results)
    print(f"{met} of {len(results)} trials met every measure")
    return results


def visit(names: Sequence[str]) -> int:
    """Plays scenarios with faulty stations and prints what was not as expected; 0 if all was."""
    logging.basicConfig(level=logging.CRITICAL)
    bad = 0
    for name in names:
        with tempfile.TemporaryDirectory(prefix="optivgi-zoo-") as folder:
            begun = time.monotonic()
            seen = play(zoo.file_of(name), Path(folder), zoo.EXPECTED[name].settings)
        found = zoo.shortcomings(name, seen)
        bad += bool(found)
        over, alarm_s, ignored_s = seen.over, seen.alarmed(), seen.ignored()
        alarm = "" if alarm_s is None or ignored_s is None else f"alarm after {alarm_s - ignored_s:.0f} s"
        print(
            f"{name:32}{over.seconds:7.1f} s over of {seen.over_s:3g} s,{over.worst_kw:6.2f} kW at worst, {alarm:17}"
            f"{time.monotonic() - begun:6.1f} s  {'FAIL' if found else 'PASS'}",
            *(f"    {one}" for one in found),
            sep="\n",
            flush=True,
        )
    print(f"{len(names) - bad} of {len(names)} as expected")
    return 1 if bad else 0


def lines(result: Result) -> list[str]:
    """The row of the table, and below it what was missed and what was drawn then."""
    back = [spell.recovery_s for spell in result.spells]
    slowest = "never" if None in back else _number(max((one for one in back if one is not None), default=None))
    use = "" if result.use is None else f"{result.use:.1%}"
    over, books = result.over, result.books
    row = (
        f"{result.name:34}{over.seconds:8.1f}{over.kw_s:8.1f}{over.worst_kw:9.2f}{slowest:>8}{_number(result.response_s):>8}"
        f"{use:>7}{books.transactions:5d}{len(books.lost):5d}{len(books.doubled):6d}{books.off_wh:7d}  "
        f"{'FAIL' if result.failures else 'PASS'}"
    )
    told = [f"    {failure}" for failure in result.failures]
    if result.drawing:
        drawn = ", ".join(f"{name}/{number} {kw:.2f}" for (name, number), kw in result.drawing.items())
        told.append(f"    at the worst moment: {drawn} kW")
    if result.tracebacks:
        told.append(f"    {result.tracebacks} tracebacks in the logs")
    return [row, *told]


def as_json(result: Result) -> dict[str, object]:
    """A result as plain data."""
    facts = asdict(result)
    facts["drawing"] = {f"{name}/{number}": kw for (name, number), kw in result.drawing.items()}
    return facts


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
