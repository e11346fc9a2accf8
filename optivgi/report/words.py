"""Numbers and reasons in words, the same in the text and on the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, tzinfo

from optivgi.model.charging_profile import Purpose
from optivgi.report.sessions import Pause, Session

NAMED = 3
NAMES = {
    Purpose.TX: "TxProfile",
    Purpose.TX_DEFAULT: "TxDefaultProfile",
    Purpose.STATION_MAX: "station maximum",
    Purpose.EXTERNAL_CONSTRAINTS: "external constraint",
}


def power(value: float, digits: int = 6, unit: str = "kW") -> str:
    """At least one decimal, and as many as it takes to show that 30.001 is not 30.0."""
    if not math.isfinite(value):
        return "no limit"
    text = f"{value:.{digits}f}".rstrip("0")
    return f"{text}0 {unit}" if text.endswith(".") else f"{text} {unit}"


def energy(value_kwh: float | None) -> str:
    return "—" if value_kwh is None else f"{value_kwh:.3f} kWh"


def seconds(value: float) -> str:
    return f"{value:.1f} s"


def duration(value: float) -> str:
    """As in "0.2 s", "45 s", "7 min 5 s", "3 h 20 min"; less than a second is not rounded away."""
    if value < 10 and round(value, 1) != round(value):
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{plural}"


def listed(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def day_of(moment: datetime, zone: tzinfo | None) -> str:
    """As in "3 March 2026"."""
    there = moment.astimezone(zone)
    return f"{there.day} {there:%B %Y}"


def reasons(session: Session) -> str:
    """Which profiles gave its limit, and for how long."""
    told = [
        f"{NAMES[purpose] if purpose is not None else 'nothing'} {duration(lasted)}"
        for purpose, lasted in sorted(session.spoke_s.items(), key=lambda one: -one[1])
        if lasted > 0
    ]
    return ", ".join(told)


def because(pause: Pause) -> str:
    """Why an EV was allowed nothing, as far as its profiles and the others tell."""
    others = ""
    if pause.others:
        others = (
            f" while {count(pause.others, 'other EV')} had {power(pause.others_kw, 3)} of {power(pause.limit_kw, 3)}"
        )
    if pause.purpose is Purpose.TX:
        return f"its TxProfile said 0{others}"
    if pause.purpose is Purpose.TX_DEFAULT and pause.at_start:
        return f"it waited for its first TxProfile: the TxDefaultProfile begins with 0{others}"
    if pause.purpose is Purpose.TX_DEFAULT:
        return f"no TxProfile was in force, and its TxDefaultProfile said 0{others}"
    return f"the {NAMES[pause.purpose] if pause.purpose is not None else 'limit'} was 0{others}"
