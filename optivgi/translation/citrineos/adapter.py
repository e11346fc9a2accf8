"""CitrineOS as a Translation: reads over GraphQL, commands over REST, answers over events or callbacks."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files

from optivgi.errors import Unreachable
from optivgi.model.charging_profile import RateUnit
from optivgi.model.clock import Clock
from optivgi.model.ev_config import SiteView
from optivgi.model.limit_series import LimitSeries
from optivgi.model.snapshot import Snapshot
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand, ReadBack, StationRequest, Wish
from optivgi.translation.citrineos.answers import ANSWER_DEADLINE_S, Answers, Expectation, StationAnswer
from optivgi.translation.citrineos.composite import get_composite_schedule, read_schedule
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.citrineos.message_api import GET_COMPOSITE_SCHEDULE, MessageAPI
from optivgi.translation.citrineos.payloads import NotSendable, set_charging_profile, wish
from optivgi.translation.citrineos.recorded import LOOK_AFTER_S, LOOK_EVERY_S, RecordedAnswers
from optivgi.translation.citrineos.rows import snapshot, variables

log = logging.getLogger("optivgi.translation")

SNAPSHOT_QUERY = files("optivgi.translation.citrineos").joinpath("queries.graphql").read_text(encoding="utf-8")
NOT_LEADING = "not sent: it is not sure that this optimizer still leads"


class CitrineOSTranslation:
    """A CitrineOS 1.8.3, or anything that answers its contract."""

    def __init__(
        self,
        site: SiteView,
        clock: Clock,
        graphql: GraphQL,
        messages: MessageAPI,
        answers: Answers,
        *,
        answer_deadline_s: float = ANSWER_DEADLINE_S,
        recorded: RecordedAnswers | None = None,
        may_command: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`recorded` is asked for answers that are late; None where they cannot get lost on their way.

        `may_command` tells by its id whether a station may still be commanded. It is asked right before sending, because a
        command may have waited for the one before it.
        """
        self._site, self._clock = site, clock
        self._graphql, self._messages, self._answers = graphql, messages, answers
        self._answer_deadline_s = answer_deadline_s
        self._recorded = recorded
        self._may_command = may_command
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._doubted: dict[str, frozenset[str]] = {}
        self._awaited: set[Expectation] = set()

    async def get_evs(self, group: str) -> Snapshot:
        stations = self._site.stations(group)
        read_at = self._clock.now()
        try:
            data = await self._graphql.query(SNAPSHOT_QUERY, variables(stations))
        except Unreachable:
            self._abandon("the CSMS was away while the answer was awaited")
            raise
        found = snapshot(data, self._site, group, read_at)
        away = frozenset(connector.station_id for connector in found.connectors if not connector.online)
        self._abandon("its connection was lost", away)
        self._report(group, found.doubts)
        return found

    async def get_peak_power_demand(self, group: str) -> LimitSeries | None:  # noqa: ARG002 - CitrineOS knows no site limit
        return None

    async def send_power_to_evs(self, commands: Sequence[PowerCommand]) -> tuple[Outcome, ...]:
        """All stations at once; commands to one station one after the other, in their order."""
        async with asyncio.TaskGroup() as tasks:
            pending = [tasks.create_task(self._send(command)) for command in commands]
        return tuple(task.result() for task in pending)

    async def ask(self, requests: Sequence[StationRequest]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for request in requests:
                tasks.create_task(self._pass_on(request))

    async def read_back(self, station_id: str, connector_id: int, duration_s: int, unit: RateUnit) -> ReadBack:
        """It takes no turn: a command that comes meanwhile is posted at once, and waits at the CSMS if it must."""
        body = get_composite_schedule(connector_id, duration_s, unit)
        with self._answers.expect(station_id, body) as expectation:
            undelivered = await self._messages.command(
                GET_COMPOSITE_SCHEDULE, station_id, body, expectation.callback_url
            )
            if undelivered is not None:
                return ReadBack(_unasked(undelivered.status), reason=undelivered.reason)
            self._awaited.add(expectation)
            try:
                answer = await expectation.wait(self._answer_deadline_s)
            finally:
                self._awaited.discard(expectation)
        if answer is None:
            return ReadBack(OutcomeStatus.UNKNOWN, reason=self._silence(station_id))
        if answer.status is not OutcomeStatus.ACCEPTED:
            return ReadBack(_unasked(answer.status), reason=answer.reason)
        schedule = read_schedule(answer.payload)
        if schedule is None:
            return ReadBack(OutcomeStatus.NOT_SUPPORTED, reason="the station answered Accepted without a schedule")
        return ReadBack(OutcomeStatus.ACCEPTED, schedule)

    async def aclose(self) -> None:
        await self._graphql.aclose()
        await self._messages.aclose()

    async def _pass_on(self, request: StationRequest) -> None:
        try:
            path, body = wish(request)
        except NotSendable as error:
            log.warning("%s cannot be asked for %s: %s", request.station_id, request.wish.value, error)
            return
        undelivered = await self._messages.command(path, request.station_id, body)
        if undelivered is not None:
            level = logging.DEBUG if request.wish is Wish.METER else logging.WARNING
            log.log(level, "%s was not asked for %s: %s", request.station_id, request.wish.value, undelivered.reason)

    async def _send(self, command: PowerCommand) -> Outcome:
        try:
            body = set_charging_profile(command.connector_id, command.profile)
        except NotSendable as error:
            return Outcome(command, OutcomeStatus.FAILED, str(error))
        async with self._turns[command.station_id]:
            if not self._may_command(command.station_id):
                return Outcome(command, OutcomeStatus.OFFLINE, NOT_LEADING)
            sent_at = self._clock.now()
            with self._answers.expect(command.station_id, body) as expectation:
                undelivered = await self._messages.set_charging_profile(
                    command.station_id, body, expectation.callback_url
                )
                if undelivered is not None and undelivered.status is not OutcomeStatus.UNKNOWN:
                    return Outcome(command, undelivered.status, undelivered.reason)
                self._awaited.add(expectation)
                try:
                    answer = await self._answer(expectation, sent_at)
                finally:
                    self._awaited.discard(expectation)
        if answer is not None:
            return Outcome(command, answer.status, answer.reason)
        if undelivered is not None:
            return Outcome(command, undelivered.status, undelivered.reason)
        return Outcome(command, OutcomeStatus.UNKNOWN, self._silence(command.station_id))

    async def _answer(self, expectation: Expectation, sent_at: datetime) -> StationAnswer | None:
        """What the station answered, however it becomes known; None if it does not before the deadline."""
        if self._recorded is None:
            return await expectation.wait(self._answer_deadline_s)
        deadline = self._clock.monotonic() + self._answer_deadline_s
        patience_s = LOOK_AFTER_S
        while (left_s := deadline - self._clock.monotonic()) > 0:
            answer = await expectation.wait(min(patience_s, left_s))
            if answer is not None:
                return answer
            found = await self._recorded.find(expectation.station_id, expectation.body, sent_at)
            if found is not None:
                expectation.resolve(found)
            patience_s = LOOK_EVERY_S
        return await expectation.wait(0)

    def _silence(self, station_id: str) -> str:
        return f"{station_id} gave no answer within {self._answer_deadline_s:g} s"

    def _abandon(self, reason: str, station_ids: frozenset[str] | None = None) -> None:
        """Waits no longer for answers of these stations (None: of any), which died with a connection."""
        for expectation in self._awaited:
            if station_ids is None or expectation.station_id in station_ids:
                expectation.abandon(reason)

    def _report(self, group: str, doubts: Sequence[str]) -> None:
        """Logs the doubts about each EV that had none at the last read: a broken meter is news once, not every time."""
        about = {doubt.partition(":")[0]: doubt for doubt in doubts}
        for ev in about.keys() - self._doubted.get(group, frozenset()):
            log.warning("%s", about[ev])
        self._doubted[group] = frozenset(about)


def _unasked(status: OutcomeStatus) -> OutcomeStatus:
    """A question has no unknown outcome: either the station kept silent, or it may not have been asked."""
    return OutcomeStatus.FAILED if status is OutcomeStatus.UNKNOWN else status
