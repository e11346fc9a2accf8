"""Links that lose and delay, and a controller that plans, dies and returns, around modelled chargers: all in pure code."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from optivgi.account import Instant, Key
from optivgi.dispatch import DAY_S, limits_at, safe_shares, safe_start_commands
from optivgi.envelope import Envelope, highest
from optivgi.ledger import Ledger, Policy
from optivgi.limits.env import ALWAYS
from optivgi.model.charging_profile import Kind, Purpose
from optivgi.model.ev import Connector
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.site import Site
from optivgi.profile_form import SAFE_START_FORM, TX_FORM, Setting, reshaped
from optivgi.reserve import affordable, at_once, for_starts, kept_free, proven, welcomed
from optivgi.testing import MOMENT, a_connector, a_snapshot, an_ev
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand
from optivgi.wave import Drops, next_commands
from tests.optivgi.modelled_charger import EV_MAX_KW, SETTLE_S, VOLTS, Charger, Lost

LOOK_S, LEAST_KW = 10.0, 1.44
POLICY = Policy(settle_s=SETTLE_S, duration_s=45, dead_band_kw=0.1, skew_s=2.0)
STATIONS = tuple(f"ST-{number}" for number in range(1, 7))
NOISE_KW = 1e-6

stations = st.sampled_from(STATIONS)


@dataclass
class Pending:
    """A command under way: `outcome` is None until the charger took it; `told` once the ledger knows its fate.

    `wire` is the command in the form in which its station takes it.
    """

    command: PowerCommand
    wire: PowerCommand
    outcome: OutcomeStatus | None = None
    told: bool = False


class Dispatching(RuleBasedStateMachine):
    """Base of all machines: time, chargers, links and a controller that plans equal shares around what is stuck."""

    limit_kw = 8.0
    ahead_s: tuple[float, ...] = (0.0,) * len(STATIONS)
    reserved = 0
    plain: tuple[str, ...] = ()
    """Stations that take profiles of one period only."""

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
        self.connectors = {
            station_id: a_modelled_connector(station_id, charger.ahead_s)
            for station_id, charger in self.chargers.items()
        }
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
    def series(self) -> LimitSeries:
        """The limit as far as it is known."""
        return LimitSeries.constant(self.limit_kw, ALWAYS, "site limit")

    @property
    def site(self) -> Site:
        return Site.single(self.series)

    def look(self) -> None:
        """Reads, plans and sends, as a cycle does."""
        if self.dead:
            return
        evs = [
            an_ev(
                station_id,
                station_id=station_id,
                transaction_id=charger.transaction,
                arrival=self.since(charger),
                measured_kw=charger.drawing_kw(self.at),
                measured_at=self.when.now,
            )
            for station_id, charger in self.chargers.items()
            if charger.transaction is not None
        ]
        self.looked_at = self.at
        self.ledger.observe(a_snapshot(*evs, connectors=self.connectors.values()), self.when)
        self.starts = welcomed(self.site, self.ledger, self.reserved, self.when, ())
        stuck = {key for key in self.ledger.accounts if self.ledger.stuck(key, self.at)}
        taken_kw = sum(self.ledger.lasting_kw(key, self.when, ahead=True) for key in stuck) + sum(self.starts.values())
        free = sorted(key for key in self.ledger.accounts if key not in stuck)
        steps = (self.when.now, *self.series.changes_after(self.when.now))
        rooms = [max(0.0, (self.series.at(step).limit_kw or 0.0) - taken_kw) for step in steps]
        plans = [self.shared_out(free, min(rooms[: place + 1])) for place in range(len(rooms))]
        self.targets = plans[0]
        lead = timedelta(seconds=POLICY.late_s)
        self.drops: Drops = {
            key: tuple((step - lead, plan[key]) for step, plan in zip(steps[1:], plans[1:], strict=True))
            for key in free
        }
        self.shares = safe_shares(self.site, self.connectors.values(), self.when.now, DAY_S)
        self.send()

    def shared_out(self, free: list[Key], room_kw: float) -> dict[Key, float]:
        """The same for as many as there is room for at all."""
        fitting = free[: int(room_kw // LEAST_KW)]
        return {key: min(EV_MAX_KW, room_kw / len(fitting)) if key in fitting else 0.0 for key in free}

    @staticmethod
    def since(charger: Charger) -> datetime:
        return MOMENT + timedelta(seconds=charger.started)

    def send(self) -> None:
        if self.dead:
            return
        self.ledger.tick(self.when)
        site = kept_free(self.site, self.connectors.values(), for_starts(self.ledger, self.starts), strict=True)
        limits = limits_at(site, self.ledger.accounts.values(), self.when.now, POLICY.late_s)
        starts = proven(self.site, self.ledger, self.starts, self.when)
        granted = affordable(self.ledger, limits, self.shares, self.when)
        plain = at_once(self.ledger, granted, [(station_id, 1) for station_id in self.plain], self.when)
        commands = [
            *next_commands(
                self.ledger, self.targets, limits, self.when, shares=self.shares, granted=granted, drops=self.drops
            ),
            *safe_start_commands(self.ledger, granted, self.when, {**starts, **plain}),
        ]
        for command in commands:
            self.ledger.sent(command, self.when)
            self.sent += 1
            self.links[command.station_id].append(Pending(command, self.in_form(command)))

    def in_form(self, command: PowerCommand) -> PowerCommand:
        """As it goes out: a station whose clock is seen to be off counts from the transaction's start."""
        safe_start = command.profile.purpose is Purpose.TX_DEFAULT
        form = SAFE_START_FORM if safe_start else TX_FORM
        if self.connectors[command.station_id].clock_skew_s:
            form = replace(form, kind=Kind.RELATIVE)
        if command.station_id in self.plain:
            form = replace(form, most_periods=1)
        started = self.since(self.chargers[command.station_id])
        share_kw = self.ledger.safe_starts[command.station_id, 1].share_kw
        return reshaped(command, form, Setting(VOLTS, started, share_kw))

    def arrives(self, link: deque[Pending]) -> None:
        """The first command that the charger has not seen reaches it."""
        for pending in link:
            if pending.outcome is None:
                pending.outcome = self.chargers[pending.command.station_id].take(pending.wire, self.at)
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

    def drawn_kw(self, station_id: str) -> float:
        """What it may draw for all that can be known."""
        return self.chargers[station_id].drawing_kw(self.at)

    @invariant()
    def the_ledger_is_never_too_hopeful(self) -> None:
        for station_id, charger in self.chargers.items():
            account = self.ledger.accounts.get((station_id, 1))
            known = account is not None and account.transaction_id == charger.transaction
            counted = self.ledger.worst_kw((station_id, 1), self.when) if known else 0.0
            assert self.drawn_kw(station_id) <= counted + NOISE_KW, station_id

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
    """Control dies at any moment and may return, while time runs, cars come and go, limits change and stations reboot.

    The safe share is above 0, and the plan pauses some EVs in favour of others. What is held against it is the limit from
    when on it was known long enough: once the ledger proves that everything fits under it for ever, whatever comes.
    """

    limit_kw = 12.0
    ahead_s: tuple[float, ...] = (0.0, 2.0, -2.0, 1.5, -1.0, 2.0)
    favoured = 0

    @initialize()
    def install_safe_starts(self) -> None:
        self.limits = LimitSeries.constant(self.limit_kw, ALWAYS, "site limit")
        self.bound = self.promised = envelope_of(self.limits)
        self.last_word: dict[str, tuple[str, Envelope]] = {}
        super().install_safe_starts()

    @property
    def series(self) -> LimitSeries:
        return self.limits

    def shared_out(self, free: list[Key], room_kw: float) -> dict[Key, float]:
        """One after the other has all it can take."""
        targets = {}
        for key in (*free[self.favoured :], *free[: self.favoured]):
            targets[key] = min(EV_MAX_KW, room_kw) if room_kw >= LEAST_KW else 0.0
            room_kw -= targets[key]
        return targets

    @rule(favoured=st.integers(0, 5))
    def others_are_favoured(self, favoured: int) -> None:
        self.favoured = favoured
        self.look()

    @rule(limit_kw=st.sampled_from([3.0, 9.0, 12.0]), notice_s=st.sampled_from([0, 20, 60]))
    def limit_changes(self, limit_kw: float, notice_s: int) -> None:
        """From then on it is another one, and nobody knew."""
        now = self.when.now
        then = LimitStep(now + timedelta(seconds=notice_s), limit_kw, "site limit")
        self.limits = LimitSeries((replace(self.limits.at(now), start=ALWAYS), then) if notice_s else (then,))
        self.promised = envelope_of(self.limits)
        self.bound = highest((self.bound, self.promised))
        self.look()

    @rule(station_id=stations, lost=st.sampled_from(Lost))
    def reboots(self, station_id: str, lost: Lost) -> None:
        """What is on its way to it does not arrive any more; answers that are on their way do."""
        self.nothing_is_heard_of(station_id)
        self.chargers[station_id].reboot(self.at, lost)
        self.connectors[station_id] = replace(self.connectors[station_id], booted_at=self.when.now)

    def nothing_is_heard_of(self, station_id: str) -> None:
        link = self.links[station_id]
        for pending in link:
            if pending.outcome is None and not pending.told and not self.dead:
                self.ledger.learned(Outcome(pending.command, OutcomeStatus.UNKNOWN), self.when)
        self.links[station_id] = deque(pending for pending in link if pending.outcome is not None)

    @precondition(lambda self: self.at > 1100 and not self.dead)
    @rule()
    def control_dies(self) -> None:
        self.dead = True
        self.last_word = {
            account.key[0]: (account.transaction_id, self.ledger.envelope(key, self.when))
            for key, account in self.ledger.accounts.items()
        }

    @precondition(lambda self: self.dead)
    @rule()
    def control_returns(self) -> None:
        """It remembers nothing, and what was on its way arrives or does not, but not later.

        What a station draws that has lost its profiles is on its meter, and may be taken for what it is allowed.
        """
        if any(one.drawing_kw(self.at) > one.blamed_kw(self.at) for one in self.chargers.values()):
            self.bound = Envelope.constant(math.inf)
        for link in self.links.values():
            link.clear()
        self.ledger, self.dead = Ledger(POLICY), False
        self.look()

    def send(self) -> None:
        super().send()
        if not self.dead and self.bound != self.promised and self.proven():
            self.bound = self.promised

    def proven(self) -> bool:
        """Whether nobody needs to do anything any more for the limit to hold for ever."""
        powers = [self.ledger.envelope(key, self.when) for key in self.ledger.accounts]
        starts_kw = sum(self.ledger.free_starts().values())
        now = self.when.wall_s
        moments = {now, *(start for one in (*powers, self.promised) for start in one.starts if start > now)}
        shares = [one.share_kw for one in self.ledger.safe_starts.values()]
        return sum(math.inf if one is None else one for one in shares) <= min(
            self.promised.at(moment) for moment in moments
        ) + NOISE_KW and all(
            sum(one.at(moment) for one in powers) + starts_kw <= self.promised.at(moment) + NOISE_KW
            for moment in moments
        )

    @rule(seconds=st.sampled_from([10, 30, 70]))
    def much_time_passes(self, seconds: int) -> None:
        self.nobody_speaks(seconds) if self.dead else self.time_runs(seconds, goes_well=False)

    @rule(seconds=st.sampled_from([10, 30, 70]))
    def much_time_passes_and_all_goes_well(self, seconds: int) -> None:
        self.nobody_speaks(seconds) if self.dead else self.time_runs(seconds, goes_well=True)

    def time_runs(self, seconds: int, *, goes_well: bool) -> None:
        for _ in range(seconds):
            if goes_well:
                self.all_goes_well()
            self.at += 1.0
            if self.at - self.looked_at >= LOOK_S:
                self.look()
            self.send()
            self.the_limit_holds()

    def nobody_speaks(self, seconds: float) -> None:
        """Time passes at chargers alone; that is looked at whenever one of them changes what it allows."""
        end = self.at + seconds
        turns = {turn for charger in self.chargers.values() for turn in charger.turns() if self.at < turn < end}
        for moment in sorted(turns):
            self.at = moment
            self.the_limit_holds()
        self.at = end
        self.the_limit_holds()

    def drawn_kw(self, station_id: str) -> float:
        charger, booted_at = self.chargers[station_id], self.connectors[station_id].booted_at
        noticed = booted_at is not None and booted_at < MOMENT + timedelta(seconds=self.looked_at)
        there = (station_id, 1) in self.ledger.accounts
        return charger.drawing_kw(self.at) if noticed and there else charger.blamed_kw(self.at)

    @invariant()
    def the_ledger_is_never_too_hopeful(self) -> None:
        if not self.dead:
            super().the_ledger_is_never_too_hopeful()
            return
        for station_id, (transaction, envelope) in self.last_word.items():
            charger = self.chargers[station_id]
            if charger.transaction == transaction:
                assert charger.blamed_kw(self.at) <= envelope.at(self.when.wall_s) + NOISE_KW, station_id

    @invariant()
    def the_limit_holds(self) -> None:
        drawn_kw = sum(charger.blamed_kw(self.at) for charger in self.chargers.values())
        assert drawn_kw <= self.bound.at(self.when.wall_s) + NOISE_KW


def a_modelled_connector(station_id: str, ahead_s: float) -> Connector:
    """With what is known of its station's clock."""
    seen_s = ahead_s if ahead_s > POLICY.skew_s else 0.0
    return a_connector(station_id, max_kw=EV_MAX_KW, clock_skew_s=seen_s, late_s=max(0.0, -ahead_s))


def envelope_of(series: LimitSeries) -> Envelope:
    return Envelope.of(
        (-math.inf if step.start == ALWAYS else step.start.timestamp(), step.limit_kw or 0.0) for step in series.steps
    )
