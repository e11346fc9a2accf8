"""Chargers that go by their own clocks, links that lose and delay, and a controller that plans: all in pure code."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from optivgi.account import Instant, Key
from optivgi.dispatch import DAY_S, limits_at, safe_shares, safe_start_commands
from optivgi.ledger import Ledger, Policy
from optivgi.limits.env import ALWAYS
from optivgi.model.charging_profile import Purpose, Schedule
from optivgi.model.limit_series import LimitSeries
from optivgi.model.site import Site
from optivgi.reserve import for_starts, kept_free, proven, welcomed
from optivgi.testing import MOMENT, a_connector, a_snapshot, an_ev
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand
from optivgi.wave import next_commands

SETTLE_S, LOOK_S, EV_MAX_KW = 5.0, 10.0, 7.2
POLICY = Policy(settle_s=SETTLE_S, duration_s=45, dead_band_kw=0.1, skew_s=2.0)
STATIONS = tuple(f"ST-{number}" for number in range(1, 7))
NOISE_KW = 1e-6
CONNECTORS = tuple(a_connector(station_id, max_kw=EV_MAX_KW) for station_id in STATIONS)

stations = st.sampled_from(STATIONS)


@dataclass(frozen=True)
class Had:
    """The profiles that a charger had from `since` to `until`."""

    since: float
    until: float
    tx: Schedule | None
    default: Schedule | None


@dataclass
class Charger:
    """A charger with an EV that uses all it is allowed and takes the whole settling time to follow a cut.

    Its clock is `ahead_s` off, and it goes by that: a schedule is over when it says so, with nobody there to see it.
    """

    ahead_s: float = 0.0
    default: Schedule | None = None
    transaction: str | None = None
    started: float = 0.0
    tx: Schedule | None = None
    since: float = 0.0
    rejects: bool = False
    had: list[Had] = field(default_factory=list)

    def allowed_kw(self, at: float, tx: Schedule | None, default: Schedule | None) -> float:
        if tx is not None and tx.start is not None:
            elapsed_s = at + self.ahead_s - (tx.start - MOMENT).total_seconds()
            if elapsed_s >= 0 and (tx.duration_s is None or elapsed_s < tx.duration_s):
                return kw_of(tx, elapsed_s)
        return EV_MAX_KW if default is None else kw_of(default, at - self.started)

    def turns(self, tx: Schedule | None, default: Schedule | None) -> Iterator[float]:
        """When what it allows changes by itself."""
        if tx is not None and tx.start is not None:
            begin = (tx.start - MOMENT).total_seconds() - self.ahead_s
            yield from (begin + one.start_s for one in tx.periods)
            yield begin + (tx.duration_s or 0)
        if default is not None:
            yield from (self.started + one.start_s for one in default.periods)

    def now(self, at: float) -> Had:
        return Had(self.since, at, self.tx, self.default)

    def drawing_kw(self, at: float) -> float:
        """The most that was allowed at any time within the settling time."""
        if self.transaction is None:
            return 0.0
        begin = max(self.started, at - SETTLE_S)
        self.had = [one for one in self.had if one.until > begin]
        return max(
            min(EV_MAX_KW, self.allowed_kw(moment, one.tx, one.default))
            for one in (*self.had, self.now(at))
            for moment in (
                max(begin, one.since),
                one.until,
                *(turn for turn in self.turns(one.tx, one.default) if max(begin, one.since) < turn < one.until),
            )
        )

    def change(self, at: float, tx: Schedule | None, default: Schedule | None) -> None:
        self.had.append(self.now(at))
        self.since, self.tx, self.default = at, tx, default

    def begin(self, transaction: str | None, at: float) -> None:
        self.transaction, self.started, self.since, self.tx = transaction, at, at, None
        self.had.clear()

    def take(self, command: PowerCommand, at: float) -> OutcomeStatus:
        schedule = command.profile.schedule
        if command.profile.purpose is Purpose.TX_DEFAULT:
            self.change(at, self.tx, schedule)
        elif self.rejects or command.profile.transaction_id != self.transaction:
            return OutcomeStatus.REJECTED
        else:
            self.change(at, schedule, self.default)
        return OutcomeStatus.ACCEPTED


def kw_of(schedule: Schedule, elapsed_s: float) -> float:
    return [one.limit for one in schedule.periods if one.start_s <= elapsed_s][-1] * 240 / 1000


@dataclass
class Pending:
    """A command under way: `outcome` is None until the charger took it; `told` once the ledger knows its fate."""

    command: PowerCommand
    outcome: OutcomeStatus | None = None
    told: bool = False


class Dispatching(RuleBasedStateMachine):
    """Base of all machines: time, chargers, links and a controller that plans equal shares around what is stuck."""

    limit_kw = 8.0
    ahead_s = (0.0,) * len(STATIONS)
    reserved = 0

    @initialize()
    def install_safe_starts(self) -> None:
        self.at = 1000.0
        self.transactions = 0
        self.bound_kw = self.limit_kw
        self.looked_at = self.at
        self.ledger = Ledger(POLICY)
        self.dead = False
        self.sent = 0
        self.chargers = {one: Charger(ahead_s) for one, ahead_s in zip(STATIONS, self.ahead_s, strict=True)}
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
        if self.dead:
            return
        evs = [
            an_ev(station_id, station_id=station_id, transaction_id=charger.transaction, arrival=self.since(charger))
            for station_id, charger in self.chargers.items()
            if charger.transaction is not None
        ]
        self.looked_at = self.at
        self.ledger.observe(a_snapshot(*evs, connectors=CONNECTORS), self.when)
        stuck = {key for key in self.ledger.accounts if self.ledger.stuck(key, self.at)}
        room_kw = max(0.0, self.limit_kw - sum(self.ledger.lasting_kw(key, self.when, ahead=True) for key in stuck))
        self.starts = welcomed(self.site, self.ledger, self.reserved, self.when, ())
        room_kw = max(0.0, room_kw - sum(self.starts.values()))
        free = sorted(key for key in self.ledger.accounts if key not in stuck)
        self.targets = self.shared_out(free, room_kw)
        self.shares = safe_shares(self.site, CONNECTORS, self.when.now, DAY_S)
        self.send()

    def shared_out(self, free: list[Key], room_kw: float) -> dict[Key, float]:
        """The same for as many as there is room for at all."""
        fitting = free[: int(room_kw // 1.44)]
        return {key: min(EV_MAX_KW, room_kw / len(fitting)) if key in fitting else 0.0 for key in free}

    @staticmethod
    def since(charger: Charger) -> datetime:
        return MOMENT + timedelta(seconds=charger.started)

    def send(self) -> None:
        if self.dead:
            return
        self.ledger.tick(self.when)
        site = kept_free(self.site, CONNECTORS, for_starts(self.ledger, self.starts), strict=True)
        limits = limits_at(site, self.ledger.accounts.values(), self.when.now, 0.0)
        starts = proven(self.site, self.ledger, self.starts, self.when)
        commands = [
            *next_commands(self.ledger, self.targets, limits, self.when, shares=self.shares),
            *safe_start_commands(self.ledger, self.shares, self.when, starts),
        ]
        for command in commands:
            self.ledger.sent(command, self.when)
            self.sent += 1
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
            if not pending.told and not self.dead:
                assert pending.outcome is not None
                self.ledger.learned(Outcome(pending.command, pending.outcome), self.when)

    @rule(station_id=stations)
    def car_arrives(self, station_id: str) -> None:
        charger = self.chargers[station_id]
        if charger.transaction is None:
            self.transactions += 1
            charger.begin(str(self.transactions), self.at)

    @rule(station_id=stations)
    def car_leaves(self, station_id: str) -> None:
        self.chargers[station_id].begin(None, self.at)

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


class Losing(Dispatching):
    """Commands and answers get lost or come late."""

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


class DeadMan(Losing):
    """Control dies at any moment, for good: nothing is sent any more, while time runs and cars come and go.

    Clocks are as wrong as nobody notices, the safe share is above 0, and the plan pauses some EVs in favour of others.
    """

    limit_kw = 12.0
    ahead_s = (0.0, 2.0, -2.0, 1.5, -1.0, 2.0)
    favoured = 0

    def shared_out(self, free: list[Key], room_kw: float) -> dict[Key, float]:
        """One after the other has all it can take."""
        targets = {}
        for key in (*free[self.favoured :], *free[: self.favoured]):
            targets[key] = min(EV_MAX_KW, room_kw) if room_kw >= 1.44 else 0.0
            room_kw -= targets[key]
        return targets

    @rule(favoured=st.integers(0, 5))
    def others_are_favoured(self, favoured: int) -> None:
        self.favoured = favoured
        self.look()

    @precondition(lambda self: self.at > 1100)
    @rule()
    def control_dies(self) -> None:
        self.dead = True

    @rule(seconds=st.sampled_from([10, 30, 70]))
    def much_time_passes(self, seconds: int) -> None:
        for _ in range(seconds * 2):
            self.at += 0.5
            if self.at - self.looked_at >= LOOK_S:
                self.look()
            self.the_limit_holds()

    @rule(seconds=st.sampled_from([10, 30, 70]))
    def much_time_passes_and_all_goes_well(self, seconds: int) -> None:
        for _ in range(seconds):
            self.all_goes_well()
            self.at += 1.0
            if self.at - self.looked_at >= LOOK_S:
                self.look()
            self.send()
            self.the_limit_holds()

    @invariant()
    def the_ledger_is_never_too_hopeful(self) -> None:
        if not self.dead:
            super().the_ledger_is_never_too_hopeful()

    @invariant()
    def the_limit_holds(self) -> None:
        drawn_kw = sum(charger.drawing_kw(self.at) for charger in self.chargers.values())
        assert drawn_kw <= self.limit_kw + NOISE_KW
