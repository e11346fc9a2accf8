"""The small HTTP listener to which a CSMS posts stations' answers."""

from __future__ import annotations

import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from optivgi.listener import Listener
from optivgi.translation.citrineos.answers import AnswersByCallback

LARGEST_BODY = 65_536


def callback_app(answers: AnswersByCallback, path: str = "") -> Starlette:
    """POST `path`/<token> with the station's bare payload: 204, or 404 where nobody waits for the token."""

    async def receive(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                return Response("too large", status_code=413)
        try:
            payload = json.loads(body)
        except ValueError:
            return Response("no JSON", status_code=400)
        taken = answers.take(request.path_params["token"], payload)
        return Response(status_code=204) if taken else Response("nobody waits for this", status_code=404)

    return Starlette(routes=[Route(f"{path.rstrip('/')}/{{token}}", receive, methods=["POST"])])


class CallbackListener(Listener):
    """Serves `callback_app` on a port that is open from now on; `serve` runs until cancelled. Leaves signals alone."""

    def __init__(self, answers: AnswersByCallback, host: str, port: int, path: str = "") -> None:
        super().__init__(callback_app(answers, path), host, port)
