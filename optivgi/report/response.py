"""How long it took to get back under a limit that fell."""

from __future__ import annotations

from dataclasses import dataclass

from optivgi.report.curve import LimitCurve, Signal
from optivgi.report.metering import Metering
from optivgi.report.overshoot import back_under


@dataclass(frozen=True, slots=True)
class Response:
    """At `second` the limit fell. Seconds until back under it, by each witness; None: not before it changed again.

    The meters can tell to one sampling interval only. Without a trace `truth_s` is None and means nothing.
    """

    second: float
    before_kw: float
    after_kw: float
    until: float
    allocated_s: float | None
    metered_s: float | None
    truth_s: float | None


def responses(
    limit: LimitCurve, allocated: Signal, meters: Metering, flowing: Signal | None, window: tuple[float, float]
) -> tuple[Response, ...]:
    """One of each fall of the limit in the window (seconds since 1970); `flowing` is the truth, if there is a trace."""
    begin, end = window
    changes = limit.changes(begin, end)
    found = []
    for index, change in enumerate(changes):
        if change.after >= change.before:
            continue
        until = changes[index + 1].second if index + 1 < len(changes) else end
        found.append(
            Response(
                change.second,
                change.before,
                change.after,
                until,
                allocated_s=back_under(allocated, limit, change.second, until),
                metered_s=meters.back_under(limit, change.second, until),
                truth_s=None if flowing is None else back_under(flowing, limit, change.second, until),
            )
        )
    return tuple(found)
