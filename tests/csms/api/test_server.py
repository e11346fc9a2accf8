"""The HTTP listener: prompt answers, its port given back, failures named."""

from __future__ import annotations

import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from csms.api.server import HttpServer
from csms.errors import PortUnavailable


async def hello(request: Request) -> Response:
    return PlainTextResponse(f"hello {await request.body()!r}")


APP = Starlette(routes=[Route("/", hello, methods=["POST"])])


def server(host: str = "127.0.0.1", port: int = 0) -> HttpServer:
    return HttpServer("Test", APP, host, port, "TEST_PORT")


async def test_answers_are_not_held_back_for_the_clients_acknowledgement() -> None:
    took_ms = []
    async with server() as listener, httpx.AsyncClient(trust_env=False) as client:
        for _ in range(10):
            begun = time.perf_counter()
            await client.post(f"http://127.0.0.1:{listener.port}/", content=b"x")
            took_ms.append((time.perf_counter() - begun) * 1000)
    assert min(took_ms[1:]) < 35, "Nagle's algorithm and delayed acknowledgements cost 40 ms each time"


async def test_its_port_is_free_afterwards_even_with_a_client_that_stays() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        async with server() as listener:
            answer = await client.post(f"http://127.0.0.1:{listener.port}/", content=b"x")
            assert answer.text == "hello b'x'"
        async with server(port=listener.port) as again:
            assert again.port == listener.port


async def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(PortUnavailable, match=r"^Test cannot listen on 192\.0\.2\.1:0: .*; check BIND_HOST$"):
        async with server("192.0.2.1"):
            pass


async def test_what_the_block_raises_is_not_wrapped() -> None:
    with pytest.raises(LookupError):
        async with server():
            raise LookupError
