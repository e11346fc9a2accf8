"""From what a meter says, in its own words, to a Reading. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from optivgi.limits.base_load import Amps
from optivgi.limits.registers import CURRENTS, POWERS, QUANTITIES
from optivgi.site_meter.base import Doubtful, Reading

TO_KW = {"W": 1e-3, "kW": 1.0}
LONGEST_SHOWN = 60
MILLISECONDS_FROM = 1e11
"""A larger number of seconds since 1970 is one of milliseconds."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How a meter's numbers are meant: the unit of its powers, and whether import is positive."""

    unit: str = "W"
    import_is_positive: bool = True
    voltage_v: float = 230.0

    def reading(self, numbers: Mapping[str, float], now: datetime, mark: object = None) -> Reading:
        """The Reading of the quantities there are. Raises Doubtful."""
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise Doubtful(f"{name} is {value}, which is no number")
        sign = 1.0 if self.import_is_positive else -1.0
        kilo = sign * TO_KW[self.unit]
        lines_kw = [numbers[name] * kilo for name in POWERS if name in numbers]
        amps = [numbers[name] * sign for name in CURRENTS if name in numbers]
        if len(amps) != len(CURRENTS):
            amps = [kw * 1000 / self.voltage_v for kw in lines_kw]
        if not amps and not lines_kw and "power" not in numbers:
            raise Doubtful("it shows no power")
        if "power" in numbers:
            kw = numbers["power"] * kilo
        elif len(lines_kw) == len(POWERS):
            kw = sum(lines_kw)
        else:
            kw = sum(amps) * self.voltage_v / 1000
        at = now
        if isinstance(mark, datetime):
            at = min(mark, now)
        known: Amps | None = (amps[0], amps[1], amps[2]) if len(amps) == len(CURRENTS) else None
        return Reading(at, kw, known, mark)


@dataclass(frozen=True, slots=True)
class JsonFields:
    """Where in a JSON document each quantity is: names and positions with dots between, or a JSON Pointer.

    Without paths the document is one number, the power.
    """

    paths: Mapping[str, str] = field(default_factory=dict)
    scale: Scale = field(default_factory=Scale)

    def reading(self, payload: bytes, now: datetime) -> Reading:
        """What `payload` says. Raises Doubtful."""
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError):
            raise Doubtful(f"{_shown(payload)} is no JSON") from None
        if not self.paths:
            return self.scale.reading({"power": number("power", document)}, now)
        numbers = {
            name: number(name, at_path(document, path)) for name, path in self.paths.items() if name in QUANTITIES
        }
        mark: object = None
        if "time" in self.paths:
            mark = moment(at_path(document, self.paths["time"]))
        elif "sequence" in self.paths:
            mark = at_path(document, self.paths["sequence"])
        return self.scale.reading(numbers, now, mark)


def at_path(document: Any, path: str) -> Any:
    """The value at `path`, as in `em.phases.0.power` or `/em:0/a.power`. Raises Doubtful if there is none."""
    pointer = path.startswith("/")
    steps = path[1:].split("/") if pointer else path.split(".")
    value = document
    for raw in steps:
        step = raw.replace("~1", "/").replace("~0", "~") if pointer else raw
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise Doubtful(f"there is no {step!r} of {path!r} in {_shown(json.dumps(document).encode())}")
    return value


def number(name: str, value: Any) -> float:
    """A finite number, also as text. Raises Doubtful."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise Doubtful(f"{name} is {_shown(str(value).encode())}, which is no number")
    return found


def moment(value: Any) -> datetime:
    """Aware UTC from ISO 8601 with an offset, or seconds or milliseconds since 1970. Raises Doubtful."""
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdecimal():
            parsed = datetime.fromisoformat(value)
            if parsed.tzinfo is None:
                raise Doubtful(f"time {value!r} has no offset, so nobody knows when that is")
            return parsed.astimezone(UTC)
        seconds = number("time", value)
        return datetime.fromtimestamp(seconds / 1000 if seconds > MILLISECONDS_FROM else seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        if isinstance(error, Doubtful):
            raise
        raise Doubtful(f"time is {_shown(str(value).encode())}, which is no time") from None


def _shown(payload: bytes) -> str:
    text = payload[: LONGEST_SHOWN + 1].decode("utf-8", "replace")
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")
