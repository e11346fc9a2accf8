"""How far a station's clock is off, by what it said and when the CSMS stored it. Pure.

One that is ahead shows at once, because nothing is stored before it happened. One that is behind looks like messages that took
their time. So a clock that is ahead is known to be, by its fastest message, and one that is behind is no further behind than
that message was late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from optivgi.translation.citrineos.meter import Doubtful, Row, moment

LEAST_AHEAD_S = 5.0
"""Less than this is within what dispatch allows clocks to be off by (Policy.skew_s)."""
LEAST_BEHIND_S = 60.0
"""Less may be the time that messages take on a busy network."""
AGREEMENT_S = 5.0


def skew_s(meter_rows: Sequence[Row], status_rows: Iterable[Row] = ()) -> float:
    """Seconds by which a station's clock is ahead (negative: behind); 0 unless it is clearly off.

    Samples go before a status, which may be old. Samples that were sent late, after a time without a connection, come all
    together; two that are equally late tell a clock that is behind from them.
    """
    offsets = _offsets_s(meter_rows)
    ahead_s = max(
        offsets or [offset for row in status_rows if (offset := _offset_s(row, "updatedAt")) is not None] or [0.0]
    )
    if ahead_s > LEAST_AHEAD_S:
        return ahead_s
    if len(offsets) > 1 and max(offsets) < -LEAST_BEHIND_S and max(offsets) - min(offsets) <= AGREEMENT_S:
        return max(offsets)
    return 0.0


def late_s(meter_rows: Sequence[Row]) -> float:
    """The most by which a station's clock may be behind, if that is no more than LEAST_BEHIND_S; else 0, as nobody knows."""
    fastest_s = max(_offsets_s(meter_rows), default=0.0)
    return -fastest_s if -LEAST_BEHIND_S <= fastest_s < 0 else 0.0


def _offsets_s(meter_rows: Sequence[Row]) -> list[float]:
    return [offset for row in meter_rows if (offset := _offset_s(row, "createdAt")) is not None]


def corrected(row: Row, skew: float) -> Row:
    """A meter's row with the time at which its sample was taken by the CSMS's clock."""
    if not skew:
        return row
    try:
        taken = moment(row.get("timestamp")) - timedelta(seconds=skew)
    except Doubtful:
        return row
    return {**row, "timestamp": taken.isoformat()}


def _offset_s(row: Row, stored: str) -> float | None:
    try:
        return (moment(row.get("timestamp")) - moment(row.get(stored))).total_seconds()
    except Doubtful:
        return None
