"""How many OCPP messages a second the CSMS answers: `python bench/csms_throughput.py [--database URL] [--stations N]`.

Stations ask one thing at a time and ask again when answered, over real websockets, in a process of their own. Each
answer has been committed to the database first, except that of Heartbeat, which needs none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from csms.events.bus import InProcessBus
from csms.stations.connection import Limits
from csms.stations.listener import OcppServer
from csms.store.database import Database
from csms.store.seeding import seed
from optivgi.clock import WallClock

WARM_UP_S = 1.0


def request(action: str, transaction_id: int, value: int) -> dict[str, object]:
    """The payload of one message."""
    if action == "Heartbeat":
        return {}
    samples = [
        {"value": str(value), "measurand": "Energy.Active.Import.Register", "unit": "Wh", "context": "Sample.Clock"},
        {"value": "7200", "measurand": "Power.Active.Import", "unit": "W", "context": "Sample.Clock"},
        {"value": "30", "measurand": "Current.Import", "unit": "A", "context": "Sample.Clock"},
        {"value": "240", "measurand": "Voltage", "unit": "V", "context": "Sample.Clock"},
        {"value": "40", "measurand": "SoC", "unit": "Percent", "context": "Sample.Clock"},
    ]
    entry = {"timestamp": datetime.now(UTC).isoformat(), "sampledValue": samples}
    return {"connectorId": 1, "transactionId": transaction_id, "meterValue": [entry]}


async def station(port: int, number: int, action: str, until: float, latencies: list[float]) -> None:
    """One station's conversation, until the time is up."""
    url = f"ws://127.0.0.1:{port}/BENCH-{number:03d}"
    async with connect(url, subprotocols=[Subprotocol("ocpp1.6")], proxy=None, compression=None) as websocket:

        async def ask(action: str, payload: dict[str, object], message_id: int) -> dict[str, int]:
            await websocket.send(json.dumps([2, str(message_id), action, payload]))
            reply = json.loads(await websocket.recv())
            if reply[0] != 3:
                raise RuntimeError(f"{action}: {reply}")
            answer: dict[str, int] = reply[2]
            return answer

        now = datetime.now(UTC).isoformat()
        start = {"connectorId": 1, "idTag": "BENCH", "meterStart": 0, "timestamp": now}
        transaction_id = (await ask("StartTransaction", start, 0))["transactionId"]
        warm = time.perf_counter() + WARM_UP_S
        message_id = 1
        while (begin := time.perf_counter()) < until:
            await ask(action, request(action, transaction_id, message_id), message_id)
            message_id += 1
            if begin > warm:
                latencies.append(time.perf_counter() - begin)


async def drive(port: int, action: str, stations: int, seconds: float) -> None:
    """All stations at once; prints one line."""
    latencies: list[float] = []
    until = time.perf_counter() + WARM_UP_S + seconds
    async with asyncio.TaskGroup() as tasks:
        for number in range(stations):
            tasks.create_task(station(port, number, action, until, latencies))
    cuts = statistics.quantiles(latencies, n=100)
    print(
        f"{action:12} {stations} stations: {len(latencies) / seconds:8.0f} answered/s"
        f"  p50 {cuts[49] * 1e3:6.1f} ms  p99 {cuts[98] * 1e3:6.1f} ms"
    )


async def serve(database_url: str, stations: int, seconds: float) -> None:
    """A CSMS, and for each kind of message a process full of stations."""
    clock = WallClock()
    db = await Database.open(database_url, clock)
    print(f"database: {db.name}")
    try:
        async with db.begin() as connection:
            await seed(connection, ["BENCH"])
        limits = Limits(messages_per_s=1e6, burst=1_000_000)
        async with (
            InProcessBus() as bus,
            OcppServer(host="127.0.0.1", port=0, clock=clock, db=db, bus=bus, limits=limits) as server,
        ):
            for action in ("Heartbeat", "MeterValues"):
                arguments = ["--drive", str(server.port), action, str(stations), str(seconds)]
                process = await asyncio.create_subprocess_exec(sys.executable, __file__, *arguments)
                if await process.wait():
                    raise SystemExit("the stations failed")
            await server.journal.flushed()
            print(f"message log: {server.journal.dropped} frames dropped")
    finally:
        await db.close()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="a SQLite file in a temporary folder unless given")
    parser.add_argument("--stations", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--drive", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        port, action, stations, seconds = options.drive
        asyncio.run(drive(int(port), action, int(stations), float(seconds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        url = options.database or f"sqlite:///{Path(folder) / 'bench.sqlite'}"
        asyncio.run(serve(url, options.stations, options.seconds))


if __name__ == "__main__":
    main()
