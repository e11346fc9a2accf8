"""The five checks. Each one says in words what it saw, and each one can fail."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from optivgi.model.charging_profile import Purpose
from optivgi.report.allocation import ACCEPTED, SiteStep
from optivgi.report.facts import Facts

LEAST_PROFILES = 3
LEAST_CONCURRENT = 2
LEAST_COVERAGE = 0.9
LEAST_HELD = 0.5
NAMED = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict. `detail` is what was seen, with numbers; `name` is short and always the same."""

    number: int
    name: str
    passed: bool
    detail: str


def run_checks(facts: Facts) -> tuple[Check, ...]:
    """All five checks in order."""
    judges: tuple[tuple[str, Callable[[Facts], tuple[bool, str]]], ...] = (
        ("Charging profiles sent", profiles_sent),
        ("Concurrent sessions", concurrent_sessions),
        ("Aggregate within limit", aggregate_within_limit),
        ("Curtailment occurred", curtailment_occurred),
        ("Metered power within limit", metered_within_limit),
    )
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
        f"Found {_count(len(sent), 'charging profile')} (need >= {LEAST_PROFILES}): {', '.join(kinds)}; {', '.join(tally)}",
    )


def concurrent_sessions(facts: Facts) -> tuple[bool, str]:
    """At least two transactions at the same time."""
    lasting = [step for index, step in enumerate(facts.site) if facts.lasted_s(index) > 0]
    most = max(lasting, key=lambda step: step.active, default=None)
    total = _count(len(facts.history.transactions), "session")
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
    over = [(step, seconds) for step, seconds in lasting if step.unlimited or step.allocated_kw > facts.limit_kw]
    instants = f"{_count(len(lasting), 'change')} of allocation"
    if not over:
        most, _ = max(lasting, key=lambda one: one[0].allocated_kw)
        return True, (
            f"Highest allocation {_kw(most.allocated_kw)} of {_kw(facts.limit_kw)} "
            f"({_count(most.active, 'EV')}, {facts.clock(most.start)}); never over in {instants}"
        )
    seconds_over = sum(seconds for _, seconds in over)
    unlimited, unlimited_s = _unlimited(over)
    worst = max((step for step, _ in over), key=lambda step: (not step.unlimited, step.allocated_kw))
    parts = [f"Over for {seconds_over:.1f} s in {len(over)} of {instants}, first at {facts.clock(over[0][0].start)}"]
    if unlimited:
        parts.append(f"no limit in force for {unlimited_s:.1f} s at {_listed([names[key] for key in unlimited])}")
    if not worst.unlimited:
        parts.append(f"worst {_kw(worst.allocated_kw)} of {_kw(facts.limit_kw)} at {facts.clock(worst.start)}")
    return False, "; ".join(parts)


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
        if step.requested_kw > facts.limit_kw and facts.lasted_s(index) > 0
    ]
    if not wanting:
        most_kw = max((step.requested_kw for step in facts.site), default=0.0)
        return False, (
            f"The EVs never could take more than the limit: by their meters {_kw(most_kw)} of {_kw(facts.limit_kw)}"
        )
    curtailed = [
        (step, seconds)
        for step, seconds in wanting
        if step.curtailed and not step.unlimited and step.allocated_kw <= facts.limit_kw
    ]
    wanting_s, curtailed_s = (sum(seconds for _, seconds in steps) for steps in (wanting, curtailed))
    if curtailed_s < LEAST_HELD * wanting_s:
        step, _ = max(wanting, key=lambda one: (one[0].requested_kw, one[1]))
        return False, (
            f"{_count(step.active, 'EV')} could take {_kw(step.requested_kw)} at {facts.clock(step.start)}, but they were "
            f"held within the limit for {curtailed_s:.0f} of {wanting_s:.0f} s only"
        )
    step, _ = max(curtailed, key=lambda one: (one[0].requested_kw, one[1]))
    key, allowed_kw, can_take_kw = min(step.curtailed, key=lambda ev: ev[1] / ev[2])
    return True, (
        f"{_count(step.active, 'EV')} could take {_kw(step.requested_kw)}, were allowed {_kw(step.allocated_kw)} of "
        f"{_kw(facts.limit_kw)} at {facts.clock(step.start)} (e.g. {names[key]} {_kw(allowed_kw)} of {_kw(can_take_kw)}); "
        f"held for {curtailed_s:.0f} of {wanting_s:.0f} s"
    )


def metered_within_limit(facts: Facts) -> tuple[bool, str]:
    """Neither the summed power at an instant nor the energy of a window shows more than the limit, and both can tell."""
    meters, limit_kw = facts.metering, facts.limit_kw
    if not facts.history.transactions or not meters.samples:
        return False, "Cannot tell: no meter samples of any session in the window"
    by_power_s, by_energy_s = meters.seconds_over(limit_kw)
    within = by_power_s == 0 and by_energy_s == 0
    proven = meters.coverage >= LEAST_COVERAGE or meters.windows.exclude(limit_kw)
    verdict = f"{by_energy_s:.0f} s over by energy"
    if meters.step_s is not None:
        verdict = f"{by_power_s:.0f} s over by power, {verdict}"
    parts = [_power_words(facts), _energy_words(facts), verdict, _sample_words(facts)]
    if within and not proven:
        parts.insert(0, f"Cannot tell: {_doubt_words(facts)}")
    return within and proven, "; ".join(part for part in parts if part)


def _power_words(facts: Facts) -> str:
    worst = facts.metering.worst_instant
    if worst is None:
        return ""
    second, power_kw = worst
    return f"Worst instant {_kw(power_kw)} of {_kw(facts.limit_kw)} at {facts.clock(second)}"


def _energy_words(facts: Facts) -> str:
    window = facts.metering.windows.worst
    if window is None:
        return "no energy registers"
    resolution_wh = facts.metering.resolution_wh or 0.0
    highest = _kw(window.highest_kw, 3) if math.isfinite(window.highest_kw) else "an unknown power"
    return (
        f"worst window by energy {_kw(window.lowest_kw, 3)} to {highest} over {window.seconds} s at "
        f"{facts.clock(window.start)} (registers read in {resolution_wh:g} Wh)"
    )


def _sample_words(facts: Facts) -> str:
    meters = facts.metering
    if meters.step_s is None:
        return f"{meters.samples} samples, none clock-aligned: judged by energy registers alone"
    unaligned = meters.samples - meters.aligned_samples
    return (
        f"used {meters.aligned_samples} clock-aligned samples every {meters.step_s} s at {len(meters.complete)} of "
        f"{len(meters.instants)} instants, {meters.missing} missing"
        + (f", {unaligned} others for energy only" if unaligned else "")
    )


def _doubt_words(facts: Facts) -> str:
    meters = facts.metering
    if meters.step_s is None:
        return (
            "the samples are not clock-aligned, so they cannot be summed, and the registers leave room for more than "
            "the limit (set ClockAlignedDataInterval)"
        )
    return (
        f"only {meters.coverage:.0%} of the instants have a sample of every session (need {LEAST_COVERAGE:.0%}), and the "
        "registers leave room for more than the limit"
    )


def _kw(power_kw: float, digits: int = 6) -> str:
    """At least one decimal, and as many as it takes to show that 30.001 is not 30.0."""
    text = f"{power_kw:.{digits}f}".rstrip("0")
    return f"{text}0 kW" if text.endswith(".") else f"{text} kW"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
