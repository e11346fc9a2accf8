"""A part's tasks end with the part, and its block's own exceptions stay what they are."""

from __future__ import annotations

import asyncio

import pytest

from csms.tasks import Tasks


async def forever() -> None:
    await asyncio.Event().wait()


async def test_what_the_block_raises_passes_unwrapped_and_ends_the_tasks() -> None:
    tasks: list[asyncio.Task[None]] = []

    async def part() -> None:
        async with Tasks() as outer, Tasks() as inner:
            tasks.extend([outer.create_task(forever()), inner.create_task(forever())])
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await part()
    assert len(tasks) == 2
    assert all(task.cancelled() for task in tasks)


async def test_a_task_that_fails_ends_the_block_with_a_group() -> None:
    async def fail() -> None:
        raise ValueError("its own")

    async def part() -> None:
        async with Tasks() as tasks:
            tasks.create_task(fail())
            await forever()

    with pytest.raises(ExceptionGroup) as caught:
        await part()
    assert caught.group_contains(ValueError, match="its own")


async def test_without_a_fault_the_block_waits_for_its_tasks() -> None:
    release, done = asyncio.Event(), []

    async def work() -> None:
        await release.wait()
        done.append(True)

    async with Tasks() as tasks:
        tasks.create_task(work())
        release.set()
    assert done == [True]


async def test_cancelling_the_block_cancels_its_tasks() -> None:
    begun, inner = asyncio.Event(), []

    async def part() -> None:
        async with Tasks() as tasks:
            inner.append(tasks.create_task(forever()))
            begun.set()
            await forever()

    running = asyncio.ensure_future(part())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert inner[0].cancelled()
