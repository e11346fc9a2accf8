"""The five checks of a site, and more where there is more to check. Each says in words what it saw, and each can fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from optivgi.model.charging_profile import Purpose
from optivgi.report.aggregate import SiteStep
from optivgi.report.allocation import ACCEPTED
from optivgi.report.balance import balance_within_limit
from optivgi.report.facts import Facts
from optivgi.report.witness_checks import metered_within_limit, overshoot_words, part_within_limit, truth_within_limit
from optivgi.report.words import NAMED, count, listed, power

LEAST_PROFILES = 3
LEAST_CONCURRENT = 2
LEAST_HELD = 0.5


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict. `detail` is what was seen, with numbers; `name` is short and always the same."""

    number: int
    name: str
    passed: bool
    detail: str


def run_checks(facts: Facts) -> tuple[Check, ...]:
    """The five checks in order, then the truth if there is a trace, then the balance of phases and each part of the site
    with limits of its own."""
    judges: list[tuple[str, Callable[[Facts], tuple[bool, str]]]] = [
        ("Charging profiles sent", profiles_sent),
        ("Concurrent sessions", concurrent_sessions),
        ("Aggregate within limit", aggregate_within_limit),
        ("Curtailment occurred", curtailment_occurred),
        ("Metered power within limit", metered_within_limit),
    ]
    if facts.truth is not None:
        judges.append(("Truth within limit", truth_within_limit))
    judges += [(one.name, partial(balance_within_limit, balance=one)) for one in facts.limits.balances]
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
        parts.append(f"no limit in force for {unlimited_s:.1f} s at {listed([names[key] for key in unlimited])}")
    if not worst.unlimited:
        parts.append(f"worst {power(worst.allocated_kw)} of {power(worst.limit_kw)} at {facts.clock(worst.start)}")
        parts += overshoot_words(facts, facts.whole.over_allocated)
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
