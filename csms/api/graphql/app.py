"""GraphQL over HTTP: /v1/graphql, /v1/metadata and /healthz, as a Hasura server has them."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from csms.api.graphql.errors import ACCESS_DENIED, VALIDATION_FAILED, Refusal
from csms.api.graphql.service import GraphQLService

MAX_BODY_BYTES = 4 * 1024 * 1024
SECRET_HEADERS = ("x-hasura-admin-secret", "x-hasura-access-key")


def graphql_app(service: GraphQLService, admin_secret: str | None = None) -> Starlette:
    """The ASGI application; with `admin_secret` every request must bring it in x-hasura-admin-secret."""

    async def graphql(request: Request) -> Response:
        try:
            _check_secret(request, admin_secret)
            body = await _body(request)
            query, variables = body.get("query"), body.get("variables")
            name = body.get("operationName")
            if not isinstance(query, str):
                raise Refusal("the request must have a text called query", "$.query")
            if variables is not None and not isinstance(variables, dict):
                raise Refusal("variables must be an object", "$.variables")
            if name is not None and not isinstance(name, str):
                raise Refusal("operationName must be a text", "$.operationName")
            return _json(await service.execute_json(query, variables, name))
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

    async def healthz(_request: Request) -> Response:
        healthy = await service.healthy()
        return PlainTextResponse("OK" if healthy else "ERROR: the database does not answer", 200 if healthy else 503)

    return Starlette(
        routes=[
            Route("/v1/graphql", graphql, methods=["POST"]),
            Route("/v1/metadata", metadata, methods=["POST"]),
            Route("/healthz", healthz),
        ]
    )


def _check_secret(request: Request, admin_secret: str | None) -> None:
    if not admin_secret:
        return
    given = next((request.headers[name] for name in SECRET_HEADERS if name in request.headers), None)
    if given is None:
        raise Refusal('missing "x-hasura-admin-secret"', "$", ACCESS_DENIED)
    if not secrets.compare_digest(given.encode(), admin_secret.encode()):
        raise Refusal('invalid "x-hasura-admin-secret"', "$", ACCESS_DENIED)


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
