"""Where every station's messages are dealt with: the handlers, and what happens when they fail."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from csms.errors import CallRefused, DatabaseUnreachable
from csms.handlers.context import AfterAnswer, Context, Exchange
from csms.handlers.meter_reports import MeterReports
from csms.handlers.table import INCOMING
from csms.ports import Bus
from csms.rpc.dialects import INTERNAL_ERROR, NOT_IMPLEMENTED, NOT_SUPPORTED, Dialect
from csms.rpc.frames import Call, CallError, CallResult
from csms.rpc.schemas import known_actions, violation
from csms.rules.boot import BootPolicy
from csms.stations.deferral import DEFERRABLE, Deferral
from csms.stations.journal import Journal
from csms.stations.observer import Observer
from csms.store import stations
from csms.store.database import Database
from optivgi.model.clock import Clock

log = logging.getLogger("csms.stations")

RETRY_DELAYS_S = (0.2, 0.6)
HANDLING_TIMEOUT_S = 15.0
"""Real seconds, not site seconds: it is the database that is waited for. Chargers give up after about 30 s."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """What all connections share."""

    clock: Clock
    db: Database
    bus: Bus
    journal: Journal
    deferral: Deferral
    observer: Observer
    meters: MeterReports
    boot_policy: BootPolicy

    async def answer(self, station_id: str, dialect: Dialect, call: Call, received: datetime) -> CallResult | CallError:
        """The answer to a station's CALL; what it says has been committed by then.

        While the database is away, transaction messages get an InternalError, which makes the station keep and repeat
        them; messages that it would not repeat are accepted and wait in memory.
        """
        handler = INCOMING.get((dialect.version, call.action))
        if handler is None:
            known = call.action in known_actions(dialect)
            code = NOT_SUPPORTED if known else NOT_IMPLEMENTED
            description = f"{call.action} is not a request that stations make here" if known else "unknown action"
            return CallError(call.message_id, code, description)
        if wrong := violation(dialect, call.action, "request", call.payload):
            return CallError(call.message_id, wrong.code, wrong.description)
        context = self._context(station_id, received)
        if call.action in DEFERRABLE and len(self.deferral):
            self.deferral.put(handler, call.payload, context)
            return CallResult(call.message_id, {})
        try:
            payload = await self._attempt(handler, call.payload, context)
        except CallRefused as refused:
            return CallError(call.message_id, refused.code, refused.description, dict(refused.details))
        except (DatabaseUnreachable, TimeoutError) as error:
            if call.action in DEFERRABLE:
                self.deferral.put(handler, call.payload, context)
                return CallResult(call.message_id, {})
            log.warning("%s of %s could not be kept: %s", call.action, station_id, str(error) or "database too slow")
            return CallError(call.message_id, INTERNAL_ERROR, "it cannot be kept at the moment; send it again")
        except Exception:
            # The edge between stations and handlers: a fault in one message must not end the connection.
            log.exception("%s of %s failed", call.action, station_id)
            return CallError(call.message_id, INTERNAL_ERROR, "the CSMS failed on this message")
        return self._checked(dialect, call, payload)

    async def record(self, station_id: str, after: AfterAnswer, exchange: Exchange, received: datetime) -> None:
        """Writes what a station's answer has changed. A failure is logged: the station has changed all the same."""
        context = self._context(station_id, received)
        try:
            await self._attempt(after, exchange, context)
        except (DatabaseUnreachable, TimeoutError) as error:
            log.error("The answer %s of %s is not in the database: %s", exchange.correlation_id, station_id, error)
        except Exception:
            # The edge between stations and hooks: whoever made the CALL must get its answer.
            log.exception("The answer %s of %s is not in the database", exchange.correlation_id, station_id)

    async def set_online(self, station_id: str, protocol: str) -> None:
        """The station is known and online. Raises DatabaseUnreachable or TimeoutError."""
        async with asyncio.timeout(HANDLING_TIMEOUT_S), self.db.begin() as connection:
            await stations.set_online(connection, station_id, protocol)

    async def set_offline(self, station_id: str) -> None:
        """The station is offline; written later when the database is away."""
        try:
            async with asyncio.timeout(HANDLING_TIMEOUT_S), self.db.begin() as connection:
                await stations.set_offline(connection, station_id)
        except (DatabaseUnreachable, TimeoutError):
            self.journal.offline(station_id)

    def _context(self, station_id: str, received: datetime) -> Context:
        return Context(station_id, received, self.db, self.meters, self.boot_policy)

    async def _attempt(self, function: Any, argument: Any, context: Context) -> Any:
        for delay_s in RETRY_DELAYS_S:
            try:
                async with asyncio.timeout(HANDLING_TIMEOUT_S):
                    return await function(argument, context)
            except DatabaseUnreachable:
                await self.clock.sleep(delay_s)
        async with asyncio.timeout(HANDLING_TIMEOUT_S):
            return await function(argument, context)

    def _checked(self, dialect: Dialect, call: Call, payload: Json) -> CallResult | CallError:
        if wrong := violation(dialect, call.action, "response", payload):
            log.error("The answer to %s breaks its own schema: %s", call.action, wrong.description)
            return CallError(call.message_id, INTERNAL_ERROR, "the CSMS failed on this message")
        return CallResult(call.message_id, payload)
