"""What every REST route shares: bodies read within bounds, checked, answered in JSON, refused in the contract's shape."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from csms.api.validation import RequestSchema
from csms.errors import (
    BodyTooLarge,
    DatabaseUnreachable,
    InvalidJson,
    InvalidRequest,
    RecordConflict,
    RequestRefused,
    RouteNotFound,
    UnsupportedMediaType,
)
from csms.ports import Json
from csms.rpc.frames import objection

log = logging.getLogger("csms.api")

MAX_BODY_BYTES = 1_048_576

_encode = msgspec.json.Encoder(decimal_format="number").encode

Handler = Callable[[Json, Any], Awaitable[Any]]
"""Takes the checked query string and the checked body (None without one); returns what is answered as JSON.

None is answered as 200 with an empty body, as CitrineOS does for what it does not have.
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """One route of the REST interface: what it does, and all that its documentation needs."""

    method: str
    path: str
    name: str
    tag: str
    summary: str
    handle: Handler
    query: RequestSchema
    body: RequestSchema | None = None
    answer: Json = field(default_factory=dict)
    """JSON schema of the 200 answer."""


class JsonResponse(Response):
    """JSON in UTF-8; NaN and infinities become null."""

    media_type = "application/json; charset=utf-8"

    def render(self, content: Any) -> bytes:
        return _encode(content)


def rest_app(operations: Sequence[Operation], *more: BaseRoute, max_body_bytes: int = MAX_BODY_BYTES) -> Starlette:
    """The ASGI application that serves `operations` and `more` routes."""
    routes = [Route(each.path, _endpoint(each, max_body_bytes), methods=[each.method]) for each in operations]
    app = Starlette(routes=[*routes, *more], exception_handlers={HTTPException: _no_such_route})
    app.router.redirect_slashes = False
    return app


def refusal_body(status: int, message: str, code: str | None = None) -> Json:
    """The contract's error body."""
    error = HTTPStatus(status).phrase
    return {"statusCode": status, **({"code": code} if code else {}), "error": error, "message": message}


def _endpoint(operation: Operation, max_body_bytes: int) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = operation.body.check(await _read_json(request, max_body_bytes)) if operation.body else None
            query = operation.query.check(_query(request))
            answer = await operation.handle(query, body)
        except RequestRefused as refusal:
            return JsonResponse(refusal_body(refusal.status, refusal.message, refusal.code), refusal.status)
        except RecordConflict as error:
            return JsonResponse(refusal_body(409, str(error)), 409)
        except DatabaseUnreachable as error:
            log.warning("%s %s: %s", operation.method, operation.path, error)
            return JsonResponse(refusal_body(503, str(error)), 503)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:  # the edge: whatever went wrong, one request fails and the server goes on
            log.exception("%s %s failed", operation.method, operation.path)
            return JsonResponse(refusal_body(500, "internal error; the CSMS's log has the details"), 500)
        return Response() if answer is None else JsonResponse(answer)

    return endpoint


async def _no_such_route(request: Request, error: Exception) -> Response:
    """404 for an unknown path and, as the contract has it, for a known path with another method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status not in (404, 405):
        return JsonResponse(refusal_body(status, HTTPStatus(status).phrase), status)
    query = f"?{request.url.query}" if request.url.query else ""
    refusal = RouteNotFound(f"Route {request.method}:{request.url.path}{query} not found")
    return JsonResponse(refusal_body(refusal.status, refusal.message), refusal.status)


def _query(request: Request) -> Json:
    """The query string: a name that comes more than once has a list of values."""
    query: Json = {}
    for name, value in request.query_params.multi_items():
        if name not in query:
            query[name] = value
        elif isinstance(query[name], list):
            query[name].append(value)
        else:
            query[name] = [query[name], value]
    return query


async def _read_json(request: Request, max_body_bytes: int) -> object:
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType(f"Unsupported Media Type: {kind}")
    stated = request.headers.get("content-length", "0")
    if stated.isdigit() and int(stated) > max_body_bytes:
        raise BodyTooLarge("Request body is too large")
    text = bytearray()
    async for chunk in request.stream():
        text += chunk
        if len(text) > max_body_bytes:
            raise BodyTooLarge("Request body is too large")
    if not text:
        return None
    try:
        body: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidJson("Body is not valid JSON but content-type is set to 'application/json'") from error
    if problem := objection(body):
        raise InvalidRequest(f"body is not accepted: {problem}")
    return body
