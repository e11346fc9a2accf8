"""What the stations answered: the CSMS confirms a command before it asks the station, so the answer comes another way."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from optivgi.model.clock import Clock
from optivgi.translation.base import OutcomeStatus
from optivgi.translation.envelope import Body, Headers, is_answered, is_sent, member

ANSWER_DEADLINE_S = 22.0
"""Site seconds; longer than the 20 s after which a CALL times out at the CSMS."""
UNCLAIMED = 1000
NOT_SUPPORTED_CODES = frozenset({"NotSupported", "NotImplemented"})
REFUSING_CODES = frozenset(
    {
        "FormationViolation",
        "FormatViolation",
        "PropertyConstraintViolation",
        "OccurenceConstraintViolation",
        "OccurrenceConstraintViolation",
        "TypeConstraintViolation",
        "ProtocolError",
        "SecurityError",
        "MessageTypeNotSupported",
        "RpcFrameworkError",
    }
)
"""CALLERROR codes of OCPP-J 1.6 and 2.x by which a station says that it did not even read the command as one that it could
follow. InternalError and GenericError are not among them: they may come after it was followed."""


@dataclass(frozen=True, slots=True)
class StationAnswer:
    """What a station said to a command. `payload` is all of it, where it has the form of an answer."""

    status: OutcomeStatus
    reason: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(eq=False, slots=True)
class Expectation:
    """An answer that is waited for. `callback_url` is where the CSMS shall post it, if it shall."""

    clock: Clock
    station_id: str
    body: Mapping[str, Any]
    callback_url: str | None = None
    correlation_id: str | None = None
    answer: asyncio.Future[StationAnswer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def resolve(self, payload: object) -> None:
        """The station's answer is here; a second one changes nothing."""
        if not self.answer.done():
            self.answer.set_result(read_answer(payload))

    def abandon(self, reason: str) -> None:
        """Nobody can tell any more what became of the command."""
        if not self.answer.done():
            self.answer.set_result(StationAnswer(OutcomeStatus.UNKNOWN, reason))

    async def wait(self, deadline_s: float) -> StationAnswer | None:
        """The answer, or None if there is none within `deadline_s` of site time."""
        try:
            async with self.clock.timeout(deadline_s):
                return await asyncio.shield(self.answer)
        except TimeoutError:
            return None


class Answers(Protocol):
    """A way to learn stations' answers."""

    def expect(self, station_id: str, body: Mapping[str, Any]) -> AbstractContextManager[Expectation]:
        """Must be entered before the command is posted, so that an answer is never too fast."""
        ...


class AnswersByEvents:
    """Learns answers from the event exchange.

    The CSMS publishes each command as it sends it, which tells its correlation id; the station's answer carries the same
    id. The two may be seen in either order.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[Expectation] = []
        self._unclaimed: OrderedDict[str, object] = OrderedDict()

    @contextmanager
    def expect(self, station_id: str, body: Mapping[str, Any]) -> Iterator[Expectation]:
        expectation = Expectation(self._clock, station_id, body)
        self._waiting.append(expectation)
        try:
            yield expectation
        finally:
            self._waiting.remove(expectation)

    def take(self, headers: Headers, body: Body) -> None:
        """Reads one message of the exchange; others than those about commands mean nothing here."""
        correlation_id = headers.get("correlationId")
        if not isinstance(correlation_id, str):
            return
        payload = member(body, "payload")
        if is_sent(headers):
            self._sent(str(headers.get("stationId")), correlation_id, payload)
        elif is_answered(headers):
            self._answered(correlation_id, payload)

    def _sent(self, station_id: str, correlation_id: str, payload: object) -> None:
        for expectation in self._waiting:
            if (expectation.correlation_id, expectation.station_id) == (
                None,
                station_id,
            ) and expectation.body == payload:
                expectation.correlation_id = correlation_id
                if correlation_id in self._unclaimed:
                    expectation.resolve(self._unclaimed.pop(correlation_id))
                return

    def _answered(self, correlation_id: str, payload: object) -> None:
        for expectation in self._waiting:
            if expectation.correlation_id == correlation_id:
                expectation.resolve(payload)
                return
        self._unclaimed[correlation_id] = payload
        while len(self._unclaimed) > UNCLAIMED:
            self._unclaimed.popitem(last=False)


class AnswersByCallback:
    """Learns answers from the CSMS's POSTs to a URL that only this command knows."""

    def __init__(self, clock: Clock, base_url: str) -> None:
        self._clock = clock
        self.base_url = base_url.rstrip("/")
        self._waiting: dict[str, Expectation] = {}

    @contextmanager
    def expect(self, station_id: str, body: Mapping[str, Any]) -> Iterator[Expectation]:
        token = secrets.token_urlsafe(24)
        expectation = Expectation(self._clock, station_id, body, callback_url=f"{self.base_url}/{token}")
        self._waiting[token] = expectation
        try:
            yield expectation
        finally:
            del self._waiting[token]

    def take(self, token: str, payload: object) -> bool:
        """Reads one posted answer; False if no command waits for that token."""
        expectation = self._waiting.get(token)
        if expectation is None:
            return False
        expectation.resolve(payload)
        return True


def read_answer(payload: object) -> StationAnswer:
    """A CALLRESULT's or CALLERROR's payload as a status, with the station's own words as the reason."""
    if not isinstance(payload, Mapping):
        return StationAnswer(OutcomeStatus.FAILED, f"the station answered {str(payload)[:120]!r}")
    code = member(payload, "errorCode")
    if code is not None:
        said = next(
            (payload[name] for name in ("errorDescription", "_errorDescription", "message") if payload.get(name)), ""
        )
        status = _status_of_error(code)
        return StationAnswer(status, f"the station answered CALLERROR {code}" + (f": {said}" if said else ""))
    said = payload.get("status")
    if said == "Accepted":
        return StationAnswer(OutcomeStatus.ACCEPTED, payload=payload)
    info = payload.get("statusInfo")
    code = info.get("reasonCode") if isinstance(info, Mapping) else None
    reason = f"the station answered {said}" + (f" ({code})" if code else "")
    known = {"Rejected": OutcomeStatus.REJECTED, "NotSupported": OutcomeStatus.NOT_SUPPORTED}
    return StationAnswer(known.get(str(said), OutcomeStatus.FAILED), reason)


def _status_of_error(code: object) -> OutcomeStatus:
    if code in NOT_SUPPORTED_CODES:
        return OutcomeStatus.NOT_SUPPORTED
    return OutcomeStatus.REJECTED if code in REFUSING_CODES else OutcomeStatus.FAILED
