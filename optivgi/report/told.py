"""A report for programs: facts and verdict as JSON."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from optivgi.model.history import MeterSample
from optivgi.report.curve import LimitCurve
from optivgi.report.facts import Facts, Witnesses
from optivgi.report.overshoot import Overshoot
from optivgi.report.sessions import Session


def facts_as_json(facts: Facts) -> dict[str, Any]:
    """Window, site, parts, responses and EVs. Times are ISO 8601 in UTC; null is not known, or no limit."""
    return {
        "window": {"since": facts.begin.isoformat(), "until": facts.end.isoformat()},
        "site": _site(facts),
        "parts": [
            {
                "name": part.circuit.name,
                "connectors": [list(key) for key in sorted(part.circuit.keys)],
                "limits": [
                    {
                        "name": one.bound.name,
                        "unit": one.bound.unit,
                        "limit": _curve(one.bound.limit, facts),
                        "overshoot": _overshoots(one),
                    }
                    for one in part.witnesses
                ],
            }
            for part in facts.parts
        ],
        "responses": [
            {
                "at": _iso(one.second),
                "from_kw": _number(one.before_kw),
                "to_kw": _number(one.after_kw),
                "until": _iso(one.until),
                "allocated_s": one.allocated_s,
                "metered_s": one.metered_s,
                "truth_s": one.truth_s,
            }
            for one in facts.responses
        ],
        "evs": _evs(facts),
    }


def site_limit_kw(facts: Facts) -> float | None:
    """The site's limit if it never changed in the window."""
    return _number(facts.limit.highest) if facts.limit.is_constant else None


def _site(facts: Facts) -> dict[str, Any]:
    meters = facts.metering
    by_power_s, by_energy_s = meters.seconds_over(facts.limits.site)
    return {
        "limit": _curve(facts.limits.announced, facts),
        "grace_s": facts.limits.grace_s,
        "allocated": [
            {
                "at": step.start.isoformat(),
                "kw": None if step.unlimited else step.allocated_kw,
                "evs": step.active,
            }
            for step in facts.site
        ],
        "metered": [
            {"at": _iso(second), "kw": power_kw if complete else None, "samples": present, "of": expected}
            for second, power_kw, present, expected, complete in meters.rows()
        ],
        "sample_interval_s": meters.step_s,
        "samples": meters.samples,
        "samples_missing": meters.missing,
        "register_resolution_wh": meters.resolution_wh,
        "seconds_over_by_power": by_power_s,
        "seconds_over_by_energy": by_energy_s,
        "overshoot": _overshoots(facts.whole),
    }


def _overshoots(witnesses: Witnesses) -> dict[str, Any]:
    truth = witnesses.over_truth
    return {
        "allocated": _overshoot(witnesses.over_allocated),
        "metered": _overshoot(witnesses.over_metered),
        "truth": None if truth is None else _overshoot(truth),
    }


def _overshoot(over: Overshoot) -> dict[str, Any]:
    worst = over.worst
    return {
        "seconds": over.seconds,
        "stretches": len(over.spells),
        "area": _number(over.area),
        "worst": None
        if worst is None
        else {
            "at": _iso(worst.begin),
            "excess": _number(worst.excess),
            "seconds": worst.seconds,
            "area": _number(worst.area),
        },
    }


def _curve(limit: LimitCurve, facts: Facts) -> list[dict[str, Any]]:
    begin = facts.begin.timestamp()
    seen = limit.within(begin, facts.end.timestamp())
    return [
        {"at": _iso(max(start, begin)), "limit": _number(level)}
        for start, level in zip(seen.starts.tolist(), seen.levels.tolist(), strict=True)
    ]


def _evs(facts: Facts) -> list[dict[str, Any]]:
    samples: dict[int, list[MeterSample]] = defaultdict(list)
    for sample in facts.history.samples:
        samples[sample.transaction_row_id].append(sample)
    return [
        _ev(session, allocation.steps, samples.get(session.transaction.row_id, []))
        for session, allocation in zip(facts.sessions, facts.allocated, strict=True)
    ]


def _ev(
    session: Session, steps: Sequence[tuple[datetime, float | None]], samples: Sequence[MeterSample]
) -> dict[str, Any]:
    tx = session.transaction
    powers = [one.power_kw for one in samples if one.power_kw is not None]
    return {
        "station_id": tx.station_id,
        "connector_id": tx.connector_id,
        "transaction_id": tx.transaction_id,
        "start": tx.start.isoformat(),
        "end": None if tx.end is None else tx.end.isoformat(),
        "can_take_kw": session.can_take_kw,
        "allocated": [{"at": at.isoformat(), "kw": allowed_kw} for at, allowed_kw in steps],
        "allocated_kwh": _rounded(session.allocated_kwh),
        "metered": {
            "samples": len(powers),
            "max_kw": max(powers, default=None),
            "mean_kw": round(sum(powers) / len(powers), 6) if powers else None,
            "energy_kwh": _rounded(session.energy_kwh),
        },
        "true_kwh": _rounded(session.true_kwh),
        "waited_s": session.waited_s,
        "paused_s": session.paused_s,
        "pauses": [
            {
                "at": pause.begin.isoformat(),
                "seconds": pause.seconds,
                "at_start": pause.at_start,
                "purpose": None if pause.purpose is None else str(pause.purpose),
            }
            for pause in session.pauses
        ],
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _iso(second: float) -> str:
    return datetime.fromtimestamp(round(second, 3), UTC).isoformat()
