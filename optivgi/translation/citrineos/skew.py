"""How far a station's clock is off, by what it said and when the CSMS stored it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from optivgi.translation.citrineos.meter import Doubtful, Row, moment

LEAST_SKEW_S = 60.0
"""Less is the time that a message takes on a busy network."""
AGREEMENT_S = 5.0


def skew_s(meter_rows: Sequence[Row], status_rows: Iterable[Row] = ()) -> float:
    """Seconds by which a station's clock is ahead (negative: behind); 0 unless it is clearly off.

    A clock that is ahead shows at once, because nothing is stored before it happened. One that is behind looks like old
    samples that were sent late; but those come all together, so two samples that are equally late tell it apart.
    """
    offsets = [offset for row in meter_rows if (offset := _offset_s(row, "createdAt")) is not None]
    ahead = [*offsets, *(offset for row in status_rows if (offset := _offset_s(row, "updatedAt")) is not None)]
    fastest = max(ahead, default=0.0)
    if fastest > LEAST_SKEW_S:
        return max(offsets, default=fastest)
    if len(offsets) > 1 and max(offsets) < -LEAST_SKEW_S and max(offsets) - min(offsets) <= AGREEMENT_S:
        return max(offsets)
    return 0.0


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
