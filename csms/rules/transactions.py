"""What becomes of a StartTransaction and a StopTransaction.

A transaction message is never refused for what it says about a transaction or an idTag: the station would send it
again and then lose it. The answer is always a CALLRESULT, and what cannot be true is noted beside the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from csms.rpc.timestamps import format_timestamp
from csms.rules.authorization import Authorization, IdTagInfo, authorize, authorize_start
from csms.rules.plausibility import fits_counter, judge_instant

NO_TRANSACTION = 0
"""The transactionId of an answer that starts none."""

SUPERSEDED = "Other"
"""stoppedReason of a transaction whose StopTransaction never came."""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that has not ended, at the connector in question."""

    row_id: int
    start_time: datetime


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What the store knows when a StartTransaction arrives.

    `same_start` is the transactionId given before to the same connector, timestamp, meterStart and idTag.
    """

    authorization: Authorization | None
    same_start: int | None = None
    open_here: Sequence[OpenTransaction] = ()
    charging_elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """Known already: the same transactionId again, nothing to write."""

    transaction_id: int
    info: IdTagInfo


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The idTag may not charge: no transaction."""

    info: IdTagInfo


@dataclass(frozen=True, slots=True)
class Start:
    """A new transaction; `close` lists those that it supersedes. `meter_start_wh` is None when it was not credible."""

    info: IdTagInfo
    start_time: datetime
    meter_start_wh: int | None
    close: Sequence[OpenTransaction]
    remarks: dict[str, Any] = field(default_factory=dict)


def decide_start(
    facts: StartFacts, meter_start_wh: int, reported: datetime, now: datetime
) -> Replay | NotStarted | Start:
    """The decision on one StartTransaction. Messages of a station are decided in the order of their arrival."""
    if facts.same_start is not None:
        return Replay(facts.same_start, authorize(facts.authorization, now))
    info = authorize_start(facts.authorization, now, facts.charging_elsewhere)
    if not info.accepted:
        return NotStarted(info)
    instant = judge_instant(reported, now)
    remarks: dict[str, Any] = {}
    if not instant.trusted:
        remarks["reportedStart"] = format_timestamp(reported)
    credible = fits_counter(meter_start_wh)
    if not credible:
        remarks["reportedMeterStart"] = meter_start_wh
    return Start(info, instant.used, meter_start_wh if credible else None, facts.open_here, remarks)


WHOLE_KWH = 0.001


@dataclass(frozen=True, slots=True)
class Stop:
    """How a transaction ended. `total_kwh` is None when nothing credible was metered."""

    end_time: datetime
    reason: str
    total_kwh: float | None
    meter_stop_wh: int | None
    remarks: dict[str, Any] = field(default_factory=dict)


def decide_stop(
    *,
    start_time: datetime,
    meter_start_wh: float | None,
    known_kwh: float | None,
    meter_stop_wh: int,
    reason: str | None,
    reported: datetime,
    now: datetime,
) -> Stop:
    """The end of a known transaction. A meterStop below what was metered before is noted and not used.

    It counts whole watt-hours, MeterValues count parts of them: less than one below is the same.
    """
    instant = judge_instant(reported, now)
    remarks: dict[str, Any] = {}
    end_time = instant.used
    if not instant.trusted or end_time < start_time:
        remarks["reportedEnd"] = format_timestamp(reported)
        end_time = max(start_time, now)
    credible = fits_counter(meter_stop_wh)
    total_kwh = energy_kwh(meter_start_wh, meter_stop_wh) if credible else None
    if not credible or (total_kwh is not None and total_kwh <= (known_kwh or 0.0) - WHOLE_KWH):
        remarks["reportedMeterStop"] = meter_stop_wh
        total_kwh = None
    return Stop(
        end_time=end_time,
        reason=reason or "Local",
        total_kwh=known_kwh if total_kwh is None else total_kwh,
        meter_stop_wh=meter_stop_wh if credible else None,
        remarks=remarks,
    )


def energy_kwh(meter_start_wh: float | None, register_wh: float) -> float | None:
    """Energy since the start, to the mWh; None without a start value, negative when the register went backwards."""
    return None if meter_start_wh is None else round((register_wh - meter_start_wh) / 1000, 6)
