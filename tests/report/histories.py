"""Builds histories from what each EV was allowed and what it drew; meters and registers follow from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.history import History, MeterSample, ProfileSent, Register, Transaction
from optivgi.report import Limits, Report, Truth, judge

LIMIT_KW = 30.0
Steps = Sequence[tuple[float, float]]
"""(seconds after the start of the history, kW from then on)."""


def at(seconds: float) -> datetime:
    return datetime(2026, 3, 3, 8, 0, tzinfo=UTC) + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Session:
    """One EV. It draws what it is allowed unless `drawn` says otherwise; `unaligned_s` shifts its meter's clock."""

    number: int
    start_s: float
    end_s: float | None
    allowed: Steps
    drawn: Steps | None = None
    unaligned_s: float = 0.0
    silent: tuple[float, float] = (0.0, 0.0)

    @property
    def station_id(self) -> str:
        return f"STATION-{self.number:02d}"


def tx_profile(
    limit_w: float, profile_id: int = 2, transaction_id: str = "1", unit: RateUnit = RateUnit.W
) -> ChargingProfile:
    schedule = Schedule(unit, (Period(0, limit_w, 1),), start=at(-3600))
    return ChargingProfile(profile_id, 1, Purpose.TX, Kind.ABSOLUTE, schedule, transaction_id)


def default_profile(hold_s: int = 60, share_w: float = 2500) -> ChargingProfile:
    schedule = Schedule(RateUnit.W, (Period(0, 0), Period(hold_s, share_w, 1)))
    return ChargingProfile(1, 0, Purpose.TX_DEFAULT, Kind.RELATIVE, schedule)


def sent(
    station_id: str, seconds: float, profile: ChargingProfile, status: str | None = "Accepted", answer_s: float = 0.0
) -> ProfileSent:
    answered_at = None if status is None else at(seconds + answer_s)
    return ProfileSent(station_id, 1, profile, at(seconds), answered_at, status)


def history(
    *sessions: Session,
    interval_s: int = 10,
    resolution_wh: float = 0.001,
    end_s: float = 900,
    defaults: bool = True,
) -> History:
    """The record of `sessions`, sampled every `interval_s` and read in `resolution_wh`."""
    profiles: list[ProfileSent] = []
    samples: list[MeterSample] = []
    transactions: list[Transaction] = []
    for session in sessions:
        stop_s = end_s if session.end_s is None else session.end_s
        if defaults:
            profiles.append(sent(session.station_id, -5, default_profile()))
        profiles += [
            sent(session.station_id, s, tx_profile(round(kw * 1000))) for s, kw in session.allowed if s <= stop_s
        ]
        drawn = session.drawn if session.drawn is not None else session.allowed
        transactions.append(
            Transaction(
                session.number,
                session.station_id,
                1,
                "1",
                at(session.start_s),
                None if session.end_s is None else at(session.end_s),
                Register(0.0, 1.0),
                None if session.end_s is None else Register(round(energy_wh(drawn, stop_s)), 1.0),
            )
        )
        for tick in range(0, int(stop_s) + 1, interval_s):
            moment_s = tick + session.unaligned_s
            if session.start_s < moment_s < stop_s and not session.silent[0] <= moment_s < session.silent[1]:
                samples.append(_sample(session, drawn, moment_s, resolution_wh))
    return History(at(-10), None, tuple(transactions), tuple(profiles), samples=tuple(samples))


def _sample(session: Session, drawn: Steps, moment_s: float, resolution_wh: float) -> MeterSample:
    register = Register(round(energy_wh(drawn, moment_s) / resolution_wh) * resolution_wh, resolution_wh)
    return MeterSample(session.number, at(moment_s), not session.unaligned_s, power_kw(drawn, moment_s), register)


def power_kw(drawn: Steps, moment_s: float) -> float:
    return next((kw for start, kw in reversed(drawn) if start <= moment_s), 0.0)


def energy_wh(drawn: Steps, until_s: float) -> float:
    ends = [*(start for start, _ in drawn[1:]), until_s][: len(drawn)]
    return sum(kw * max(0.0, min(end, until_s) - start) / 3.6 for (start, kw), end in zip(drawn, ends, strict=True))


def curtailed(count: int = 6, limit_kw: float = LIMIT_KW, most_kw: float = 7.2) -> list[Session]:
    """A good run: EVs come 60 s apart for ten minutes; each change cuts first, and raises 0.2 s after."""
    start = {number: 60.0 * (number - 1) + 3 for number in range(1, count + 1)}
    changes: dict[int, list[tuple[float, float]]] = {number: [] for number in start}
    for moment in sorted([*start.values(), *(s + 600 for s in start.values())]):
        here = [number for number, s in start.items() if s <= moment < s + 600]
        for number in here:
            share = min(most_kw, int(limit_kw / len(here) * 1000) / 1000)
            now_kw = changes[number][-1][1] if changes[number] else 0.0
            if share != now_kw:
                changes[number].append((moment + (0.1 if share < now_kw else 0.3), share))
    return [Session(number, start[number], start[number] + 600, changes[number]) for number in start]


def with_session(sessions: Sequence[Session], number: int, **changes: Any) -> list[Session]:
    """The same run with one session changed."""
    return [replace(one, **changes) if one.number == number else one for one in sessions]


def judged(
    facts: History,
    limit_kw: float = LIMIT_KW,
    stated_max_kw: float | None = None,
    limits: Limits | None = None,
    truth: Truth | None = None,
) -> Report:
    return judge(
        facts,
        url="http://localhost:8090",
        limits=limits or Limits.constant(limit_kw),
        voltage_v=240.0,
        stated_max_kw=lambda _: stated_max_kw,
        truth=truth,
        zone=UTC,
    )
