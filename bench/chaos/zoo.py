"""Every fault of the field on a whole site, with what is to come of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos.menagerie import Seen

FOLDER = Path(__file__).parents[2] / "scenarios" / "zoo"
ALARM_WITHIN_S = 30.0
SOON, LATER, LAST = (190.0, 260.0), (235.0, 320.0), (300.0, 390.0)
"""Spans of a scenario in which everybody has arrived, and what was wrong has been found out, or mended."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to come of a fault, beside the limit that holds.

    `alarm`: an alarm names the faulty station, at the latest ALARM_WITHIN_S after that accepted the first order which it ignores,
    and after the first moment over the limit; `harmless`: none is needed if nothing was over.
    `share` is the least that its EV gets of what the others get on average, and `others_kw` what those get at least together, both
    late in the scenario; `use` is the least part of the limit that is used then. `span_s` is when all that is judged, in seconds of
    the scenario.
    """

    alarm: bool = False
    share: float = 0.0
    others_kw: float = 0.0
    use: float = 0.0
    harmless: bool = False
    span_s: tuple[float, float] = LATER
    settings: Mapping[str, object] = field(default_factory=dict)
    """With which settings besides the usual ones."""


LIKE_THE_OTHERS = Expected(share=0.8, use=0.95, span_s=SOON)
EXPECTED = {
    "accepts_and_ignores": Expected(alarm=True, others_kw=9.0),
    "amps_only": LIKE_THE_OTHERS,
    "answers_late": Expected(others_kw=9.0, span_s=SOON),
    "clears_before_set": LIKE_THE_OTHERS,
    "clock_behind": Expected(alarm=True, others_kw=9.0, harmless=True),
    "clock_off": Expected(alarm=True, others_kw=9.0, harmless=True),
    "connector_count_absurd": LIKE_THE_OTHERS,
    "disconnects": Expected(others_kw=9.0, span_s=LAST),
    "draws_half": Expected(use=0.98, share=0.6, settings={"overbook": True}),
    "drops_profiles_on_reconnect": Expected(others_kw=9.0, span_s=LAST),
    "ignores_zero": Expected(alarm=True),
    "loses_profiles_at_reboot": Expected(share=0.8, others_kw=9.0, span_s=LAST),
    "meter_backwards": LIKE_THE_OTHERS,
    "meter_doubled": LIKE_THE_OTHERS,
    "meter_foreign_transaction": Expected(others_kw=9.0, span_s=SOON),
    "meter_missing": Expected(others_kw=9.0, span_s=SOON),
    "meter_stuck": Expected(others_kw=9.0, span_s=SOON),
    "never_answers": Expected(others_kw=9.0, span_s=SOON),
    "one_period_only": LIKE_THE_OTHERS,
    "reboots": Expected(share=0.8, others_kw=9.0, span_s=LAST),
    "rejects_tx_profile": LIKE_THE_OTHERS,
    "rejects_zero": Expected(share=0.1),
    "sleeps_after_pause": Expected(use=0.5),
    "spikes_on_change": Expected(others_kw=5.0),
    "stack_level_0_only": LIKE_THE_OTHERS,
    "stop_lost": Expected(share=0.5, use=0.9),
    "watts_only": LIKE_THE_OTHERS,
}
"""By the name of the scenario in FOLDER."""


def names() -> tuple[str, ...]:
    """Every scenario there is."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.json")))


def file_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def outcomes() -> tuple[str, ...]:
    """A row for every scenario: what is to come of it, in words and in what is judged. The table of docs/chaos.md."""
    rows = ["| fault | what is to come of it | judged besides the limit |", "|---|---|---|"]
    for name, expected in EXPECTED.items():
        scenario = json.loads(file_of(name).read_text(encoding="utf-8"))
        rows.append(f"| `{name}` | {scenario['outcome']} | {_words(expected, scenario.get('over_s', 0))} |")
    return tuple(rows)


def _words(expected: Expected, over_s: float) -> str:
    parts = []
    if over_s:
        parts.append(f"over for at most {over_s:g} s")
    if expected.alarm:
        ignored = f" within {ALARM_WITHIN_S:g} s of the first order that it ignores"
        parts.append(f"alarm{' if it is over the limit' if expected.harmless else ignored}")
    if expected.share:
        parts.append(f"its EV gets at least {100 * expected.share:.0f} % of what others get")
    if expected.others_kw:
        parts.append(f"the others get at least {expected.others_kw:g} kW")
    if expected.use:
        parts.append(f"{100 * expected.use:.0f} % of the limit used")
    with_settings = ", ".join(f"{name.upper()}={str(value).lower()}" for name, value in expected.settings.items())
    return "; ".join(parts) + (f" (with {with_settings})" if with_settings else "")


def shortcomings(name: str, seen: Seen) -> tuple[str, ...]:
    """What was not as expected."""
    expected, over = EXPECTED[name], seen.over
    found = []
    if over.seconds > seen.over_s:
        found.append(f"over the limit for {over.seconds:.1f} s of {seen.over_s:g} s, by up to {over.worst_kw:.2f} kW")
    if expected.alarm and not (expected.harmless and over.begin is None):
        found += _alarm(seen)
    begin, end = (seen.began.timestamp() + at_s for at_s in expected.span_s)
    stations = dict.fromkeys(seen.visited, 0.0) | _mean_kw(seen, begin, end)
    others = [stations[station_id] for station_id in seen.visited - seen.faulty]
    average_kw = sum(others) / max(1, len(others))
    for station_id in sorted(seen.faulty):
        if stations[station_id] < expected.share * average_kw:
            found.append(f"its EV got {stations[station_id]:.2f} kW, the others {average_kw:.2f} kW on average")
    if sum(others) < expected.others_kw:
        found.append(f"the others got {sum(others):.2f} kW together; they should get {expected.others_kw:g} kW")
    use = sum(stations.values()) / seen.limit_kw
    if use < expected.use:
        found.append(f"{use:.1%} of the limit used late in the scenario; {expected.use:.0%} should be")
    return tuple(found)


def _alarm(seen: Seen) -> list[str]:
    alarm_s, over = seen.alarmed(), seen.over
    if alarm_s is None:
        return [f"no alarm names {', '.join(sorted(seen.faulty))}"]
    over_s = None if over.begin is None else over.begin - seen.began.timestamp()
    causes = [cause_s for cause_s in (seen.ignored(), over_s) if cause_s is not None]
    if not causes:
        return ["no order was ignored, and nothing was over the limit: there is nothing to be alarmed at"]
    latest_s = min(causes) + ALARM_WITHIN_S
    return [f"the alarm came at {alarm_s:.0f} s, {latest_s:.0f} s is the latest"] if alarm_s > latest_s else []


def _mean_kw(seen: Seen, begin: float, end: float) -> dict[str, float]:
    powers: dict[str, float] = {}
    for station_id, connector_id in seen.truth.connectors:
        kw = seen.truth.mean_kw(begin, end, (station_id, connector_id))
        powers[station_id] = powers.get(station_id, 0.0) + kw
    return powers
