"""Which TxProfiles go out now: cuts at once, raises and longer lives only into room that is proven free. Pure.

What is proven is a matter of every later moment: profiles end by the chargers' own clocks, with nobody there to see it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from optivgi.account import Account, Instant, Key, Sent
from optivgi.dispatch import NO_STARTS, NOISE, Limit, profile_id, sendable
from optivgi.envelope import Envelope
from optivgi.grant import Timing, aligned, schedule_of
from optivgi.ledger import Ledger
from optivgi.model.charging_profile import ChargingProfile, Kind, Purpose
from optivgi.model.problem import Floats
from optivgi.profile_form import in_kw
from optivgi.translation.base import PowerCommand

Drops = Mapping[Key, Sequence[tuple[datetime, float]]]
"""By connector what is to be allowed at most from later moments on, because a limit is known to drop."""

TX_LEVEL = 1
WAITING_SHARE = 0.01
"""Raises below the dead band are sent after all when together they are more than this part of a limit."""
MOST_TRIES = 4
WORTH_S = 1.0
"""A profile is not sent again for less time than this."""


def next_commands(
    ledger: Ledger,
    targets: Mapping[Key, float],
    limits: tuple[Limit, ...],
    when: Instant,
    *,
    shares: Mapping[Key, float],
    granted: Mapping[Key, float] = NO_STARTS,
    drops: Drops | None = None,
    raises: bool = True,
) -> tuple[PowerCommand, ...]:
    """The TxProfiles that are to be sent now on the way to `targets` (kW by connector), cuts first.

    A cut is sent at once. A new EV gets a profile of its own at once, at its target or at whatever room is proven free. A
    raise is sent as far as the worst cases of all others leave room under every limit at every later moment, and never
    without `raises`; a profile of which half is over is sent anew on the same condition. Each ends in the connector's share
    of `shares`; those in `granted` are on their way to the TxDefaultProfiles. Connectors whose answer is awaited, or that are not asked again yet, are left alone unless a limit needs them
    lower than anything that is under way.
    """
    return _Wave(ledger, targets, limits, when, shares=shares, granted=granted, drops=drops or {}).commands(
        raises=raises
    )


class _Wave:
    """One decision: the worst cases as they grow with each command that is chosen, [G] over spans of time."""

    def __init__(
        self,
        ledger: Ledger,
        targets: Mapping[Key, float],
        limits: tuple[Limit, ...],
        when: Instant,
        *,
        shares: Mapping[Key, float],
        granted: Mapping[Key, float],
        drops: Drops,
    ) -> None:
        self._ledger, self._when, self._shares, self._drops = ledger, when, shares, drops
        self._granted = granted
        self._accounts = ledger.accounts
        self._limits = limits
        self._expiry = aligned(when.now, ledger.policy.duration_s)
        worst = {key: ledger.envelope(key, when, granted.get(key, 0.0)) for key in self._accounts}
        allowed = {key: ledger.allowed(key, when) for key in self._accounts}
        least = {key: ledger.least(key, when, shares.get(key, 0.0)) for key in self._accounts}
        turns = {start for one in (*worst.values(), *allowed.values(), *least.values()) for start in one.starts}
        turns |= {start for limit in limits if limit.later is not None for start in limit.later.starts}
        turns.add(self._expiry + ledger.policy.late_s)
        now = when.wall_s
        self._moments: Floats = np.array([now, *sorted(turn for turn in turns if now < turn < math.inf)])
        self._counted = {key: one.over(self._moments) for key, one in worst.items()}
        self._allowed = {key: one.over(self._moments) for key, one in allowed.items()}
        self._least = {key: one.over(self._moments) for key, one in least.items()}
        self._lasting = {key: ledger.lasting_kw(key, when) for key in self._accounts}
        self._bounds = [limit.over(self._moments) for limit in limits]
        self._used = [
            sum((w * self._counted[key] for key, w in limit.weights.items() if key in self._counted), np.zeros(1))
            + np.zeros(len(self._moments))
            for limit in limits
        ]
        self._over: dict[Key, list[int]] = {}
        for position, limit in enumerate(limits):
            for key in limit.weights:
                self._over.setdefault(key, []).append(position)
        wanted = {
            key: sendable(target_kw, account.unit, account.volts, account.min_kw)
            for key, target_kw in targets.items()
            if (account := self._accounts.get(key)) is not None and account.online
        }
        busy = dict.fromkeys(key for key in wanted if self._accounts[key].in_flight or ledger.stuck(key, when.at))
        self._wanted = {key: wanted_kw for key, wanted_kw in wanted.items() if key not in busy}
        self._urgent = {
            key: wanted[key]
            for key in busy
            if wanted[key] < min(self._accounts[key].under_way_kw, default=-math.inf) - NOISE
        }
        """Of those that are to be left alone, what would be lower than anything that is under way."""
        self._commands: dict[Key, PowerCommand] = {}

    def commands(self, *, raises: bool) -> tuple[PowerCommand, ...]:
        waiting = self._waiting()
        newcomers = [key for key in self._wanted if self._is_new(key)]
        for key, power_kw in self._cuts(waiting).items():
            self._send(key, self._shaped(key, power_kw, self._when.wall_s))
        for key in sorted(newcomers, key=lambda key: (self._accounts[key].seen_at, key)):
            self._send(key, self._shaped(key, self._wanted[key], self._least_end(key)))
        self._lower_later()
        self._refresh()
        if raises:
            for key in self._raises(waiting):
                self._raise(key)
        return tuple(self._commands.values())

    def _is_new(self, key: Key) -> bool:
        account = self._accounts[key]
        return account.installed is None and not account.inherited

    def _cuts(self, waiting: frozenset[Key]) -> dict[Key, float]:
        """Wanted powers below what may be allowed now, and profiles of which nobody knows whether they are there."""
        wanted = self._wanted | self._urgent
        cuts = {
            key: min(kw, self._lasting[key])
            for key, kw in wanted.items()
            if key in self._urgent or (not self._is_new(key) and self._is_cut(key, kw))
        }
        sent = {key: kw for key, kw in cuts.items() if key not in waiting and key in self._wanted}
        after = self._lasting | sent
        needed = {
            key
            for limit in self._limits
            if sum(weight * after.get(key, 0.0) for key, weight in limit.weights.items()) > limit.capacity + NOISE
            for key in limit.weights
        }
        return {key: kw for key, kw in cuts.items() if key in sent or key in needed}

    def _is_cut(self, key: Key, wanted_kw: float) -> bool:
        return not self._accounts[key].certain or wanted_kw < self._lasting[key] - NOISE

    def _lower_later(self) -> None:
        """Profiles that allow too much together at some later moment go out anew if they then allow less: as planned from
        then on, or if that is too much as well, ending before."""
        for position, limit in enumerate(self._limits):
            over = self._used[position] > self._bounds[position] + NOISE
            over[0] = False
            if not over.any():
                continue
            free = [
                k for k in limit.weights if k in self._wanted and k not in self._commands and self._accounts[k].certain
            ]
            planned = {key: self._lowered(key) for key in free}
            after = self._used[position] + sum(
                limit.weights[key] * (self._spans(key, command) - self._counted[key])
                for key, command in planned.items()
            )
            if (after > self._bounds[position] + NOISE)[over].any():
                until = math.floor(self._moments[over][0] - self._ledger.policy.late_s)
                planned = {key: self._lowered(key, until) for key in free}
            for key, command in planned.items():
                if (self._spans(key, command) < self._allowed[key] - NOISE)[over].any():
                    self._send(key, command)

    def _lowered(self, key: Key, until: float = math.inf) -> PowerCommand:
        return self._shaped(key, min(self._wanted[key], self._lasting[key]), self._when.wall_s, until)

    def _refresh(self) -> None:
        """Profiles of which half is over, unless a later end is not proven to be safe yet, or makes no difference."""
        half_s = self._ledger.policy.duration_s / 2
        for key, wanted_kw in self._wanted.items():
            account = self._accounts[key]
            if key in self._commands or not account.certain or account.installed is None:
                continue
            expires, now_kw = account.installed.expires, self._lasting[key]
            stays = account.installed.grant.then(self._fallback(account))
            if expires - self._when.wall_s > half_s:
                continue
            if len(stays.starts) == 1 and stays.powers_kw[-1] >= self._shares.get(key, 0.0) - NOISE:
                continue
            command = self._shaped(key, min(wanted_kw, now_kw), expires)
            if _expires(command) > expires + WORTH_S:
                self._send(key, command)

    def _raises(self, waiting: frozenset[Key]) -> list[Key]:
        """EVs to raise, those at 0 first, then those with most to gain."""
        gain = {
            key: wanted_kw - self._lasting[key]
            for key, wanted_kw in self._wanted.items()
            if not self._is_new(key) and self._accounts[key].certain and wanted_kw > self._lasting[key] + NOISE
        }
        band_kw = self._ledger.policy.dead_band_kw
        released = {
            key
            for limit in self._limits
            if limit.phase is None
            and sum(gain.get(key, 0.0) for key in limit.weights if key in waiting)
            > max(band_kw, WAITING_SHARE * limit.capacity)
            for key in limit.weights
        }
        ready = [key for key in gain if key not in waiting or key in released]
        return sorted(ready, key=lambda key: (self._lasting[key] > 0, -gain[key], key))

    def _waiting(self) -> frozenset[Key]:
        """Changes so small that they may wait; one to or from 0 never does."""
        band_kw = self._ledger.policy.dead_band_kw
        return frozenset(
            key
            for key, wanted_kw in self._wanted.items()
            if self._accounts[key].certain
            and (now_kw := self._ledger.installed_kw(key, self._when)) is not None
            and abs(wanted_kw - now_kw) < band_kw
            and (wanted_kw > 0) == (now_kw > 0)
        )

    def _raise(self, key: Key) -> None:
        """As far as there is room until the profile that it has would have ended, or for half of a new one's time."""
        now_kw = self._lasting[key]
        command = self._shaped(key, self._wanted[key], self._least_end(key))
        partial = command.limit_kw < self._wanted[key] - NOISE
        if command.limit_kw <= now_kw + NOISE:
            return
        if partial and command.limit_kw - now_kw < self._ledger.policy.dead_band_kw:
            return
        if (partial and now_kw > 0 and self._more_room_is_coming()) or not self._fits(key, command):
            return
        self._send(key, command)

    def _more_room_is_coming(self) -> bool:
        return bool(self._commands) or any(a.settling or a.in_flight for a in self._accounts.values())

    def _least_end(self, key: Key) -> float:
        """Until when a higher power must be safe at least."""
        installed = self._accounts[key].installed
        soon = self._when.wall_s + self._ledger.policy.duration_s / 2
        return min(self._expiry, soon if installed is None else max(soon, installed.expires))

    def _shaped(self, key: Key, power_kw: float, keep_until: float, until: float = math.inf) -> PowerCommand:
        """The profile of `power_kw`, or of what there is room for until `keep_until`, that ends when it must, at the latest
        at `until`; with 0 instead of the share after that, if it is the share of a young transaction that is too much then."""
        account, late_s = self._accounts[key], self._ledger.policy.late_s
        most = self._most(key)
        later = [(at.timestamp(), kw) for at, kw in self._drops.get(key, ()) if at > self._when.now]
        wanted = [(self._when.wall_s, power_kw), *(one for one in later if one[0] < self._expiry)]
        ends = [*(moment for moment, _ in wanted[1:]), keep_until]
        steps: list[tuple[float, float]] = []
        for (moment, kw), end in zip(wanted, ends, strict=True):
            spans = self._between(moment, max(moment, min(end, keep_until)) + late_s)
            lowest = min((kw, float(most[spans].min()), *(before for _, before in steps[-1:])))
            steps.append((moment, sendable(lowest + NOISE, account.unit, account.volts, account.min_kw)))
        expiry, then_kw = min(until, self._latest(key, steps[0][1])), self._shares.get(key, 0.0)
        for _ in range(MOST_TRIES):
            command = self._command(key, steps, expiry, then_kw)
            too_much = np.flatnonzero(self._spans(key, command) > most + NOISE)
            if not too_much.size:
                break
            before = float(math.floor(self._moments[too_much[0]] - late_s))
            expiry, then_kw = min(expiry, before), then_kw if before < expiry else 0.0
        return command

    def _fits(self, key: Key, command: PowerCommand) -> bool:
        return not (self._spans(key, command) > self._most(key) + NOISE).any()

    def _latest(self, key: Key, power_kw: float) -> float:
        """When a profile of `power_kw` may end at the latest: who does not answer is not given room for longer and longer."""
        account = self._accounts[key]
        if not account.doubtful or power_kw <= self._shares.get(key, 0.0):
            return self._expiry
        known = [one.expires for one in (*account.doubtful, account.installed) if one is not None]
        return min(self._expiry, max(known))

    def _command(self, key: Key, steps: Sequence[tuple[float, float]], expiry: float, then_kw: float) -> PowerCommand:
        policy, safe_start = self._ledger.policy, self._ledger.safe_starts.get(key)
        account = self._accounts[key]
        hold_ends = self._ledger.hold_ends(account, self._when) + policy.skew_s
        timing = Timing(expiry, policy.margin_s, hold_ends, self._ledger.early_s(account))
        starts_safely = safe_start is not None and safe_start.share_kw is not None
        return tx_command(account, steps, timing, then_kw, self._when.now, starts_safely=starts_safely)

    def _spans(self, key: Key, command: PowerCommand) -> Floats:
        """[G], what may be drawn if the charger has `command`."""
        account = self._accounts[key]
        grant = Sent.of(command, account.volts, self._when.now).grant
        return self._ledger.widened(account, grant.then(self._fallback(account))).over(self._moments)

    def _fallback(self, account: Account) -> Envelope:
        return self._ledger.fallback(account, self._when, self._granted.get(account.key, 0.0))

    def _most(self, key: Key) -> Floats:
        """[G], the most that a new profile may allow: what is counted and the room beside it, or wherever a limit is exceeded what
        is allowed already for sure, if that is more."""
        room = self._room(key)
        counted = self._counted[key]
        known = counted if key in self._ledger.overdrawn else self._least[key]
        most: Floats = np.where(room >= -NOISE, counted + np.maximum(room, 0.0), np.maximum(known, counted + room))
        return most

    def _room(self, key: Key) -> Floats:
        """[G], how much more than its worst case may be drawn at `key`; negative where a limit is exceeded already."""
        room: Floats = np.full(len(self._moments), np.inf)
        for i in self._over.get(key, ()):
            room = np.minimum(room, (self._bounds[i] - self._used[i]) / self._limits[i].weights[key])
        return room

    def _between(self, begin: float, end: float) -> slice:
        """The spans that have a part between two moments."""
        first = int(np.searchsorted(self._moments, begin, side="right")) - 1
        return slice(max(0, first), max(1, int(np.searchsorted(self._moments, end, side="left"))))

    def _send(self, key: Key, command: PowerCommand) -> None:
        grown = np.maximum(0.0, self._spans(key, command) - self._counted[key])
        self._counted[key] = self._counted[key] + grown
        for position in self._over.get(key, ()):
            self._used[position] = self._used[position] + grown * self._limits[position].weights[key]
        self._commands[key] = command


def tx_command(
    account: Account,
    steps: Sequence[tuple[float, float]],
    timing: Timing,
    share_kw: float,
    now: datetime,
    *,
    starts_safely: bool = True,
) -> PowerCommand:
    """A TxProfile for the transaction alone: `steps` (moment, kW) that only fall, then the share."""
    station_id, connector_id = account.key
    schedule = schedule_of(
        steps,
        timing,
        share_kw,
        starts_safely=starts_safely,
        unit=account.unit,
        volts=account.volts,
        phases=len(account.phases),
        now=now,
    )
    profile = ChargingProfile(
        profile_id=profile_id(connector_id, TX_LEVEL),
        stack_level=TX_LEVEL,
        purpose=Purpose.TX,
        kind=Kind.ABSOLUTE,
        schedule=schedule,
        transaction_id=account.transaction_id,
    )
    expires = datetime.fromtimestamp(timing.expiry, UTC)
    sent_kw = in_kw(schedule.periods[0].limit, account.unit, account.volts)
    return PowerCommand(station_id, connector_id, profile, sent_kw, account.ev_id, expires)


def _expires(command: PowerCommand) -> float:
    return math.inf if command.expires is None else command.expires.timestamp()
