"""One scheduling cycle of a station group: read, frame, decide, dispatch. It knows ports, never who is behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from optivgi.account import Instant, Key
from optivgi.dispatch import DAY_S, Limit, limits_at, safe_shares, safe_start_commands, sendable
from optivgi.errors import PlanningError, TranslationError
from optivgi.ledger import Ledger, Policy
from optivgi.limits.base import LimitSource, OneCircuit, SiteSource
from optivgi.limits.base_load import BaseLoad, NoBaseLoad
from optivgi.model.clock import Clock
from optivgi.model.ev import EV
from optivgi.model.framing import EVState, Framing, frame
from optivgi.model.horizon import GridSettings
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.plan import Plan, Reason
from optivgi.model.problem import Problem
from optivgi.model.site import Site
from optivgi.model.snapshot import RefusedEV, Snapshot
from optivgi.outlook import NextChange, announced, next_changes
from optivgi.oversight import Oversight
from optivgi.oversight_settings import OversightSettings
from optivgi.profile_form import FormBook
from optivgi.reconcile import Reconciler
from optivgi.record import CycleRecord, EVDecision, FallBack, OutOfControl
from optivgi.reserve import affordable, at_once, for_starts, kept_free, proven, welcomed
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand, Translation
from optivgi.wave import next_commands

Planner = Callable[[Problem], Plan]
"""Problem in, plan without violations out; raises PlanningError. It is called in a worker thread."""

NOT_CONNECTED = "its station is not connected"
NOT_FOLLOWING = "its station did not take its profile"
MOST_FORMS = 12
"""Refused profiles are sent in so many forms at most before they count as refused."""
ANSWER_DEADLINE_S = 60.0
"""The translation has its own deadlines; after this one its silence counts as an unknown outcome."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside that a cycle uses."""

    translation: Translation
    limits: LimitSource
    planner: Planner
    clock: Clock
    sites: SiteSource = field(default_factory=OneCircuit)
    forms: FormBook = field(default_factory=FormBook)
    base_load: BaseLoad = field(default_factory=NoBaseLoad)


@dataclass(frozen=True, slots=True)
class CycleSettings:
    """How a cycle behaves. `planning_deadline_s` is real time, because a processor does not run at the site's speed."""

    policy: Policy = field(default_factory=Policy)
    stale_hold_s: float = 300.0
    planning_deadline_s: float = 10.0
    assumed_stay_s: float = 8 * 3600.0
    least_connectors: int = 0
    """How many connectors share the limit in a safe start, even if fewer ever reported."""
    look_s: float = 0.0
    """Meters are looked at this often between plans; 0 is only when planning."""
    oversight: OversightSettings = field(default_factory=OversightSettings)
    read_back: bool = True
    """Whether stations are asked what they have installed."""
    reserved: int = 0
    """At how many free connectors a car may have its minimum at once."""

    @property
    def lead_s(self) -> float:
        """How much earlier a known drop of a limit is acted on: everybody has followed when it comes."""
        return self.policy.late_s


@dataclass(slots=True)
class Group:
    """What is remembered of a station group between cycles. The ledger is the single truth about its chargers."""

    name: str
    ledger: Ledger
    oversight: Oversight = field(default_factory=Oversight)
    reconciler: Reconciler = field(default_factory=Reconciler)
    snapshot: Snapshot | None = None
    peak: LimitSeries | None = None
    site: Site | None = None
    unwatched: Site | None = None
    """What holds while nobody watches."""
    shares: dict[Key, float] = field(default_factory=dict)
    starts: dict[Key, float] = field(default_factory=dict)
    """What a car is to have at once, at free connectors that were chosen for that."""
    targets: dict[Key, float] = field(default_factory=dict)
    drops: dict[Key, tuple[tuple[datetime, float], ...]] = field(default_factory=dict)
    """What is planned for each connector from known drops of limits on."""
    may_raise: bool = False
    sending: int = 0
    """Stations with commands under way."""
    news: bool = False
    """Whether the last read showed anything by which the plan should change."""
    cycles: int = 0
    planned_at: float = float("-inf")
    decided_at: float = float("-inf")
    """When a plan last succeeded."""
    busy: asyncio.Future[Plan] | None = None
    """A planner that missed its deadline and still runs."""


