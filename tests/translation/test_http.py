"""The client that the optimizer's requests go through."""

from __future__ import annotations

import asyncio

import pytest

from optivgi.translation.http import client

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(("idle_s", "connections"), [(0.0, 3), (60.0, 1)])
async def test_a_connection_that_was_idle_for_long_is_not_used_again(idle_s: float, connections: int) -> None:
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, client(idle_s=idle_s) as http:
        for _ in range(3):
            response = await http.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            assert response.json() == {}
    assert served == connections
