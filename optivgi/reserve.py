"""Room kept free for EVs that would begin to charge before anybody could stop them, or are to do so. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from optivgi.account import Instant, Key
from optivgi.dispatch import DAY_S, NOISE, Limit, limits_at, strictest
from optivgi.envelope import Envelope
from optivgi.ledger import Ledger
from optivgi.model.ev import Connector
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.site import Circuit, Site
from optivgi.model.wire import wire_minimum

MOST_OF_LIMIT = 0.5
"""Cars that are not there yet have no more of a limit than this part of it."""


def kept_free(
    site: Site, connectors: Iterable[Connector], reserves: Mapping[Key, float], *, strict: bool = False
) -> Site:
    """`site` with every limit lowered by what is reserved below it, in kW by connector.

    Unless `strict`, a limit stays high enough for one EV at the largest reserved power: what may come must not keep all
    others waiting.
    """
    if not reserves:
        return site
    above = {circuit.circuit_id: circuit.parent for circuit in site.circuits}
    kept_kw = dict.fromkeys(above, 0.0)
    kept_a = dict.fromkeys(above, 0.0)
    for connector in connectors:
        reserve_kw = reserves.get(connector.key)
        if reserve_kw is None:
            continue
        name: str | None = connector.circuit if connector.circuit in above else site.root.circuit_id
        while name is not None:
            kept_kw[name] += reserve_kw
            kept_a[name] += reserve_kw * 1000 / connector.volts
            name = above[name]
    least_kw = 0.0 if strict else max(reserves.values())
    return replace(site, circuits=tuple(_lowered(c, kept_kw, kept_a, least_kw) for c in site.circuits))


def welcomed(site: Site, ledger: Ledger, count: int, when: Instant, taken: Collection[Key]) -> dict[Key, float]:
    """At which `count` free connectors a car may have its minimum at once, and how many kW that is.

    Where a car could begin already comes first, so that nothing changes without need. For those in `taken` there is room
    already.
    """
    room_kw = strictest(site.root.limit, when.now, DAY_S)
    left_kw = math.inf if room_kw is None else MOST_OF_LIMIT * room_kw
    free = [
        entry
        for key, entry in ledger.safe_starts.items()
        if key not in ledger.accounts and key not in taken and entry.connector.online
    ]
    chosen: dict[Key, float] = {}
    for entry in sorted(free, key=lambda entry: (entry.start_kw <= 0, entry.connector.key)):
        one = entry.connector
        least_kw = wire_minimum(one.min_kw, one.unit, one.volts)
        if len(chosen) < count and least_kw <= left_kw:
            chosen[one.key] = least_kw
            left_kw -= least_kw
    return chosen


def for_starts(ledger: Ledger, starts: Mapping[Key, float]) -> dict[Key, float]:
    """What is to be kept free for cars that come: what they could take at once already, and what they are to be given."""
    possible = ledger.free_starts()
    wanted = {key: kw for key, kw in starts.items() if key not in ledger.accounts}
    return {key: max(possible.get(key, 0.0), wanted.get(key, 0.0)) for key in {**possible, **wanted}}


def proven(site: Site, ledger: Ledger, starts: Mapping[Key, float], when: Instant) -> dict[Key, float]:
    """Those of `starts` for which there is room whatever the chargers may be doing, now or later, and cars that come."""
    possible = ledger.free_starts()
    connectors = [entry.connector for entry in ledger.safe_starts.values()]
    granted = {key: kw for key, kw in starts.items() if kw <= possible.get(key, 0.0) + NOISE}
    counted = {key: ledger.counted_kw(key, when) for key in ledger.accounts}
    for key, kw in starts.items():
        if key not in granted:
            taken = {**possible, **{k: max(w, possible.get(k, 0.0)) for k, w in granted.items()}, key: kw}
            left = kept_free(site, connectors, taken, strict=True)
            limits = limits_at(left, ledger.accounts.values(), when.now, DAY_S)
            if all(sum(w * counted[k] for k, w in one.weights.items()) <= one.capacity > 0 for one in limits):
                granted[key] = kw
    return granted


def at_once(ledger: Ledger, shares: Mapping[Key, float], keys: Iterable[Key], when: Instant) -> dict[Key, float]:
    """Those of `keys` that have an EV which is never below its share, with that share: there a TxDefaultProfile may allow it
    from the start, because a car that came in its place would have no more than it.
    """
    granted = {}
    for key in keys:
        share_kw = shares.get(key, 0.0)
        if key not in ledger.accounts or share_kw <= 0 or not ledger.accounts[key].certain:
            continue
        if ledger.least(key, when, share_kw).least_from(when.wall_s) >= share_kw - NOISE:
            granted[key] = share_kw
    return granted


def affordable(ledger: Ledger, limits: Sequence[Limit], shares: Mapping[Key, float], when: Instant) -> dict[Key, float]:
    """`shares` without those that rise at a connector with an EV that may go by its TxDefaultProfile before there is room for
    that under every one of `limits`: those stay as they are.
    """
    known = {key: one.share_kw for key, one in ledger.safe_starts.items() if one.share_kw is not None}
    granted = {**shares, **{key: min(kw, shares.get(key, kw)) for key, kw in known.items() if key in ledger.accounts}}
    rising = [key for key, kw in granted.items() if kw < shares.get(key, kw) - NOISE]
    if not rising:
        return dict(shares)
    envelopes = {key: ledger.envelope(key, when) for key in ledger.accounts}
    for key in rising:
        grown = {**envelopes, key: ledger.envelope(key, when, shares[key])}
        if all(_fits(limit, grown, when.wall_s) for limit in limits if key in limit.weights):
            envelopes, granted[key] = grown, shares[key]
    return granted


def _fits(limit: Limit, powers: Mapping[Key, Envelope], now: float) -> bool:
    """Whether `powers` are within `limit` at each moment from `now` on."""
    turns = {start for one in (limit.later, *powers.values()) if one is not None for start in one.starts}
    moments = np.array([now, *sorted(turn for turn in turns if now < turn < math.inf)])
    used = sum((w * powers[key].over(moments) for key, w in limit.weights.items() if key in powers), np.zeros(1))
    return bool((used <= limit.over(moments) + NOISE).all())


def _lowered(circuit: Circuit, kept_kw: Mapping[str, float], kept_a: Mapping[str, float], least_kw: float) -> Circuit:
    taken_kw, taken_a = kept_kw[circuit.circuit_id], kept_a[circuit.circuit_id]
    if taken_kw == 0:
        return circuit
    limit = (
        None if circuit.limit is None else LimitSeries(tuple(_less(s, taken_kw, least_kw) for s in circuit.limit.steps))
    )
    limit_a = circuit.limit_a
    if limit_a is not None:
        limit_a = max(limit_a - taken_a, min(limit_a, taken_a / taken_kw * least_kw))
    return replace(circuit, limit=limit, limit_a=limit_a)


def _less(step: LimitStep, taken_kw: float, least_kw: float) -> LimitStep:
    if step.limit_kw is None:
        return step
    return replace(step, limit_kw=max(step.limit_kw - taken_kw, min(step.limit_kw, least_kw)))
