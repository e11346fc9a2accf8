"""POSTs to addresses that clients name: one attempt, bounded, no redirects, no secrets in the log."""

from __future__ import annotations

import asyncio

import pytest

from csms.api.callbacks import CallbackPolicy, CallbackSender
from tests.csms.api.fakes import Receiver
from tests.services import free_port

ANY = CallbackPolicy()


async def test_the_body_arrives_as_json() -> None:
    async with Receiver() as receiver, CallbackSender(ANY) as sender:
        assert await sender.post(f"{receiver.url}/cb", {"status": "Accepted", "ü": [1.5, None]})
        received = await receiver.next()
    assert (received.path, received.body) == ("/cb", {"status": "Accepted", "ü": [1.5, None]})


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver() as elsewhere, Receiver() as receiver, CallbackSender(ANY) as sender:
        receiver.status, receiver.headers = "307 Temporary Redirect", f"Location: {elsewhere.url}/secret\r\n"
        assert not await sender.post(receiver.url, {})
        await receiver.next()
        assert elsewhere.empty()


async def test_a_receiver_that_does_not_answer_is_given_up() -> None:
    async with Receiver() as receiver, CallbackSender(ANY, timeout_s=0.05) as sender:
        receiver.hold.clear()
        assert not await sender.post(receiver.url, {})


async def test_the_number_of_posts_at_once_is_bounded() -> None:
    async with Receiver() as receiver, CallbackSender(ANY, at_once=2) as sender, asyncio.TaskGroup() as tasks:
        receiver.hold.clear()
        for number in range(5):
            tasks.create_task(sender.post(receiver.url, number))
        arrived = {(await receiver.next()).body, (await receiver.next()).body}
        assert receiver.empty()
        receiver.hold.set()
        arrived |= {(await receiver.next()).body for _ in range(3)}
    assert arrived == {0, 1, 2, 3, 4}


async def test_a_host_that_fails_is_told_once_without_path_or_query_and_once_when_it_works_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Receiver() as receiver, CallbackSender(ANY) as sender:
        url = f"http://user:pa55@127.0.0.1:{receiver.port}/cb?token=t0ken"
        for receiver.status in ("500 Oops", "500 Oops", "204 No Content", "200 OK"):
            await sender.post(url, {})
    told = [r.getMessage() for r in caplog.records if r.name == "csms.api"]
    assert told == [f"Callbacks to {receiver.url} fail: status 500", f"Callbacks to {receiver.url} work again"]


async def test_an_unreachable_host_is_no_exception() -> None:
    async with CallbackSender(ANY) as sender:
        assert not await sender.post(f"http://127.0.0.1:{free_port()}/", {})


async def test_an_address_that_the_policy_refuses_is_not_called_whoever_asks() -> None:
    async with Receiver() as receiver, CallbackSender(CallbackPolicy(["example.test"])) as sender:
        assert not await sender.post(receiver.url, {})
        assert receiver.empty()


@pytest.mark.parametrize(
    ("hosts", "url", "refused"),
    [
        ((), "http://127.0.0.1:9099/cb", False),
        ((), "https://optivgi/cb", False),
        ((), "http://[::1]:80/", False),
        ((), "gopher://x/", True),
        ((), "http://user@/x", True),
        ((), "http://x /y", True),
        ((), "javascript:alert(1)", True),
        (("Optivgi",), "http://OPTIVGI:8099/cb", False),
        (("optivgi",), "http://optivgi@evil/cb", True),
        (("optivgi",), "http://optivgi.evil/cb", True),
    ],
)
def test_only_addresses_with_scheme_and_permitted_host_pass(hosts: tuple[str, ...], url: str, refused: bool) -> None:
    assert (CallbackPolicy(hosts).refusal(url) is not None) is refused
