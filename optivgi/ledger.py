"""The worst case of a station group: what every charger may be allowing, on which dispatch bases each decision."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from optivgi.account import Account, Attempts, Instant, Key, SafeStart, Sent, accounts_of, by_key
from optivgi.envelope import Envelope, highest, lowest
from optivgi.grant import aligned_next
from optivgi.model.charging_profile import Purpose
from optivgi.model.framing import EVState
from optivgi.model.snapshot import Snapshot
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand

LEAST_WAIT_S = 0.05
"""The two scales of time do not agree to the last digit: what is due just now is due a bit later."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How cautious dispatch is.

    `settle_s`: how long an EV may take to follow a lower limit. `duration_s`: how long a TxProfile lasts at most if nobody
    replaces it. Changes below `dead_band_kw` wait, unless a limit needs them. `skew_s`: by how much a station's clock may be
    ahead or behind without anybody doing anything about it.
    """

    settle_s: float = 5.0
    duration_s: int = 180
    dead_band_kw: float = 0.1
    skew_s: float = 5.0

    @property
    def late_s(self) -> float:
        """How long after a drop in a profile its EV may still draw more."""
        return self.settle_s + self.skew_s

    @property
    def margin_s(self) -> float:
        """How much later than the drops at the end of profiles the rises are, so that they never overlap."""
        return self.late_s + self.skew_s

    @property
    def hold_s(self) -> int:
        """How long a new transaction stays as it began under its TxDefaultProfile: longer than any TxProfile that was sent before
        it began."""
        return math.ceil(self.duration_s + self.margin_s) + 1


@dataclass(slots=True)
class Ledger:
    """The accounts of one station group. It decides nothing and does no I/O: it only knows the worst case."""

    policy: Policy = field(default_factory=Policy)
    accounts: dict[Key, Account] = field(default_factory=dict)
    safe_starts: dict[Key, SafeStart] = field(default_factory=dict)
    observed: bool = False
    """Whether anything was ever read."""
    blind: bool = False
    """Whether the last attempt to read failed."""
    overdrawn: dict[Key, float] = field(default_factory=dict)
    """Connectors whose meters show more than their profiles allow, and how much they count at least."""

    def lost_sight(self) -> None:
        """Nothing could be read: what failed meanwhile is tried again at once when it can, for it was not the stations' fault."""
        self.blind = True

    def observe(self, snapshot: Snapshot, when: Instant) -> None:
        """Takes in a fresh read: who came, who left, which stations are there or booted again, what meters say."""
        doubtful = self._observe_connectors(snapshot)
        present: dict[Key, Account] = {}
        for key, fresh in by_key(accounts_of(snapshot, when.at, inherited=not self.observed)).items():
            known = self.accounts.get(key)
            same = known is not None and known.transaction_id == fresh.transaction_id
            account = known.continued(fresh) if known is not None and same else fresh
            if self.blind:
                account = replace(account, attempts=Attempts())
            if key in doubtful and account.installed is not None:
                account = account.came_back()
            present[key] = account
        for ev in snapshot.evs:
            account = present[ev.station_id, ev.connector_id]
            if account.transaction_id == ev.transaction_id:
                present[account.key] = account.metered(ev, self._installed_kw(account, when) or 0.0)
        self.accounts = present
        self.observed, self.blind = True, False

    def _observe_connectors(self, snapshot: Snapshot) -> frozenset[Key]:
        """Updates safe starts; the answer is the connectors whose stations came back and may have lost profiles."""
        doubtful: set[Key] = set()
        known, self.safe_starts = self.safe_starts, {}
        for connector in snapshot.connectors:
            old = known.get(connector.key)
            safe_start = SafeStart(connector) if old is None else old.seen(connector)
            self.safe_starts[connector.key] = replace(safe_start, attempts=Attempts()) if self.blind else safe_start
            if old is not None:
                back = connector.online and not old.connector.online
                if back or connector.booted_at != old.connector.booted_at:
                    doubtful.add(connector.key)
        return frozenset(doubtful)

    def tick(self, when: Instant) -> None:
        """Forgets what has settled by now, and profiles of unknown fate that have ended."""
        for key, account in self.accounts.items():
            over_s = when.wall_s - self.policy.late_s - self.early_s(account)
            settling = tuple(one for one in account.settling if one.until > when.at)
            doubtful = tuple(one for one in account.doubtful if one.grant.ends > over_s)
            if (settling, doubtful) != (account.settling, account.doubtful):
                fallback = account.fallback or doubtful != account.doubtful
                self.accounts[key] = replace(account, settling=settling, doubtful=doubtful, fallback=fallback)

    def sent(self, command: PowerCommand, when: Instant) -> None:
        """From now on the station may have `command`."""
        key = command.station_id, command.connector_id
        if command.profile.purpose is Purpose.TX_DEFAULT:
            self.safe_starts[key] = self.safe_starts[key].sent(command)
        else:
            account = self.accounts[key]
            one = Sent.of(command, account.volts, when.now)
            self.accounts[key] = replace(account, in_flight=(*account.without(command), one))

    def learned(self, outcome: Outcome, when: Instant) -> None:
        """Takes in what became of a command that was `sent`; of a transaction that is over, nothing."""
        command = outcome.command
        key = command.station_id, command.connector_id
        if command.profile.purpose is Purpose.TX_DEFAULT:
            if key in self.safe_starts:
                self._learned_start(key, outcome, when)
            return
        account = self.accounts.get(key)
        if account is None or not account.awaits(command):
            return
        if outcome.status is OutcomeStatus.ACCEPTED:
            sent = Sent.of(command, account.volts, when.now)
            fallback = self.fallback(account, when)
            others = replace(account, in_flight=account.without(command))
            before_kw = self._allowed(others, fallback).at(when.wall_s)
            power_kw = sent.grant.at(when.wall_s, self.fallback(replace(account, installed=sent), when))
            self.accounts[key] = account.confirmed(sent, power_kw, before_kw, when, self.policy.settle_s)
        else:
            self.accounts[key] = account.failed(outcome, when)

    def _learned_start(self, key: Key, outcome: Outcome, when: Instant) -> None:
        """An EV that may go by its TxDefaultProfile takes time to follow a lower one, too."""
        account = self.accounts.get(key)
        before = None if account is None else self.fallback(account, when)
        self.safe_starts[key] = self.safe_starts[key].learned(outcome, when.at)
        if account is None or before is None or not account.goes_by_default(when.wall_s + self.policy.skew_s):
            return
        powers = [self.widened(account, one).at(when.wall_s) for one in (before, self.fallback(account, when))]
        if powers[1] < powers[0]:
            self.accounts[key] = account.follows(powers[0], when.at + self.policy.settle_s)

    def overdraw(self, key: Key, power_kw: float | None) -> None:
        """From now on `key` counts at least `power_kw`, whatever its profile says; None ends that."""
        if power_kw is None:
            self.overdrawn.pop(key, None)
        else:
            self.overdrawn[key] = power_kw

    def doubt(self, key: Key) -> None:
        """The station says that it has something else at `key` than what it confirmed, so that is to be sent again."""
        if key in self.accounts:
            self.accounts[key] = replace(self.accounts[key], fallback=True)

    def spoilt(self, key: Key) -> None:
        """The safe start at `key` was replaced by something else, so it is to be sent again."""
        if key in self.safe_starts:
            self.safe_starts[key] = replace(self.safe_starts[key], stale=True)

    def worst_kw(self, key: Key, when: Instant) -> float:
        """The most that may be drawn at `key` at this moment; 0 without a transaction."""
        return self.envelope(key, when).at(when.wall_s) if key in self.accounts else 0.0

    def lasting_kw(self, key: Key, when: Instant, *, ahead: bool = False) -> float:
        """The most that may be allowed at `key` once EVs have followed; with `ahead` at any later moment."""
        account = self.accounts[key]
        allowed = highest(account.possible(self.fallback(account, when)))
        return allowed.most(when.wall_s, math.inf) if ahead else allowed.at(when.wall_s)

    def counted_kw(self, key: Key, when: Instant) -> float:
        """What `key` takes from the room of others now or at any later moment."""
        return self.envelope(key, when).most(when.wall_s, math.inf)

    def envelope(self, key: Key, when: Instant, share_kw: float = 0.0) -> Envelope:
        """The most that may be drawn at `key` at each moment from now on, whatever profile it has, and be it that its
        TxDefaultProfile allows `share_kw`; no less than another car would begin with in its place."""
        following = [
            Envelope.constant(one.power_kw).until(when.wall_s + one.until - when.at, Envelope.constant(0.0))
            for one in self.accounts[key].settling
            if one.until > when.at
        ]
        start_kw = self.safe_starts[key].start_kw if key in self.safe_starts else 0.0
        beyond = Envelope.constant(max(start_kw, self.overdrawn.get(key, 0.0)))
        return highest((self.allowed(key, when, share_kw), *following, beyond))

    def allowed(self, key: Key, when: Instant, share_kw: float = 0.0) -> Envelope:
        """The same without EVs that have not followed yet, or draw more than they may."""
        account = self.accounts[key]
        return self._allowed(account, self.fallback(account, when, share_kw))

    def least(self, key: Key, when: Instant, share_kw: float) -> Envelope:
        """The least that may be allowed at each moment, by what is known: that much is no raise, whatever the charger has.

        Of an EV that ran before anything was known of it that is what it drew, until the profile may have ended that it had
        then; or if no meter tells, its share.
        """
        account = self.accounts[key]
        if account.installed is None and account.inherited:
            if account.drew_kw is None:
                return Envelope.constant(share_kw)
            ends = aligned_next(account.drew_on - self.policy.late_s, self.policy.duration_s)
            nominal = Envelope.constant(account.drew_kw).until(ends, Envelope.constant(min(account.drew_kw, share_kw)))
            return self.widened(account, nominal)
        sure = self.starts_safely(key)
        held = Envelope.constant(0.0).until(self.hold_ends(account, when), Envelope.constant(share_kw))
        known = account.possible(self.fallback(account, when) if sure else held, sure=sure)
        return lowest(self.widened(account, one) for one in known)

    def starts_safely(self, key: Key) -> bool:
        """Whether the TxDefaultProfile at `key` is known."""
        return key in self.safe_starts and self.safe_starts[key].share_kw is not None

    def _allowed(self, account: Account, fallback: Envelope) -> Envelope:
        return highest(self.widened(account, one) for one in account.possible(fallback))

    def widened(self, account: Account, nominal: Envelope) -> Envelope:
        """What an EV may draw whose profile says `nominal`: clocks are off, and it takes time to follow."""
        return nominal.widened(self.policy.skew_s, self.policy.late_s + self.early_s(account))

    def early_s(self, account: Account) -> float:
        """How much earlier than meant the drops in its profiles are to be, because its clock may be so far behind."""
        return max(0.0, account.behind_s - self.policy.skew_s)

    def fallback(self, account: Account, when: Instant, share_kw: float = 0.0) -> Envelope:
        """What the charger allows without a TxProfile of ours: anything, if it is not known to start safely, else its share, or
        `share_kw` if that is more."""
        safe_start = self.safe_starts.get(account.key)
        known_kw = safe_start.share_kw if safe_start is not None else None
        start_kw = safe_start.start_kw if safe_start is not None else 0.0
        if known_kw is None or (account.inherited and account.installed is None):
            return Envelope.constant(account.max_kw)
        then = Envelope.constant(max(known_kw, share_kw))
        return Envelope.constant(start_kw).until(self.hold_ends(account, when), then)

    def free_starts(self) -> dict[Key, float]:
        """Connectors without a transaction at which a car would begin to charge at once, and how many kW that may be."""
        return {
            key: one.start_kw for key, one in self.safe_starts.items() if key not in self.accounts and one.start_kw > 0
        }

    def hold_ends(self, account: Account, when: Instant) -> float:
        """When the TxDefaultProfile begins to allow the share, in seconds since 1970."""
        began = min(when.wall_s - (when.at - account.seen_at), account.arrival.timestamp())
        return began + self.policy.hold_s

    def installed_kw(self, key: Key, when: Instant) -> float | None:
        """What the profile that was confirmed last, or the fallback after its end, allows now; None without one."""
        return self._installed_kw(self.accounts[key], when)

    def _installed_kw(self, account: Account, when: Instant) -> float | None:
        if account.installed is None:
            return None
        return account.installed.grant.at(when.wall_s, self.fallback(account, when))

    def ends(self, when: Instant) -> dict[str, tuple[datetime, float]]:
        """By EV, when its confirmed profile has gone over to what the connector has for good, and what that is."""
        found = {}
        for account in self.accounts.values():
            if account.installed is not None:
                powers = account.installed.grant.then(self.fallback(account, when))
                if powers.starts[-1] > when.wall_s:
                    found[account.ev_id] = datetime.fromtimestamp(powers.starts[-1], UTC), powers.powers_kw[-1]
        return found

    def next_refresh(self, when: Instant) -> float | None:
        """In how many seconds the next TxProfile is to be sent again, because half of its time is over."""
        half_s = self.policy.duration_s / 2
        expiries = (a.installed.expires for a in self.accounts.values() if a.installed is not None)
        left = (expiry - half_s - when.wall_s for expiry in expiries)
        soonest = min((one for one in left if 0 < one < math.inf), default=None)
        return None if soonest is None else max(soonest, LEAST_WAIT_S)

    def stuck(self, key: Key, at: float) -> bool:
        """Whether nothing can be changed at `key` for now: its station is away, or failed and is not asked again yet."""
        account = self.accounts[key]
        return not account.online or account.attempts.due > at

    def next_settled(self, at: float) -> float | None:
        """When an EV has followed its cut next, so that others may be raised."""
        moments = (one.until for account in self.accounts.values() for one in account.settling)
        return min((moment for moment in moments if moment > at), default=None)

    def next_retry(self, at: float) -> float | None:
        """When a station that failed is to be asked again next."""
        moments = [account.attempts.due for account in self.accounts.values() if account.online]
        moments += [entry.attempts.due for entry in self.safe_starts.values() if entry.connector.online]
        return min((moment for moment in moments if moment > at), default=None)

    @property
    def troubled(self) -> frozenset[Key]:
        """Transactions whose last command failed."""
        return frozenset(key for key, account in self.accounts.items() if account.attempts.failures)

    def states(self, when: Instant) -> dict[str, EVState]:
        """What planning should know of each EV, by its id."""
        return {
            account.ev_id: EVState(
                allowed_kw=self._installed_kw(account, when),
                worst_kw=max(self.lasting_kw(account.key, when, ahead=True), self.overdrawn.get(account.key, 0.0)),
                waiting_s=account.waiting_s(when.at),
                running_s=account.running_s(when.at),
            )
            for account in self.accounts.values()
        }

    @property
    def protected(self) -> bool:
        """Whether stations are connected, and a car starts safely at each of their connectors."""
        online = [entry for entry in self.safe_starts.values() if entry.connector.online]
        return bool(online) and all(entry.confirmed is not None and not entry.stale for entry in online)

    @property
    def unprotected(self) -> tuple[Key, ...]:
        """Connectors at which, for all that is known, a car would start at full power."""
        return tuple(key for key, entry in self.safe_starts.items() if entry.confirmed is None)
