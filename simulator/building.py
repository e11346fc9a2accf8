"""A building behind the same grid connection as the EVs, and the meter there, which is connector 0 of a station of its own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from optivgi.model.clock import Clock
from simulator.meter import Sample, SampledValue
from simulator.ocpp16 import Station
from simulator.outputs import MeterSampled
from simulator.truth import Trace, next_tenth

GRID, BUILDING = "grid", "building"
SITE = 0
"""OCPP's number for the meter of the whole site, and the trace's for the building."""
MOST_KW = 1_000_000.0


@dataclass(frozen=True, slots=True)
class BuildingSpec:
    """What the building draws: kW from a second after the scenario's start until the next one; below 0 it feeds in.

    `measures` is what flows through the meter: building and EVs (grid), or the building alone. `max_kw` is the most that
    its operator would say it ever draws.
    """

    station_id: str
    base_load_kw: tuple[tuple[float, float], ...]
    max_kw: float
    interval_s: float = 5.0
    measures: str = GRID

    def kw_at(self, offset_s: float) -> float:
        """Its power so long after the start; before, what it begins with."""
        index = bisect_right(self.base_load_kw, (offset_s, MOST_KW)) - 1
        return self.base_load_kw[max(index, 0)][1]

    def next_change(self, offset_s: float) -> float | None:
        """When its power changes after `offset_s`."""
        return next((at for at, _ in self.base_load_kw if at > offset_s), None)


FIELDS = ("station_id", "base_load_kw", "max_kw", "interval_s", "measures")
EXAMPLE = '{"station_id": "METER-01", "base_load_kw": [[0, 5], [120, 15]], "max_kw": 20}'


def problems(given: Mapping[str, Any]) -> Iterator[str]:
    """Everything that is wrong with the field `building` of a scenario."""
    for name in sorted(given.keys() - set(FIELDS)):
        yield f"building.{name} is not a field; known are {', '.join(FIELDS)}"
    for name in FIELDS[:3]:
        if name not in given:
            yield f"building.{name} is missing, e.g. building = {EXAMPLE}"
    station_id = given.get("station_id", "METER-01")
    if not isinstance(station_id, str) or not 1 <= len(station_id) <= 48 or station_id != station_id.strip():
        yield f"building.station_id is {station_id!r}; it must be a station's id of 1 to 48 characters"
    for name, low, high in (("max_kw", 0.0, MOST_KW), ("interval_s", 0.1, 3600.0)):
        if name in given and not _is_number(given[name], low, high):
            yield f"building.{name} is {given[name]!r}; it must be a number from {low:g} to {high:g}"
    if given.get("measures", GRID) not in (GRID, BUILDING):
        yield f"building.measures is {given['measures']!r}; it must be {GRID} (with the EVs) or {BUILDING} (without)"
    if "base_load_kw" in given:
        yield from _series_problems(given["base_load_kw"])


def _series_problems(series: Any) -> Iterator[str]:
    words = "it must be pairs of seconds and kW in order of time, the first at 0, e.g. [[0, 5], [120, 15]]"
    if not isinstance(series, list) or not series:
        yield f"building.base_load_kw is {series!r}; {words}"
        return
    before = -1.0
    for index, step in enumerate(series):
        fine = isinstance(step, list) and len(step) == 2 and _is_number(step[1], -MOST_KW, MOST_KW)
        if not fine or not _is_number(step[0], 0, 31_536_000) or step[0] <= before or (index == 0 and step[0] != 0):
            yield f"building.base_load_kw[{index}] is {step!r}; {words}"
            return
        before = step[0]


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def building_spec(given: Mapping[str, Any]) -> BuildingSpec:
    """From a sound field `building`."""
    steps = tuple((float(at), float(kw)) for at, kw in given["base_load_kw"])
    return BuildingSpec(**{**given, "base_load_kw": steps})


class Building:
    """Plays the building from `begin` on: its power into the trace, and what its meter shows to the CSMS."""

    def __init__(
        self, spec: BuildingSpec, station: Station, evs_kw: Callable[[], float], clock: Clock, trace: Trace | None
    ) -> None:
        self._spec, self.station, self._evs_kw, self._clock, self._trace = spec, station, evs_kw, clock, trace

    async def run(self, begin: datetime) -> None:
        """Never returns; cancel it."""
        spec, offset_s, sample_s = self._spec, 0.0, 0.0
        while True:
            at = begin + timedelta(seconds=offset_s)
            await self._clock.sleep((at - self._clock.now()).total_seconds())
            if self._trace is not None:
                self._trace(next_tenth(at - timedelta(microseconds=1)), spec.station_id, SITE, spec.kw_at(offset_s))
            if offset_s >= sample_s:
                self._sample(begin)
                sample_s = offset_s + spec.interval_s
            change_s = spec.next_change(offset_s)
            offset_s = sample_s if change_s is None else min(sample_s, change_s)

    def _sample(self, begin: datetime) -> None:
        """The meter as it is now, which is a little later than when it was to be read."""
        now = self._clock.now()
        power_kw = self._spec.kw_at((now - begin).total_seconds())
        if self._spec.measures == GRID:
            power_kw += self._evs_kw()
        flows = (("Import", max(power_kw, 0.0)), ("Export", max(-power_kw, 0.0)))
        values = [
            SampledValue(f"Power.Active.{direction}", f"{kw * 1000:.1f}", "W", location="Inlet")
            for direction, kw in flows
        ]
        self.station.charger.say(MeterSampled(SITE, None, (Sample(now, "Sample.Periodic", tuple(values)),)))
        self.station.flush()