async def run_cycle(group: Group, ports: Ports, settings: CycleSettings, reasons: Sequence[str]) -> CycleRecord:
    """Brings the group's targets up to date. What cannot be read or planned only ever tightens them."""
    watch = _Stopwatch()
    group.cycles += 1
    record = CycleRecord(group.name, group.cycles, ports.clock.now(), tuple(reasons), hops_ms=watch.laps)

    record.unreadable = await _read(group, ports)
    watch.lap("read")

    when = Instant.of(ports.clock)
    group.planned_at = when.at
    whole = ports.sites.site(group.name, when.now).tightened(ports.limits.series(group.name, when.now))
    group.site = _asked(ports.base_load.left(group.name, whole, when.now), group.peak)
    record.base_load = ports.base_load.state(group.name, when.now)
    record.snapshot = group.snapshot
    group.may_raise = not record.unreadable
    if group.snapshot is None:
        return record
    record.facts_age_s = group.snapshot.age_s(record.at)
    group.unwatched = _asked(ports.base_load.least(group.name, whole), group.peak)
    group.shares = safe_shares(group.unwatched, group.snapshot.connectors, when.now, DAY_S, settings.least_connectors)
    group.starts = welcomed(group.unwatched, group.ledger, settings.reserved, when, group.oversight.reserves())
    framing = _frame(group, group.snapshot, room(group, group.site), settings, when)
    record.limit = _limit_in_force(group.site, framing.problem, when.now)
    watch.lap("frame")

    plan, record.undecided = await _decide(group, ports, settings, framing.problem)
    watch.lap("decide")

    when = Instant.of(ports.clock)
    if plan is None:
        hold(group, settings, when)
    else:
        group.decided_at = when.at
        _aim(group, plan, framing, settings, when)
    if group.snapshot.age_s(when.now) > settings.stale_hold_s:
        group.targets = {key: min(kw, group.shares.get(key, 0.0)) for key, kw in group.targets.items()}
    _account_for(record, group, plan, framing, when)
    return record


async def look(group: Group, ports: Ports) -> bool:
    """Reads and judges without planning; whether there is something that a plan must take into account."""
    before = group.ledger.accounts.keys()
    unreadable = await _read(group, ports)
    if unreadable:
        return group.may_raise
    return group.news or before != group.ledger.accounts.keys()


async def _read(group: Group, ports: Ports) -> str:
    """Takes in a fresh snapshot and the CSMS's own limit; what could not be read stays as it was. Says what failed."""
    async with asyncio.TaskGroup() as tasks:
        evs = tasks.create_task(_attempt(ports.translation.get_evs(group.name)))
        peak = tasks.create_task(_attempt(ports.translation.get_peak_power_demand(group.name)))
    snapshot, limit = evs.result(), peak.result()
    if isinstance(snapshot, Snapshot):
        group.snapshot = snapshot
        _take_in(group, snapshot, Instant.of(ports.clock))
    else:
        group.reconciler.lost_sight()
        group.ledger.lost_sight()
    if not isinstance(limit, TranslationError):
        group.peak = limit
    failed = next((result for result in (snapshot, limit) if isinstance(result, TranslationError)), None)
    return "" if failed is None else str(failed) or type(failed).__name__


def _take_in(group: Group, snapshot: Snapshot, when: Instant) -> None:
    ledger, oversight = group.ledger, group.oversight
    ledger.observe(snapshot, when)
    group.news = oversight.look(snapshot, when.now, group.site)
    group.reconciler.observe(snapshot, oversight.overdraws())
    _count_overdraws(group)
    for key in oversight.spoilt():
        ledger.spoilt(key)


def _count_overdraws(group: Group) -> None:
    """Whoever draws more than allowed counts at that, and whose station says that it allows more, at what it says."""
    overdraws, claims = group.oversight.overdraws(), group.reconciler.claims()
    for key in {*group.ledger.overdrawn, *overdraws, *claims}:
        known = [powers[key] for powers in (overdraws, claims) if key in powers]
        group.ledger.overdraw(key, max(known, default=None))


