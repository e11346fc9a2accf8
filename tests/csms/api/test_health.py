"""Health tells the truth, part by part, and in time."""

from __future__ import annotations

import asyncio

import httpx

from csms.api.health import Health
from csms.api.http import rest_app


async def well() -> str | None:
    return None


async def ill() -> str | None:
    return "not connected: refused"


async def hanging() -> str | None:
    await asyncio.Event().wait()
    return None


async def ask(health: Health) -> httpx.Response:
    transport = httpx.ASGITransport(rest_app([], health.route()))
    async with httpx.AsyncClient(transport=transport, base_url="http://csms") as client:
        return await client.get("/health")


async def test_when_every_part_is_well_the_whole_is_healthy() -> None:
    response = await ask(Health({"database": well, "broker": well}))
    assert response.status_code == 200
    assert response.json() == {
        "status": "healthy",
        "database": {"status": "healthy"},
        "broker": {"status": "healthy"},
    }


async def test_one_ill_part_makes_the_whole_unhealthy_and_says_why() -> None:
    response = await ask(Health({"database": well, "broker": ill}))
    assert response.status_code == 503
    assert response.json() == {
        "status": "unhealthy",
        "database": {"status": "healthy"},
        "broker": {"status": "unhealthy", "reason": "not connected: refused"},
    }


async def test_a_part_that_does_not_answer_is_ill_and_holds_up_nobody() -> None:
    report = await Health({"database": hanging, "broker": well}, timeout_s=0.01).report()
    assert report["database"] == {"status": "unhealthy", "reason": "no answer within 0.01 s"}
    assert report["broker"] == {"status": "healthy"}
