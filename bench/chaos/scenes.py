"""Who comes when, and what is expected of the site meanwhile: scenarios for bad days, as data."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STAYS = 6
"""EVs that charge all the time, one on the first connector of each of the first stations."""
CAPACITY_KWH = 60.0
MAX_KW = 7.2


@dataclass(frozen=True, slots=True)
class Stay:
    """One EV at the `connector_id` of the `station`-th station, from `arrive_s` to `depart_s` after the scenario's start."""

    station: int
    connector_id: int
    arrive_s: float
    depart_s: float


@dataclass(frozen=True, slots=True)
class Scene:
    """The EVs of a run. The limit is `limit_kw`; `steady_s` after the scenario's start all is expected to be calm."""

    stays: tuple[Stay, ...]
    stations: int = 6
    limit_kw: float = 30.0
    steady_s: float = 20.0

    @property
    def station_ids(self) -> tuple[str, ...]:
        return tuple(f"OPTIVGI-STATION-{number:02d}" for number in range(1, self.stations + 1))

    @property
    def id_tags(self) -> tuple[str, ...]:
        return tuple(_id_tag(number) for number in range(1, len(self.stays) + 1))

    @property
    def duration_s(self) -> float:
        return max(stay.depart_s for stay in self.stays)

    def present(self, at_s: float) -> int:
        """How many EVs are plugged in at `at_s`."""
        return sum(stay.arrive_s <= at_s < stay.depart_s for stay in self.stays)

    def write(self, path: Path) -> None:
        """The scenario as the simulator reads it."""
        sessions: list[dict[str, Any]] = [
            {
                "station_id": self.station_ids[stay.station - 1],
                "connector_id": stay.connector_id,
                "arrive_offset_s": stay.arrive_s,
                "depart_offset_s": stay.depart_s,
                "capacity_kwh": CAPACITY_KWH,
                "arrival_soc": 0.2,
                "target_soc": 1.0,
                "max_charge_rate_kw": MAX_KW,
                "id_tag": id_tag,
                "auto_start": True,
            }
            for stay, id_tag in zip(self.stays, self.id_tags, strict=True)
        ]
        path.write_text(json.dumps({"description": "bad days on purpose", "sessions": sessions}))


def _id_tag(number: int) -> str:
    return f"OPTIVGI-{number:02d}"


def one_after_the_other(every_s: float, stay_s: float) -> Scene:
    """Six EVs, the next one every `every_s`."""
    stays = [Stay(n, 1, (n - 1) * every_s, (n - 1) * every_s + stay_s) for n in range(1, STAYS + 1)]
    return Scene(tuple(stays), steady_s=(STAYS - 1) * every_s + 15)


def all_at_once(stay_s: float) -> Scene:
    """Six EVs in the same moment."""
    return Scene(tuple(Stay(n, 1, 0, stay_s) for n in range(1, STAYS + 1)), steady_s=15)


def many_at_once(chance: random.Random, evs: int, within_s: float, stay_s: float) -> Scene:
    """`evs` EVs, each at a station of its own, arriving at any moment `within_s`; 3 kW of limit for each."""
    arrivals = [round(chance.uniform(0, within_s), 1) for _ in range(evs)]
    stays = [Stay(number, 1, at, at + stay_s) for number, at in enumerate(arrivals, 1)]
    return Scene(tuple(stays), evs, 3.0 * evs, within_s + 20)


def around_a_fault(begin_s: float, down_s: float, after_s: float) -> Scene:
    """Six EVs all the time; once the fault is there one of them leaves and another one comes."""
    end_s = begin_s + down_s + after_s
    base = [Stay(n, 1, 0.3 * n, end_s) for n in range(1, STAYS)]
    leaver = Stay(STAYS, 1, 0.0, begin_s + min(4.0, down_s / 2))
    comer = Stay(2, 2, begin_s + min(2.0, down_s / 4), end_s)
    return Scene((*base, leaver, comer), steady_s=begin_s)


def while_nobody_rules(begin_s: float, down_s: float, after_s: float) -> Scene:
    """Six EVs all the time on a full site; three more come while nobody can tell anyone to make room."""
    end_s = begin_s + down_s + after_s
    base = [Stay(n, 1, 0.3 * n, end_s) for n in range(1, STAYS + 1)]
    guests = [Stay(n, 2, begin_s + 3.0 * n, end_s) for n in range(1, 4)]
    return Scene((*base, *guests), steady_s=begin_s)


def coming_and_going(chance: random.Random, duration_s: float) -> Scene:
    """Six EVs all the time, and guests at the second connectors, each for a minute or two."""
    stays = [Stay(n, 1, 0.3 * n, duration_s) for n in range(1, STAYS + 1)]
    free_at = dict.fromkeys(range(1, STAYS + 1), 20.0)
    at = 20.0
    while at < duration_s - 30:
        stations = [station for station, free in free_at.items() if free <= at]
        if stations:
            station = chance.choice(stations)
            leave = round(min(at + chance.uniform(25, 120), duration_s), 1)
            stays.append(Stay(station, 2, round(at, 1), leave))
            free_at[station] = leave + 10
        at += chance.uniform(8, 25)
    return Scene(tuple(stays))
