"""RFC 3339 timestamps as chargers really send them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_shape = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:[.,](\d{1,12}))?\s?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)


def parse_timestamp(text: str) -> datetime | None:
    """The instant in aware UTC, to the microsecond, or None when `text` is no timestamp.

    Taken leniently: a missing zone means UTC (the standard asks for UTC and many chargers leave the Z out), a leap
    second is the start of the next minute, more than six decimals are cut.
    """
    found = _shape.fullmatch(text)
    if found is None:
        return None
    day, minute, second, fraction, zone = found.groups()
    leap = second == "60"
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    micros = (fraction or "0")[:6].ljust(6, "0")
    try:
        instant = datetime.fromisoformat(f"{day}T{minute}:{'59' if leap else second}.{micros}{zone}")
        return instant.astimezone(UTC) + timedelta(seconds=leap)
    except (ValueError, OverflowError):
        return None


def format_timestamp(instant: datetime) -> str:
    """`instant` in UTC with milliseconds and Z, the form of every timestamp that the CSMS sends."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