async def _attempt(reading: Awaitable[_T]) -> _T | TranslationError:
    try:
        return await reading
    except TranslationError as error:
        return error


def _asked(site: Site, peak: LimitSeries | None) -> Site:
    """`site` with what the CSMS asks of the EVs besides."""
    return site if peak is None else site.tightened(peak)


def room(group: Group, site: Site) -> Site:
    """`site` as far as it may be used: without what EVs would take that come to stations which take no 0, and without what is
    kept for those that are to begin at once."""
    connectors = () if group.snapshot is None else group.snapshot.connectors
    starts = for_starts(group.ledger, group.starts)
    return kept_free(kept_free(site, connectors, group.oversight.reserves()), connectors, starts, strict=True)


def _limits(group: Group, site: Site, settings: CycleSettings, when: Instant) -> tuple[Limit, ...]:
    """Every bound on what is allowed to the EVs that are there."""
    accounts = group.ledger.accounts.values()
    return limits_at(room(group, site), accounts, when.now, settings.lead_s, group.oversight.parts())


def _frame(group: Group, snapshot: Snapshot, site: Site, settings: CycleSettings, when: Instant) -> Framing:
    """The problem of the EVs that can be commanded; the others are planned around at the worst that they may draw."""
    accounts, stuck = group.ledger.accounts, group.ledger.stuck
    evs, uncontrolled = [], []
    for ev in snapshot.evs:
        account = accounts[ev.station_id, ev.connector_id]
        why = group.oversight.out_of_control(account.key, when.now)
        if stuck(account.key, when.at):
            why = NOT_CONNECTED if not account.online else NOT_FOLLOWING
        if why:
            uncontrolled.append(RefusedEV(ev.ev_id, ev.station_id, ev.connector_id, ev.transaction_id, why))
        else:
            sendable_ev = replace(ev, min_kw=account.min_kw) if ev.min_kw < account.min_kw <= ev.max_kw else ev
            evs.append(group.oversight.planned(sendable_ev))
    return frame(
        replace(snapshot, evs=tuple(evs), refused=(*snapshot.refused, *uncontrolled)),
        site,
        when.now,
        states=_states(group, when),
        grid=GridSettings(lead_s=settings.lead_s, assumed_stay_s=settings.assumed_stay_s),
    )


def _states(group: Group, when: Instant) -> dict[str, EVState]:
    states = group.ledger.states(when)
    for account in group.ledger.accounts.values():
        share_kw = group.shares.get(account.key, 0.0)
        states[account.ev_id] = group.oversight.state(account.key, states[account.ev_id], when.now, share_kw)
    return states


async def _decide(group: Group, ports: Ports, settings: CycleSettings, problem: Problem) -> tuple[Plan | None, str]:
    """A plan, or why there is none. A planner that misses its deadline is left alone and not started a second time."""
    if group.busy is not None and not group.busy.done():
        return None, f"planning takes longer than {settings.planning_deadline_s:g} s"
    future = asyncio.get_running_loop().run_in_executor(None, ports.planner, problem)
    group.busy = future
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait({future}, timeout=settings.planning_deadline_s)
    if not future.done():
        return None, f"planning takes longer than {settings.planning_deadline_s:g} s"
    try:
        return future.result(), ""
    except PlanningError as error:
        return None, str(error)


def _aim(group: Group, plan: Plan, framing: Framing, settings: CycleSettings, when: Instant) -> None:
    """New targets: the plan's first cell, and the safe share for an EV whose data make no sense; and what is planned from
    known drops of limits on."""
    accounts = group.ledger.accounts.values()
    drops = announced(framing.problem, plan, settings.lead_s)
    planned = dict(zip(framing.problem.ev_ids, plan.power_kw[:, 0].tolist(), strict=True))
    parts = group.oversight.parts()
    group.drops, group.targets = {}, {}
    for account in accounts:
        part = parts.get(account.key, 1.0)
        if account.ev_id in drops:
            group.drops[account.key] = tuple((at, drawn_kw / part) for at, drawn_kw in drops[account.ev_id])
        drawn_kw = planned.get(account.ev_id)
        allowed_kw = group.shares.get(account.key, 0.0) if drawn_kw is None else drawn_kw / part
        group.targets[account.key] = group.oversight.target_kw(account.key, allowed_kw, when.now)


