"""Which EVs make no sense: the same rule for every source of facts."""

from __future__ import annotations

import math

from optivgi.model.ev import EV


def why_refused(ev: EV) -> str | None:
    """What is wrong with the numbers of `ev`, with the value and its bound; None if they can be planned with."""
    bounds = {
        "energy_needed_kwh": (ev.energy_needed_kwh, 0.0),
        "delivered_kwh": (ev.delivered_kwh, 0.0),
        "min_kw": (ev.min_kw, 0.0),
        "max_kw": (ev.max_kw, ev.min_kw),
        "measured_kw": (0.0 if ev.measured_kw is None else ev.measured_kw, 0.0),
    }
    for name, (value, least) in bounds.items():
        if not math.isfinite(value):
            return f"{name} is {value}; it must be a finite number"
        if value < least:
            return f"{name} is {value:g}; it must be at least {least:g}"
    for name, value in {"voltage_v": ev.voltage_v, "priority": ev.priority, "max_kw": ev.max_kw}.items():
        if not (math.isfinite(value) and value > 0):
            return f"{name} is {value:g}; it must be above 0"
    if not ev.phases:
        return "phases is empty; it must name at least one of L1, L2, L3"
    return None
