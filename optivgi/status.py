"""What the optimizer decided lately and why, as JSON, for whoever asks on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from optivgi.leadership import Standing
from optivgi.limits.base_load import BaseLoadState
from optivgi.model.clock import Clock
from optivgi.outlook import NextChange
from optivgi.record import CycleRecord, EVDecision, FallBack
from optivgi.translation.base import Outcome

MOST_CYCLES = 50
LOCAL_NAMES = ["127.0.0.1", "localhost", "[::1]"]
"""A web page that has a name of its own point to this machine is not let in."""


ALWAYS_LEADS: Mapping[str, Standing] = MappingProxyType({})


def status_app(
    history: Sequence[CycleRecord],
    clock: Clock,
    zone: ZoneInfo,
    standings: Mapping[str, Standing] = ALWAYS_LEADS,
    ready: Callable[[], bool] = lambda: True,
) -> Starlette:
    """GET /cycles?last=1&group=&ev=: the newest cycles of each group (or of one), of all EVs or of one; newest first.

    GET /health: 200 while the service runs, also while it waits for another one that leads (`standings` says so for each
    group); `ready` is whether all groups are led here and their connected stations start cars safely.
    """

    async def health(request: Request) -> JSONResponse:  # noqa: ARG001 - it asks for nothing in particular
        return JSONResponse({"status": "ok", "ready": ready(), "groups": standings_json(standings)})

    async def cycles(request: Request) -> JSONResponse:
        query = request.query_params
        try:
            last = int(query.get("last", "1"))
        except ValueError:
            last = 0
        if not 1 <= last <= MOST_CYCLES:
            wrong = f"last is {query.get('last')!r}: it must be a whole number from 1 to {MOST_CYCLES}"
            return JSONResponse({"error": wrong}, status_code=400)
        records = newest(history, last, query.get("group"))
        return JSONResponse(
            {
                "now": clock.now().isoformat(),
                "time_zone": str(zone),
                "standings": standings_json(standings),
                "cycles": [cycle_json(record, query.get("ev")) for record in records],
            }
        )

    return Starlette(
        routes=[Route("/cycles", cycles, methods=["GET"]), Route("/health", health, methods=["GET"])],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_NAMES)],
    )


def standings_json(standings: Mapping[str, Standing]) -> dict[str, Any]:
    """By group; empty where there is no lease and so nobody else who could lead."""
    return {
        group: {"role": one.role.value, "since": one.since.isoformat(), "why": one.why}
        for group, one in standings.items()
    }


def newest(history: Sequence[CycleRecord], last: int, group: str | None = None) -> list[CycleRecord]:
    """The `last` newest cycles of each group (or of `group` alone), newest first."""
    counted: dict[str, int] = {}
    found = []
    for record in reversed(history):
        counted[record.group] = counted.get(record.group, 0) + 1
        if counted[record.group] <= last and group in (None, record.group):
            found.append(record)
    return found


def cycle_json(record: CycleRecord, ev_id: str | None = None) -> dict[str, Any]:
    """One cycle: what made it run, the limit and who set it, what every EV gets and why, and what stations answered."""
    limit = record.limit
    mine = {one.ev.ev_id: one for one in record.decisions if ev_id in (None, one.ev.ev_id)}
    return {
        "group": record.group,
        "number": record.number,
        "at": record.at.isoformat(),
        "reasons": list(record.reasons),
        "limit": None if limit is None else {"limit_kw": limit.limit_kw, "source": limit.source},
        "base_load": None if record.base_load is None else _base_load_json(record.base_load),
        "algorithm": record.algorithm or None,
        "notes": list(record.notes),
        "unreadable": record.unreadable,
        "undecided": record.undecided,
        "facts_age_s": None if record.facts_age_s is None else round(record.facts_age_s, 3),
        "allocated_kw": round(record.allocated_kw, 3),
        "requested_kw": round(record.requested_kw, 3),
        "evs": [_decision_json(decision, record.fall_backs.get(name)) for name, decision in mine.items()],
        "refused": [
            {"ev_id": one.ev_id, "station_id": one.station_id, "reason": one.reason}
            for one in record.refused
            if ev_id in (None, one.ev_id)
        ],
        "out_of_control": [
            {"ev_id": one.ev_id, "station_id": one.station_id, "counted_kw": one.counted_kw, "reason": one.reason}
            for one in record.out_of_control
            if ev_id in (None, one.ev_id)
        ],
        "alarms": [
            {"ev_id": one.ev_id, "station_id": one.key[0], "kind": one.kind.value, "text": one.text}
            for one in record.alarms
            if ev_id in (None, one.ev_id)
        ],
        "forms": dict(record.forms),
        "unprotected": sorted({station_id for station_id, _ in record.unprotected}),
        "commands": record.commands,
        "outcomes": [_outcome_json(one) for one in record.outcomes if ev_id in (None, one.command.ev_id)],
        "hops_ms": {name: round(took_ms, 3) for name, took_ms in record.hops_ms.items()},
    }


def _base_load_json(state: BaseLoadState) -> dict[str, Any]:
    return {
        "load_kw": round(state.load.kw, 3),
        "load_a": None if state.load.amps is None else [round(amps, 2) for amps in state.load.amps],
        "margin_kw": state.margin_kw,
        "metered_kw": state.metered_kw,
        "age_s": None if state.age_s is None else round(state.age_s, 3),
        "fresh": state.fresh,
        "doubt": state.doubt,
    }


def _decision_json(decision: EVDecision, fall_back: FallBack | None) -> dict[str, Any]:
    ev, reason = decision.ev, decision.reason
    return {
        "ev_id": ev.ev_id,
        "station_id": ev.station_id,
        "connector_id": ev.connector_id,
        "target_kw": decision.target_kw,
        "max_kw": ev.max_kw,
        "energy_needed_kwh": round(ev.energy_needed_kwh, 3),
        "delivered_kwh": round(ev.delivered_kwh, 3),
        "measured_kw": ev.measured_kw,
        "departure": None if ev.departure is None else ev.departure.isoformat(),
        "circuit": ev.circuit,
        "phases": list(ev.phases),
        "priority": ev.priority,
        "reason": {
            "text": reason.text,
            "binding": reason.binding.value,
            "circuit": reason.circuit_id,
            "phase": reason.phase,
        },
        "next_change": _change_json(decision.next_change),
        "without_control": None
        if fall_back is None
        else {"at": fall_back.at.isoformat(), "power_kw": round(fall_back.power_kw, 3)},
    }


def _change_json(change: NextChange | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {"at": change.at.isoformat(), "power_kw": round(change.power_kw, 3), "why": change.why}


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    command = outcome.command
    return {
        "station_id": command.station_id,
        "connector_id": command.connector_id,
        "ev_id": command.ev_id,
        "purpose": command.profile.purpose.value,
        "limit_kw": command.limit_kw,
        "status": outcome.status.value,
        "reason": outcome.reason,
    }
