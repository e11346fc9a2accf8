"""Room kept free for EVs that would begin to charge before anybody could stop them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from optivgi.account import Key
from optivgi.model.ev import Connector
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.site import Circuit, Site


def kept_free(site: Site, connectors: Iterable[Connector], reserves: Mapping[Key, float]) -> Site:
    """`site` with every limit lowered by what is reserved below it, in kW by connector.

    A limit stays high enough for one EV at the largest reserved power: what may come must not keep all others waiting.
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
    least_kw = max(reserves.values())
    return replace(site, circuits=tuple(_lowered(c, kept_kw, kept_a, least_kw) for c in site.circuits))


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
