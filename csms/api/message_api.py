"""The message API: POST /ocpp/{version}/{module}/{action} makes the CSMS call a station, and answers before it does."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

from csms.api.callbacks import CallbackSender
from csms.api.http import Operation
from csms.api.validation import RequestSchema
from csms.errors import InvalidRequest
from csms.handlers.table import OutgoingAction
from csms.ports import Bus, CallError, CallResult, Envelope, Json, NoReply, Stations
from optivgi.model.clock import Clock

log = logging.getLogger("csms.api")

TENANT_ID = 1
INT32 = 2**31
MAX_WAITING = 100
"""Calls that may wait for one station. A station that is silent would else gather them without end."""

QUERY = RequestSchema(
    "querystring",
    {
        "type": "object",
        "required": ["identifier"],
        "properties": {
            "identifier": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Station id; may be repeated: each station gets the call.",
            },
            "tenantId": {"type": "integer", "description": "Tenant of the stations; 1 when left out."},
            "callbackUrl": {
                "type": "string",
                "description": "Where the station's answer is POSTed as the bare payload. Nothing is sent when the "
                "station does not answer.",
            },
        },
    },
)

ANSWER: Json = {
    "type": "array",
    "description": "One element per identifier, in their order, sent before the station is asked.",
    "items": {
        "type": "object",
        "required": ["success"],
        "properties": {"success": {"type": "boolean"}, "payload": {"type": "string", "description": "Why not."}},
    },
}


class MessageApi:
    """Takes calls for stations. What it starts goes on in `tasks`; `finish` ends it."""

    def __init__(
        self, stations: Stations, bus: Bus, clock: Clock, sender: CallbackSender, tasks: asyncio.TaskGroup
    ) -> None:
        self._stations, self._bus, self._clock, self._sender, self._tasks = stations, bus, clock, sender, tasks
        self._under_way: set[asyncio.Task[None]] = set()
        self._waiting: Counter[str] = Counter()

    def operations(self, outgoing: Iterable[OutgoingAction]) -> list[Operation]:
        """One route for each CALL that the CSMS can make."""
        return [self._operation(action) for action in outgoing]

    async def finish(self, within_s: float) -> None:
        """Waits for the calls under way, for at most `within_s`, and cancels the others."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _operation(self, action: OutgoingAction) -> Operation:
        version = action.dialect.version
        return Operation(
            method="POST",
            path=f"/ocpp/{version}/{action.module}/{action.action[0].lower()}{action.action[1:]}",
            name=f"{action.action}_{version.replace('.', '_')}",
            tag=f"{action.module} ({version})",
            summary=f"Send {action.action} to stations",
            handle=partial(self._handle, action),
            query=QUERY,
            body=RequestSchema("body", bounded(action.request_schema)),
            answer=ANSWER,
        )

    async def _handle(self, action: OutgoingAction, query: Json, payload: Json) -> list[Json]:
        callback_url = query.get("callbackUrl")
        if callback_url is not None and (refusal := self._sender.policy.refusal(callback_url)):
            raise InvalidRequest(f"querystring/callbackUrl {refusal}")
        tenant_id = query.get("tenantId", TENANT_ID)
        return [self._take(action, station_id, tenant_id, payload, callback_url) for station_id in query["identifier"]]

    def _take(
        self, action: OutgoingAction, station_id: str, tenant_id: int, payload: Json, callback_url: str | None
    ) -> Json:
        """Starts the call and says so, or says why not."""
        protocol = self._stations.protocol_of(station_id) if tenant_id == TENANT_ID else None
        if protocol is None:
            return _failure(f"No connection found for identifier: {tenant_id}:{station_id}")
        if protocol != action.dialect.subprotocol:
            return _failure(f"Station {station_id} speaks {protocol}, not {action.dialect.subprotocol}")
        if self._waiting[station_id] >= MAX_WAITING:
            return _failure(f"{MAX_WAITING} calls already wait for station {station_id}")
        correlation_id = str(uuid.uuid4())
        self._bus.publish(
            Envelope(
                origin="csms",
                event_group=action.module,
                action=action.action,
                state=1,
                station_id=station_id,
                correlation_id=correlation_id,
                timestamp=self._clock.now(),
                protocol=protocol,
                payload=payload,
                tenant_id=tenant_id,
            )
        )
        self._waiting[station_id] += 1
        task = self._tasks.create_task(self._call(action.action, station_id, payload, correlation_id, callback_url))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return {"success": True}

    async def _call(
        self, action: str, station_id: str, payload: Json, correlation_id: str, callback_url: str | None
    ) -> None:
        try:
            reply = await self._stations.call(station_id, action, payload, correlation_id)
        except Exception:  # the edge: one call fails, those of others go on
            log.exception("%s to %s failed", action, station_id)
            return
        finally:
            self._waiting[station_id] -= 1
            if not self._waiting[station_id]:
                del self._waiting[station_id]
        if isinstance(reply, NoReply):
            log.info("%s to %s: no answer (%s)", action, station_id, reply.reason)
        elif callback_url is not None:
            await self._sender.post(callback_url, callback_body(reply, correlation_id))


def bounded(schema: Any) -> Any:
    """`schema` with OCPP's integers held to 32 bits, which the published schemas leave to the reader."""
    match schema:
        case dict():
            inner = {name: bounded(rule) for name, rule in schema.items()}
            return {"minimum": -INT32, "maximum": INT32 - 1} | inner if schema.get("type") == "integer" else inner
        case list():
            return [bounded(each) for each in schema]
    return schema


def callback_body(reply: CallResult | CallError, correlation_id: str) -> Json:
    """What a callback gets: the bare payload, or a CALLERROR as CitrineOS writes its error object (without description)."""
    match reply:
        case CallResult(payload):
            return payload
        case CallError(code, _, details):
            return {
                "_messageId": correlation_id,
                "_errorCode": code,
                "_errorDetails": details,
                "name": "OcppError",
            }


def _failure(reason: str) -> Json:
    return {"success": False, "payload": reason}
