"""A CitrineOS in memory, behind its public contract: GraphQL, message API and events."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from graphql import build_schema, graphql_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from optivgi.clock import ManualClock

Json = dict[str, Any]
SCHEMA = build_schema((Path(__file__).parent / "hasura.graphql").read_text())
UNSET: Any = object()


def wire(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def a_sample(
    value: object, measurand: str | None = None, unit: str | None = None, multiplier: int = 0, **more: Any
) -> Json:
    sample: Json = {"value": value, **more}
    if measurand is not None:
        sample["measurand"] = measurand
    if unit is not None:
        sample["unitOfMeasure"] = {"unit": unit, "multiplier": multiplier}
    return sample


class CitrineOSDouble:
    """Keeps rows, answers queries on them, and asks its stations."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.rows: dict[str, list[Json]] = {
            name: [] for name in ("ChargingStations", "Transactions", "Boots", "ChangeConfigurations")
        }
        self.station_says: dict[str, Json | None] = {}
        """Payload of the station's answer; None is silence. Accepted if it is not here."""
        self.offline: set[str] = set()
        self.graphql_answers: list[Response] = []
        """Sent instead of the true answers, one per request."""
        self.rest_answers: list[Response] = []
        self.posted: list[tuple[str, Json]] = []
        self.calls: list[str] = []
        """Correlation ids of the calls to stations, in order."""
        self._callback_client: httpx.AsyncClient | None = None
        self.subscribers: list[Callable[[Json, Json], None]] = []
        self.queries = 0
        self.admin_secret: str | None = None
        self._ids = itertools.count(1)
        self.app = Starlette(
            routes=[
                Route("/v1/graphql", self._graphql, methods=["POST"]),
                Route("/ocpp/1.6/smartcharging/{action}", self._call, methods=["POST"]),
            ]
        )

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app, raise_app_exceptions=False))

    def subscribe(self, subscriber: Callable[[Json, Json], None]) -> Callable[[], None]:
        self.subscribers.append(subscriber)
        return lambda: self.subscribers.remove(subscriber)

    def post_callbacks_to(self, client: httpx.AsyncClient) -> None:
        """Answers go to callback URLs by this client."""
        self._callback_client = client

    def add_station(self, station_id: str, connectors: int = 1, **columns: Any) -> Json:
        now = wire(self.clock.now())
        row = {
            "id": station_id,
            "isOnline": True,
            "protocol": "ocpp1.6",
            "tenantId": 1,
            "Connectors": [
                {"id": next(self._ids), "connectorId": number, "status": "Available", "updatedAt": now}
                for number in range(1, connectors + 1)
            ],
            **columns,
        }
        self.rows["ChargingStations"].append(row)
        self.rows["Boots"].append({"id": station_id, "lastBootTime": now, "tenantId": 1})
        return row

    def plug(self, station_id: str, connector_id: int = 1) -> Json:
        stations = {row["id"]: row for row in self.rows["ChargingStations"]}
        return next(plug for plug in stations[station_id]["Connectors"] if plug["connectorId"] == connector_id)

    def set_status(self, station_id: str, status: str, connector_id: int = 1) -> None:
        self.plug(station_id, connector_id).update(status=status, updatedAt=wire(self.clock.now()))

    def start(self, station_id: str, transaction_id: str = "1", connector_id: int = 1, **columns: Any) -> Json:
        now = wire(self.clock.now())
        row = {
            "id": next(self._ids),
            "stationId": station_id,
            "transactionId": transaction_id,
            "isActive": True,
            "tenantId": 1,
            "startTime": now,
            "createdAt": now,
            "meterStart": 0,
            "Connector": self.plug(station_id, connector_id),
            "StartTransaction": {"meterStart": 0, "timestamp": now},
            "MeterValues": [],
            **columns,
        }
        self.rows["Transactions"].append(row)
        return row

    def meter(self, transaction: Json, *samples: Json, at: datetime | None = None, sampled_value: Any = UNSET) -> None:
        now = wire(self.clock.now())
        row = {
            "id": next(self._ids),
            "timestamp": wire(at) if at else now,
            "createdAt": now,
            "sampledValue": list(samples) if sampled_value is UNSET else sampled_value,
        }
        transaction["MeterValues"].append(row)

    def publish(
        self,
        origin: str,
        state: int,
        station_id: str,
        payload: Json,
        correlation_id: str,
        *,
        action: str = "SetChargingProfile",
    ) -> None:
        """One message about what is asked of a station, as captured."""
        timestamp = wire(self.clock.now())
        headers = {
            "origin": origin,
            "eventGroup": "smartcharging" if origin == "csms" else "router",
            "action": action,
            "state": str(state),
            "stationId": station_id,
            "correlationId": correlation_id,
            "tenantId": "1",
            "timestamp": timestamp,
        }
        context = {"stationId": station_id, "correlationId": correlation_id, "tenantId": 1, "timestamp": timestamp}
        body = {**headers, "context": context, "state": state, "protocol": "ocpp1.6", "payload": payload}
        for subscriber in list(self.subscribers):
            subscriber(headers, body)

    def execute(self, query: str, variables: Json) -> Json:
        """What GraphQL answers, as it comes out of JSON."""
        root = {name: self._table(name) for name in self.rows}
        result = graphql_sync(SCHEMA, query, root, variable_values=variables)
        answer: Json = json.loads(json.dumps(result.formatted))
        return answer

    async def _graphql(self, request: Request) -> Response:
        self.queries += 1
        if self.graphql_answers:
            return self.graphql_answers.pop(0)
        if self.admin_secret not in (None, request.headers.get("x-hasura-admin-secret")):
            errors = [{"message": "invalid x-hasura-admin-secret", "extensions": {"code": "access-denied"}}]
            return JSONResponse({"errors": errors})
        asked = await request.json()
        return JSONResponse(self.execute(asked["query"], asked["variables"]))

    def _table(self, name: str) -> Callable[..., list[Json]]:
        def rows(_info: Any, where: Json, order_by: Any = None) -> list[Json]:
            return [_resolved(row) for row in self.rows[name] if _matches(row, where)]

        return rows

    async def _call(self, request: Request) -> Response:
        action = request.path_params["action"]
        action = action[0].upper() + action[1:]
        if self.rest_answers:
            return self.rest_answers.pop(0)
        station_id, body = request.query_params["identifier"], await request.json()
        self.posted.append((station_id, body))
        if station_id in self.offline:
            return JSONResponse([{"success": False, "payload": f"No connection found for identifier: 1:{station_id}"}])
        correlation_id = f"call-{next(self._ids)}"
        self.calls.append(correlation_id)
        answer = self.station_says.get(station_id, {"status": "Accepted"})
        self.publish("csms", 1, station_id, json.loads(json.dumps(body)), correlation_id, action=action)
        if answer is not None:
            self.publish("cs", 2, station_id, answer, correlation_id, action=action)
            url = request.query_params.get("callbackUrl")
            if url is not None and self._callback_client is not None:
                await self._callback_client.post(url, json=answer)
        return JSONResponse([{"success": True}])


def _matches(row: Json, where: Json) -> bool:
    return all(
        row[column] == test["_eq"] if "_eq" in test else row[column] in test["_in"] for column, test in where.items()
    )


def _resolved(row: Json) -> Json:
    """Arguments of nested relations: MeterValues newest first and limited."""
    if "MeterValues" not in row:
        return {**row, "Connectors": lambda _info, order_by: row["Connectors"]} if "Connectors" in row else row

    def meter_values(_info: Any, order_by: list[Json], limit: int) -> list[Json]:
        assert [dict(one) for one in order_by] == [{"timestamp": "desc"}, {"id": "desc"}]
        return sorted(row["MeterValues"], key=lambda one: (one["timestamp"], one["id"]), reverse=True)[:limit]

    return {**row, "MeterValues": meter_values}
