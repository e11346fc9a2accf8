"""From the answer to StartTransaction until SetChargingProfile is at that charger: real time, real services.

CSMS and optimizer run as processes with PostgreSQL and RabbitMQ; this program plays the charging stations, raw frames over
websockets. Sessions start one after the other on six stations, at first on an empty site and then on a full one.

    python -m bench.latency [--sessions 120]

PostgreSQL and RabbitMQ are taken from TEST_POSTGRES_URL / TEST_AMQP_URL or their default ports on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from websockets.asyncio.client import ClientConnection, connect

from bench.stack import Stack

MEDIAN_LIMIT_MS = 60.0
P99_LIMIT_MS = 200.0
STATIONS = [f"OPTIVGI-STATION-{number:02d}" for number in range(1, 7)]
ANSWERS: dict[str, dict[str, Any]] = {
    "GetConfiguration": {"configurationKey": [], "unknownKey": []},
    "GetCompositeSchedule": {"status": "Rejected"},
}


class Station:
    """One OCPP 1.6 station that accepts everything and notes when each TxProfile arrives."""

    def __init__(self, station_id: str, websocket: ClientConnection) -> None:
        self.station_id = station_id
        self.default_installed = asyncio.Event()
        self._websocket = websocket
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._profile: asyncio.Future[float] | None = None

    async def receive(self) -> None:
        async for raw in self._websocket:
            arrived = time.perf_counter()
            frame = json.loads(raw)
            if frame[0] == 2:
                await self._answer(frame[1], frame[2], frame[3], arrived)
            else:
                self._waiting.pop(frame[1]).set_result(frame[2])

    async def _answer(self, message_id: str, action: str, payload: dict[str, Any], arrived: float) -> None:
        if action == "SetChargingProfile":
            if payload["csChargingProfiles"]["chargingProfilePurpose"] == "TxDefaultProfile":
                self.default_installed.set()
            elif self._profile is not None and not self._profile.done():
                self._profile.set_result(arrived)
        answer = ANSWERS.get(action, {"status": "Accepted"})
        await self._websocket.send(json.dumps([3, message_id, answer]))

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        message_id = f"{self.station_id}-{next(self._numbers)}"
        self._waiting[message_id] = asyncio.get_running_loop().create_future()
        await self._websocket.send(json.dumps([2, message_id, action, payload]))
        return await self._waiting[message_id]

    async def status(self, status: str) -> None:
        payload = {"connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": _now()}
        await self.call("StatusNotification", payload)

    async def boot(self) -> None:
        await self.call("BootNotification", {"chargePointVendor": "bench", "chargePointModel": "latency"})
        await self.status("Available")

    async def start(self) -> tuple[int, float]:
        """Starts a session; returns its transaction id and the milliseconds until its profile was here."""
        await self.status("Preparing")
        self._profile = asyncio.get_running_loop().create_future()
        tag = f"OPTIVGI-{STATIONS.index(self.station_id) + 1:02d}"
        start = {"connectorId": 1, "idTag": tag, "meterStart": 0, "timestamp": _now()}
        answer = await self.call("StartTransaction", start)
        answered = time.perf_counter()
        await self.status("Charging")
        async with asyncio.timeout(10):
            arrived = await self._profile
        return answer["transactionId"], max(0.0, (arrived - answered) * 1000)

    async def stop(self, transaction_id: int) -> None:
        stop = {"transactionId": transaction_id, "meterStop": 0, "timestamp": _now(), "reason": "EVDisconnected"}
        await self.call("StopTransaction", stop)
        await self.status("Available")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def measure(stack: Stack, sessions: int) -> dict[str, list[float]]:
    """Milliseconds per session, apart for a site with room and a full one."""
    found: dict[str, list[float]] = {"room": [], "full": []}
    async with asyncio.TaskGroup() as tasks:
        stations, receivers = [], []
        for station_id in STATIONS:
            websocket = await connect(f"ws://127.0.0.1:{stack.ocpp_port}/{station_id}", subprotocols=["ocpp1.6"])  # type: ignore[list-item]
            station = Station(station_id, websocket)
            receivers.append(tasks.create_task(station.receive()))
            await station.boot()
            stations.append(station)
        async with asyncio.timeout(30):
            for station in stations:
                await station.default_installed.wait()
        running: list[tuple[Station, int]] = []
        for number in range(sessions):
            if len(running) == len(stations):
                station, transaction_id = running.pop(0)
                await station.stop(transaction_id)
                await asyncio.sleep(0.05)
            station = stations[number % len(stations)]
            transaction_id, milliseconds = await station.start()
            found["full" if len(running) >= 4 else "room"].append(milliseconds)
            running.append((station, transaction_id))
            await asyncio.sleep(0.05)
            print(f"\r{number + 1}/{sessions} sessions", end="", file=sys.stderr, flush=True)
            if number % 24 == 23:
                for station, transaction_id in running:
                    await station.stop(transaction_id)
                running.clear()
        print(file=sys.stderr)
        for receiver in receivers:
            receiver.cancel()
    return found


async def run(sessions: int) -> int:
    server = os.environ.get("TEST_POSTGRES_URL", "postgresql+asyncpg://postgres@127.0.0.1:5432")
    amqp_url = os.environ.get("TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
    database = f"optivgi_bench_{uuid.uuid4().hex[:8]}"
    admin = await asyncpg.connect(server.replace("+asyncpg", "") + "/postgres")
    await admin.execute(f'CREATE DATABASE "{database}"')
    try:
        with tempfile.TemporaryDirectory() as folder:
            settings = {"DATABASE_URL": f"{server}/{database}", "AMQP_URL": amqp_url, "AMQP_EXCHANGE": database}
            with Stack(Path(folder), **settings) as stack:
                stack.start("csms")
                stack.wait_healthy()
                stack.start("run")
                found = await measure(stack, sessions)
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        await admin.close()
    return report(found)


def report(found: dict[str, list[float]]) -> int:
    """Prints the table; 0 when both limits hold."""
    print("StartTransaction answered -> SetChargingProfile at the charger, ms")
    print(f"{'site':8}{'n':>5}{'median':>9}{'p90':>9}{'p99':>9}{'max':>9}")
    every = found["room"] + found["full"]
    for name, values in (*found.items(), ("all", every)):
        if values:
            cuts = statistics.quantiles(values, n=100, method="inclusive")
            print(f"{name:8}{len(values):5d}{cuts[49]:9.1f}{cuts[89]:9.1f}{cuts[98]:9.1f}{max(values):9.1f}")
    cuts = statistics.quantiles(every, n=100, method="inclusive")
    print(
        f"median {cuts[49] / MEDIAN_LIMIT_MS:.2f} of its limit {MEDIAN_LIMIT_MS:g} ms, p99 {cuts[98] / P99_LIMIT_MS:.2f} of {P99_LIMIT_MS:g} ms"
    )
    return 0 if cuts[49] < MEDIAN_LIMIT_MS and cuts[98] < P99_LIMIT_MS else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=120)
    sys.exit(asyncio.run(run(parser.parse_args().sessions)))
