"""A charging station on OCPP 1.6J: connects, boots, says what its charger wants said, and comes back after every outage."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import uuid
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from ocpp.v16 import call
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from optivgi.model.clock import Clock
from simulator import maintenance
from simulator.charger import Charger, ChargerSpec
from simulator.commands16 import StationLink
from simulator.faults.fault import Incident
from simulator.outbox import Outbox, belongs
from simulator.outputs import (
    AuthorizationWanted,
    MeterSampled,
    Output,
    RebootWanted,
    TransactionOutput,
    TransactionStarted,
    TransactionStopped,
)
from simulator.requests16 import boot_request, plain_request, tag_info, transaction_request
from simulator.truth import Trace
from simulator.vehicle import Vehicle

LOGGER = logging.getLogger(__name__)
SUBPROTOCOL = "ocpp1.6"
BOOT_RETRY_S = 10.0
"""Before the next BootNotification when the CSMS named no interval, or gave no answer."""
LONGEST_INTERVAL_S = 10**9
MAX_FRAME_BYTES = 1 << 20
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StationOptions:
    """How a station reaches its CSMS. Only `response_timeout_s` and `open_timeout_s` are real seconds, not site seconds."""

    url: str
    seed: int = 1
    vendor: str = "OptiVGI"
    model: str = "Simulator"
    reconnect_first_s: float = 1.0
    reconnect_max_s: float = 30.0
    reboot_s: float = 5.0
    soft_reset_grace_s: float = 30.0
    message_s: float = 0.0
    response_timeout_s: float = 30.0
    open_timeout_s: float = 10.0


@dataclass(slots=True)
class _Said:
    """Something to send that is not kept while offline; `early` ones may go before the boot is accepted."""

    order: int
    request: object
    early: bool
    asked: AuthorizationWanted | None


class Station:
    """One station: a charger, and its life with the CSMS. `run` it in a task, and `tick` it when `next_due` has come.

    Its time is the process's clock; the CSMS's currentTime does not set it. It boots once, and again only after a reset, a
    firmware update or when triggered: a lost connection is no boot, but has every status told anew.
    """

    def __init__(
        self,
        spec: ChargerSpec,
        options: StationOptions,
        clock: Clock,
        *,
        changed: Callable[[Station], None] = lambda _: None,
        listen: Callable[[Station, Output], None] = lambda _, __: None,
        gate: AbstractAsyncContextManager[object] | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.charger = Charger(spec, clock.now(), trace)
        self.ready = asyncio.Event()
        """Set when the CSMS has accepted the station and been told every status."""
        self.quiet = asyncio.Event()
        """Set while the CSMS has been told everything."""
        self.outbox = Outbox()
        self._options = options
        self._clock = clock
        self._changed = changed
        self._listen = listen
        self._gate = gate if gate is not None else nullcontext()
        self._random = random.Random(f"{options.seed}/{spec.station_id}")
        self._order = itertools.count()
        self._said: deque[_Said] = deque()
        self._work = asyncio.Event()
        self._registered = False
        self._boot_at: datetime | None = clock.now()
        self._heartbeat_at: datetime | None = None
        self._reboot: RebootWanted | None = None
        self._reboot_by: datetime | None = None
        self._reachable: bool | None = None
        self._socket: ClientConnection | None = None
        self._cut_until: datetime | None = None

    # What others see

    @property
    def station_id(self) -> str:
        """The identity it connects with."""
        return self.charger.spec.station_id

    @property
    def vendor(self) -> str:
        """Who built it."""
        return self._options.vendor

    @property
    def message_s(self) -> float:
        """How long it takes over each message of the CSMS."""
        return self._options.message_s

    @property
    def online(self) -> bool:
        """Whether it is connected and accepted."""
        return self.charger.online

    @property
    def silent(self) -> bool:
        """Whether the CSMS has been told everything."""
        return not self._said and not len(self.outbox)

    @property
    def next_due(self) -> datetime:
        """When `tick` next has something to do. A timer that has run out counts no more: what it asks for is due already."""
        owed = self.outbox.head()
        timers = (
            self._boot_at,
            self._heartbeat_at,
            self._reboot_by,
            None if owed is None else owed.not_before,
        )
        lived = self.charger.now
        return min((at for at in (*timers, self.charger.next_due) if at is not None and at > lived), default=NEVER)

    def now(self) -> datetime:
        """Site time, never before what the charger has already lived through."""
        return max(self._clock.now(), self.charger.now)

    # What happens to it

    def tick(self, now: datetime) -> None:
        """Lets the charger do what is due by itself."""
        self.charger.advance(now)
        self.flush()

    def plug(self, connector_id: int, vehicle: Vehicle, at: datetime) -> bool:
        """An EV is plugged in; False when there is one already."""
        plugged = self.charger.plug(connector_id, vehicle, at)
        self.flush()
        return plugged

    def unplug(self, connector_id: int, at: datetime) -> Vehicle | None:
        """The EV leaves."""
        vehicle = self.charger.unplug(connector_id, at)
        self.flush()
        return vehicle

    def present(self, connector_id: int, id_tag: str, at: datetime) -> None:
        """A driver holds an idTag to the reader."""
        self.charger.present(connector_id, id_tag, at)
        self.flush()

    def befall(self, incident: Incident, at: datetime) -> None:
        """Its link is cut for a while, or its power."""
        LOGGER.info("%s: %s", self.station_id, "its power fails" if incident.kind == "reboot" else "its link is cut")
        if incident.kind == "reboot":
            self.charger.lose_power(at)
            self.charger.say(RebootWanted(hard=True))
        else:
            self._cut_until = at + timedelta(seconds=incident.for_s)
        if self._socket is not None:
            self._socket.transport.abort()
        self.flush()

    def monotonic(self) -> float:
        """Seconds of site time since some beginning."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds` of site time."""
        await self._clock.sleep(max(seconds, 0.0))

    def trigger(self, message: str) -> None:
        """Has a message sent that the CSMS triggered, even before it has accepted the station."""
        if message == "BootNotification":
            self._boot_at = self.now()
        elif message == "Heartbeat":
            self._say(call.Heartbeat(), early=True)
        elif message == "FirmwareStatusNotification":
            self._say(call.FirmwareStatusNotification(self.charger.firmware_status), early=True)
        elif message == "DiagnosticsStatusNotification":
            self._say(call.DiagnosticsStatusNotification(self.charger.diagnostics_status), early=True)

    def flush(self, *, triggered: bool = False) -> None:
        """Queues what the charger wants said. `listen` hears of it too, and must not act on the station at once."""
        for output in self.charger.take_outputs():
            self._route(output, triggered)
            self._listen(self, output)
        if self.silent:
            self.quiet.set()
        else:
            self.quiet.clear()
        self._work.set()
        self._changed(self)

    def _route(self, output: Output, triggered: bool) -> None:
        if isinstance(output, RebootWanted):
            self._reboot = output
            self._reboot_by = self.now() + timedelta(seconds=0 if output.hard else self._options.soft_reset_grace_s)
        elif isinstance(output, TransactionStarted | TransactionStopped | MeterSampled) and belongs(output):
            self.outbox.put(next(self._order), output)
        elif self.charger.online or triggered:
            if isinstance(output, AuthorizationWanted):
                self._say(call.Authorize(output.id_tag), asked=output)
            elif (request := plain_request(output)) is not None:
                self._say(request, early=triggered)

    def _say(self, request: object, *, early: bool = False, asked: AuthorizationWanted | None = None) -> None:
        self._said.append(_Said(next(self._order), request, early, asked))

    # Its life

    async def run(self) -> None:
        """Never returns; cancel it."""
        delays = self._delays()
        while True:
            if (cut_s := self._cut_s()) > 0:
                await self._clock.sleep(cut_s)
            socket = self._socket = await self._connect()
            if socket is not None:
                try:
                    if self._cut_s() <= 0 and await self._session(socket):
                        delays = self._delays()
                finally:
                    self._socket = None
                    await socket.close()
            if self._reboot is not None:
                await self._come_up_again()
            else:
                await self._clock.sleep(next(delays))

    def _cut_s(self) -> float:
        """How long its link stays cut."""
        return 0.0 if self._cut_until is None else (self._cut_until - self.now()).total_seconds()

    async def _connect(self) -> ClientConnection | None:
        url = f"{self._options.url}/{quote(self.station_id, safe='')}"
        ping = self.charger.configuration.number("WebSocketPingInterval") or None
        try:
            async with self._gate:
                return await connect(
                    url,
                    subprotocols=[Subprotocol(SUBPROTOCOL)],
                    compression=None,
                    proxy=None,
                    open_timeout=self._options.open_timeout_s,
                    ping_interval=ping,
                    ping_timeout=ping,
                    close_timeout=1.0,
                    max_size=MAX_FRAME_BYTES,
                )
        except (OSError, WebSocketException) as error:
            if self._reachable is not False:
                LOGGER.warning("%s cannot reach %s, and tries again: %s", self.station_id, url, error)
            self._reachable = False
            return None

    async def _session(self, socket: ClientConnection) -> bool:
        """Lives on one connection until that ends; whether the CSMS took the station on it."""
        if socket.subprotocol != SUBPROTOCOL:
            LOGGER.warning("%s leaves: the CSMS does not speak %s", self.station_id, SUBPROTOCOL)
            return False
        if self._reachable is False:
            LOGGER.info("%s reaches the CSMS again", self.station_id)
        self._reachable = True
        link = StationLink(self, socket, self._message_id, self._options.response_timeout_s)
        taken = False
        try:
            if self._registered:
                self.charger.forget_profiles("reconnect")
                self._come_online()
            async with asyncio.TaskGroup() as group:
                background = [group.create_task(link.start()), group.create_task(link.answer_late())]
                await self._talk(link)
                for task in background:
                    task.cancel()
        except* ConnectionClosed as lost:
            LOGGER.info("%s lost its connection: %s", self.station_id, lost.exceptions[0])
            self._reachable = False
        finally:
            taken = self.charger.online
            self._go_offline()
        return taken

    async def _talk(self, link: StationLink) -> None:
        """Sends what there is to say, one CALL at a time, until the station has to boot."""
        while not self._must_boot():
            send = self._next(link)
            if send is not None:
                await send
                continue
            if self._registered:
                self.ready.set()
            self._work.clear()
            await self._work.wait()

    def _must_boot(self) -> bool:
        if self._reboot is None or self._reboot_by is None:
            return False
        return self._reboot.hard or self.silent or self.now() >= self._reboot_by

    def _next(self, link: StationLink) -> Coroutine[Any, Any, None] | None:
        now = self.now()
        if self._boot_at is not None and self._boot_at <= now:
            return link.ask(self._boot_request(), self._boot_answered)
        said = self._said[0] if self._said and (self._registered or self._said[0].early) else None
        owed = self.outbox.head() if self._registered else None
        if owed is not None and owed.not_before is not None and owed.not_before > now:
            owed = None
        if said is not None and (owed is None or said.order < owed.order):
            return link.ask(said.request, self._said_answered)
        if owed is not None:
            return link.ask(transaction_request(owed.output, self._id_of(owed.output)), self._owed_answered)
        if self._registered and self._heartbeat_at is not None and self._heartbeat_at <= now:
            return link.ask(call.Heartbeat(), self._spoke)
        return None

    def _boot_request(self) -> Any:
        return boot_request(self._options.vendor, self._options.model, self.station_id, self.charger.firmware_version)

    def _id_of(self, output: TransactionOutput) -> str | None:
        return None if output.tx is None else self.outbox.transaction_id(output.tx)

    # Answers

    def _boot_answered(self, answer: Any | None) -> None:
        now = self.now()
        status = "no answer" if answer is None else str(answer.status)
        interval = BOOT_RETRY_S if answer is None or answer.interval <= 0 else min(answer.interval, LONGEST_INTERVAL_S)
        if status == "Accepted":
            self._boot_at = None
            self._registered = True
            if answer is not None and answer.interval > 0:
                self.charger.configuration.set("HeartbeatInterval", interval)
            self._spoke(answer)
            self._come_online()
            maintenance.installed(self.charger)
            self.flush()
            return
        LOGGER.warning("%s is not accepted (%s); it asks again in %g s", self.station_id, status, interval)
        if answer is not None:
            self._registered = self.charger.online = False
        self._boot_at = now + timedelta(seconds=interval)
        self.flush()

    def _said_answered(self, answer: Any | None) -> None:
        said = self._said.popleft()
        self._spoke(answer)
        if said.asked is not None:
            info = None if answer is None else tag_info(answer.id_tag_info)
            self.charger.authorization(said.asked.connector_id, said.asked.id_tag, info, self.now())
        self.flush()

    def _owed_answered(self, answer: Any | None) -> None:
        owed = self.outbox.head()
        if owed is None:
            return
        configuration = self.charger.configuration
        if answer is None:
            attempts = configuration.number("TransactionMessageAttempts")
            interval = configuration.number("TransactionMessageRetryInterval")
            if not self.outbox.failed(self.now(), attempts, interval):
                LOGGER.error("%s gives up on %s after %d attempts", self.station_id, owed.output, attempts)
        elif isinstance(owed.output, TransactionStarted):
            transaction_id = str(answer.transaction_id)
            self.outbox.answered(transaction_id)
            info = tag_info(answer.id_tag_info)
            self.charger.transaction_accepted(owed.output.tx, transaction_id, info, self.now())
        else:
            self.outbox.answered()
        self._spoke(answer)
        self.flush()

    def _spoke(self, answer: Any | None) -> None:
        """A heartbeat is only needed when nothing else has been said for its interval."""
        interval = self.charger.configuration.number("HeartbeatInterval")
        self._heartbeat_at = self.now() + timedelta(seconds=interval) if interval > 0 else None
        if answer is not None:
            self._changed(self)

    # Connection and boot

    def _come_online(self) -> None:
        self.tick(self.now())  # while still offline, or every status would be told twice
        self.charger.online = True
        self.charger.report_everything(self.now())
        self.flush()

    def _go_offline(self) -> None:
        """Nothing that was only said is kept; drivers who wait for an answer get the station's own."""
        self.charger.online = False
        waiting = [said.asked for said in self._said if said.asked is not None]
        self._said.clear()
        for asked in waiting:
            self.charger.authorization(asked.connector_id, asked.id_tag, None, self.now())
        self.flush()

    async def _come_up_again(self) -> None:
        await self._clock.sleep(self._options.reboot_s)
        self._reboot = self._reboot_by = None
        self._registered = False
        maintenance.load(self.charger)
        self.charger.booted(self.now())
        self._boot_at = self.now()
        self.flush()

    def _delays(self) -> Iterator[float]:
        """Seconds to wait before connecting again: doubling up to a bound, each cut by up to half, never in step."""
        delay = self._options.reconnect_first_s
        while True:
            yield min(delay, self._options.reconnect_max_s) * self._random.uniform(0.5, 1.0)
            delay *= 2

    def _message_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
