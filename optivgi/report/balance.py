"""Whether the EVs of a grid connection kept the phases in balance, by the meters and by the truth.

What was allowed does not decide it: the difference between two phases grows when an EV draws less. Nor does a moment: an EV
that leaves takes its power from its phase at once, and the others can only follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optivgi.model.framing import UNKNOWN_PHASE
from optivgi.model.history import Key
from optivgi.model.problem import PHASES
from optivgi.report.bounds import Balance
from optivgi.report.curve import Floats
from optivgi.report.facts import Facts
from optivgi.report.words import power

PATIENCE_S = 20.0
"""So long the phases may be out of balance: a meter's sample, a cut, and the time to follow."""
TOLERANCE_KW = 1e-6


@dataclass(frozen=True, slots=True)
class _Spread:
    """The difference between the phases over time: `kw[i]` from second `begin[i]` to `end[i]`, without overlap."""

    begin: Floats
    end: Floats
    kw: Floats

    def longest_over(self, limit_kw: float) -> tuple[float, float]:
        """Seconds of the longest stretch above `limit_kw`, and when it begins; (0, 0) if there is none."""
        longest, since, last = (0.0, 0.0), 0.0, -np.inf
        for begin, end, kw in zip(self.begin.tolist(), self.end.tolist(), self.kw.tolist(), strict=True):
            if kw <= limit_kw + TOLERANCE_KW:
                continue
            since = since if begin <= last + TOLERANCE_KW else begin
            last = end
            longest = max(longest, (end - since, since))
        return longest


def balance_within_limit(facts: Facts, balance: Balance) -> tuple[bool, str]:
    """The phases are never further apart than allowed for longer than PATIENCE_S, and a witness can tell."""
    witnesses = {"metered": _metered(facts, balance)}
    if facts.truth is not None:
        witnesses["truth"] = _true(facts, balance)
    told = [f"{name}: {_words(facts, spread, balance.limit_kw)}" for name, spread in witnesses.items()]
    seen = [spread for spread in witnesses.values() if len(spread.kw)]
    if not seen:
        return False, "Cannot tell: no clock-aligned samples of every session at once (set ClockAlignedDataInterval)"
    over = [spread.longest_over(balance.limit_kw)[0] > PATIENCE_S for spread in seen]
    return not any(over), "; ".join(told)


def _words(facts: Facts, spread: _Spread, limit_kw: float) -> str:
    if not len(spread.kw):
        return "cannot tell"
    worst = int(np.argmax(spread.kw))
    found = f"phases up to {power(float(spread.kw[worst]), 3)} of {power(limit_kw)} apart at {facts.clock(float(spread.begin[worst]))}"
    seconds, since = spread.longest_over(limit_kw)
    if not seconds:
        return found
    return f"{found}, above it for {seconds:.1f} s at most ({PATIENCE_S:g} s are allowed), from {facts.clock(since)}"


def _metered(facts: Facts, balance: Balance) -> _Spread:
    """By the clock-aligned samples, each standing for the step around it."""
    complete = set(facts.metering.complete.index.tolist())
    keys = {tx.row_id: tx.key for tx in facts.history.transactions}
    at: dict[int, dict[Key, float]] = {second: {} for second in sorted(complete)}
    for sample in facts.history.samples:
        second = round(sample.at.timestamp())
        if sample.clock_aligned and sample.power_kw is not None and second in at:
            at[second][keys[sample.transaction_row_id]] = sample.power_kw
    half = (facts.metering.step_s or 0) / 2
    seconds = np.array(list(at), dtype=np.float64)
    return _Spread(seconds - half, seconds + half, np.array([_spread_kw(powers, balance) for powers in at.values()]))


def _true(facts: Facts, balance: Balance) -> _Spread:
    """By the trace, from change to change."""
    begin, end = facts.begin.timestamp(), facts.end.timestamp()
    curves = {} if facts.truth is None else facts.truth.curves
    inside = {key: curve for key, curve in curves.items() if key in balance.phases}
    moments = np.unique(np.concatenate([np.array([begin]), *(curve.at for curve in inside.values())]))
    moments = moments[(moments >= begin) & (moments < end)]
    levels = {key: np.append(0.0, c.kw)[np.searchsorted(c.at, moments, side="right")] for key, c in inside.items()}
    kw = [_spread_kw({key: float(level[i]) for key, level in levels.items()}, balance) for i in range(len(moments))]
    return _Spread(moments, np.append(moments[1:], end), np.array(kw))


def _spread_kw(powers: Mapping[Key, float], balance: Balance) -> float:
    """The largest difference that is possible: an EV of which nobody knows the phase may be on any."""
    on_phase, doubt = dict.fromkeys(PHASES, 0.0), 0.0
    for key, kw in powers.items():
        phases = balance.phases.get(key, ())
        if UNKNOWN_PHASE in phases:
            doubt += kw / len(phases)
            continue
        for phase in phases:
            on_phase[phase] += kw / len(phases)
    return max(on_phase.values()) - min(on_phase.values()) + doubt
