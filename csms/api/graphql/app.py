"""GraphQL over HTTP: /v1/graphql, /v1/metadata and /healthz, as a Hasura server has them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from csms.api.graphql.errors import ACCESS_DENIED, VALIDATION_FAILED, Refusal
from csms.api.graphql.service import GraphQLService
from csms.api.graphql.subscriptions import LiveConnection

MAX_BODY_BYTES = 4 * 1024 * 1024
SECRET_HEADERS = ("x-hasura-admin-secret", "x-hasura-access-key")


def graphql_app(service: GraphQLService, admin_secret: str | None = None) -> Starlette:
    """The ASGI application; with `admin_secret` every request must bring it in x-hasura-admin-secret."""

    async def graphql(request: Request) -> Response:
        try:
            _check_secret(request, admin_secret)
            return _json(await service.execute_body(await _body(request)))
        except Refusal as refusal:
            return _json(msgspec.json.encode(refusal.answer()))

    async def metadata(request: Request) -> Response:
        """Every table is tracked already, so each command of the metadata API has succeeded before it came."""
        try:
            _check_secret(request, admin_secret)
            await _body(request)
        except Refusal as refusal:
            return _json(msgspec.json.encode(refusal.answer()))
        return _json(b'{"message":"success"}')

    async def live(websocket: WebSocket) -> None:
        def allowed(headers: Mapping[str, Any]) -> bool:
            return not admin_secret or _secret_in(websocket.headers, admin_secret) or _secret_in(headers, admin_secret)

        await LiveConnection(websocket, service).serve(allowed)

    async def healthz(_request: Request) -> Response:
        healthy = await service.healthy()
        return PlainTextResponse("OK" if healthy else "ERROR: the database does not answer", 200 if healthy else 503)

    return Starlette(
        routes=[
            Route("/v1/graphql", graphql, methods=["POST"]),
            WebSocketRoute("/v1/graphql", live),
            Route("/v1/metadata", metadata, methods=["POST"]),
            Route("/healthz", healthz),
        ]
    )


def _check_secret(request: Request, admin_secret: str | None) -> None:
    if admin_secret and not _secret_in(request.headers, admin_secret):
        raise Refusal('"x-hasura-admin-secret" is missing or wrong', "$", ACCESS_DENIED)


def _secret_in(headers: Mapping[str, Any], admin_secret: str) -> bool:
    given = [value for name, value in headers.items() if name.lower() in SECRET_HEADERS and isinstance(value, str)]
    return any(secrets.compare_digest(value.encode(), admin_secret.encode()) for value in given)


async def _body(request: Request) -> dict[str, Any]:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise Refusal(f"the request is larger than {MAX_BODY_BYTES} bytes", "$", VALIDATION_FAILED)
    try:
        body = msgspec.json.decode(bytes(raw))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refusal(f"the request is not JSON: {error}", "$", "invalid-json") from None
    if not isinstance(body, dict):
        raise Refusal("the request must be a JSON object", "$", "parse-failed")
    return body


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")
