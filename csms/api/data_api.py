"""The /data endpoints that a client of the charging loop needs: rows as CitrineOS shows them, and who is connected.

What CitrineOS does not have it answers with 200 and an empty body, and so does this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from csms.api.callbacks import CallbackPolicy
from csms.api.http import Operation
from csms.api.validation import RequestSchema
from csms.api.webhooks import Webhooks, filter_problem
from csms.errors import InvalidRequest, RecordConflict
from csms.ports import Json
from csms.store import records, tables
from csms.store.database import Database

DEFAULT_TENANT = 1

TEXT: Json = {"type": "string", "maxLength": 255, "pattern": "^[^\\u0000]*$"}
STATION: Json = {**TEXT, "minLength": 1, "maxLength": 36, "description": "Station id."}
ROW_ID: Json = {"type": "integer", "minimum": 0, "maximum": 2_147_483_647}
SECONDS: Json = {"type": ["integer", "null"], "minimum": 0, "maximum": 2_147_483_647}
FLAG: Json = {"type": "boolean"}
AMOUNT: Json = {"type": "number", "minimum": 0, "maximum": 1e12}
TENANT: Json = {**ROW_ID, "description": "Tenant; 1 when left out."}

Disconnect = Callable[[str], Awaitable[bool]]
"""Ends a station's connection; False when there is none."""


def query(*required: str, **members: Json) -> RequestSchema:
    """The schema of a query string; every one may name a tenant."""
    return RequestSchema(
        "querystring",
        {"type": "object", "required": list(required), "properties": {**members, "tenantId": TENANT}},
    )


def body(*required: str, **members: Json) -> RequestSchema:
    """The schema of a JSON body; members that it does not name are dropped."""
    return RequestSchema(
        "body",
        {"type": "object", "required": list(required), "additionalProperties": False, "properties": members},
    )


BOOT = body(
    "status",
    status={"type": "string", "enum": ["Accepted", "Pending", "Rejected"]},
    heartbeatInterval=SECONDS,
    bootRetryInterval=SECONDS,
    statusInfo={"type": ["object", "null"]},
    getBaseReportOnPending=FLAG,
    variablesRejectedOnLastBoot={"type": ["array", "null"]},
    bootWithRejectedVariables=FLAG,
    changeConfigurationsOnPending=FLAG,
    getConfigurationsOnPending=FLAG,
)
SUBSCRIPTION = body(
    "stationId",
    "url",
    stationId=STATION,
    url=TEXT,
    onConnect=FLAG,
    onClose=FLAG,
    onMessage=FLAG,
    sentMessage=FLAG,
    messageRegexFilter={**TEXT, "type": ["string", "null"]},
)
TARIFF = body(
    "currency",
    "pricePerKwh",
    id=ROW_ID,
    stationId=STATION,
    connectorId=ROW_ID,
    currency={"type": "string", "pattern": "^[A-Z]{3}$"},
    pricePerKwh=AMOUNT,
    pricePerMin=AMOUNT,
    pricePerSession=AMOUNT,
    authorizationAmount=AMOUNT,
    paymentFee=AMOUNT,
    taxRate=AMOUNT,
    tariffAltText=TEXT,
)
TENANT_BODY = body(
    "name",
    name={**TEXT, "minLength": 1},
    url=TEXT,
    partyId=TEXT,
    countryCode=TEXT,
    isUserTenant=FLAG,
)

BY_STATION = query("stationId", stationId=STATION)


