"""The checks that hold a witness against a limit: the meters, the truth, and both of them in each part of the site."""

from __future__ import annotations

import math

from optivgi.model.history import Key
from optivgi.report.curve import LimitCurve
from optivgi.report.facts import Facts, Part, Witnesses
from optivgi.report.metering import Metering
from optivgi.report.overshoot import Overshoot
from optivgi.report.words import NAMED, count, listed, power

LEAST_COVERAGE = 0.9
LATEST_ROW_S = 1.0
"""A trace must know of a connector at most so long after a session began there."""


def metered_within_limit(facts: Facts) -> tuple[bool, str]:
    """Neither the summed power at an instant nor the energy of a window shows more than the limit, and both can tell."""
    if not facts.history.transactions or not facts.metering.samples:
        return False, "Cannot tell: no meter samples of any session in the window"
    return _metered(facts, facts.whole)


def _metered(facts: Facts, witnesses: Witnesses) -> tuple[bool, str]:
    meters, bound = witnesses.metering, witnesses.bound
    over = witnesses.over_metered
    by_power_s, by_energy_s = meters.seconds_over(bound.limit)
    within = by_power_s == 0 and by_energy_s == 0
    proven = meters.coverage >= LEAST_COVERAGE or meters.windows.exclude(meters.windows.allowed(bound.limit))
    verdict = f"{by_energy_s:.0f} s over by energy"
    if meters.step_s is not None:
        verdict = f"{by_power_s:.0f} s over by power, {verdict}"
    parts = [
        _power_words(facts, meters, bound.limit, bound.unit),
        _energy_words(facts, meters, bound.limit, bound.unit),
        verdict,
        *overshoot_words(facts, over, bound.unit),
        _sample_words(meters),
    ]
    if within and not proven:
        parts.insert(0, f"Cannot tell: {_doubt_words(meters)}")
    return within and proven, "; ".join(part for part in parts if part)


def _power_words(facts: Facts, meters: Metering, limit: LimitCurve, unit: str) -> str:
    worst = meters.worst_instant(limit)
    if worst is None:
        return ""
    second, level = worst
    return (
        f"Worst instant {power(level, unit=unit)} of {power(limit.level(second), unit=unit)} at {facts.clock(second)}"
    )


def _energy_words(facts: Facts, meters: Metering, limit: LimitCurve, unit: str) -> str:
    window = meters.windows.worst(limit)
    if window is None:
        return "no energy registers"
    resolution_wh = meters.resolution_wh or 0.0
    highest = power(window.highest_kw, 3, unit) if math.isfinite(window.highest_kw) else "an unknown power"
    return (
        f"worst window by energy {power(window.lowest_kw, 3, unit)} to {highest} over {window.seconds} s at "
        f"{facts.clock(window.start)} (registers read in {resolution_wh:g} Wh)"
    )


def _sample_words(meters: Metering) -> str:
    if meters.step_s is None:
        return f"{meters.samples} samples, none clock-aligned: judged by energy registers alone"
    unaligned = meters.samples - meters.aligned_samples
    return (
        f"used {meters.aligned_samples} clock-aligned samples every {meters.step_s} s at {len(meters.complete)} of "
        f"{len(meters.instants)} instants, {meters.missing} missing"
        + (f", {unaligned} others for energy only" if unaligned else "")
    )


def _doubt_words(meters: Metering) -> str:
    if meters.step_s is None:
        return (
            "the samples are not clock-aligned, so they cannot be summed, and the registers leave room for more than "
            "the limit (set ClockAlignedDataInterval)"
        )
    return (
        f"only {meters.coverage:.0%} of the instants have a sample of every session (need {LEAST_COVERAGE:.0%}), and the "
        "registers leave room for more than the limit"
    )


def truth_within_limit(facts: Facts) -> tuple[bool, str]:
    """What really flowed was never above the limit, and the trace knows of every session of the window."""
    truth, over = facts.truth, facts.whole.over_truth
    if truth is None or over is None or facts.whole.flowing is None:
        return False, "Cannot tell: no trace was given"
    parts = [
        _flow_words(facts, facts.whole, over),
        f"{count(truth.rows, 'row')} of {count(len(truth.curves), 'connector')}",
    ]
    unknown = _unwatched(facts)
    if unknown and not over.spells:
        parts.insert(0, f"Cannot tell: {unknown}")
    return not over.spells and not unknown, "; ".join(parts)