def hold(group: Group, settings: CycleSettings, when: Instant) -> None:
    """Without a plan: what each EV had, nothing for a new one. If that is over a limit at most the safe share for each;
    if there has been no plan for long, the safe share for all, so that nobody is stranded."""
    accounts = group.ledger.accounts
    if when.at - group.decided_at > settings.stale_hold_s:
        group.targets = {key: group.shares.get(key, 0.0) for key in accounts}
        return
    group.may_raise = False
    group.targets = {key: group.targets.get(key, 0.0) for key in accounts}
    if group.site is None:
        return
    limits = _limits(group, group.site, settings, when)
    if any(sum(w * group.targets[key] for key, w in limit.weights.items()) > limit.capacity for limit in limits):
        group.targets = {key: min(kw, group.shares.get(key, 0.0)) for key, kw in group.targets.items()}


def next_wave(group: Group, settings: CycleSettings, clock: Clock) -> tuple[PowerCommand, ...]:
    """The commands that may go out now; the ledger counts them as sent."""
    if group.site is None:
        return ()
    when = Instant.of(clock)
    ledger = group.ledger
    ledger.tick(when)
    limits = _limits(group, group.site, settings, when)
    granted = affordable(ledger, limits, group.shares, when)
    plain = at_once(ledger, granted, group.oversight.plain_starts(), when)
    planned = (
        *next_commands(
            ledger,
            group.targets,
            limits,
            when,
            shares=group.shares,
            granted=granted,
            drops=group.drops,
            raises=group.may_raise,
        ),
        *safe_start_commands(ledger, granted, when, {**_starts(group, when), **plain}),
    )
    commands = tuple(group.oversight.wave(planned))
    for command in commands:
        ledger.sent(command, when)
        group.oversight.sent(command)
    return commands


def _starts(group: Group, when: Instant) -> dict[Key, float]:
    """What cars may have at once, where there is proven to be room."""
    if group.unwatched is None or group.snapshot is None:
        return {}
    site = kept_free(group.unwatched, group.snapshot.connectors, group.oversight.reserves())
    free = {key: kw for key, kw in group.starts.items() if key not in group.ledger.accounts}
    return proven(site, group.ledger, free, when)


async def deliver(
    group: Group, translation: Translation, clock: Clock, commands: Sequence[PowerCommand]
) -> tuple[Outcome, ...]:
    """Sends commands and enters in the ledger what became of each; whatever is not known is an unknown outcome."""
    outcomes = tuple(Outcome(command, OutcomeStatus.UNKNOWN, "no answer") for command in commands)
    sent_at = clock.now()
    try:
        async with clock.timeout(ANSWER_DEADLINE_S):
            outcomes = await _send_in_form(group, translation, commands)
    except TimeoutError:
        reason = f"no answer within {ANSWER_DEADLINE_S:g} s"
        outcomes = tuple(Outcome(command, OutcomeStatus.UNKNOWN, reason) for command in commands)
    except TranslationError as error:
        outcomes = tuple(Outcome(command, OutcomeStatus.UNKNOWN, str(error)) for command in commands)
    finally:
        when = Instant.of(clock)
        for outcome in outcomes:
            group.oversight.learned(outcome, sent_at, when.now)
            group.ledger.learned(outcome, when)
        _count_overdraws(group)
    return outcomes


async def _send_in_form(
    group: Group, translation: Translation, commands: Sequence[PowerCommand]
) -> tuple[Outcome, ...]:
    """Sends each command in the form that its station takes; what is refused goes out in other forms, some at a time."""
    answers: dict[int, Outcome] = {}
    pending = list(range(len(commands)))
    for _ in range(MOST_FORMS):
        forms = [group.oversight.form(commands[i]) for i in pending]
        shaped = [group.oversight.shaped(commands[i], _fallback_kw(group, commands[i])) for i in pending]
        answered = await translation.send_power_to_evs(shaped)
        refused = []
        for i, form, sent, answer in zip(pending, forms, shaped, answered, strict=True):
            answers[i] = Outcome(commands[i], answer.status, answer.reason)
            if answer.status is OutcomeStatus.ACCEPTED:
                group.reconciler.accepted(sent)
            if group.oversight.try_again(commands[i], form, answer):
                refused.append(i)
        pending = refused
        if not pending:
            break
    return tuple(answers[i] for i in range(len(commands)))


