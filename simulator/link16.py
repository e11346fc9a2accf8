"""One OCPP 1.6J connection: frames in and out, our CALLs and their answers, the CSMS's CALLs and ours.

Messages, schemas and the table of handlers are the `ocpp` package's. Its receive loop is not used: there, an answer to our
CALL takes effect only after the next frame has been handled, so that a SetChargingProfile that follows the answer to a
StartTransaction would find a transaction without an id.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable
from typing import Any

import ocpp.messages
from ocpp.charge_point import camel_to_snake_case, remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.exceptions import (
    FormatViolationError,
    NotSupportedError,
    OCPPError,
    PropertyConstraintViolationError,
    UnknownCallErrorCodeError,
)
from ocpp.exceptions import NotImplementedError as NotImplementedCallError
from ocpp.messages import Call, CallError, CallResult, validate_payload
from ocpp.v16 import ChargePoint
from ocpp.v16.enums import Action
from websockets.asyncio.client import ClientConnection

from simulator.errors import PayloadError
from simulator.wire_clock import shifted

ocpp.messages.ASYNC_VALIDATION = False
"""Validation takes well under a millisecond; in a thread pool it would reorder frames."""

LOGGER = logging.getLogger(__name__)
PACKAGE_LOGGER = LOGGER.getChild("package")
PACKAGE_LOGGER.setLevel(logging.ERROR)
"""What the package has to say below an error is said here already."""
VERSION = "1.6"
CALL_TYPE, RESULT_TYPE, ERROR_TYPE = 2, 3, 4
NAMES_OF_1_6 = {
    "FormatViolation": "FormationViolation",
    "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
}
"""The package names these errors as later versions do."""
KNOWN_ACTIONS = frozenset(action.value for action in Action)

Answer = Any
"""A result dataclass of `ocpp.v16.call_result`."""


class Link(ChargePoint):  # type: ignore[misc]
    """The station's end of one connection. Subclasses bring the handlers, which must not wait for anything.

    A station whose clock is `clock_offset_s` ahead writes and reads every instant by it.
    """

    def __init__(
        self, station_id: str, socket: ClientConnection, message_id: Callable[[], str], response_timeout_s: float
    ) -> None:
        super().__init__(station_id, socket, response_timeout=response_timeout_s, logger=PACKAGE_LOGGER)
        self.clock_offset_s = 0.0
        self._late: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
        self._message_id = message_id
        self._waiting_for: str | None = None
        self._applied = asyncio.Event()

    async def start(self) -> None:
        """Handles frames until the connection is gone; raises ConnectionClosed then."""
        while True:
            frame = await self._connection.recv()
            await self.ponder()
            await self.route_message(frame)

    async def answer_late(self) -> None:
        """Sends the answers that are late, each once its time has come; never returns, cancel it."""
        while True:
            due, answer = await self._late.get()
            await self.wait_until(due)
            await self._send(answer)

    def answer_due(self, _action: str) -> float | None:
        """When a CALL is to be answered, for `wait_until`: None is at once, inf never."""
        return None

    async def ponder(self) -> None:
        """Returns when a message that has come is to be handled."""

    async def wait_until(self, due: float) -> None:
        """Returns at an instant that `answer_due` gave."""

    async def ask(self, request: object, apply: Callable[[Answer | None], None]) -> None:
        """Sends one CALL and hands its result to `apply` before any later frame is handled.

        `apply` gets None when the answer is an error, breaks its schema, or does not come in time. The time-out is real
        time: it is about the network, not about the site.
        """
        self._waiting_for = self._message_id()
        self._applied.clear()
        try:
            try:
                answer = await self.call(request, suppress=False, unique_id=self._waiting_for)
            except (OCPPError, UnknownCallErrorCodeError, TimeoutError) as error:
                LOGGER.warning("%s: %s was not answered: %r", self.id, type(request).__name__, error)
                answer = None
            apply(answer)
        finally:
            self._waiting_for = None
            self._applied.set()
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # Until Python 3.12 asyncio.wait_for forgets a cancellation that comes together with the answer.
            raise asyncio.CancelledError

    async def route_message(self, raw_msg: str | bytes) -> None:
        """Handles one frame; one that is no OCPP-J message is dropped, as OCPP 1.6 cannot answer it."""
        frame = _decode(raw_msg)
        if self.clock_offset_s:
            frame = shifted(frame, -self.clock_offset_s)
        match frame:
            case [2, str(message_id), str(action), payload]:
                await self._answer(Call(message_id, action, payload))
            case [3, str(message_id), payload]:
                await self._answered(CallResult(message_id, payload))
            case [4, str(message_id), str(code), *rest]:
                description, details = (*rest, None, None)[:2]
                await self._answered(CallError(message_id, code, description, details))
            case _:
                LOGGER.warning("%s: dropped a frame that is no OCPP message: %.200r", self.id, raw_msg)

    def after_answer(self) -> None:
        """Called when a CALL of the CSMS has been answered."""

    async def _answered(self, message: CallResult | CallError) -> None:
        if message.unique_id != self._waiting_for:
            LOGGER.warning("%s: dropped an answer to %s, which does not wait for one", self.id, message.unique_id)
            return
        self._response_queue.put_nowait(message)
        await self._applied.wait()

    async def _answer(self, message: Call) -> None:
        try:
            result = await self._result(message)
        except OCPPError as error:
            code = NAMES_OF_1_6.get(error.code, error.code)
            details = {name: str(value)[:255] for name, value in (error.details or {}).items() if name == "cause"}
            LOGGER.warning("%s: answered %s with %s %s", self.id, message.action, code, details)
            await self._send(CallError(message.unique_id, code, error.description[:255], details).to_json())
            return
        due = self.answer_due(message.action)
        if due is None:
            await self._send(result.to_json())
        elif math.isfinite(due):
            self._late.put_nowait((due, result.to_json()))
        self.after_answer()

    async def _result(self, message: Call) -> CallResult:
        handler = self.route_map.get(message.action, {}).get("_on_action")
        if handler is None:
            known = message.action in KNOWN_ACTIONS
            raise (NotSupportedError if known else NotImplementedCallError)(details={"cause": message.action})
        if not isinstance(message.payload, dict):
            raise FormatViolationError(details={"cause": "the payload is not an object"})
        try:
            await validate_payload(message, VERSION)
        except (ArithmeticError, TypeError) as error:
            raise FormatViolationError(details={"cause": f"a number is out of all bounds: {error}"}) from None
        try:
            answer = handler(**camel_to_snake_case(message.payload))
        except PayloadError as error:
            raise PropertyConstraintViolationError(details={"cause": str(error)}) from None
        result = message.create_call_result(snake_to_camel_case(remove_nones(serialize_as_dict(answer))))
        await validate_payload(result, VERSION)
        return result

    async def _send(self, message: str) -> None:
        if self.clock_offset_s:
            message = json.dumps(shifted(json.loads(message), self.clock_offset_s))
        LOGGER.debug("%s: sends %s", self.id, message)
        await self._connection.send(message)


def _decode(raw: str | bytes) -> object:
    if isinstance(raw, bytes):
        return None
    try:
        return json.loads(raw, parse_constant=_not_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _not_finite(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number
