"""A meter that answers HTTP, and one that does not as it should."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from optivgi.clock import WallClock
from optivgi.listener import Listener
from optivgi.site_meter.fields import JsonFields
from optivgi.site_meter.http_json import HttpJsonMeter
from tests.site_meter.ear import listening

Answer = Callable[[Request], Awaitable[Response]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """The address while `answer` answers there."""
    listener = Listener(Starlette(routes=[Route("/{rest:path}", answer)]), "127.0.0.1", 0)
    task = asyncio.create_task(listener.serve())
    try:
        yield f"http://user:secret@127.0.0.1:{listener.port}/status"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def first_doubt(answer: Answer, fields: JsonFields | None = None) -> str:
    async with serving(answer) as url, listening(a_meter(url, fields)) as ear:
        return await ear.next_doubt()


def a_meter(url: str, fields: JsonFields | None = None) -> HttpJsonMeter:
    return HttpJsonMeter(url, fields or JsonFields({"power": "em:0.total"}), WallClock(), poll_s=0.01, timeout_s=0.3)


async def test_it_is_asked_again_and_again_with_user_and_password() -> None:
    seen: list[str] = []

    async def answer(request: Request) -> Response:
        seen.append(request.headers["authorization"])
        return JSONResponse({"em:0": {"total": 1000 * len(seen)}})

    async with serving(answer) as url, listening(a_meter(url)) as ear:
        assert [(await ear.next_reading()).kw for _ in range(3)] == [1.0, 2.0, 3.0]
    assert seen[0] == "Basic " + base64.b64encode(b"user:secret").decode()


async def test_after_a_fault_it_goes_on() -> None:
    answers = iter([Response(status_code=500), JSONResponse({"em:0": {"total": 7}})])

    async def answer(request: Request) -> Response:
        return next(answers, Response(status_code=503))

    async with serving(answer) as url, listening(a_meter(url)) as ear:
        assert "it answers 500" in await ear.next_doubt()
        assert (await ear.next_reading()).kw == 0.007


async def _elsewhere(request: Request) -> Response:
    return RedirectResponse("http://127.0.0.1:1/")


async def _without_the_field(request: Request) -> Response:
    return JSONResponse({"em:0": {"volts": 230}})


async def _slow_body(request: Request) -> Response:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    return StreamingResponse(drops())


async def _endless(request: Request) -> Response:
    return Response(b" " * (1 << 21))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_elsewhere, "points elsewhere: name the final METER_URL"),
        (_without_the_field, "there is no 'total' of 'em:0.total'"),
        (_slow_body, "no answer within 0.3 s"),
        (_endless, "longer than"),
    ],
)
async def test_what_is_wrong_is_named(answer: Answer, words: str) -> None:
    assert words in await first_doubt(answer)


async def test_nobody_there_is_named() -> None:
    async with listening(a_meter("http://127.0.0.1:1/")) as ear:
        assert "cannot be reached" in await ear.next_doubt()
