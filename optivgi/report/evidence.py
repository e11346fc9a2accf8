"""What a verdict rests on, and what was not there."""

from __future__ import annotations

from dataclasses import dataclass

from optivgi.report import Report
from optivgi.report.facts import Facts
from optivgi.report.words import count


@dataclass(frozen=True, slots=True)
class Evidence:
    """One kind of evidence: what was used of it, and what is missing, if anything."""

    name: str
    used: str
    missing: str = ""


def evidence(report: Report) -> tuple[Evidence, ...]:
    """All kinds, whether they were there or not."""
    facts = report.facts
    return (
        _limits(report),
        _sessions(facts),
        _profiles(facts),
        _power(facts),
        _energy(facts),
        _truth(facts),
        _parts(facts),
    )


def _limits(report: Report) -> Evidence:
    sources = ", ".join(report.facts.limits.sources) or "what was asked for"
    return Evidence("Site limit", f"{report.limit_words}, from {sources}")


def _sessions(facts: Facts) -> Evidence:
    running = sum(tx.end is None for tx in facts.history.transactions)
    used = f"{count(len(facts.history.transactions), 'transaction')} by the stations' own times"
    return Evidence("Sessions", used, f"{count(running, 'transaction')} without an end yet" if running else "")


def _profiles(facts: Facts) -> Evidence:
    history = facts.history
    unanswered = sum(one.status is None for one in history.profiles)
    missing = [f"{count(unanswered, 'answer')}: the higher allocation counts"] if unanswered else []
    missing += [f"not understood: {record}" for record in history.unreadable]
    used = (
        f"{count(len(history.profiles), 'SetChargingProfile call')} with answers, "
        f"{count(len(history.cleared), 'accepted ClearChargingProfile', ' calls')}, from the beginning of the record"
    )
    return Evidence("Charging profiles", used, "; ".join(missing))


def _power(facts: Facts) -> Evidence:
    meters = facts.metering
    if meters.step_s is None:
        return Evidence("Metered power", "none", "clock-aligned samples (set ClockAlignedDataInterval)")
    used = (
        f"{count(meters.aligned_samples, 'clock-aligned sample')} every {meters.step_s} s; "
        f"{len(meters.complete)} of {count(len(meters.instants), 'instant')} complete"
    )
    return Evidence("Metered power", used, count(meters.missing, "sample") if meters.missing else "")


def _energy(facts: Facts) -> Evidence:
    meters = facts.metering
    if meters.resolution_wh is None:
        return Evidence("Metered energy", "none", "energy registers")
    used = f"registers read in {meters.resolution_wh:g} Wh, {count(len(meters.windows), 'window')} of 1 to 64 steps"
    return Evidence("Metered energy", used)


def _truth(facts: Facts) -> Evidence:
    truth = facts.truth
    if truth is None:
        return Evidence("Truth", "none", "a trace of what really flowed (--trace; a simulator can write one)")
    used = f"{truth.name}: {count(truth.rows, 'row')} of {count(len(truth.curves), 'connector')}"
    if truth.rows:
        used += f", {facts.clock(truth.begin)} to {facts.clock(truth.end)}"
    unknown = [key for key in {tx.key for tx in facts.history.transactions} if key not in truth.curves]
    differing = _differing(facts)
    missing = [f"{count(len(unknown), 'connector')} with sessions"] if unknown else []
    if differing:
        missing.append(f"{count(differing, 'session')} whose meter counted another energy (see EVs)")
    return Evidence("Truth", used, "; ".join(missing))


def _differing(facts: Facts) -> int:
    """Sessions whose registers and trace differ by more than a watt-hour and a thousandth."""
    return sum(
        abs(session.energy_kwh - session.true_kwh) > 0.001 + 0.001 * session.true_kwh
        for session in facts.sessions
        if session.transaction.end is not None and session.energy_kwh is not None and session.true_kwh is not None
    )


def _parts(facts: Facts) -> Evidence:
    if not facts.parts:
        return Evidence("Circuits and groups", "none: the site limit is the only one")
    return Evidence("Circuits and groups", ", ".join(part.circuit.name for part in facts.parts))
