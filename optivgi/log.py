"""What a site manager reads: who came and went, when power is short and who gets how much, what does not work."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TextIO

from optivgi.account import Key
from optivgi.alarm import Alarm, AlarmKind
from optivgi.leadership import Role, Standing
from optivgi.model.charging_profile import Purpose
from optivgi.model.clock import Clock
from optivgi.model.plan import Binding
from optivgi.reconcile import Finding, Match
from optivgi.record import CycleRecord, EVDecision
from optivgi.translation.base import Event, Outcome, OutcomeStatus

log = logging.getLogger("optivgi.site")

PREFIX = "[Opti-VGI]"
CURTAILING = frozenset({Binding.CIRCUIT, Binding.PAUSED, Binding.PRIORITY})
TOLD_EVENTS = frozenset({"BootNotification", "StartTransaction", "StopTransaction", "TransactionEvent"})
NEWS_KW = 0.5
"""While power stays short, allocations are told again when one has changed by this much."""
CHATTY = ("httpx", "httpcore", "gql", "asyncio", "websockets", "uvicorn.access")
TOLD_BY_US = ("aio_pika", "aiormq")
"""A broker that goes and comes back is news for one line, which whoever uses these writes, and not for a traceback."""
OWN_POWER = re.compile(r"^\d+\.\d kW: ")


class SiteFormatter(logging.Formatter):
    """Time, prefix, message; nothing that a station sent can break the line or the terminal.

    The time is the machine's, or that of `clock` if one is given.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - as logging names it
        if self._clock is None:
            return super().formatTime(record, datefmt)
        return self._clock.now().astimezone().strftime(datefmt or self.default_time_format)

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"{record.levelname}: "
        line = f"{self.formatTime(record, '%Y-%m-%d %H:%M:%S')} {PREFIX} {level}{printable(record.getMessage())}"
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            line += "".join(f"\n{printable(part)}" for part in trace.splitlines())
        return line


