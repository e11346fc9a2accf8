"""The five checks of a site, and more where there is more to check. Each says in words what it saw, and each can fail."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from optivgi.model.charging_profile import Purpose
from optivgi.model.history import Key
from optivgi.report.aggregate import SiteStep
from optivgi.report.allocation import ACCEPTED
from optivgi.report.curve import LimitCurve
from optivgi.report.facts import Facts, Part, Witnesses
from optivgi.report.metering import Metering
from optivgi.report.overshoot import Overshoot
from optivgi.report.words import count, power

LEAST_PROFILES = 3
LEAST_CONCURRENT = 2
LEAST_COVERAGE = 0.9
LEAST_HELD = 0.5
NAMED = 3
LATEST_ROW_S = 1.0
"""A trace must know of a connector at most so long after a session began there."""


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict. `detail` is what was seen, with numbers; `name` is short and always the same."""

    number: int
    name: str
    passed: bool
    detail: str


def run_checks(facts: Facts) -> tuple[Check, ...]:
    """The five checks in order, then the truth if there is a trace, then each part of the site with limits of its own."""
    judges: list[tuple[str, Callable[[Facts], tuple[bool, str]]]] = [
        ("Charging profiles sent", profiles_sent),
        ("Concurrent sessions", concurrent_sessions),
        ("Aggregate within limit", aggregate_within_limit),
        ("Curtailment occurred", curtailment_occurred),
        ("Metered power within limit", metered_within_limit),
    ]
    if facts.truth is not None:
        judges.append(("Truth within limit", truth_within_limit))
    judges += [(f"{part.circuit.name} within limit", partial(part_within_limit, part=part)) for part in facts.parts]
    return tuple(Check(number, name, *judge(facts)) for number, (name, judge) in enumerate(judges, 1))


def profiles_sent(facts: Facts) -> tuple[bool, str]:
    """At least three SetChargingProfile in the window, accepted by their stations."""
    sent = [one for one in facts.history.profiles if facts.begin <= one.sent_at <= facts.end]
    answers = Counter("unanswered" if one.status is None else one.status.lower() for one in sent)
    accepted = answers[ACCEPTED.lower()]
    by_purpose = Counter(one.profile.purpose for one in sent)
    kinds = [f"{by_purpose[Purpose.TX]} TxProfile", f"{by_purpose[Purpose.TX_DEFAULT]} TxDefaultProfile"]
    if other := len(sent) - by_purpose[Purpose.TX] - by_purpose[Purpose.TX_DEFAULT]:
        kinds.append(f"{other} other")
    tally = [
        f"{accepted} accepted",
        *(f"{count} {answer}" for answer, count in answers.most_common() if answer != "accepted"),
    ]
    return (
        accepted >= LEAST_PROFILES,
        f"Found {count(len(sent), 'charging profile')} (need >= {LEAST_PROFILES}): {', '.join(kinds)}; {', '.join(tally)}",
    )


def concurrent_sessions(facts: Facts) -> tuple[bool, str]:
    """At least two transactions at the same time."""
    lasting = [step for index, step in enumerate(facts.site) if facts.lasted_s(index) > 0]
    most = max(lasting, key=lambda step: step.active, default=None)
    total = count(len(facts.history.transactions), "session")
    if most is None:
        return False, f"No session in the window (need >= {LEAST_CONCURRENT} at once)"
    return (
        most.active >= LEAST_CONCURRENT,
        f"Up to {most.active} of {total} at once, first at {facts.clock(most.start)} (need >= {LEAST_CONCURRENT})",
    )


def aggregate_within_limit(facts: Facts) -> tuple[bool, str]:
    """The allocations add up to at most the limit at every instant of the history."""
    if facts.history.unreadable:
        return False, f"Cannot tell: {'; '.join(facts.history.unreadable[:NAMED])}"
    if not facts.site:
        return False, "Cannot tell: no session in the window"
    names = facts.labels()
    lasting = [(step, facts.lasted_s(index)) for index, step in enumerate(facts.site) if facts.lasted_s(index) > 0]
    over = [(step, seconds) for step, seconds in lasting if step.is_over]
    instants = f"{count(len(lasting), 'change')} of allocation"
    if not over:
        most, _ = max(lasting, key=lambda one: _closeness(one[0]))
        return True, (
            f"Highest allocation {power(most.allocated_kw)} of {power(most.limit_kw)} "
            f"({count(most.active, 'EV')}, {facts.clock(most.start)}); never over in {instants}"
        )
    seconds_over = sum(seconds for _, seconds in over)
    unlimited, unlimited_s = _unlimited(over)
    worst = max((step for step, _ in over), key=lambda step: (not step.unlimited, step.allocated_kw - step.limit_kw))
    parts = [f"Over for {seconds_over:.1f} s in {len(over)} of {instants}, first at {facts.clock(over[0][0].start)}"]
    if unlimited:
        parts.append(f"no limit in force for {unlimited_s:.1f} s at {_listed([names[key] for key in unlimited])}")
    if not worst.unlimited:
        parts.append(f"worst {power(worst.allocated_kw)} of {power(worst.limit_kw)} at {facts.clock(worst.start)}")
        parts += _overshoot_words(facts, facts.whole.over_allocated)
    return False, "; ".join(parts)


