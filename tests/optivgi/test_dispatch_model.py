"""Whatever is lost, late or refused, in whatever order: what chargers may draw stays within the limit."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from optivgi.account import Instant, Key
from optivgi.dispatch import limits_at, next_commands, safe_shares, safe_start_commands
from optivgi.ledger import Ledger, Policy
from optivgi.limits.env import ALWAYS
from optivgi.model.charging_profile import Purpose
from optivgi.model.limit_series import LimitSeries
from optivgi.model.site import Site
from optivgi.testing import MOMENT, a_connector, a_snapshot, an_ev
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand

SETTLE_S, HOLD_S, LOOK_S, EV_MAX_KW = 5.0, 60, 10.0, 7.2
STATIONS = tuple(f"ST-{number}" for number in range(1, 7))
NOISE_KW = 1e-6

stations = st.sampled_from(STATIONS)


@dataclass
class Charger:
    """A charger with an EV that uses all it is allowed and takes the whole settling time to follow a cut."""

    share_kw: float | None = None
    transaction: str | None = None
    started: float = 0.0
    profile_kw: float | None = None
    rejects: bool = False
    allowed_since: deque[tuple[float, float]] = field(default_factory=deque)

    def allowed_kw(self, at: float) -> float:
        if self.transaction is None:
            return 0.0
        if self.profile_kw is not None:
            return min(EV_MAX_KW, self.profile_kw)
        if self.share_kw is None:
            return EV_MAX_KW
        return 0.0 if at - self.started < HOLD_S else min(EV_MAX_KW, self.share_kw)

    def note(self, at: float) -> None:
        self.allowed_since.append((at, self.allowed_kw(at)))

    def drawing_kw(self, at: float) -> float:
        """The most that was allowed at any time within the settling time."""
        if self.transaction is None:
            return 0.0
        while len(self.allowed_since) > 1 and self.allowed_since[1][0] <= at - SETTLE_S:
            self.allowed_since.popleft()
        return max(self.allowed_kw(at), *(kw for _, kw in self.allowed_since))

    def take(self, command: PowerCommand, at: float) -> OutcomeStatus:
        if command.profile.purpose is Purpose.TX_DEFAULT:
            self.share_kw = command.limit_kw
        elif self.rejects or command.profile.transaction_id != self.transaction:
            return OutcomeStatus.REJECTED
        else:
            self.note(at)
            self.profile_kw = command.limit_kw
        self.note(at)
        return OutcomeStatus.ACCEPTED


@dataclass
class Pending:
    """A command under way: `outcome` is None until the charger took it; `told` once the ledger knows its fate."""

    command: PowerCommand
    outcome: OutcomeStatus | None = None
    told: bool = False


class Dispatching(RuleBasedStateMachine):
    """Base of both machines: time, chargers, links and a controller that plans equal shares around what is stuck."""

    limit_kw = 8.0

    @initialize()
    def install_safe_starts(self) -> None:
        self.at = 1000.0
        self.transactions = 0
        self.bound_kw = self.limit_kw
        self.looked_at = self.at
        self.ledger = Ledger(Policy(SETTLE_S, HOLD_S, 0.1))
        self.chargers = {station_id: Charger() for station_id in STATIONS}
        self.links: dict[str, deque[Pending]] = {station_id: deque() for station_id in STATIONS}
        self.targets: dict[Key, float] = {}
        self.look()
        for link in self.links.values():
            while link:
                self.arrives(link)
                self.is_answered(link)

    @property
    def when(self) -> Instant:
        return Instant(MOMENT + timedelta(seconds=self.at), self.at)

    @property
    def site(self) -> Site:
        return Site.single(LimitSeries.constant(self.limit_kw, ALWAYS, "site limit"))

    def look(self) -> None:
        """Reads, plans and sends, as a cycle does."""
        connectors = [a_connector(station_id, max_kw=EV_MAX_KW) for station_id in STATIONS]
        evs = [
            an_ev(station_id, station_id=station_id, transaction_id=charger.transaction, arrival=self.since(charger))
            for station_id, charger in self.chargers.items()
            if charger.transaction is not None
        ]
        self.looked_at = self.at
        self.ledger.observe(a_snapshot(*evs, connectors=connectors), self.when)
        stuck = {key for key in self.ledger.accounts if self.ledger.stuck(key, self.at)}
        room_kw = max(0.0, self.limit_kw - sum(self.ledger.lasting_kw(key, self.when, ahead=True) for key in stuck))
        free = sorted(key for key in self.ledger.accounts if key not in stuck)
        fitting = free[: int(room_kw // 1.44)]
        self.targets = {key: min(EV_MAX_KW, room_kw / len(fitting)) if key in fitting else 0.0 for key in free}
        self.shares = safe_shares(self.site, connectors, self.when.now, 0.0)
        self.send()

    @staticmethod
    def since(charger: Charger) -> datetime:
        return MOMENT + timedelta(seconds=charger.started)

    def send(self) -> None:
        self.ledger.tick(self.at)
        limits = limits_at(self.site, self.ledger.accounts.values(), self.when.now, 0.0)
        commands = [
            *next_commands(self.ledger, self.targets, limits, self.when),
            *safe_start_commands(self.ledger, self.shares, self.when),
        ]
        for command in commands:
            self.ledger.sent(command)
            self.links[command.station_id].append(Pending(command))

    def arrives(self, link: deque[Pending]) -> None:
        """The first command that the charger has not seen reaches it."""
        for pending in link:
            if pending.outcome is None:
                pending.outcome = self.chargers[pending.command.station_id].take(pending.command, self.at)
                return

    def is_answered(self, link: deque[Pending]) -> None:
        """The charger's answer to the first command arrives, if it has answered."""
        if link and link[0].outcome is not None:
            pending = link.popleft()
            if not pending.told:
                assert pending.outcome is not None
                self.ledger.learned(Outcome(pending.command, pending.outcome), self.when)

    @rule(station_id=stations)
    def car_arrives(self, station_id: str) -> None:
        charger = self.chargers[station_id]
        if charger.transaction is None:
            self.transactions += 1
            charger.transaction, charger.started = str(self.transactions), self.at
            charger.profile_kw = None
            charger.allowed_since.clear()
            charger.note(self.at)

    @rule(station_id=stations)
    def car_leaves(self, station_id: str) -> None:
        charger = self.chargers[station_id]
        charger.transaction = charger.profile_kw = None
        charger.allowed_since.clear()

    @rule()
    def cycle(self) -> None:
        self.look()

    @rule()
    def wave(self) -> None:
        self.send()

    @rule(station_id=stations)
    def command_arrives(self, station_id: str) -> None:
        self.arrives(self.links[station_id])

    @rule(station_id=stations)
    def answer_arrives(self, station_id: str) -> None:
        self.is_answered(self.links[station_id])

    @rule()
    def all_goes_well(self) -> None:
        for link in self.links.values():
            while link:
                self.arrives(link)
                self.is_answered(link)

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.5, 5.0, 7.0]))
    def time_passes(self, seconds: float) -> None:
        self.at += seconds
        if self.at - self.looked_at >= LOOK_S:
            self.look()

    @invariant()
    def the_ledger_is_never_too_hopeful(self) -> None:
        for station_id, charger in self.chargers.items():
            account = self.ledger.accounts.get((station_id, 1))
            known = account is not None and account.transaction_id == charger.transaction
            counted = self.ledger.worst_kw((station_id, 1), self.when) if known else 0.0
            assert charger.drawing_kw(self.at) <= counted + NOISE_KW

    @invariant()
    def the_limit_holds(self) -> None:
        worst_kw = sum(self.ledger.worst_kw(key, self.when) for key in self.ledger.accounts)
        drawn_kw = sum(charger.drawing_kw(self.at) for charger in self.chargers.values())
        if worst_kw <= self.limit_kw + NOISE_KW:
            self.bound_kw = self.limit_kw
        assert worst_kw <= self.bound_kw + NOISE_KW
        assert drawn_kw <= self.bound_kw + NOISE_KW


