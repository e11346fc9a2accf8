"""The people of a site: EVs that come, hold a tag to the reader, and leave."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from simulator.faults.catalogue import FaultSpec
from simulator.ocpp16 import Station
from simulator.scenario import Session
from simulator.ticker import Ticker

LOGGER = logging.getLogger(__name__)
TRY_AGAIN_S = 30.0
"""How long a driver waits before holding the tag to the reader again, when nothing came of it."""
NEVER = datetime.max.replace(tzinfo=UTC)

Action = Callable[[datetime], None]


class Diary:
    """What is to be done at which instant; an action gets its own instant, however late the process wakes."""

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self._notes: list[tuple[datetime, int, Action]] = []
        self._order = itertools.count()

    def note(self, at: datetime, action: Action) -> None:
        """Has `action(at)` called at the instant `at`."""
        heapq.heappush(self._notes, (at, next(self._order), action))
        self._ticker.reschedule(self)

    @property
    def next_due(self) -> datetime:
        """The first note's instant."""
        return self._notes[0][0] if self._notes else NEVER

    def tick(self, now: datetime) -> None:
        """Does what is due, in order."""
        while self._notes and self._notes[0][0] <= now:
            at, _, action = heapq.heappop(self._notes)
            action(at)


@dataclass(slots=True)
class Stay:
    """One session of a scenario. `left` is called when the EV has gone; `habits` are the faults of every EV at the station."""

    station: Station
    session: Session
    diary: Diary
    left: Callable[[], None]
    habits: tuple[FaultSpec, ...] = ()
    gone: bool = False

    def arrive(self, at: datetime) -> None:
        """Plugs the EV in; its driver presents the tag, unless the start is left to the CSMS."""
        session, charger = self.session, self.station.charger
        vehicle = session.arriving(charger.spec.voltage_v, self.habits)
        if not self.station.plug(session.connector_id, vehicle, at):
            LOGGER.warning("%s: connector %d is taken", session.station_id, session.connector_id)
            self.gone = True
            return
        LOGGER.info("%s: an EV of %g kW arrives", session.station_id, session.max_charge_rate_kw)
        if session.auto_start:
            self._present(at)

    def go_on(self, at: datetime) -> None:
        """Its EV is plugged in already, from before the station lost its power."""
        if self.session.auto_start:
            self._present(at)

    def depart(self, at: datetime) -> None:
        """Unplugs the EV, whatever it was doing."""
        if not self.gone:
            self.station.unplug(self.session.connector_id, at)
            LOGGER.info("%s: the EV of %s leaves", self.session.station_id, self.session.id_tag)
        self.gone = True
        self.left()

    def _present(self, at: datetime) -> None:
        connector = self.station.charger.connectors[self.session.connector_id]
        if self.gone or connector.transaction is not None or connector.finishing:
            return
        self.station.present(self.session.connector_id, self.session.id_tag, at)
        self.diary.note(at + timedelta(seconds=TRY_AGAIN_S), self._present)
