"""A real broker goes and comes back: control goes on meanwhile, what its events would have told is read, new ones flow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from csms.events.rabbitmq import RabbitMQBus
from optivgi.clock import WallClock
from optivgi.cycle import CycleSettings, Ports
from optivgi.leadership import LeasedLeadership, Role, Standing
from optivgi.record import CycleRecord
from optivgi.scheduler import Scheduler
from optivgi.testing import FakeTranslation, a_connector
from optivgi.translation.amqp import AmqpEventSource
from optivgi.translation.amqp_lease import AmqpLease
from optivgi.translation.base import Outcome
from tests.csms.events.witness import consuming, event, eventually
from tests.optivgi.control_room import FakeLimit, Witness, equal_plan, evs
from tests.services import PrivateProcess, url_of

pytestmark = [pytest.mark.rabbitmq, pytest.mark.chaos]

SOON_S = 30.0


class Notice(Witness):
    """A witness whom one can wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def cycle(self, record: CycleRecord) -> None:
        super().cycle(record)
        self._news.set()

    def outcome(self, group: str, outcome: Outcome) -> None:
        super().outcome(group, outcome)
        self._news.set()

    def standing(self, group: str, standing: Standing) -> None:
        super().standing(group, standing)
        self._news.set()

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(SOON_S):
            while not what():
                self._news.clear()
                await self._news.wait()


async def test_control_goes_on_without_the_broker_and_its_return_brings_a_full_read(broker: PrivateProcess) -> None:
    url, clock, witness = url_of(broker), WallClock(), Notice()
    csms, limit = FakeTranslation(clock), FakeLimit(30.0)
    csms.add_connectors(*(a_connector(f"ST-{number}") for number in (1, 2, 3)))
    csms.plug_in(*evs(1, 2))
    lease, source = AmqpLease(url, clock, "optivgi.lead.test", "me"), AmqpEventSource(url, clock)
    scheduler = Scheduler(
        Ports(csms, limit, equal_plan, clock),
        source,
        ["default"],
        lambda _: "default",
        CycleSettings(),
        interval_s=3600.0,
        observers=(witness,),
        leadership=LeasedLeadership({"default": lease}, clock, hold_s=0.0),
    )

    def allowed_kw(number: int) -> float:
        sent = [command.limit_kw for command in csms.sent if command.ev_id == str(number)]
        return sent[-1] if sent else 0.0

    running = asyncio.create_task(scheduler.run())
    await witness.until(lambda: allowed_kw(1) == allowed_kw(2) == 7.2)
    await asyncio.to_thread(broker.stop)
    await witness.until(lambda: witness.standings[-1][1].why != "")
    limit.now_kw(10.0)
    scheduler.wake("limit source")
    await witness.until(lambda: allowed_kw(1) == allowed_kw(2) == 4.992)

    csms.plug_in(*evs(3))
    reads, cycles = csms.reads, len(witness.records)
    await asyncio.to_thread(broker.start)
    await witness.until(lambda: allowed_kw(3) > 0)
    assert witness.records[cycles].reasons == ("resync",)
    assert csms.reads > reads
    assert {standing.role for _, standing in witness.standings} == {Role.LEADS}, "nobody else could lead meanwhile"

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await source.aclose()
    await lease.aclose()


async def test_after_a_restart_of_the_broker_events_flow_again(broker: PrivateProcess, exchange_name: str) -> None:
    url = url_of(broker)
    async with RabbitMQBus(url, exchange_name, last_retry_s=0.1) as bus:
        async with consuming(url, exchange_name) as witness:
            bus.publish(event(1))
            await witness.receive(1)
            await asyncio.to_thread(broker.stop)
            await eventually(lambda: not bus.healthy())
        await asyncio.to_thread(broker.start)
        async with consuming(url, exchange_name) as witness:
            await eventually(bus.healthy)
            bus.publish(event(2))
            assert (await witness.receive_until("2"))[-1].headers["correlationId"] == "2"
