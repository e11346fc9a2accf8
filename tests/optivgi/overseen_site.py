"""The whole service over a site whose meters say what each EV draws, and whose EVs and stations do as a test says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from optivgi.alarm import AlarmKind
from optivgi.algorithms.ladder import Ladder
from optivgi.cycle import CycleSettings
from optivgi.ledger import Policy
from optivgi.model.composite import Supply, Transaction, limit_at
from optivgi.oversight_settings import OversightSettings
from optivgi.profile_form import FormBook
from optivgi.record import Observer
from tests.optivgi.control_room import ControlRoom

Draws = Callable[[float], float]
"""What an EV draws when it is allowed so many kW."""

LEAST_KW = 1.44


def settings(**oversight: object) -> CycleSettings:
    return CycleSettings(
        policy=Policy(settle_s=5.0, duration_s=180, dead_band_kw=0.1),
        look_s=10.0,
        oversight=OversightSettings(**oversight),  # type: ignore[arg-type]
    )


def obeys(allowed_kw: float) -> float:
    return min(allowed_kw, 7.2)


class Site(ControlRoom):
    """Meters say every 10 s what each EV draws at what its newest profile allows."""

    def __init__(
        self,
        *,
        limit_kw: float = 12.0,
        oversight: CycleSettings | None = None,
        observers: tuple[Observer, ...] = (),
        forms: FormBook | None = None,
    ) -> None:
        planner = Ladder("go", deadline_s=10.0, monotonic=time.perf_counter)
        super().__init__(
            limit_kw=limit_kw, settings=oversight or settings(), planner=planner, observers=observers, forms=forms
        )
        self.draws: dict[str, Draws] = {}
        self.asleep: set[str] = set()

    async def runs(self, seconds: float) -> None:
        for _ in range(round(seconds / 10)):
            await self.passes(10, 1)
            for ev_id in self.drawn_kw():
                self.meter(ev_id)

    def meter(self, ev_id: str) -> None:
        """The EV's meter is sampled now."""
        ev = self.csms.plugged_in(ev_id)
        kw = self.drawn_kw()[ev_id]
        self.csms.plug_in(
            replace(ev, measured_kw=kw, measured_at=self.clock.now(), suspended_by_ev=ev_id in self.asleep)
        )

    def drawn_kw(self) -> dict[str, float]:
        return {ev_id: self.draws.get(ev_id, obeys)(kw) for ev_id, kw in self.offered_kw().items()}

    def offered_kw(self) -> dict[str, float]:
        """What each station's profiles allow now."""
        offered = {}
        for (station_id, _), profiles in self.csms.installed.items():
            if profiles and self.plugged_in(station_id):
                ev = self.csms.plugged_in(station_id.removeprefix("ST-"))
                transaction = Transaction(ev.transaction_id, ev.arrival)
                limit = limit_at(profiles, (), self.clock.now(), transaction, supply=Supply(240.0, 1))
                offered[ev.ev_id] = 7.2 if limit is None else limit.value / 1000
        return offered

    def plugged_in(self, station_id: str) -> bool:
        return any(ev.station_id == station_id for record in self.witness.records[-1:] for ev in _evs(record))

    def alarms(self) -> set[tuple[AlarmKind, str]]:
        return {(alarm.kind, alarm.ev_id) for alarm in self.witness.records[-1].alarms}


def _evs(record: object) -> tuple:  # type: ignore[type-arg]
    snapshot = getattr(record, "snapshot", None)
    return () if snapshot is None else snapshot.evs
