"""The service: waits for reasons, runs one cycle per station group at a time, and keeps commands flowing in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from optivgi.account import Instant
from optivgi.cycle import (
    CycleSettings,
    Group,
    Ports,
    deliver,
    fall_backs,
    hold,
    look,
    next_change,
    next_wave,
    run_cycle,
)
from optivgi.draws import ev_draws
from optivgi.leadership import Leadership, SoleLeader, Standing
from optivgi.ledger import Ledger
from optivgi.oversight import Oversight
from optivgi.read_back import Reader
from optivgi.reconcile import Finding, Reconciler, Reticence
from optivgi.record import CycleRecord, Observer
from optivgi.site_meter.ev_draw import EVDraw
from optivgi.translation.backoff import Backoff
from optivgi.translation.base import Event, EventSource, OutcomeStatus, PowerCommand
from optivgi.translation.envelope import METERING_ACTION
from optivgi.translation.events import GATHER_S, RESYNC, TIMER, Wake, Wakeups

log = logging.getLogger("optivgi.scheduler")

ANSWERED = "answered"
SETTLED = "settled"
REFRESH = "profiles end"
LOOK = "look"
NO_NEW_FACTS = frozenset({ANSWERED, SETTLED, REFRESH, LOOK})
"""Reasons to send what has become possible, or to look at meters, without planning anew."""
METERED = "meters show something new"
CHANGED = "control changed"
LIMIT = "limit changes"
RETRY = "retry"
READ_BACK = "a station has something else"
CRASH_PAUSE_S = 5.0
UNSURE_PAUSE_S = 1.0
GATHER_SAMPLES_S = 1.0
"""Meters that tell within so short a time are looked at together."""
HISTORY = 50
"""How many cycles of each station group are kept."""


class Scheduler:
    """Controls the station groups that it leads until it is cancelled.

    Waiting never holds up a reason: commands are sent and awaited beside the cycles, and the ledger of each group is the
    one truth about what may be sent; a group that is led anew begins with an empty one, as after a restart. `ready` is set
    while every connected station is known to start cars safely.
    """

    def __init__(
        self,
        ports: Ports,
        events: EventSource,
        groups: Sequence[str],
        group_of: Callable[[str], str | None],
        settings: CycleSettings | None = None,
        *,
        interval_s: float = 60.0,
        observers: Sequence[Observer] = (),
        gather_s: float = GATHER_S,
        backoff: Backoff | None = None,
        leadership: Leadership | None = None,
    ) -> None:
        self._ports, self._events = ports, events
        self._settings = _able_to_ask(settings or CycleSettings())
        self._interval_s = interval_s
        self._observers = tuple(observers)
        self._backoff = backoff or Backoff(first_s=1.0, limit_s=60.0)
        self._leadership = leadership or SoleLeader()
        self._reticence = Reticence()
        self._groups = tuple(groups)
        self._group_of = group_of
        self._served: dict[str, Group] = {}
        self._wakeups = Wakeups(ports.clock, groups, group_of, interval_s, gather_s)
        self._failures = dict.fromkeys(groups, 0)
        self._was_protected = dict.fromkeys(groups, False)
        self.history: list[CycleRecord] = []
        """The newest cycles of each group, oldest first."""
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Endless. Cancelling it ends every task of its own; the ports are left open for whoever opened them."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._stand())
            for group in self._groups:
                tasks.create_task(self._lead(group))

    def wake(self, reason: str, group: str | None = None) -> None:
        """Has a cycle run at once, for one group or for all."""
        self._wakeups.wake(group, reason)

    def draws(self, group: str) -> tuple[EVDraw, ...] | None:
        """What the EVs of a group may be drawing now; None if nothing was read of them yet."""
        one = self._served.get(group)
        if one is None or one.snapshot is None:
            return None
        return ev_draws(one.ledger, one.oversight, one.snapshot, Instant.of(self._ports.clock))

    async def _follow(self) -> None:
        """Turns events into reasons, until the source is closed."""
        while not await self._guarded("events", self._listen()):
            await self._ports.clock.sleep(CRASH_PAUSE_S)
            self._wakeups.wake(None, RETRY)

    async def _listen(self) -> None:
        async for event in self._events.events():
            if event.action == METERING_ACTION:
                self._metered(event)
                continue
            for observer in self._observers:
                observer.event(event)
            self._wakeups.add(event)

    async def _stand(self) -> None:
        """Keeps this optimizer's part in the groups up to date."""
        while not await self._guarded("leadership", self._leadership.run(self._tell_standing)):
            await self._ports.clock.sleep(UNSURE_PAUSE_S)

    def _tell_standing(self, group: str, standing: Standing) -> None:
        for observer in self._observers:
            observer.standing(group, standing)

    async def _lead(self, name: str) -> None:
        """Serves the group whenever it is led, with nothing in mind from before."""
        while True:
            await self._leadership.won(name)
            group = Group(
                name,
                Ledger(self._settings.policy),
                Oversight(self._settings.oversight, self._ports.forms),
                Reconciler(self._reticence),
            )
            self._served[name] = group
            async with asyncio.TaskGroup() as term:
                serving = term.create_task(self._serve(group))
                await self._leadership.lost(name)
                serving.cancel()
            del self._served[name]
            self._was_protected[name] = False
            self.ready.clear()

    def _metered(self, event: Event) -> None:
        """Has meters looked at, once for all that tell at about the same time."""
        group = self._group_of(event.station_id)
        if group in self._groups and self._settings.look_s:
            self._wakeups.wake_after(GATHER_SAMPLES_S, group, LOOK)

    async def _serve(self, group: Group) -> None:
        """One turn after the other for one group, for ever."""
        self._wakeups.wake(group.name, "start")
        reader = Reader(group, self._ports, partial(self._may_ask, group), partial(self._found, group))
        async with asyncio.TaskGroup() as sending:
            while True:
                _, wakes = await self._wakeups.next(group.name)
                if not await self._guarded(group.name, self._turn(group, wakes, sending)):
                    hold(group, self._settings, Instant.of(self._ports.clock))
                    self._wakeups.wake_after(CRASH_PAUSE_S, group.name, RETRY)
                for _ in range(reader.wanted):
                    sending.create_task(self._guarded(group.name, reader.read()))

    async def _turn(self, group: Group, wakes: Sequence[Wake], sending: asyncio.TaskGroup) -> None:
        """Plans anew if there is a reason to, then sends what may be sent."""
        clock = self._ports.clock
        started = asyncio.get_running_loop().time()
        overdue = clock.monotonic() - group.planned_at >= self._interval_s
        record = None
        reasons = tuple(dict.fromkeys(wake.reason for wake in wakes if wake.reason not in NO_NEW_FACTS))
        if (
            not reasons
            and not overdue
            and any(wake.reason == LOOK for wake in wakes)
            and await look(group, self._ports)
        ):
            reasons = (METERED,)
        if RESYNC in reasons:
            group.reconciler.lost_sight()
        if reasons or overdue:
            record = await run_cycle(group, self._ports, self._settings, reasons or (TIMER,))
            self._keep(record)
            self._retry(record)
        commands = self._wave(group)
        for _, batch in groupby(sorted(commands, key=_station), key=_station):
            group.sending += 1
            sending.create_task(self._deliver(group, tuple(batch)))
        if requests := group.oversight.wishes(clock.now()):
            sending.create_task(self._guarded(group.name, self._ports.translation.ask(requests)))
        if (latest := self._latest(group)) is not None:
            latest.commands += len(commands)
        if record is not None:
            record.hops_ms["dispatch"] = (asyncio.get_running_loop().time() - started) * 1000 - sum(
                record.hops_ms.values()
            )
            for observer in self._observers:
                observer.cycle(record)
        self._set_alarms(group)

    def _wave(self, group: Group) -> tuple[PowerCommand, ...]:
        """What may be sent now: nothing while it is not sure that this optimizer still leads."""
        if self._leadership.leads(group.name):
            return next_wave(group, self._settings, self._ports.clock)
        self._wakeups.wake_after(UNSURE_PAUSE_S, group.name, RETRY)
        return ()

    def _may_ask(self, group: Group) -> bool:
        """Whether stations may be asked what they have: never ahead of a command, and never beside one."""
        return self._settings.read_back and group.sending == 0 and self._leadership.leads(group.name)

    def _found(self, group: Group, finding: Finding) -> None:
        for observer in self._observers:
            observer.read_back(group.name, finding)
        if finding.repair:
            self._wakeups.wake(group.name, READ_BACK)

    def _retry(self, record: CycleRecord) -> None:
        """Tries again soon, with growing patience, what could not be read or planned."""
        if not record.unreadable and not record.undecided:
            self._failures[record.group] = 0
            return
        self._failures[record.group] += 1
        self._wakeups.wake_after(self._backoff.delay_s(self._failures[record.group]), record.group, RETRY)

    def _set_alarms(self, group: Group) -> None:
        """Wakes the group when more becomes possible by the mere passing of time, and when a limit changes."""
        when = Instant.of(self._ports.clock)
        ledger = group.ledger
        if (settles := ledger.next_settled(when.at)) is not None:
            self._wakeups.wake_after(settles - when.at, group.name, SETTLED)
        if (refresh_s := ledger.next_refresh(when)) is not None:
            self._wakeups.wake_after(refresh_s, group.name, REFRESH)
        if (retry := ledger.next_retry(when.at)) is not None:
            self._wakeups.wake_after(retry - when.at, group.name, RETRY)
        if self._settings.look_s and group.oversight.watching:
            self._wakeups.wake_after(self._settings.look_s, group.name, LOOK)
        if (due := group.oversight.next_due(when.now)) is not None:
            self._wakeups.wake_after((due - when.now).total_seconds(), group.name, LOOK)
        if (change := next_change(group, self._settings, when.now)) is not None:
            self._wakeups.wake_after((change - when.now).total_seconds(), group.name, LIMIT)

    async def _deliver(self, group: Group, commands: tuple[PowerCommand, ...]) -> None:
        await self._guarded(group.name, self._send(group, commands))
        group.sending -= 1
        self._wakeups.wake(group.name, ANSWERED)

    async def _send(self, group: Group, commands: tuple[PowerCommand, ...]) -> None:
        """Sends commands to one station, and passes on what it answered."""
        started = asyncio.get_running_loop().time()
        before = group.ledger.troubled
        outcomes = await deliver(group, self._ports.translation, self._ports.clock, commands)
        if (latest := self._latest(group)) is not None:
            latest.outcomes.extend(outcomes)
            latest.fall_backs = fall_backs(group.ledger, Instant.of(self._ports.clock))
            latest.hops_ms["answer"] = (asyncio.get_running_loop().time() - started) * 1000
        for outcome in outcomes:
            for observer in self._observers:
                observer.outcome(group.name, outcome)
        if group.ledger.troubled != before or any(one.status is not OutcomeStatus.ACCEPTED for one in outcomes):
            self._wakeups.wake(group.name, CHANGED)
        self._note_protection(group)

    def _note_protection(self, group: Group) -> None:
        protected = group.ledger.protected
        if protected and not self._was_protected[group.name]:
            connectors = sum(entry.connector.online for entry in group.ledger.safe_starts.values())
            for observer in self._observers:
                observer.protected(group.name, connectors)
        self._was_protected[group.name] = protected
        if all(self._was_protected.values()):
            self.ready.set()

    def _keep(self, record: CycleRecord) -> None:
        kept = [place for place, one in enumerate(self.history) if one.group == record.group]
        for place in kept[-1:]:
            self.history[place].snapshot = None
        if len(kept) >= HISTORY:
            del self.history[kept[0]]
        self.history.append(record)

    def _latest(self, group: Group) -> CycleRecord | None:
        return next((record for record in reversed(self.history) if record.group == group.name), None)

    async def _guarded(self, where: str, work: Awaitable[None]) -> bool:
        """Whether `work` ended well. The one broad except: a fault nobody foresaw must not end the control of a site.

        It is logged with its traceback and told to the observers; whoever called tries again later.
        """
        try:
            await work
        except Exception:
            log.exception("Unforeseen fault in %s; control goes on", where)
            for observer in self._observers:
                observer.crashed(where)
            return False
        return True


def _able_to_ask(settings: CycleSettings) -> CycleSettings:
    """Meters are asked only where somebody looks at what they answer."""
    asks = settings.oversight.asks and settings.look_s > 0
    return replace(settings, oversight=replace(settings.oversight, asks=asks))


def _station(command: PowerCommand) -> str:
    return command.station_id