def printable(text: str) -> str:
    """`text` with every control character written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Sets logging up for a program: one handler, on `stream` or standard error."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(SiteFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    for name in TOLD_BY_US:
        logging.getLogger(name).setLevel(logging.CRITICAL)


@dataclass(slots=True)
class _Told:
    """What was said last of a station group."""

    evs: dict[tuple[str, str], float] = field(default_factory=dict)
    """Energy delivered, by EV id and transaction."""
    curtailed: bool = False
    allocation: dict[str, float] = field(default_factory=dict)
    limit_kw: float | None = None
    refused: frozenset[tuple[str, str]] = frozenset()
    away: frozenset[str] = frozenset()
    unprotected: frozenset[str] = frozenset()
    notes: frozenset[str] = frozenset()
    alarms: Mapping[tuple[AlarmKind, Key], Alarm] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    unreadable_since: datetime | None = None
    undecided: bool = False


class SiteLog:
    """An Observer that logs each change once."""

    def __init__(self, groups: Sequence[str] = ("default",)) -> None:
        self._told = {group: _Told() for group in groups}
        self._failed: set[tuple[Key, Purpose]] = set()
        self._refused_once: set[tuple[Key, Purpose]] = set()
        """A single refusal may be a race with the end of the transaction, and is not told."""

    def event(self, event: Event) -> None:
        level = logging.INFO if event.action in TOLD_EVENTS else logging.DEBUG
        log.log(level, "OCPP event: %s", event.action)

    def cycle(self, record: CycleRecord) -> None:
        told = self._told[record.group]
        self._tell_reading(told, record)
        self._tell_evs(told, record)
        self._tell_planning(told, record)
        self._tell_trouble(told, record)
        if record.algorithm:
            self._tell_curtailment(told, record)

    def outcome(self, group: str, outcome: Outcome) -> None:  # noqa: ARG002 - stations are named already
        command = outcome.command
        about = (command.station_id, command.connector_id), command.profile.purpose
        what = f"{command.limit_kw:.1f} kW for EV {command.ev_id}" if command.ev_id else "the safe start"
        where = f"{command.station_id} connector {command.connector_id}"
        if outcome.status is OutcomeStatus.ACCEPTED:
            self._refused_once.discard(about)
            if about in self._failed:
                self._failed.discard(about)
                log.info("%s accepts %s", where, what)
            return
        if (
            outcome.status is OutcomeStatus.REJECTED
            and command.ev_id
            and about not in self._refused_once | self._failed
        ):
            self._refused_once.add(about)
            return
        level = logging.DEBUG if about in self._failed else logging.WARNING
        self._failed.add(about)
        reason = f" ({outcome.reason})" if outcome.reason else ""
        then = (
            "a car that starts there may draw full power until it is controlled" if not command.ev_id else "trying on"
        )
        log.log(level, "%s did not take %s: %s%s; %s", where, what, outcome.status.value, reason, then)

    def protected(self, group: str, connectors: int) -> None:
        log.info("Safe start confirmed on %d connectors%s", connectors, self._of(group))

    def read_back(self, group: str, finding: Finding) -> None:  # noqa: ARG002 - stations are named already
        where = f"{finding.key[0]} connector {finding.key[1]}"
        if finding.match is Match.NONE:
            log.debug("%s does not tell what it allows: %s", where, finding.reason)
        if finding.match in (Match.SAME, Match.NONE):
            return
        then = (
            "it is sent again" if finding.repair else "left to its meter" if finding.match is Match.MORE else "so be it"
        )
        log.log(
            logging.DEBUG if finding.idle and not finding.repair else logging.WARNING,
            "%s says that it allows %.1f kW, and accepted %.1f kW%s: %s",
            where,
            finding.said_kw,
            finding.expected_kw,
            " for who comes next" if finding.idle else "",
            then,
        )

    def standing(self, group: str, standing: Standing) -> None:
        if standing.role is Role.WAITS:
            log.warning("Waiting to lead%s: %s; nothing is sent", self._of(group), standing.why)
        elif not standing.why:
            log.info("Leading%s", self._of(group))
        else:
            log.warning("Leading%s, but %s", self._of(group), standing.why)

    def crashed(self, where: str) -> None:
        """The scheduler logged it already, with its traceback."""

    def _of(self, group: str) -> str:
        """Names the group where there are several."""
        return f" of {group}" if len(self._told) > 1 else ""

    def _tell_reading(self, told: _Told, record: CycleRecord) -> None:
        if record.unreadable and told.unreadable_since is None:
            told.unreadable_since = record.at
            known = 0 if record.snapshot is None else len(record.snapshot.evs)
            log.warning(
                "Cannot read EVs%s: %s; the last %d known keep what they have, nothing is raised",
                self._of(record.group),
                record.unreadable,
                known,
            )
        elif not record.unreadable and told.unreadable_since is not None:
            away_s = (record.at - told.unreadable_since).total_seconds()
            told.unreadable_since = None
            log.info("EVs%s are read again, after %.0f s", self._of(record.group), away_s)

    def _tell_evs(self, told: _Told, record: CycleRecord) -> None:
        if record.snapshot is None or record.unreadable:
            return
        present = {(ev.ev_id, ev.transaction_id): ev for ev in record.snapshot.evs}
        for (ev_id, transaction_id), delivered_kwh in told.evs.items():
            if (ev_id, transaction_id) not in present:
                log.info("EV %s left — %.2f kWh at the last reading", ev_id, delivered_kwh)
        for who, ev in present.items():
            if who not in told.evs:
                log.info("EV %s arrived — max %.2f kW", ev.ev_id, ev.max_kw)
        told.evs = {who: ev.delivered_kwh for who, ev in present.items()}

    def _tell_planning(self, told: _Told, record: CycleRecord) -> None:
        if record.undecided and not told.undecided:
            log.warning("No plan%s: %s; allocations stay as they are", self._of(record.group), record.undecided)
        elif told.undecided and not record.undecided and record.algorithm:
            log.info("Planning%s works again", self._of(record.group))
        told.undecided = bool(record.undecided)
        if record.algorithm:
            notes = frozenset(note for note in record.notes if not note.startswith("EV "))
            for note in sorted(notes - told.notes):
                log.warning("%s", note)
            told.notes = notes

    def _tell_trouble(self, told: _Told, record: CycleRecord) -> None:
        refused = frozenset((one.ev_id, one.reason) for one in record.refused)
        for ev_id, reason in sorted(refused - told.refused):
            log.warning("EV %s is not planned for: %s; it gets the safe share", ev_id, reason)
        told.refused = refused
        away = {one.ev_id: one for one in record.out_of_control}
        for ev_id in sorted(away.keys() - told.away):
            one = away[ev_id]
            log.warning(
                "EV %s at %s is out of control: %s; others make room for %.1f kW",
                ev_id,
                one.station_id,
                one.reason,
                one.counted_kw,
            )
        told.away = frozenset(away)
        self._tell_oversight(told, record)
        unprotected = frozenset(station_id for station_id, _ in record.unprotected)
        if new := sorted(unprotected - told.unprotected):
            log.warning("Not connected, and not known to start cars safely: %s", ", ".join(new))
        told.unprotected = unprotected

    def _tell_oversight(self, told: _Told, record: CycleRecord) -> None:
        """What meters show: each alarm once when it comes and once when it goes, and each form that was found."""
        alarms = {(alarm.kind, alarm.key): alarm for alarm in record.alarms}
        for about, alarm in alarms.items():
            if about not in told.alarms:
                log.warning("ALARM — %s", alarm.text)
        for about, alarm in told.alarms.items():
            if about not in alarms:
                log.info("Over: %s of %s", alarm.kind.value, alarm.about)
        told.alarms = alarms
        for kind, form in record.forms.items():
            if told.forms.get(kind) != form:
                log.info("%s takes profiles as %s", kind, form)
        told.forms = record.forms

    def _tell_curtailment(self, told: _Told, record: CycleRecord) -> None:
        curtailed = any(decision.reason.binding in CURTAILING for decision in record.decisions)
        limit_kw = None if record.limit is None else record.limit.limit_kw
        if curtailed and (not told.curtailed or limit_kw != told.limit_kw or self._is_news(told, record)):
            wanting = [decision for decision in record.decisions if decision.ev.energy_needed_kwh > 0]
            log.info(
                "CURTAILMENT ON — %d EVs requesting %.1f kW, %s, allocated %.1f kW",
                len(wanting),
                record.requested_kw,
                "no site limit"
                if record.limit is None or limit_kw is None
                else f"{record.limit.source} {limit_kw:.1f} kW",
                record.allocated_kw,
            )
            for decision in record.decisions:
                log.info("%s", _line(decision))
            told.allocation = {decision.ev.ev_id: decision.target_kw for decision in record.decisions}
            told.limit_kw = limit_kw
        elif told.curtailed and not curtailed:
            log.info("CURTAILMENT OFF")
        told.curtailed = curtailed

    def _is_news(self, told: _Told, record: CycleRecord) -> bool:
        now = {decision.ev.ev_id: decision.target_kw for decision in record.decisions}
        if now.keys() != told.allocation.keys():
            return True
        return any(
            abs(now[ev_id] - before) >= NEWS_KW or (now[ev_id] > 0) != (before > 0)
            for ev_id, before in told.allocation.items()
        )


def _line(decision: EVDecision) -> str:
    why = OWN_POWER.sub("", decision.reason.text)
    return f"  EV {decision.ev.ev_id}: {decision.target_kw:.1f} kW of {decision.ev.max_kw:.1f} kW: {why}"