def _fallback_kw(group: Group, command: PowerCommand) -> float | None:
    safe_start = group.ledger.safe_starts.get((command.station_id, command.connector_id))
    return None if safe_start is None else safe_start.share_kw


def next_change(group: Group, settings: CycleSettings, now: datetime) -> datetime | None:
    """When the next change of a limit is to be acted on: ahead of it, so that a drop is in time, and when it is there."""
    if group.site is None:
        return None
    changes = [at for c in group.site.circuits if c.limit is not None for at in c.limit.changes_after(now)]
    ahead = [at - timedelta(seconds=settings.lead_s) for at in changes]
    return min((at for at in (*changes, *ahead) if at > now), default=None)


def _account_for(record: CycleRecord, group: Group, plan: Plan | None, framing: Framing, when: Instant) -> None:
    """Fills in what was decided about whom, and why."""
    snapshot, ledger = group.snapshot, group.ledger
    if snapshot is None:
        return
    record.alarms = group.oversight.alarms(when.now)
    record.fall_backs = fall_backs(ledger, when)
    record.forms = group.oversight.book.unusual()
    evs = {ev.ev_id: ev for ev in snapshot.evs}
    if plan is not None:
        record.algorithm, record.notes = plan.algorithm, plan.notes
        changes = next_changes(framing.problem, plan)
        rows = zip(framing.problem.ev_ids, plan.reasons, changes, strict=True)
        record.decisions = tuple(
            _decision(group, evs[ev_id], reason, change) for ev_id, reason, change in rows if ev_id in evs
        )
    for refused in framing.refused:
        account = ledger.accounts.get((refused.station_id, refused.connector_id))
        beyond = account is not None and group.oversight.out_of_control(account.key, when.now)
        if account is not None and account.online and account.refused_once and not beyond:
            continue
        if account is not None and (beyond or ledger.stuck(account.key, when.at)):
            counted_kw = ledger.counted_kw(account.key, when)
            away = OutOfControl(refused.ev_id, refused.station_id, counted_kw, refused.reason)
            record.out_of_control = (*record.out_of_control, away)
        else:
            record.refused = (*record.refused, refused)
    safe_starts = ledger.safe_starts
    record.unprotected = tuple(key for key in ledger.unprotected if not safe_starts[key].connector.online)


def fall_backs(ledger: Ledger, when: Instant) -> dict[str, FallBack]:
    """What each EV has in the end if control dies now."""
    return {ev_id: FallBack(at, power_kw) for ev_id, (at, power_kw) in ledger.ends(when).items()}


def _decision(group: Group, ev: EV, reason: Reason, change: NextChange | None) -> EVDecision:
    account = group.ledger.accounts[ev.station_id, ev.connector_id]
    target_kw = sendable(group.targets[account.key], account.unit, account.volts, account.min_kw)
    return EVDecision(ev, target_kw, reason, change, group.oversight.parts().get(account.key, 1.0))


def _limit_in_force(site: Site, problem: Problem, now: datetime) -> LimitStep | None:
    """The strictest step of the grid connection's limit during the plan's first cell."""
    series = site.root.limit
    if series is None:
        return None
    until = now + timedelta(seconds=float(problem.edges_s[1]) - 0.001)
    steps = [series.at(now), *(series.at(at) for at in series.changes_after(now) if at < until)]
    return min(steps, key=lambda step: float("inf") if step.limit_kw is None else step.limit_kw)


class _Stopwatch:
    """Real milliseconds between laps, on the event loop's clock."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()

    def lap(self, name: str) -> None:
        now = self._loop.time()
        self.laps[name] = (now - self._last) * 1000
        self._last = now