def _unwatched(facts: Facts) -> str:
    """What the trace should know of the window but does not; empty if nothing is wrong."""
    truth, transactions = facts.truth, facts.history.transactions
    if truth is None or not transactions:
        return "no session in the window"
    names = facts.labels()
    begins: dict[Key, float] = {}
    for tx in transactions:
        begins.setdefault(tx.key, max(tx.start, facts.begin).timestamp())
    if missing := [names[key] for key, begin in begins.items() if not truth.known(key, begin + LATEST_ROW_S)]:
        return f"the trace does not show {listed(missing)} when a session begins there"
    last = max(max(tx.start, facts.begin).timestamp() for tx in transactions)
    if truth.end < last:
        return f"the trace ends at {facts.clock(truth.end)}, before the session that begins at {facts.clock(last)}"
    return ""


def _flow_words(facts: Facts, witnesses: Witnesses, over: Overshoot) -> str:
    flowing, bound = witnesses.flowing, witnesses.bound
    if flowing is None or flowing.is_empty:
        return "nothing flowed"
    if over.worst is not None:
        words = overshoot_words(facts, over, bound.unit)
        return f"Over for {over.seconds:.1f} s in {count(len(over.spells), 'stretch', 'es')}, {'; '.join(words)}"
    second, level = flowing.closest_to(bound.limit)
    return (
        f"Highest {power(level, unit=bound.unit)} of {power(bound.limit.level(second), unit=bound.unit)} at "
        f"{facts.clock(second, tenths=True)}; 0.0 s over"
    )


def part_within_limit(facts: Facts, part: Part) -> tuple[bool, str]:
    """What was allowed, what was metered and what really flowed in a part of the site, each within its own limits."""
    if facts.history.unreadable:
        return False, f"Cannot tell: {'; '.join(facts.history.unreadable[:NAMED])}"
    verdicts = [_bound_within_limit(facts, witnesses) for witnesses in part.witnesses]
    passed = all(good for good, _ in verdicts)
    told = [words for good, words in verdicts if good is passed]
    return passed, " | ".join(told)


def _bound_within_limit(facts: Facts, witnesses: Witnesses) -> tuple[bool, str]:
    bound, allocated, over = witnesses.bound, witnesses.allocated, witnesses.over_allocated
    name = f"{bound.name}: " if bound.name else ""
    if not any(bound.weight(tx.key) > 0 for tx in facts.history.transactions):
        return True, f"{name}no session there"
    if over.worst is not None:
        words = f"allocations over for {over.seconds:.1f} s, {'; '.join(overshoot_words(facts, over, bound.unit))}"
    else:
        second, level = allocated.closest_to(bound.limit)
        words = (
            f"highest allocation {power(level, unit=bound.unit)} of {power(bound.limit.level(second), unit=bound.unit)} at "
            f"{facts.clock(second)}"
        )
    metered, metered_words = _metered(facts, witnesses)
    parts = [words, f"metered: {metered_words}"]
    flowed = witnesses.over_truth
    if flowed is not None:
        parts.append(f"truth: {_flow_words(facts, witnesses, flowed)}")
    return over.worst is None and metered and (flowed is None or flowed.worst is None), name + "; ".join(parts)


def overshoot_words(facts: Facts, over: Overshoot, unit: str = "kW") -> list[str]:
    """The stretch that rose highest, as in "worst +2.2 kW for 420 s (924 kW*s) from 08:05:10"."""
    worst = over.worst
    if worst is None:
        return []
    if not math.isfinite(worst.excess):
        return [f"no limit in force for {worst.seconds:.1f} s from {facts.clock(worst.begin)}"]
    words = f"overshoot {power(worst.excess, 3, unit)} for {worst.seconds:.1f} s ({worst.area:.1f} {unit}*s) from {facts.clock(worst.begin)}"
    more = len(over.spells) - 1
    return [words + (f", the worst of {more + 1}" if more else "")]
