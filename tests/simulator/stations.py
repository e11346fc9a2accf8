"""A station on OCPP 1.6J, against a CSMS of plain websockets."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from optivgi.clock import ManualClock
from simulator.charger import ChargerSpec
from simulator.faults.catalogue import specs
from simulator.ocpp16 import Station, StationOptions
from simulator.ticker import Ticker
from simulator.vehicle import Vehicle, VehicleSpec
from tests.simulator.tiny_csms import PATIENCE_S, TinyCsms, until

Json = dict[str, Any]
Gate = AbstractAsyncContextManager[object]


@asynccontextmanager
async def running(
    csms: TinyCsms, clock: ManualClock, *faults: Any, gate: Gate | None = None, **options: Any
) -> AsyncIterator[Station]:
    """A station, with these faults, that lives until the block ends."""
    ticker = Ticker(clock)
    station = Station(
        ChargerSpec("ST-01", faults=tuple((None, spec) for spec in specs(faults))),
        StationOptions(csms.url, **{"response_timeout_s": 5.0, **options}),
        clock,
        changed=ticker.reschedule,
        gate=gate,
    )
    tasks = [asyncio.create_task(ticker.run()), asyncio.create_task(station.run())]
    try:
        yield station
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results), results


@asynccontextmanager
async def ready(csms: TinyCsms, clock: ManualClock, *faults: Any, **options: Any) -> AsyncIterator[Station]:
    """The same, accepted and with all statuses told; the whole block must end within PATIENCE_S."""
    async with running(csms, clock, *faults, **options) as station, asyncio.timeout(PATIENCE_S):
        await station.ready.wait()
        yield station


def car(soc: float = 0.2) -> Vehicle:
    return Vehicle(VehicleSpec(60, 7.2, ramp_up_kw_per_s=math.inf, ramp_down_s=0), soc)


async def charging(csms: TinyCsms, clock: ManualClock, station: Station) -> int:
    """An EV charges at connector 1; the CSMS's id of its transaction."""
    station.plug(1, car(), clock.now())
    station.present(1, "TAG-1", clock.now())
    await csms.hears("StartTransaction", len(csms.of("StartTransaction")) + 1)
    await until(lambda: (tx := station.charger.connectors[1].transaction) is not None and tx.transaction_id)
    transaction = station.charger.connectors[1].transaction
    assert transaction is not None
    return int(transaction.transaction_id or -1)


def failed(station: Station, times: int) -> bool:
    owed = station.outbox.head()
    return owed is not None and owed.failures == times


def tx_profile(transaction_id: int, limit: float = 10.0, **fields: Any) -> Json:
    return {
        "chargingProfileId": 5,
        "transactionId": transaction_id,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": "2026-03-03T08:00:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        },
        **fields,
    }