class LossyLinks(Dispatching):
    """Commands and answers get lost or come late; the limit moves. The safe share is 0: the limit is small."""

    @rule(station_id=stations)
    def nothing_is_heard(self, station_id: str) -> None:
        """The controller gives up waiting; the command or its answer may still be on its way."""
        for pending in self.links[station_id]:
            if not pending.told:
                pending.told = True
                self.ledger.learned(Outcome(pending.command, OutcomeStatus.UNKNOWN), self.when)
                return

    @rule(station_id=stations)
    def command_is_lost(self, station_id: str) -> None:
        """One of which the controller gave up hope never arrives."""
        link = self.links[station_id]
        if link and link[0].told and link[0].outcome is None:
            link.popleft()

    @rule(limit_kw=st.sampled_from([0.0, 2.0, 4.5, 8.0]))
    def limit_changes(self, limit_kw: float) -> None:
        self.bound_kw = max(self.bound_kw, limit_kw)
        self.limit_kw = limit_kw


class StubbornChargers(Dispatching):
    """Answers come within seconds, but some chargers refuse TxProfiles, and the safe share is above 0."""

    limit_kw = 12.0

    @rule(station_id=stations)
    def charger_turns_stubborn(self, station_id: str) -> None:
        self.chargers[station_id].rejects = not self.chargers[station_id].rejects

    @precondition(lambda self: any(self.links.values()))
    @rule(seconds=st.sampled_from([1.0, 3.0]))
    def answers_in_time(self, seconds: float) -> None:
        self.all_goes_well()
        self.at += seconds

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.5]))
    def time_passes(self, seconds: float) -> None:
        self.all_goes_well()
        self.at += seconds
        self.send()
        if self.at - self.looked_at >= LOOK_S:
            self.look()


BUDGET = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestLossyLinks = LossyLinks.TestCase
TestLossyLinks.settings = BUDGET
TestStubbornChargers = StubbornChargers.TestCase
TestStubbornChargers.settings = BUDGET
