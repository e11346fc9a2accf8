"""GetCompositeSchedule of OCPP 1.6: the question, and what its answer says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from optivgi.model.charging_profile import Period, RateUnit, Schedule

UNITS = {unit.value: unit for unit in RateUnit}


def get_composite_schedule(connector_id: int, duration_s: int, unit: RateUnit) -> dict[str, Any]:
    """The body of the question."""
    return {"connectorId": connector_id, "duration": duration_s, "chargingRateUnit": unit.value}


def read_schedule(payload: Mapping[str, Any]) -> Schedule | None:
    """The schedule in an answer, counted from the moment of the question; None if there is none that makes sense.

    Its `scheduleStart` is not read: that is the station's clock, and the schedule begins when it was asked for.
    """
    said = payload.get("chargingSchedule")
    if not isinstance(said, Mapping):
        return None
    unit, entries = UNITS.get(str(said.get("chargingRateUnit"))), said.get("chargingSchedulePeriod")
    if unit is None or not isinstance(entries, list) or not entries:
        return None
    periods = tuple(period for period in map(_period, entries) if period is not None)
    if len(periods) != len(entries) or any(later.start_s <= earlier.start_s for earlier, later in pairwise(periods)):
        return None
    duration = _number(said.get("duration"))
    return Schedule(unit, periods, duration_s=None if duration is None else int(duration))


def _period(entry: object) -> Period | None:
    if not isinstance(entry, Mapping):
        return None
    start, limit, phases = _number(entry.get("startPeriod")), _number(entry.get("limit")), entry.get("numberPhases")
    if start is None or limit is None:
        return None
    return Period(int(start), limit, phases if isinstance(phases, int) and 1 <= phases <= 3 else None)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return float(value)
