"""A station's link, by itself."""

from __future__ import annotations

import asyncio
import json
from typing import cast

import pytest
from ocpp.v16 import call
from websockets.asyncio.client import ClientConnection

from optivgi.clock import settle
from simulator.link16 import Link


class Wire:
    """A connection that swallows what is sent."""

    async def send(self, frame: str) -> None:
        """Takes it."""


@pytest.mark.parametrize("rounds", range(8))
async def test_a_question_that_is_cancelled_is_over_even_if_its_answer_comes_at_that_moment(rounds: int) -> None:
    link = Link("ST-01", cast(ClientConnection, Wire()), lambda: "1", 5.0)
    asked = asyncio.create_task(link.ask(call.Heartbeat(), lambda answer: None))
    await settle()
    heard = asyncio.create_task(link.route_message(json.dumps([3, "1", {"currentTime": "2026-03-03T08:00:00Z"}])))
    for _ in range(rounds):
        await asyncio.sleep(0)
    gone = asked.done() or not asked.cancel()
    await asyncio.gather(asked, heard, return_exceptions=True)
    assert gone or asked.cancelled()