def _closeness(step: SiteStep) -> tuple[float, float]:
    """How near to its limit a step is; where nothing limits, how high."""
    return (step.allocated_kw - step.limit_kw, step.allocated_kw)


def _unlimited(over: list[tuple[SiteStep, float]]) -> tuple[list[tuple[str, int]], float]:
    """Who had no limit at all, and for how many seconds anybody had none."""
    keys = dict.fromkeys(key for step, _ in over for key in step.unlimited)
    return list(keys), sum(seconds for step, seconds in over if step.unlimited)


def curtailment_occurred(facts: Facts) -> tuple[bool, str]:
    """While the EVs could have taken more than the limit they were allowed no more than it, and one of them got less.

    A hold of a moment, before a session's first plan, is not curtailment: it must be so for half of that time.
    """
    names = facts.labels()
    wanting = [
        (step, facts.lasted_s(index))
        for index, step in enumerate(facts.site)
        if step.requested_kw > step.limit_kw and facts.lasted_s(index) > 0
    ]
    if not wanting:
        most = max(facts.site, key=lambda step: step.requested_kw - step.limit_kw, default=None)
        most_kw, limit_kw = (0.0, facts.limit.lowest) if most is None else (most.requested_kw, most.limit_kw)
        return False, (
            f"The EVs never could take more than the limit: by their meters {power(most_kw)} of {power(limit_kw)}"
        )
    curtailed = [(step, seconds) for step, seconds in wanting if step.curtailed and not step.is_over]
    wanting_s, curtailed_s = (sum(seconds for _, seconds in steps) for steps in (wanting, curtailed))
    if curtailed_s < LEAST_HELD * wanting_s:
        step, _ = max(wanting, key=lambda one: (one[0].requested_kw, one[1]))
        return False, (
            f"{count(step.active, 'EV')} could take {power(step.requested_kw)} at {facts.clock(step.start)}, but they were "
            f"held within the limit for {curtailed_s:.0f} of {wanting_s:.0f} s only"
        )
    step, _ = max(curtailed, key=lambda one: (one[0].requested_kw, one[1]))
    key, allowed_kw, can_take_kw = min(step.curtailed, key=lambda ev: ev[1] / ev[2])
    return True, (
        f"{count(step.active, 'EV')} could take {power(step.requested_kw)}, were allowed {power(step.allocated_kw)} of "
        f"{power(step.limit_kw)} at {facts.clock(step.start)} (e.g. {names[key]} {power(allowed_kw)} of {power(can_take_kw)}); "
        f"held for {curtailed_s:.0f} of {wanting_s:.0f} s"
    )


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
        *_overshoot_words(facts, over, bound.unit),
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
        return f"the trace does not show {_listed(missing)} when a session begins there"
    last = max(max(tx.start, facts.begin).timestamp() for tx in transactions)
    if truth.end < last:
        return f"the trace ends at {facts.clock(truth.end)}, before the session that begins at {facts.clock(last)}"
    return ""


def _flow_words(facts: Facts, witnesses: Witnesses, over: Overshoot) -> str:
    flowing, bound = witnesses.flowing, witnesses.bound
    if flowing is None or flowing.is_empty:
        return "nothing flowed"
    if over.worst is not None:
        words = _overshoot_words(facts, over, bound.unit)
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
        words = f"allocations over for {over.seconds:.1f} s, {'; '.join(_overshoot_words(facts, over, bound.unit))}"
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


def _overshoot_words(facts: Facts, over: Overshoot, unit: str = "kW") -> list[str]:
    """The stretch that rose highest, as in "worst +2.2 kW for 420 s (924 kW*s) from 08:05:10"."""
    worst = over.worst
    if worst is None:
        return []
    if not math.isfinite(worst.excess):
        return [f"no limit in force for {worst.seconds:.1f} s from {facts.clock(worst.begin)}"]
    words = f"overshoot {power(worst.excess, 3, unit)} for {worst.seconds:.1f} s ({worst.area:.1f} {unit}*s) from {facts.clock(worst.begin)}"
    more = len(over.spells) - 1
    return [words + (f", the worst of {more + 1}" if more else "")]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
