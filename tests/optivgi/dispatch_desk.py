"""A dispatcher's desk for tests: a ledger with a clock and a limit, and stations that answer as a test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from optivgi.account import Instant
from optivgi.dispatch import limits_at, safe_start_commands
from optivgi.ledger import Ledger, Policy
from optivgi.limits.env import ALWAYS
from optivgi.model.ev import EV
from optivgi.model.limit_series import LimitSeries
from optivgi.model.site import Site
from optivgi.testing import MOMENT, a_connector, a_snapshot, an_ev
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand
from optivgi.wave import next_commands

START = 1000.0


class Desk:
    """A ledger with a clock and a limit: `plan` sends what may be sent, `answer` tells what became of it."""

    def __init__(self, limit_kw: float = 30.0, site: Site | None = None) -> None:
        self.ledger = Ledger(Policy(settle_s=5.0, duration_s=180, dead_band_kw=0.1))
        self.site = site or Site.single(LimitSeries.constant(limit_kw, ALWAYS, "site limit"))
        self.at = START
        self.evs: dict[str, EV] = {}
        self.connectors = {f"ST-{number}": a_connector(f"ST-{number}") for number in range(1, 7)}
        self.shares = {connector.key: 2.4 for connector in self.connectors.values()}
        self.observe()
        self.answer(*self.safe_starts())

    @property
    def when(self) -> Instant:
        return Instant(MOMENT + timedelta(seconds=self.at - START), self.at)

    def restart(self) -> None:
        """Nothing is known any more, a while after profiles of before may have ended."""
        self.ledger = Ledger(self.ledger.policy)
        self.at += 20

    def observe(self) -> None:
        snapshot = a_snapshot(*self.evs.values(), connectors=self.connectors.values())
        self.ledger.observe(snapshot, self.when)

    def arrive(self, *evs: EV) -> None:
        self.evs |= {ev.ev_id: replace(ev, arrival=self.when.now) for ev in evs}
        self.observe()

    def safe_starts(self) -> tuple[PowerCommand, ...]:
        return self.send(safe_start_commands(self.ledger, self.shares, self.when))

    def plan(self, targets: Mapping[str, float], *, raises: bool = True) -> tuple[PowerCommand, ...]:
        """The commands towards `targets` (kW by EV id)."""
        self.ledger.tick(self.when)
        limits = limits_at(self.site, self.ledger.accounts.values(), self.when.now, 10.0)
        by_key = {(self.evs[ev_id].station_id, 1): kw for ev_id, kw in targets.items()}
        return self.send(next_commands(self.ledger, by_key, limits, self.when, shares=self.shares, raises=raises))

    def send(self, commands: tuple[PowerCommand, ...]) -> tuple[PowerCommand, ...]:
        for command in commands:
            self.ledger.sent(command, self.when)
        return commands

    def answer(self, *commands: PowerCommand, status: OutcomeStatus = OutcomeStatus.ACCEPTED) -> None:
        for command in commands:
            self.ledger.learned(Outcome(command, status), self.when)

    def charging(self, powers: Mapping[str, float]) -> Desk:
        """EVs that have been at these powers for a while."""
        self.arrive(*(an_ev(ev_id) for ev_id in powers))
        self.answer(*self.plan(powers))
        self.at += 20
        return self


def powers(commands: tuple[PowerCommand, ...]) -> dict[str | None, float]:
    return {command.ev_id: round(command.limit_kw, 3) for command in commands}