class DataApi:
    """Reads and writes the rows behind /data. `listeners` are the websocket servers, as ocpprouter/websocket shows them."""

    def __init__(
        self,
        database: Database,
        webhooks: Webhooks,
        policy: CallbackPolicy,
        disconnect: Disconnect,
        listeners: Callable[[], Sequence[Json]],
    ) -> None:
        self._database, self._webhooks, self._policy = database, webhooks, policy
        self._disconnect, self._listeners = disconnect, listeners

    def operations(self) -> list[Operation]:
        """All routes of the data interface."""
        boot, subscription, tariff = "configuration/boot", "ocpprouter/subscription", "transactions/tariff"
        boots, tariffs = records.describe(tables.boots), records.describe(tables.tariffs)
        success: Json = {"type": "object", "properties": {"success": FLAG, "payload": {"type": "string"}}}
        return [
            _operation(
                "GET transactions/transaction",
                "One transaction of a station",
                self._transaction,
                query("stationId", "transactionId", stationId=STATION, transactionId=TEXT),
                answer=records.describe(tables.transactions),
            ),
            _operation(f"GET {boot}", "What a station is told at its boot", self._boot, BY_STATION, answer=boots),
            _operation(f"PUT {boot}", "Decide what it is told", self._put_boot, BY_STATION, takes=BOOT, answer=boots),
            _operation(f"DELETE {boot}", "Forget its boot", self._delete_boot, BY_STATION, answer=boots),
            _operation(
                "GET configuration/serverNetworkProfile",
                "The network profiles of a station",
                self._network_profiles,
                BY_STATION,
                answer=_list_of(records.describe(tables.charging_station_network_profiles)),
            ),
            _operation(
                "GET evdriver/localListVersion",
                "The version of a station's local list",
                self._local_list_version,
                BY_STATION,
                answer=records.describe(tables.local_list_versions),
            ),
            _operation(
                f"GET {subscription}",
                "The webhooks of a station",
                self._subscriptions,
                BY_STATION,
                answer=_list_of(records.describe(tables.subscriptions)),
            ),
            _operation(
                f"POST {subscription}",
                "Be told of a station's connection and messages",
                self._subscribe,
                query(),
                takes=SUBSCRIPTION,
                answer={"type": "integer", "description": "The id of the subscription."},
            ),
            _operation(
                f"DELETE {subscription}",
                "End a webhook",
                self._unsubscribe,
                query("id", id=ROW_ID),
                answer={"type": "boolean", "description": "Whether there was one."},
            ),
            _operation(
                "GET ocpprouter/websocket",
                "Where stations connect",
                self._websockets,
                query(id=TEXT),
                answer=_list_of({"type": "object"}),
            ),
            _operation(
                "DELETE ocpprouter/connection", "Disconnect a station", self._end_connection, BY_STATION, answer=success
            ),
            _operation(f"GET {tariff}", "Tariffs", self._tariffs, query(id=ROW_ID), answer=_list_of(tariffs)),
            _operation(
                f"PUT {tariff}", "Add or change a tariff", self._put_tariff, query(), takes=TARIFF, answer=tariffs
            ),
            _operation(
                f"DELETE {tariff}",
                "Remove a tariff, or all of a tenant",
                self._delete_tariffs,
                query(id=ROW_ID),
                answer={"type": "integer", "description": "How many there were."},
            ),
            _operation(
                "POST tenant/tenant",
                "Add a tenant",
                self._add_tenant,
                query(),
                takes=TENANT_BODY,
                answer=records.describe(tables.tenants),
            ),
            _operation(
                "DELETE tenant/tenant",
                "Remove a tenant",
                self._delete_tenant,
                query("tenantId"),
                answer=records.describe(tables.tenants),
            ),
        ]

    async def _transaction(self, given: Json, _: None) -> Json | None:
        wanted = {"stationId": given["stationId"], "transactionId": given["transactionId"]}
        return _first(await self._find(tables.transactions, given, **wanted))

    async def _boot(self, given: Json, _: None) -> Json | None:
        return _first(await self._find(tables.boots, given, id=given["stationId"]))

    async def _put_boot(self, given: Json, boot: Json) -> Json:
        async with self._database.begin() as connection:
            row = {"id": given["stationId"], "tenantId": _tenant(given), **boot}
            return await records.put(connection, tables.boots, row, "id")

    async def _delete_boot(self, given: Json, _: None) -> Json | None:
        return _first(await self._remove(tables.boots, given, id=given["stationId"]))

    async def _network_profiles(self, given: Json, _: None) -> list[Json]:
        return await self._find(tables.charging_station_network_profiles, given, stationId=given["stationId"])

    async def _local_list_version(self, given: Json, _: None) -> Json | None:
        return _first(await self._find(tables.local_list_versions, given, stationId=given["stationId"]))

    async def _subscriptions(self, given: Json, _: None) -> list[Json]:
        return await self._find(tables.subscriptions, given, stationId=given["stationId"])

    async def _subscribe(self, given: Json, subscription: Json) -> int:
        if refusal := self._policy.refusal(subscription["url"]):
            raise InvalidRequest(f"body/url {refusal}")
        pattern = subscription.get("messageRegexFilter")
        if pattern and (problem := filter_problem(pattern)):
            raise InvalidRequest(f"body/messageRegexFilter {problem}")
        async with self._database.begin() as connection:
            row = await records.add(connection, tables.subscriptions, {**subscription, "tenantId": _tenant(given)})
        self._webhooks.changed(row["stationId"])
        return int(row["id"])

    async def _unsubscribe(self, given: Json, _: None) -> bool:
        gone = await self._remove(tables.subscriptions, given, id=given["id"])
        for row in gone:
            self._webhooks.changed(row["stationId"])
        return bool(gone)

    async def _websockets(self, given: Json, _: None) -> list[Json]:
        listeners = [each for each in self._listeners() if each["tenantId"] == _tenant(given)]
        return [each for each in listeners if given.get("id") in (None, each["id"])]

    async def _end_connection(self, given: Json, _: None) -> Json:
        tenant_id, station_id = _tenant(given), given["stationId"]
        if tenant_id == DEFAULT_TENANT and await self._disconnect(station_id):
            return {"success": True}
        return {"success": False, "payload": f"No connection found for identifier: {tenant_id}:{station_id}"}

    async def _tariffs(self, given: Json, _: None) -> list[Json]:
        return await self._find(tables.tariffs, given, **_members(given, "id"))

    async def _put_tariff(self, given: Json, tariff: Json) -> Json:
        row = {**tariff, "tenantId": _tenant(given)}
        async with self._database.begin() as connection:
            for key in ("id", "stationId"):
                if key in row:
                    return await records.put(connection, tables.tariffs, row, key)
            return await records.add(connection, tables.tariffs, row)

    async def _delete_tariffs(self, given: Json, _: None) -> int:
        return len(await self._remove(tables.tariffs, given, **_members(given, "id")))

    async def _add_tenant(self, _: Json, tenant: Json) -> Json:
        async with self._database.begin() as connection:
            return await records.add(connection, tables.tenants, tenant)

    async def _delete_tenant(self, given: Json, _: None) -> Json | None:
        if _tenant(given) == DEFAULT_TENANT:
            raise RecordConflict(f"tenant {DEFAULT_TENANT} owns the stations and cannot be removed")
        async with self._database.begin() as connection:
            return _first(await records.remove(connection, tables.tenants, id=_tenant(given)))

    async def _find(self, table: Any, given: Json, **equals: Any) -> list[Json]:
        async with self._database.connect() as connection:
            return await records.find(connection, table, tenantId=_tenant(given), **equals)

    async def _remove(self, table: Any, given: Json, **equals: Any) -> list[Json]:
        async with self._database.begin() as connection:
            return await records.remove(connection, table, tenantId=_tenant(given), **equals)


def _operation(
    route: str,
    summary: str,
    handle: Callable[[Json, Any], Awaitable[Any]],
    accepts: RequestSchema,
    *,
    takes: RequestSchema | None = None,
    answer: Mapping[str, Any] | None = None,
) -> Operation:
    method, path = route.split()
    module, noun = path.split("/")
    return Operation(
        method=method,
        path=f"/data/{path}",
        name=f"{method.lower()}{noun[0].upper()}{noun[1:]}",
        tag=f"data {module}",
        summary=summary,
        handle=handle,
        query=accepts,
        body=takes,
        answer=dict(answer or {}),
    )


def _list_of(schema: Json) -> Json:
    return {"type": "array", "items": schema}


def _first(rows: list[Json]) -> Json | None:
    return rows[0] if rows else None


def _tenant(given: Json) -> int:
    return int(given.get("tenantId", DEFAULT_TENANT))


def _members(given: Json, *names: str) -> Json:
    return {name: given[name] for name in names if name in given}
