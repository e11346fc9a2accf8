"""The worst case of a station group: what every charger may be allowing, on which dispatch bases each decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from optivgi.account import Account, Attempts, Instant, Key, SafeStart, accounts_of, by_key
from optivgi.model.charging_profile import Purpose
from optivgi.model.framing import EVState
from optivgi.model.snapshot import Snapshot
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand


@dataclass(frozen=True, slots=True)
class Policy:
    """How cautious dispatch is.

    `settle_s`: how long an EV may take to follow a lower limit. `hold_s`: how long a new transaction stays at 0 under its
    TxDefaultProfile. Changes below `dead_band_kw` wait, unless a limit needs them.
    """

    settle_s: float = 5.0
    hold_s: int = 60
    dead_band_kw: float = 0.1


@dataclass(slots=True)
class Ledger:
    """The accounts of one station group. It decides nothing and does no I/O: it only knows the worst case."""

    policy: Policy = field(default_factory=Policy)
    accounts: dict[Key, Account] = field(default_factory=dict)
    safe_starts: dict[Key, SafeStart] = field(default_factory=dict)
    observed: bool = False
    """Whether anything was ever read."""
    overdrawn: dict[Key, float] = field(default_factory=dict)
    """Connectors whose meters show more than their profiles allow, and how much they count at least."""

    def observe(self, snapshot: Snapshot, when: Instant) -> None:
        """Takes in a fresh read: who came, who left, which stations are there or booted again, what meters say."""
        doubtful = self._observe_connectors(snapshot)
        present: dict[Key, Account] = {}
        for key, fresh in by_key(accounts_of(snapshot, when.at, inherited=not self.observed)).items():
            known = self.accounts.get(key)
            same = known is not None and known.transaction_id == fresh.transaction_id
            account = known.continued(fresh) if known is not None and same else fresh
            if key in doubtful and account.installed_kw is not None:
                account = replace(account, fallback=True, attempts=Attempts())
            present[key] = account
        for ev in snapshot.evs:
            key = ev.station_id, ev.connector_id
            if present[key].transaction_id == ev.transaction_id:
                present[key] = present[key].metered(ev)
        self.accounts = present
        self.observed = True

    def _observe_connectors(self, snapshot: Snapshot) -> frozenset[Key]:
        """Updates safe starts; the answer is the connectors whose stations came back and may have lost profiles."""
        doubtful: set[Key] = set()
        known, self.safe_starts = self.safe_starts, {}
        for connector in snapshot.connectors:
            old = known.get(connector.key)
            self.safe_starts[connector.key] = SafeStart(connector) if old is None else old.seen(connector)
            if old is not None:
                back = connector.online and not old.connector.online
                if back or connector.booted_at != old.connector.booted_at:
                    doubtful.add(connector.key)
        return frozenset(doubtful)

    def tick(self, at: float) -> None:
        """Forgets what has settled by now."""
        for key, account in self.accounts.items():
            left = tuple(one for one in account.settling if one.until > at)
            if len(left) != len(account.settling):
                self.accounts[key] = replace(account, settling=left)

    def sent(self, command: PowerCommand) -> None:
        """From now on the station may have `command`."""
        key = command.station_id, command.connector_id
        if command.profile.purpose is Purpose.TX_DEFAULT:
            self.safe_starts[key] = replace(self.safe_starts[key], in_flight_kw=command.limit_kw)
        else:
            self.accounts[key] = replace(self.accounts[key], in_flight_kw=command.limit_kw)

    def learned(self, outcome: Outcome, when: Instant) -> None:
        """Takes in what became of a command that was `sent`; of a transaction that is over, nothing."""
        command = outcome.command
        key = command.station_id, command.connector_id
        if command.profile.purpose is Purpose.TX_DEFAULT:
            if key in self.safe_starts:
                self.safe_starts[key] = self.safe_starts[key].learned(outcome, when.at)
            return
        account = self.accounts.get(key)
        if account is None or account.transaction_id != command.profile.transaction_id:
            return
        if outcome.status is OutcomeStatus.ACCEPTED:
            before_kw = max(self._possible_kw(replace(account, in_flight_kw=None), when, ahead=False), default=0.0)
            self.accounts[key] = account.confirmed(command.limit_kw, before_kw, when, self.policy.settle_s)
        else:
            self.accounts[key] = account.failed(outcome, when.at)

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
        account = self.accounts.get(key)
        if account is None:
            return 0.0
        following = (one.power_kw for one in account.settling if one.until > when.at)
        beyond_kw = self.overdrawn.get(key, 0.0)
        return max((*self._possible_kw(account, when, ahead=False), *following, beyond_kw), default=0.0)

    def lasting_kw(self, key: Key, when: Instant, *, ahead: bool = False) -> float:
        """The most that may be allowed at `key` once EVs have followed; with `ahead` also when a hold ends meanwhile."""
        return max(self._possible_kw(self.accounts[key], when, ahead=ahead), default=0.0)

    def counted_kw(self, key: Key, when: Instant) -> float:
        """What `key` takes from the room of others: the worst case now, or after the hold if that may come."""
        return max(self.worst_kw(key, when), self.lasting_kw(key, when, ahead=True))

    def _possible_kw(self, account: Account, when: Instant, *, ahead: bool) -> Iterator[float]:
        if account.installed_kw is not None:
            yield account.installed_kw
        yield from account.doubtful_kw
        if account.in_flight_kw is not None:
            yield account.in_flight_kw
        if account.fallback:
            yield self._fallback_kw(account, when, ahead=ahead)

    def _fallback_kw(self, account: Account, when: Instant, *, ahead: bool) -> float:
        """What the charger allows without a TxProfile of ours: anything, if it is not known to start safely."""
        safe_start = self.safe_starts.get(account.key)
        share_kw = safe_start.share_kw if safe_start is not None else None
        if share_kw is None or (account.inherited and account.installed_kw is None):
            return account.max_kw
        age_s = max(when.at - account.seen_at, (when.now - account.arrival).total_seconds())
        holds = age_s < self.policy.hold_s - self.policy.settle_s
        return 0.0 if holds and not ahead else share_kw

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
                allowed_kw=account.installed_kw,
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
        return bool(online) and all(entry.confirmed_kw is not None and not entry.stale for entry in online)

    @property
    def unprotected(self) -> tuple[Key, ...]:
        """Connectors at which, for all that is known, a car would start at full power."""
        return tuple(key for key, entry in self.safe_starts.items() if entry.confirmed_kw is None)
