"""Every fault of the field on a whole site, with what is to come of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.chaos.menagerie import Seen

FOLDER = Path(__file__).parents[2] / "scenarios" / "zoo"
ALARM_WITHIN_S = 30.0
FROM_S, UNTIL_S = 200.0, 400.0
"""The span of a scenario in which everybody has arrived, and what was wrong has been found out."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to come of a fault, beside the limit that holds.

    `alarm`: a warning names the faulty station, within ALARM_WITHIN_S of the first moment over the limit if there is one;
    `harmless`: none is needed if there is none.
    `share` is the least that its EV gets of what the others get on average, and `others_kw` what those get at least together, both
    late in the scenario; `use` is the least part of the limit that is used then.
    """

    alarm: bool = False
    share: float = 0.0
    others_kw: float = 0.0
    use: float = 0.0
    harmless: bool = False


LIKE_THE_OTHERS = Expected(share=0.8, use=0.95)
EXPECTED = {
    "accepts_and_ignores": Expected(alarm=True, others_kw=9.0),
    "amps_only": LIKE_THE_OTHERS,
    "answers_late": Expected(others_kw=9.0),
    "clears_before_set": LIKE_THE_OTHERS,
    "clock_behind": Expected(alarm=True, others_kw=9.0, harmless=True),
    "clock_off": Expected(alarm=True, others_kw=9.0, harmless=True),
    "connector_count_absurd": LIKE_THE_OTHERS,
    "disconnects": Expected(others_kw=9.0),
    "draws_half": Expected(use=0.98),
    "drops_profiles_on_reconnect": Expected(others_kw=9.0),
    "ignores_zero": Expected(alarm=True),
    "loses_profiles_at_reboot": Expected(share=0.8, others_kw=9.0),
    "meter_backwards": LIKE_THE_OTHERS,
    "meter_doubled": LIKE_THE_OTHERS,
    "meter_foreign_transaction": Expected(others_kw=9.0),
    "meter_missing": Expected(others_kw=9.0),
    "meter_stuck": Expected(others_kw=9.0),
    "never_answers": Expected(others_kw=9.0),
    "one_period_only": LIKE_THE_OTHERS,
    "reboots": Expected(share=0.8, others_kw=9.0),
    "rejects_tx_profile": LIKE_THE_OTHERS,
    "rejects_zero": Expected(share=0.1),
    "sleeps_after_pause": Expected(use=0.5),
    "spikes_on_change": Expected(others_kw=5.0),
    "stack_level_0_only": LIKE_THE_OTHERS,
    "stop_lost": Expected(share=0.5, use=0.9),
    "watts_only": LIKE_THE_OTHERS,
}
"""By the name of the scenario in FOLDER."""

NOT_YET = frozenset({"draws_half"})
HOLDING = tuple(name for name in EXPECTED if name not in NOT_YET)
"""Those that do as expected today, and are held to it by the tests."""


def names() -> tuple[str, ...]:
    """Every scenario there is."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.json")))


def file_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def shortcomings(name: str, seen: Seen) -> tuple[str, ...]:
    """What was not as expected."""
    expected, over = EXPECTED[name], seen.over
    found = []
    if over.seconds > seen.over_s:
        found.append(f"over the limit for {over.seconds:.1f} s of {seen.over_s:g} s, by up to {over.worst_kw:.2f} kW")
    if expected.alarm and not (expected.harmless and over.begin is None):
        found += _alarm(seen)
    begin, end = seen.began.timestamp() + FROM_S, seen.began.timestamp() + UNTIL_S
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
    if over.begin is not None and alarm_s > (over_s := over.begin - seen.began.timestamp()) + ALARM_WITHIN_S:
        return [f"the alarm came at {alarm_s:.0f} s, the limit was passed at {over_s:.0f} s"]
    return []


def _mean_kw(seen: Seen, begin: float, end: float) -> dict[str, float]:
    powers: dict[str, float] = {}
    for station_id, connector_id in seen.truth.connectors:
        kw = seen.truth.mean_kw(begin, end, (station_id, connector_id))
        powers[station_id] = powers.get(station_id, 0.0) + kw
    return powers
