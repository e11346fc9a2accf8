"""One OCPP-J connection without its socket: which call waits, which reply belongs to it, what was answered already.

Texts and times go in, events come out, and what must be sent lies in `outbox`. Both directions keep the standard's
rule of one outstanding CALL: ours wait in line, the station's are handed out in the order of their arrival.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from csms.rpc.dialects import INTERNAL_ERROR, Dialect
from csms.rpc.frames import (
    DEFAULT_MAX_SIZE,
    MAX_MESSAGE_ID,
    Call,
    CallError,
    CallResult,
    Frame,
    Malformed,
    decode,
    encode,
)

_TELLS_TIME = frozenset({"Heartbeat", "BootNotification"})
"""Their answers carry the current time, so a repeated request is answered anew and never from memory."""


@dataclass(frozen=True, slots=True)
class Request:
    """The station's CALL, to be answered with Session.answer."""

    call: Call
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The reply to our CALL. Its payload is not checked against the schema yet."""

    call: Call
    reply: CallResult | CallError


@dataclass(frozen=True, slots=True)
class Refused:
    """A text that is no frame and was answered with a CALLERROR."""

    reply: CallError


@dataclass(frozen=True, slots=True)
class Repeated:
    """A CALL that was seen before: its first answer was sent again, or is still on its way."""

    call: Call


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that cannot be answered and concerns nobody: unreadable, late, double or foreign."""

    reason: str


Event = Request | Answered | Refused | Repeated | Dropped


@dataclass(frozen=True, slots=True)
class Expired:
    """Our CALL has waited too long; `sent` tells whether the station may have seen it."""

    call: Call
    sent: bool


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A frame to be sent now; `action` is that of the CALL which it is or answers, "" when that was unreadable."""

    frame: Frame
    text: str
    action: str


class Session:
    """The state of one connection. Times are seconds of any clock that never goes back."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        timeout_s: float = 20.0,
        max_size: int = DEFAULT_MAX_SIZE,
        max_waiting: int = 64,
        answers_kept: int = 16,
    ) -> None:
        self.dialect = dialect
        self._timeout_s, self._max_size = timeout_s, max_size
        self._max_waiting, self._answers_kept = max_waiting, answers_kept
        self._outbox: deque[Outgoing] = deque()
        self._outstanding: tuple[Call, float] | None = None
        self._waiting: deque[tuple[Call, float]] = deque()
        self._used_ids: OrderedDict[str, None] = OrderedDict()
        self._in_hand: set[bytes] = set()
        self._answers: OrderedDict[bytes, Outgoing] = OrderedDict()

    def outbox(self) -> Iterator[Outgoing]:
        """Takes out, in order, what must be sent now."""
        while self._outbox:
            yield self._outbox.popleft()

    def receive(self, text: str, now_s: float) -> Event:
        """What `text` from the station means."""
        frame = decode(text, self.dialect, self._max_size)
        match frame:
            case Malformed():
                return self._malformed(frame)
            case Call():
                return self._request(frame, text)
            case CallResult() | CallError():
                return self._reply(frame, now_s)

    def answer(self, request: Request, reply: CallResult | CallError) -> None:
        """Sends `reply`, and keeps it in case the station repeats its request.

        An InternalError is not kept: the station is meant to try again.
        """
        self._in_hand.discard(request.fingerprint)
        outgoing = Outgoing(reply, encode(reply), request.call.action)
        self._outbox.append(outgoing)
        failed = isinstance(reply, CallError) and reply.code == INTERNAL_ERROR
        if request.call.action not in _TELLS_TIME and not failed:
            self._answers[request.fingerprint] = outgoing
            if len(self._answers) > self._answers_kept:
                self._answers.popitem(last=False)

    def call(self, call: Call, now_s: float) -> str | None:
        """Sends `call`, now or as soon as the calls before it are done. Returns why not, when it is refused."""
        if not 0 < len(call.message_id) <= MAX_MESSAGE_ID:
            return f"message id {call.message_id!r} is not 1 to {MAX_MESSAGE_ID} characters long"
        if call.message_id in self._used_ids:
            return f"message id {call.message_id!r} was used before on this connection"
        if len(self._waiting) >= self._max_waiting:
            return f"{len(self._waiting)} calls are waiting for this station already"
        self._used_ids[call.message_id] = None
        if len(self._used_ids) > 4 * self._max_waiting:
            self._used_ids.popitem(last=False)
        self._waiting.append((call, now_s + self._timeout_s))
        self._send_next(now_s)
        return None

    @property
    def deadline_s(self) -> float | None:
        """When `expire` has something to do next."""
        first_waiting = self._waiting[0][1] if self._waiting else None
        outstanding = self._outstanding[1] if self._outstanding else None
        return min((time for time in (first_waiting, outstanding) if time is not None), default=None)

    def expire(self, now_s: float) -> list[Expired]:
        """The calls whose time is up: unanswered `timeout_s` after they were sent, or unsent that long."""
        expired: list[Expired] = []
        if self._outstanding and self._outstanding[1] <= now_s:
            expired.append(Expired(self._outstanding[0], sent=True))
            self._outstanding = None
        while self._waiting and self._waiting[0][1] <= now_s:
            expired.append(Expired(self._waiting.popleft()[0], sent=False))
        self._send_next(now_s)
        return expired

    def close(self) -> list[Expired]:
        """Every call that will get no answer any more."""
        left = [Expired(self._outstanding[0], sent=True)] if self._outstanding else []
        left += [Expired(call, sent=False) for call, _ in self._waiting]
        self._outstanding = None
        self._waiting.clear()
        return left

    def _malformed(self, malformed: Malformed) -> Event:
        if malformed.message_id is None:
            return Dropped(malformed.description)
        reply = CallError(malformed.message_id, malformed.code, malformed.description)
        self._outbox.append(Outgoing(reply, encode(reply), ""))
        return Refused(reply)

    def _request(self, call: Call, text: str) -> Event:
        fingerprint = blake2b(text.encode(), digest_size=16).digest()
        if fingerprint in self._in_hand:
            return Repeated(call)
        if fingerprint in self._answers:
            self._outbox.append(self._answers[fingerprint])
            return Repeated(call)
        self._in_hand.add(fingerprint)
        return Request(call, fingerprint)

    def _reply(self, reply: CallResult | CallError, now_s: float) -> Event:
        if self._outstanding is None or self._outstanding[0].message_id != reply.message_id:
            kind = "late or double" if reply.message_id in self._used_ids else "foreign"
            return Dropped(f"{kind} reply with id {reply.message_id!r}")
        call, _ = self._outstanding
        self._outstanding = None
        self._send_next(now_s)
        return Answered(call, reply)

    def _send_next(self, now_s: float) -> None:
        if self._outstanding is None and self._waiting:
            call, _ = self._waiting.popleft()
            self._outstanding = (call, now_s + self._timeout_s)
            self._outbox.append(Outgoing(call, encode(call), call.action))
