"""Processes that change the same rows: what each remembers counts only while the row's version agrees."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from chassis.database import Pool
from chassis.messages import Message
from chassis.settings import Settings
from tests.integration.counters import Added, Counter, Noted, add, total
from tests.integration.deciders import HoldsTenAtMost, RemembersNothing, WritesNothingForZero, batching


def loads() -> float:
    count = REGISTRY.get_sample_value("batch_loads_total")
    assert count is not None
    return count


async def test_of_two_processes_that_insert_the_same_rows_the_loser_tries_again(pool: Pool, settings: Settings) -> None:
    ids = [uuid4() for _ in range(40)]
    async with batching(pool, settings) as one, batching(pool, settings) as other:
        forward = [one.put(add(1, counter_id)) for counter_id in ids]
        backward = [other.put(add(10, counter_id)) for counter_id in reversed(ids)]
        await asyncio.gather(*forward, *backward)
    assert [await total(pool, counter_id) for counter_id in ids] == [11] * len(ids)


async def test_two_processes_that_take_turns_never_go_by_what_they_remember(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with batching(pool, settings) as one, batching(pool, settings) as other:
        for _ in range(3):
            await one.submit(add(1, counter_id))
            await other.submit(add(10, counter_id))
        handled = await one.submit(Message.new(Noted(saga_id=counter_id, number=100)))
    assert handled.row == Counter(counter_id, total=133, version=6)
    assert await total(pool, counter_id) == 133


async def test_many_processes_and_many_messages_for_one_row_lose_none(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with AsyncExitStack() as stack:
        many = [await stack.enter_async_context(batching(pool, settings)) for _ in range(4)]
        await asyncio.gather(*(batcher.put(add(1, counter_id)) for batcher in many for _ in range(50)))
    assert await total(pool, counter_id) == 200


async def test_a_refusal_that_only_stale_memory_gives_is_not_believed(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with batching(pool, settings, HoldsTenAtMost()) as one, batching(pool, settings) as other:
        await one.submit(add(10, counter_id))
        await other.submit(Message.new(Noted(saga_id=counter_id, number=-9)))
        await one.submit(Message.new(Noted(saga_id=counter_id, number=4)))
        with pytest.raises(OverflowError):
            await one.submit(Message.new(Noted(saga_id=counter_id, number=6)))
    assert await total(pool, counter_id) == 5


async def test_an_answer_that_needs_no_write_is_not_given_from_stale_memory(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with batching(pool, settings, WritesNothingForZero()) as one, batching(pool, settings) as other:
        await one.submit(add(1, counter_id))
        await other.submit(add(10, counter_id))
        handled = await one.submit(add(0, counter_id))
    assert [answer.body for answer in handled.outgoing] == [Added(saga_id=counter_id, total=11)]


async def test_a_row_that_is_not_remembered_is_loaded(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with batching(pool, settings, RemembersNothing()) as batcher:
        await batcher.submit(add(1, counter_id))
        await batcher.submit(Message.new(Noted(saga_id=counter_id, number=10)))
        await batcher.submit(add(100, counter_id))
    assert await total(pool, counter_id) == 111


async def test_a_row_that_is_remembered_costs_one_transaction(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with batching(pool, settings) as batcher:
        await batcher.submit(add(1, counter_id))
        before = loads()
        for _ in range(20):
            await batcher.submit(add(1, counter_id))
    assert loads() == before
    assert await pool.fetchval("select count(distinct xmin::text) from inbox") == 21
    assert await total(pool, counter_id) == 21
